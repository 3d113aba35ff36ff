#!/usr/bin/env bash
# container.sh ROOT BINARY: builds deploy/Containerfile on ROOT, a Debian root, with BINARY in place of its first stage, and
# runs the image as people run it. Images and containers live in a folder of their own, gone at the end. Prints what it
# saw; exits 1 when anything failed. Needs root, buildah, podman, runc and python3.
set -uo pipefail
root=$1 binary=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
chmod 0755 "$work"
. "$here/common.sh"
store=(--root "$work/storage" --runroot "$work/run" --storage-driver vfs)
# Without systemd on the machine no timer asks for the HEALTHCHECK, which podman tells with each command.
podman() {
    timeout 120 podman "${store[@]}" --runtime runc --cgroup-manager cgroupfs "$@" \
        2> >(grep -v 'systemd connection' >&2)
}
name=tagway-test-$$
slow=
leave() {
    [ -n "$load" ] && kill "$load" 2>/dev/null
    [ -n "$slow" ] && kill "$slow" 2>/dev/null
    podman rm --force --time 1 "$name" >/dev/null 2>&1
    podman rmi --all --force >/dev/null 2>&1
    rm -rf --one-file-system "$work"
}
trap leave EXIT

echo "== build"
mkdir -p "$work/binary/out" "$work/etc"
strip -o "$work/binary/out/tagway" "$binary"
printf 'FROM scratch\nCOPY out /out\n' >"$work/binary/Containerfile"
tar -C "$root" --create --exclude=./var/cache . | podman import --quiet - tagway-base >/dev/null
build() { timeout 300 buildah "${store[@]}" build --quiet --isolation chroot --format docker "$@" >>"$work/build" 2>&1; }
check "a binary built elsewhere can be put in" build -t tagway-binary "$work/binary"
check "deploy/Containerfile builds" build --build-arg BINARY=localhost/tagway-binary \
    --build-arg RUN_IMAGE=localhost/tagway-base -t tagway -f "$here/../Containerfile" "$here/../.."
[ $failures = 0 ] || { cat "$work/build"; exit 1; }
size=$(podman image inspect tagway --format '{{.Size}}')
check "the image has $((size / 1000)) kB, less than 60 MB" [ "$size" -lt 60000000 ]
check "its user is $(podman image inspect tagway --format '{{.User}}')" \
    [ "$(podman image inspect tagway --format '{{.User}}')" = 10001:10001 ]

say() { # the configuration, answering $1, with the settings $2
    cat >"$work/etc/config.yaml.new" <<YAML
model_list:
  - model_name: hello
    litellm_params: {model: openai/hello, mock_response: "$1"}
  - model_name: slow
    litellm_params: {model: openai/slow, api_key: none, api_base: "http://127.0.0.1:$slow_port"}
tagway: {drain_timeout: 20, workers: 2${2:-}}
YAML
    mv "$work/etc/config.yaml.new" "$work/etc/config.yaml"
}
python3 "$here/slow.py" 3 >"$work/slow" &
slow=$!
within 5 [ -s "$work/slow" ]
slow_port=$(cat "$work/slow")
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

# The network is the machine's, so the address is loopback; the run directory is the one that the image's own command
# has, so that the HEALTHCHECK is tried as it is shipped.
limits=(--ulimit nofile=1024:1024 --ulimit nproc=1000:1000 --network=host)
start() {
    podman run --detach --name "$name" "${limits[@]}" --read-only --cap-drop=all --security-opt no-new-privileges \
        --volume "${mounted:-$work/etc:/etc/tagway}:ro" "$@" tagway serve --config /etc/tagway/config.yaml --port "$port" \
        --run-dir /tmp/tagway-10001/4000 >/dev/null
}
ask() {
    curl --silent --max-time 10 -H 'Content-Type: application/json' \
        -d "{\"model\":\"${1:-hello}\",\"messages\":[{\"role\":\"user\",\"content\":\"?\"}]}" \
        "http://127.0.0.1:$port/v1/chat/completions"
}
answers() { ask | grep -q "$1"; }
log() { podman logs "$name" 2>&1; }
process() { podman inspect "$name" --format '{{.State.Pid}}'; }
of_process() { sed -n "s/^$1:[[:space:]]*//p" "/proc/$(process)/status"; }
children() { pgrep -P "$(process)"; }
exit_code() { podman inspect "$name" --format '{{.State.ExitCode}}'; }

