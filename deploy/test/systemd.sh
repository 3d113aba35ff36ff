#!/usr/bin/env bash
# systemd.sh ROOT PACKAGE NEWER_PACKAGE: boots ROOT in a container of its own (nothing of ROOT is changed), installs the
# package and does to the service what operators and accidents do. Prints what it saw; exits 1 when anything failed.
# Needs root, systemd-nspawn and python3. Everything is on the container's own loopback.
set -uo pipefail
root=$1 package=$2 newer=$3
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
name=tagway-test-$$
work=$(mktemp -d)
mkdir "$work/packages"
cp "$package" "$work/packages/first.deb"
cp "$newer" "$work/packages/newer.deb"
# One whose binary never serves.
dpkg-deb --raw-extract "$newer" "$work/broken"
install -m 0755 /bin/false "$work/broken/usr/bin/tagway"
sed -i 's/^Version: .*/&+broken/' "$work/broken/DEBIAN/control"
dpkg-deb --root-owner-group --build "$work/broken" "$work/packages/broken.deb" >/dev/null
chmod -R a+rX "$work"

. "$here/common.sh"

timeout 570 systemd-nspawn --quiet --boot --directory="$root" --volatile=overlay --register=no --keep-unit \
    --private-network --machine="$name" --bind-ro="$work/packages:/packages" </dev/null >"$work/console" 2>&1 &
nspawn=$!
slow=
leave() {
    [ -n "$load" ] && kill "$load" 2>/dev/null
    [ -n "$slow" ] && kill "$slow" 2>/dev/null
    # SIGTERM to `timeout` goes to systemd-nspawn, which ends the container.
    kill "$nspawn" 2>/dev/null
    wait "$nspawn" 2>/dev/null
    rm -rf "$work"
}
trap leave EXIT
leader=
find_leader() {
    local outer
    # systemd itself: what prepares its namespaces comes and goes.
    outer=$(pgrep -P "$nspawn" | head -1) && leader=$(pgrep -P "$outer" --exact systemd | head -1) && [ -n "$leader" ]
}
inside() { timeout 120 nsenter --target "$leader" --mount --uts --ipc --net --pid --root --wd "$@"; }
property() { inside systemctl show tagway --property "$1" --value; }
ask() { # a model, or hello
    inside curl --silent --max-time 15 -H 'Content-Type: application/json' \
        -d "{\"model\":\"${1:-hello}\",\"messages\":[{\"role\":\"user\",\"content\":\"?\"}]}" \
        http://127.0.0.1:4000/v1/chat/completions
}
answers() { ask | grep -q "$1"; }
say() { # the configuration, answering $1, with the settings $2
    inside sh -c 'cat >/etc/tagway/config.yaml.new && mv /etc/tagway/config.yaml.new /etc/tagway/config.yaml' <<YAML
model_list:
  - model_name: hello
    litellm_params: {model: openai/hello, mock_response: "$1"}
  - model_name: slow
    litellm_params: {model: openai/slow, api_key: none, api_base: "http://127.0.0.1:$slow_port"}
tagway: {${2:-}}
YAML
}
# By the running image, whatever the package has put into the place of its file.
status() { inside "/proc/$(property MainPID)/exe" ctl status --run-dir /run/tagway --json; }
field() { status | python3 -c "import json,sys; d=json.load(sys.stdin)['data']; print($1)"; }
workers() { field '" ".join(str(w["pid"]) for w in d["workers"])'; }
is_ready() { [ "$(field 'd["state"]')" = ready ]; }

within 20 find_leader || { fail "the container starts"; cat "$work/console"; exit 1; }
booted() { case $(inside systemctl is-system-running) in running | degraded) true ;; *) false ;; esac; }
within 60 booted || { fail "systemd boots"; tail -20 "$work/console"; exit 1; }
pass "systemd boots: $(inside systemctl --version | head -1)"
nsenter --target "$leader" --net python3 "$here/slow.py" 3 >"$work/slow" &
slow=$!
within 5 [ -s "$work/slow" ]
slow_port=$(cat "$work/slow")

