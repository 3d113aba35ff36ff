# Sourced by the tests of real systemd and real containers: what is said, how it is waited, and a load to hold it under.
failures=0
pass() { echo "pass  $*"; }
fail() { echo "FAIL  $*"; failures=$((failures + 1)); }
check() { # WHAT COMMAND…
    local what=$1
    shift
    if "$@"; then pass "$what"; else fail "$what"; fi
}
within() { # SECONDS COMMAND…: looks again and again
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.1
    done
}
milliseconds() { echo $(($(date +%s%N) / 1000000)); }

# The load: `begin_load PREFIX… -- OPTIONS…` runs load.py behind PREFIX, a command that enters a namespace or none.
load=
begin_load() {
    local prefix=()
    while [ "$1" != -- ]; do
        prefix+=("$1")
        shift
    done
    shift
    "${prefix[@]}" python3 "$here/load.py" "$@" >"$work/load" 2>"$work/load.errors" &
    load=$!
    within 30 [ -s "$work/load" ]
    sleep 1
}
end_load() {
    kill "$load"
    wait "$load"
    load=
    echo "      load: $(tail -1 "$work/load")"
    [ ! -s "$work/load.errors" ] || cat "$work/load.errors"
}
count() { python3 -c "import json; print(json.load(open('$work/load'))['$1'])"; }
load_is_clean() { [ "$(count failed)" = 0 ] && [ "$(count reopened)" = 0 ] && [ "$(count requests)" -gt 100 ]; }
# Whether no error of the load is of a kind other than these words.
only_errors() {
    python3 -c "
import json, sys
errors = json.load(open('$work/load'))['errors']
sys.exit(any(not any(word in error for word in sys.argv[1:]) for error in errors))" "$@"
}
end_test() { # NAME
    echo
    if [ $failures = 0 ]; then echo "$1: everything passed"; else echo "$1: $failures failed"; exit 1; fi
}
