#!/bin/sh
# Prints the table of `make soak`, by number; not 0 when a test has failed or is missing.
# Usage: soak-table.sh ROWS EXPECTED [MARKDOWN SUMMARY]
#
# ROWS has a line of Markdown for each test that ran. EXPECTED are the numbers that have to be there, each as often as it
# has rows at least: a test that crashed, or was never begun, has written none. With MARKDOWN, the table replaces what
# stands there between the two comments that name it, with SUMMARY above.
set -eu
rows=$1
expected=$2
table=$(mktemp)
trap 'rm -f "$table"' EXIT
touch "$rows"
{
    cat "$rows"
    for number in $(echo "$expected" | tr ' ' '\n' | sort -u); do
        wanted=$(echo "$expected" | tr ' ' '\n' | grep -cx "$number")
        found=$(grep -c "^| $number |" "$rows" || true)
        [ "$found" -ge "$wanted" ] || echo "| $number | did not run to its end | $found of $wanted rows | | FAIL |"
    done
} >"$table.rows"
{
    echo "| test | what | figures | took | |"
    echo "| --- | --- | --- | --- | --- |"
    # Cases of one test, and tests of one number, follow each other; those without a number come last.
    awk -F '|' '{ print ($2 + 0 ? $2 + 0 : 1000) "\t" $0 }' "$table.rows" | sort -n -s | cut -f 2-
} >"$table"
rm "$table.rows"
cat "$table"
passed=$(grep -c '| pass |$' "$table" || true)
failed=$(grep -c '| FAIL |$' "$table" || true)
echo
echo "$passed passed, $failed failed"
if [ $# -gt 2 ]; then
    awk -v table="$table" -v summary="$4: $passed rows passed, $failed failed." '
        /<!-- end of the table -->/ { inside = 0 }
        !inside { print }
        /<!-- table of make soak -->/ {
            inside = 1
            print summary "\n"
            while ((getline line < table) > 0) print line
        }
    ' "$3" >"$3.new"
    mv "$3.new" "$3"
fi
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