echo "== install"
inside dpkg --install /packages/first.deb >"$work/dpkg" 2>&1 || cat "$work/dpkg"
check "the package is installed" [ "$(inside dpkg-query -W -f '${db:Status-Status}' tagway)" = installed ]
check "the service is active" [ "$(property ActiveState)" = active ]
check "it serves" within 5 answers 'Tagway is installed'
check "it runs as tagway" [ "$(inside ps -o user= -p "$(property MainPID)")" = tagway ]
check "it says how it is: $(property StatusText)" [ "$(property StatusText | cut -d, -f2)" = " generation 1" ]
exposure=$(inside systemd-analyze security tagway --no-pager | tail -1 | sed 's/.*: \([0-9.]*\) .*/\1/')
check "systemd-analyze security: $exposure, at most 1.5" awk "BEGIN { exit !($exposure <= 1.5) }"
inside systemd-analyze verify --man=no /lib/systemd/system/tagway.service >"$work/verify" 2>&1
check "systemd-analyze verify is silent$(sed "s/^/: /" "$work/verify")" [ ! -s "$work/verify" ]
check "root may ask, others may not" inside sh -c \
    'tagway ctl status --run-dir /run/tagway >/dev/null && ! setpriv --reuid 65534 --clear-groups tagway ctl status --run-dir /run/tagway >/dev/null 2>&1'

echo "== reload"
begin_load nsenter --target "$leader" --net -- 4000
main=$(property MainPID)
say "second answer"
inside systemctl reload tagway
code=$?
check "systemctl reload succeeds: status $code" [ $code = 0 ]
check "new requests have the new answer" answers 'second answer'
sleep 1
end_load
check "nothing failed, no connection was closed" load_is_clean
check "the process is the same" [ "$(property MainPID)" = "$main" ]

begin_load nsenter --target "$leader" --net -- 4000
inside sh -c 'cp /etc/tagway/config.yaml /etc/tagway/good; echo "model_list: [" >/etc/tagway/config.yaml'
inside systemctl reload tagway 2>"$work/reload"
code=$?
check "systemctl reload of a bad file fails: status $code" [ $code != 0 ]
check "the journal says where" inside sh -c \
    'journalctl -u tagway --no-pager | grep -q "config.yaml:[0-9]*:[0-9]*"'
check "the state line says so: $(property StatusText)" [ "$(property StatusText | cut -c1-13)" = "reload failed" ]
check "the service is active, with its answer" answers 'second answer'
check "its generation is the same" [ "$(field 'd["generation"]')" = 2 ]
end_load
check "nothing failed, no connection was closed" load_is_clean
inside mv /etc/tagway/good /etc/tagway/config.yaml

echo "== keys"
status_with() { # the status of a request that carries this key
    inside curl --silent --max-time 5 --output /dev/null --write-out '%{http_code}' -H "Authorization: Bearer $1" \
        http://127.0.0.1:4000/v1/models
}
inside cp -p /etc/tagway/config.yaml /etc/tagway/good
inside sh -c 'echo "general_settings: {master_key: os.environ/TAGWAY_MASTER_KEY}" >>/etc/tagway/config.yaml'
for key in first-key-of-this-test second-key-of-this-test; do
    inside sh -c "echo TAGWAY_MASTER_KEY=$key >/etc/tagway/environment"
    inside systemctl reload tagway
    check "a key in the environment file is in force after a reload: $key" \
        [ "$(status_with "$key") $(status_with another)" = "200 401" ]
done
inside install -D -t /run/systemd/system/tagway.service.d /usr/share/doc/tagway/examples/credentials.conf
inside sh -c 'systemctl daemon-reload; chown root: /etc/tagway/environment; chmod 0600 /etc/tagway/environment'
inside systemctl restart tagway
check "LoadCredential= brings it from a file that root alone may read" \
    [ "$(status_with second-key-of-this-test) $(status_with another)" = "200 401" ]
inside sh -c 'rm -r /run/systemd/system/tagway.service.d; systemctl daemon-reload
    : >/etc/tagway/environment; chown root:tagway /etc/tagway/environment; chmod 0640 /etc/tagway/environment
    mv /etc/tagway/good /etc/tagway/config.yaml'
inside systemctl restart tagway

