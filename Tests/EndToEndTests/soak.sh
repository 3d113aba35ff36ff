#!/bin/sh
# The course of `make soak`, once the programs and the tests are built.
#
# Stage one: the tests that assert times or fill the machine, alone, one after the other.
# Stage two, four lanes side by side: test 72 for SOAK_MINUTES; two in which the tests that mostly wait follow each other
# (Supervision.isDue); and 100,000 random walks of the pure fleet, in a release build, on what the others leave of the
# machine.
#
# SOAK_TESTS: only the suites that match, in one stage, and whatever comes of it is the whole table.
# SOAK_TABLE: a Markdown file that takes the table. SWIFT: the toolchain. Not 0 when a test failed or did not run.
set -u
minutes=${SOAK_MINUTES:-60}
swift=${SWIFT:-swift}
folder=$PWD/.build/soak
walks=100000
# 26, 30 and 64 are not tested; see docs/reliability.md.
expected="1 2 2 3 4 5 6 7 8 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 27 28 29 31 32 33 34 35 36 37 38 39 40
    41 42 43 44 45 46 46 46 47 48 49 50 51 52 53 53 54 55 55 56 57 58 59 59 59 59 59 60 61 62 62 63 65 66 66 67 68 69 69
    70 71 72 walks"

# Runs the tests of a lane to their end.
run() {
    export TAGWAY_SOAK=1 TAGWAY_SOAK_TABLE="$folder/rows" TAGWAY_PROGRAMS="$PWD/.build/release" SOAK_MINUTES="$minutes"
    [ -z "$1" ] || export TAGWAY_SOAK_LANE="$1"
    exec "$($swift build --show-bin-path)/tagwayPackageTests.xctest" --testing-library swift-testing --filter "$2"
}

# The random walks, and their row.
walk() {
    begun=$(date +%s)
    what="The pure fleet on $walks random walks of 400 events each, then to rest: its invariants after each event"
    TAGWAY_WALKS=$walks .build-walks/release/tagwayPackageTests.xctest --testing-library swift-testing \
        --filter FleetRandomWalkTests >"$folder/walks.out" 2>&1
    status=$?
    tail -n 20 "$folder/walks.out"
    result=FAIL
    # Each case is 100 walks.
    [ $status = 0 ] && grep -q "with $((walks / 100)) test cases passed" "$folder/walks.out" && result=pass
    echo "| walks | $what | seeds 1 to $walks | $(($(date +%s) - begun)) s | $result |" >>"$folder/rows"
    [ $result = pass ]
}

# Each lane is this script again, so that it ends as a whole.
case ${1:-} in
run) run "$2" "$3" ;;
walk)
    walk
    exit
    ;;
esac

# Starts a lane, which has that many seconds; its process is $lane then.
start() {
    name=$1 seconds=$2
    shift 2
    timeout -k 10 "$seconds" "$@" >"$folder/$name.log" 2>&1 &
    lane=$!
    lanes="$lanes $lane"
}

# Waits for a lane, and shows what went wrong in it.
finish() {
    wait "$2"
    status=$?
    [ $status = 0 ] && return
    failures=$((failures + 1))
    echo "$1: ended with $status; the whole of it is in $folder/$1.log"
    grep -a -E '✘|error:|Fatal|Crash' "$folder/$1.log" | head -n 40
}

minutes_since() { echo "$((($(date +%s) - $1) / 60)) min $((($(date +%s) - $1) % 60)) s"; }

rm -rf "$folder"
mkdir -p "$folder"
lanes=
failures=0
trap 'kill $lanes 2>/dev/null; exit 130' INT TERM
begun=$(date +%s)

if [ -n "${SOAK_TESTS:-}" ]; then
    start tests $((minutes * 60 + 1800)) "$0" run "" "EndToEndTests.Supervision/$SOAK_TESTS"
    finish tests "$lane"
    Tests/EndToEndTests/soak-table.sh "$folder/rows" "" || failures=$((failures + 1))
    echo "took $(minutes_since "$begun")"
    [ $failures = 0 ]
    exit
fi

# In a folder of its own: the release build of the programs is without what tests look into. Not beside the tests, which
# would feel it: SwiftPM gives its compilers an ordinary priority again.
$swift build -c release --build-tests -Xswiftc -enable-testing --scratch-path .build-walks || exit
idle="nice -n 19"
! command -v chrt >/dev/null || idle="chrt --idle 0"
begun=$(date +%s)

echo "stage one: what asserts times, one after the other, some 9 minutes"
start alone 1200 "$0" run alone 'EndToEndTests.(Supervision/|WatchTests)'
finish alone "$lane"
first=$(minutes_since "$begun")
echo "stage one took $first; stage two: 72 for $minutes minutes, what mostly waits, and the random walks, side by side"
start load $((minutes * 60 + 300)) "$0" run load EndToEndTests.Supervision/SoakTests
load=$lane
start beside 2400 "$0" run beside EndToEndTests.Supervision/
beside=$lane
start balance 1800 "$0" run balance EndToEndTests.Supervision/BalanceTests
balance=$lane
start walks 2400 $idle "$0" walk
finish walks "$lane"
finish beside "$beside"
finish balance "$balance"
finish load "$load"

took=$(minutes_since "$begun")
summary="SOAK_MINUTES=$minutes at $(git rev-parse --short HEAD 2>/dev/null || echo "no commit"), $(date -u +%F); $took, $first of it stage one"
if [ -n "${SOAK_TABLE:-}" ]; then
    Tests/EndToEndTests/soak-table.sh "$folder/rows" "$(echo $expected)" "$SOAK_TABLE" "$summary"
else
    Tests/EndToEndTests/soak-table.sh "$folder/rows" "$(echo $expected)"
fi || failures=$((failures + 1))
echo "$summary"
[ $failures = 0 ]
