#!/bin/sh
# Prints the table of `make soak`, by number. Usage: soak-table.sh ROWS [MARKDOWN]
# ROWS has a line of Markdown for each test that ran; a number of the specification without a line has not run.
# With MARKDOWN, the table replaces what stands there between the two comments that name it.
set -eu
rows=$1
table=$(mktemp)
trap 'rm -f "$table"' EXIT
{
    echo "| test | what | figures | took | |"
    echo "| --- | --- | --- | --- | --- |"
    # Cases of one test, and tests of one number, follow each other.
    sort -t '|' -k 2,2n -s "$rows"
} >"$table"
cat "$table"
passed=$(grep -c '| pass |$' "$rows" || true)
failed=$(grep -c '| FAIL |$' "$rows" || true)
echo
echo "$passed passed, $failed failed"
if [ $# -gt 1 ]; then
    awk -v table="$table" '
        /<!-- end of the table -->/ { inside = 0 }
        !inside { print }
        /<!-- table of make soak -->/ { inside = 1; while ((getline line < table) > 0) print line }
    ' "$2" >"$2.new"
    mv "$2.new" "$2"
fi
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