echo "== upgrade of the package"
images() { for process in $(inside pgrep --exact tagway); do inside readlink "/proc/$process/exe"; done | sort | uniq -c | tr -s ' \n' ' '; }
install_under_load() { # PACKAGE OPTIONS of load.py
    local package=$1
    shift
    main=$(property MainPID)
    before=$(workers)
    begin_load nsenter --target "$leader" --net -- 4000 "$@"
    ask slow >"$work/slow-answer" &
    local asked=$!
    sleep 0.3
    inside dpkg --install --force-confold "$package" >"$work/dpkg" 2>&1
    check "$(basename "$package") is installed: $(version)" \
        [ "$(version)" = "$(dpkg-deb -f "$work/packages/$(basename "$package")" Version)" ] || cat "$work/dpkg"
    grep '^tagway: ' "$work/dpkg" | sed 's/^/      /'
    sleep 1
    end_load
    wait $asked
    check "nothing failed, no connection was refused" load_waited
    check "a request under way was answered: $(cut -c1-40 "$work/slow-answer")…" grep -q 'at last' "$work/slow-answer"
    check "it is the same process: $main" [ "$(property MainPID)" = "$main" ]
}
upgrade_under_load() {
    install_under_load "$@"
    check "with other workers: $before, now $(workers)" [ "$(workers)" != "$before" ]
    renewed() { [ "$(images)" = " 3 /usr/bin/tagway " ]; }
    check "all of the new file" within 5 renewed || images
}
load_waited() { [ "$(count failed)" = 0 ] && [ "$(count requests)" -gt 100 ]; }
version() { inside dpkg-query -W -f '${Version}' tagway; }
upgrade_under_load /packages/newer.deb
check "the configuration is the edited one" answers 'second answer'
install_under_load /packages/broken.deb
check "a build that cannot serve changes nothing: $(workers)" [ "$(workers)" = "$before" ]
check "and the package says why" grep -q '^tagway: preflight: ' "$work/dpkg"
upgrade_under_load /packages/first.deb --new
upgrade_under_load /packages/newer.deb --new
check "the service is active: $(property StatusText)" [ "$(property ActiveState)" = active ]

echo "== restart"
restart_under_load() { # OPTIONS of load.py
    begin_load nsenter --target "$leader" --net -- 4000 "$@"
    main=$(property MainPID)
    inside systemctl restart tagway
    within 5 is_ready
    sleep 1
    end_load
    check "it is another process: $(property MainPID)" [ "$(property MainPID)" != "$main" ]
    check "no connection and no request failed" load_waited
}
stored() { inside systemctl show tagway --property NFileDescriptorStore --value; }
check "systemd keeps a copy of the listener: $(stored)" [ "$(stored)" = 1 ]
restart_under_load --new
restart_under_load
check "systemd keeps one copy still: $(stored)" [ "$(stored)" = 1 ]
inside mkdir -p /run/systemd/system/tagway.service.d
printf '[Service]\nExecStart=\nExecStart=/usr/bin/tagway serve --config /etc/tagway/config.yaml --port 4001\n' |
    inside sh -c 'cat >/run/systemd/system/tagway.service.d/port.conf; systemctl daemon-reload; systemctl restart tagway'
elsewhere() { [ "$(inside sh -c 'curl --silent --max-time 5 http://127.0.0.1:4001/health/ready')" != "" ]; }
check "told to listen elsewhere, it does" within 5 elsewhere
check "and has taken the former listener out of the store: $(stored)" [ "$(stored)" = 1 ]
listens() { inside sh -c "grep -qi ':$(printf %04x "$1") 00000000:0000 0A' /proc/net/tcp"; }
check "nobody listens where it was" eval '! listens 4000'
inside sh -c 'rm -r /run/systemd/system/tagway.service.d; systemctl daemon-reload; systemctl restart tagway'
check "told to come back, it does" within 5 answers 'second answer'
inside mkdir -p /run/systemd/system/tagway.service.d
cat <<UNIT | inside sh -c 'cat >/run/systemd/system/tagway.service.d/host.conf; systemctl daemon-reload'
[Service]
Environment=DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY=true
ExecStart=
ExecStart=/usr/bin/tagway serve --config /etc/tagway/config.yaml --host '*'
UNIT
main=$(property MainPID)
inside systemctl restart tagway
everywhere() { inside grep -qi '00000000:0FA0 00000000:0000 0A' /proc/net/tcp && ! inside grep -qi '0100007F:0FA0 00000000:0000 0A' /proc/net/tcp; }
check "told to listen everywhere on the port that systemd keeps, it does" within 5 everywhere
check "at the first attempt: $(property NRestarts) restarts" [ "$(property NRestarts)" = 0 ]
check "and answers" within 5 answers 'second answer'
inside sh -c 'rm -r /run/systemd/system/tagway.service.d; systemctl daemon-reload; systemctl restart tagway'
check "told to come back, it does: $(property NRestarts) restarts" within 5 answers 'second answer'
say "second answer" 'listen: ["127.0.0.1:4000", "127.0.0.1:4002"]'
inside systemctl reload tagway
check "a reload adds a listener, and systemd keeps a copy: $(stored)" eval 'listens 4002 && [ "$(stored)" = 2 ]'
restart_under_load --new
say "second answer"
inside systemctl reload tagway
shut() { ! listens 4002; }
check "a reload takes it away" within 2 shut
check "from systemd, too: $(stored)" [ "$(stored)" = 1 ]

