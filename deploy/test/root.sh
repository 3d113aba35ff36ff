#!/usr/bin/env bash
# root.sh FOLDER: a Debian root with systemd and what Tagway needs at run time, made by debootstrap from the mirror that
# this machine's apt uses. Kept: made once.
set -euo pipefail
folder=$1
[ -e "$folder/.complete" ] && exit 0
suite=${SUITE:-bookworm}
# Cleared of an attempt that was cut short.
rm -rf --one-file-system "$folder"
mkdir -p "$folder"
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | head -1 || true)
echo "making a Debian root in $folder (once)"
timeout 900 debootstrap --variant=minbase \
    --include=systemd,systemd-sysv,dbus,adduser,libssl3,libyaml-0-2,ca-certificates,curl,procps \
    "$suite" "$folder" ${mirror:+"$mirror"} >"$folder.log" 2>&1 || { tail -20 "$folder.log" >&2; exit 1; }
rm -rf "$folder"/var/cache/apt/archives/*.deb
touch "$folder/.complete"
