#!/bin/sh
# Fuzzes targets with libFuzzer and the address sanitizer: run.sh SECONDS [TARGET …]; without targets, all of them.
# Prints a line for each and fails when one has found something; what it found lies in .build-fuzz/found/.
# PARALLEL targets run at once (1).
set -eu
cd "$(dirname "$0")/../.."
seconds=$1
shift
program=.build-fuzz/release/tagway-fuzz
[ $# -gt 0 ] || set -- $($program | sed -n 's/^  //p')
mkdir -p .build-fuzz/found .build-fuzz/logs

# Finds lie beside a corpus of their own, which grows from run to run; the one in the repository stays small.
if [ "${FUZZ_ONE:-}" ]; then
    target=$1
    corpus=.build-fuzz/corpus/$target
    log=.build-fuzz/logs/$target
    mkdir -p "$corpus"
    status=clean
    "$program" "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=4096 -print_final_stats=1 \
        -artifact_prefix=.build-fuzz/found/"$target"- "$corpus" Tests/Fuzz/Corpus/"$target" >"$log" 2>&1 \
        || status="FOUND SOMETHING, see $log"
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -1)
    edges=$(sed -n 's/.*cov: \([0-9]*\).*/\1/p' "$log" | tail -1)
    printf '%-14s %12s runs %6s edges  %s\n' "$target" "${runs:-?}" "${edges:-?}" "$status"
    [ "$status" = clean ]
    exit
fi
printf '%s\n' "$@" | FUZZ_ONE=1 xargs -n 1 -P "${PARALLEL:-1}" "$0" "$seconds"
