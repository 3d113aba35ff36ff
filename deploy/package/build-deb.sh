#!/usr/bin/env bash
# build-deb.sh OUT: a Debian package of what `make install` installs, made with dpkg-deb alone.
# VERSION overrides the version, for tests of upgrades.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
out=$1
here=deploy/package
version=${VERSION:-$(.build/release/tagway version | cut -d' ' -f2)}
architecture=$(dpkg --print-architecture)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
chmod 0755 "$tree"

make --no-print-directory install DESTDIR="$tree" PREFIX=/usr UNITDIR=/lib/systemd/system SYSCONFDIR=/etc >/dev/null
strip --strip-all --remove-section=.comment --remove-section=.note "$tree/usr/bin/tagway"

documents=$tree/usr/share/doc/tagway
install -m 0644 $here/copyright "$documents/copyright"
install -D -m 0644 $here/lintian-overrides "$tree/usr/share/lintian/overrides/tagway"
changed=$(date -R -r CHANGELOG.md)
printf 'tagway (%s) unstable; urgency=medium\n\n  * See CHANGELOG.md.\n\n -- The authors of Tagway <tagway@localhost>  %s\n' \
    "$version" "$changed" | gzip -9n >"$documents/changelog.gz"
gzip -9n "$tree"/usr/share/man/man*/*

libraries="libc6 (>= 2.36), libgcc-s1, libssl3, libyaml-0-2"
if ldd .build/release/tagway | grep -q 'libstdc++\.so'; then libraries+=", libstdc++6"; fi

mkdir "$tree/DEBIAN"
install -m 0755 $here/preinst $here/postinst $here/prerm $here/postrm "$tree/DEBIAN/"
printf '/etc/tagway/config.yaml\n/etc/tagway/environment\n' >"$tree/DEBIAN/conffiles"
cat >"$tree/DEBIAN/control" <<CONTROL
Package: tagway
Version: $version
Architecture: $architecture
Maintainer: The authors of Tagway <tagway@localhost>
Installed-Size: $(du -sk --apparent-size "$tree" | cut -f1)
Pre-Depends: adduser
Depends: $libraries, ca-certificates
Section: net
Priority: optional
Description: gateway for language models with routing by tags
 Takes requests in the form of OpenAI's API and sends each to a deployment
 that its model and tags allow. Reads the configuration of LiteLLM's proxy.
 A supervisor with one worker per processor reloads without closing a
 connection.
CONTROL
(cd "$tree" && find . -type f ! -path './DEBIAN/*' -printf '%P\n' | LC_ALL=C sort | xargs md5sum >DEBIAN/md5sums)
mkdir -p "$out"
dpkg-deb --root-owner-group -Zxz --build "$tree" "$out/tagway_${version}_$architecture.deb" >/dev/null
echo "$out/tagway_${version}_$architecture.deb"