echo "== socket activation"
inside sh -c 'cp /usr/share/doc/tagway/examples/tagway.socket /run/systemd/system/; systemctl daemon-reload'
inside systemd-analyze verify --man=no /run/systemd/system/tagway.socket >"$work/verify" 2>&1
check "systemd-analyze verify is silent$(sed "s/^/: /" "$work/verify")" [ ! -s "$work/verify" ]
inside sh -c 'systemctl stop tagway; systemctl start tagway.socket'
check "systemd listens, the service is $(property ActiveState)" [ "$(property ActiveState)" = inactive ]
check "the first request starts it" within 10 answers 'second answer'
origin() { inside sh -c "journalctl -u tagway -o cat --no-pager | grep '\"listening\"' | tail -1 | grep -o '\"origin\":\"[a-z]*\"'"; }
check "on the socket that systemd has opened: $(origin)" [ "$(origin)" = '"origin":"systemd"' ]
restart_under_load --new
restart_under_load
inside sh -c 'systemctl stop tagway.socket tagway; rm /run/systemd/system/tagway.socket; systemctl daemon-reload
    systemctl start tagway'
check "without the socket unit it listens by itself: $(origin)" [ "$(origin)" = '"origin":"bound"' ]

echo "== accidents"
begin_load nsenter --target "$leader" --net -- 4000 --new
victim=$(workers | cut -d' ' -f1)
inside kill -KILL "$victim"
replaced() { is_ready && [[ " $(workers) " != *" $victim "* ]]; }
check "a killed worker is replaced" within 5 replaced
sleep 1
end_load
check "at most the requests of that worker failed: $(count failed)" [ "$(count failed)" -le 8 ]
check "none was refused" only_errors RemoteDisconnected reset IncompleteRead

begin_load nsenter --target "$leader" --net -- 4000 --new
main=$(property MainPID)
begun=$(milliseconds)
inside kill -KILL "$main"
restarted() { [ "$(property MainPID)" != "$main" ] && is_ready && answers 'second answer'; }
check "a killed supervisor is started again" within 15 restarted
echo "      after $(($(milliseconds) - begun)) ms"
sleep 1
end_load
check "at most the requests under way failed: $(count failed)" [ "$(count failed)" -le 8 ]
check "none was refused" only_errors RemoteDisconnected reset IncompleteRead
orphans() { inside pgrep --exact --parent 1 tagway | grep -vx "$(property MainPID)"; }
check "its workers are gone" [ -z "$(orphans)" ]

inside mkdir -p /run/systemd/system/tagway.service.d
printf '[Service]\nWatchdogSec=2\n' | inside sh -c 'cat >/run/systemd/system/tagway.service.d/watchdog.conf'
inside systemctl daemon-reload
inside systemctl restart tagway
main=$(property MainPID)
sleep 5
check "the watchdog lets a live supervisor be" [ "$(property MainPID)" = "$main" ]
inside kill -STOP "$main"
check "the watchdog replaces a stopped supervisor" within 30 restarted
check "by the watchdog" inside sh -c 'journalctl -u tagway --no-pager | grep -qi watchdog'

echo "== stop"
begin_load nsenter --target "$leader" --net -- 4000
begun=$(milliseconds)
inside systemctl stop tagway
took=$(($(milliseconds) - begun))
end_load
check "systemctl stop took $took ms, less than 15 s" [ $took -lt 15000 ]
check "the service ended well: $(property Result), status $(property ExecMainStatus)" [ "$(property Result)" = success ]
check "no process is left" [ -z "$(inside pgrep --exact tagway)" ]
check "no file is left in /run" inside test ! -e /run/tagway
check "requests that were answered were answered whole" only_errors Refused RemoteDisconnected reset

echo "== remove"
inside systemctl start tagway
inside dpkg --remove tagway >/dev/null 2>&1
check "removing stops the service" [ -z "$(inside pgrep --exact tagway)" ]
left=$(inside find /etc /usr /lib /var/lib /run -xdev -name '*tagway*' ! -path '/var/lib/dpkg/*' ! -path '/run/systemd/*' \
    ! -path '/var/lib/systemd/*' 2>/dev/null | tr '\n' ' ')
check "the configuration is left: $left" [ -n "$(inside ls /etc/tagway/config.yaml)" ]
inside dpkg --purge tagway >"$work/purge" 2>&1 || cat "$work/purge"
left=$(inside find /etc /usr /lib /var/lib /run -xdev -name '*tagway*' ! -path '/run/systemd/*' 2>/dev/null | tr '\n' ' ')
check "purging leaves nothing: ${left:-nothing}" [ -z "$left" ]
check "the user is gone" [ -z "$(inside getent passwd tagway)" ]
end_test test-systemd