echo "== run: read-only, without capabilities"
say "first answer"
start
check "it serves" within 15 answers "first answer" || log
check "it is process 1" [ "$(of_process NSpid | tr '\t' '\n' | tail -1)" = 1 ]
check "it is user $(of_process Uid | cut -f1)" [ "$(of_process Uid | cut -f1)" = 10001 ]
check "it has no capability: $(of_process CapEff)" [ "$(of_process CapEff)" = 0000000000000000 ]
check "its root is read-only" grep -q '^[^ ]* / [^ ]* ro,' "/proc/$(process)/mounts"
check "there is no shell" [ -z "$(find "/proc/$(process)/root/" -xdev -name '*sh' -perm /111 -type f)" ]
check "HEALTHCHECK is content" podman healthcheck run "$name"
control() { podman exec "$name" /usr/bin/tagway ctl "$1" --run-dir /tmp/tagway-10001/4000; }
check "tagway ctl works inside: $(control status | head -1)" [ -n "$(control status)" ]

echo "== reload"
begin_load -- "$port"
say "second answer"
podman kill --signal HUP "$name" >/dev/null
check "HUP reloads" within 5 answers "second answer"
printf 'model_list: [' >"$work/etc/config.yaml"
podman kill --signal HUP "$name" >/dev/null
failed_reload() { log | grep '"event":"reload"' | grep -q failed; }
check "HUP with a bad file fails" within 5 failed_reload
check "and changes nothing" answers "second answer"
say "watched answer" ", watch: on"
podman kill --signal HUP "$name" >/dev/null
check "watch: on by HUP" within 5 answers "watched answer"
say "edited answer" ", watch: on"
check "an edit alone is a reload then" within 3 answers "edited answer"
end_load
check "nothing failed, no connection was closed" load_is_clean

echo "== process 1"
zombies() { ps -o stat= --ppid "$(process)" | grep -c Z; }
for _ in 1 2 3; do
    victim=$(children | head -1)
    kill -KILL "$victim"
    replaced() { [ "$(children | wc -l)" = 2 ] && ! children | grep -qx "$victim"; }
    check "worker $victim is reaped and replaced" within 10 replaced
done
check "no zombie is left" [ "$(zombies)" = 0 ]

echo "== stop, with a lame duck"
say "last answer" ", watch: on, lame_duck: 3"
check "the edit is in force" within 3 answers "last answer"
readiness() { curl --silent --max-time 5 --output /dev/null --write-out '%{http_code}' "http://127.0.0.1:$port/health/ready"; }
unready() { [ "$(readiness)" = 503 ]; }
check "it is ready: $(readiness)" [ "$(readiness)" = 200 ]
ask slow >"$work/slow-answer" &
asked=$!
sleep 1
begun=$(milliseconds)
podman stop --time 25 "$name" >/dev/null &
stopping=$!
check "TERM: it is not ready any more: 503" within 2 unready
sleep 1
check "but still answers whoever comes" answers "last answer"
wait $stopping
took=$(($(milliseconds) - begun))
wait $asked
check "a request under way was answered: $(cut -c1-40 "$work/slow-answer")…" grep -q 'at last' "$work/slow-answer"
check "it ended with status $(exit_code), $took ms after TERM, lame duck and request over" \
    [ "$(exit_code)" = 0 -a $took -gt 3000 -a $took -lt 15000 ]
podman rm "$name" >/dev/null

echo "== under an init"
start --init
check "it serves" within 15 answers "last answer" || log
check "process 1 is the init: $(cat "/proc/$(process)/comm")" [ "$(cat "/proc/$(process)/comm")" != tagway ]
podman stop --time 25 "$name" >/dev/null
check "TERM ended it with status $(exit_code)" [ "$(exit_code)" = 0 ]
podman rm "$name" >/dev/null

echo "== what cannot work is said"
mounted=$work/etc/config.yaml:/etc/tagway/config.yaml start
check "it serves" within 15 answers "last answer" || log
warned() { log | grep '"event":"subpath-mount"' | grep -q /etc/tagway/config.yaml; }
check "with watch: on, a mount of one file is warned about" within 5 warned
podman stop --time 25 "$name" >/dev/null
podman rm "$name" >/dev/null
printf 'model_list: [' >"$work/etc/config.yaml"
start
ended() { [ "$(podman inspect "$name" --format '{{.State.Status}}')" = exited ]; }
check "a bad configuration ends it" within 10 ended
check "with status 78: $(exit_code)" [ "$(exit_code)" = 78 ]
end_test test-container
