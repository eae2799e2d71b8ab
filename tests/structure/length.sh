#!/bin/sh
# Files of at most 500 lines, functions of at most 80, nesting of at most 6 blocks. Usage: length.sh SOURCE_DIR
# Written for code laid out by clang-format: a function's first line and its last brace stand in the first column.
set -u
cd "$1" || exit 1
. tests/structure/files.sh
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

: >"$work/findings"
list_files | grep -E '\.(c|h|cc|cpp|hpp|cu|cuh|def|sh|sbatch|py|cmake)$|CMakeLists.txt$|^quickstart$' >"$work/all"
while IFS= read -r file; do
    lines=$(wc -l <"$file")
    [ "$lines" -gt 500 ] && echo "$file: $lines lines (limit 500): it holds more than one idea" >>"$work/findings"
done <"$work/all"

# shellcheck disable=SC2046 # no file name of the tree has a blank
strip_comments $(list_sources) | awk '
function finish(last, n) {
    n = last - start + 1
    if (n > 80) print file ":" start ": " name " has " n " lines (limit 80)"
    if (deepest > 6) print file ":" start ": " name " nests " deepest " blocks deep (limit 6)"
    start = 0
}
{
    match($0, /^[^:]+:[0-9]+:/)
    head = substr($0, 1, RLENGTH - 1); code = substr($0, RLENGTH + 1)
    split(head, where, ":"); sub(/[ \t]+$/, "", code)
    if (where[1] != file) { file = where[1]; start = 0; body = 0 }
    if (!start && code ~ /^[A-Za-z_]/ && code ~ /\(/ && code !~ /^(struct|enum|union|typedef|extern "|namespace|static_assert|_Static_assert)/) {
        start = where[2]; name = code; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name); body = 0; deepest = 0; depth = 0
    }
    if (start) {
        opens = gsub(/\{/, "{", code); closes = gsub(/\}/, "}", code)
        depth += opens - closes
        if (opens) body = 1
        if (depth > deepest) deepest = depth
        if (!body && code ~ /;$/) start = 0
        else if (body && code ~ /^\}/) finish(where[2])
        else if (body && depth == 0) finish(where[2])
    }
}' >>"$work/findings"
report_findings "$work/findings" "short files, short functions"
