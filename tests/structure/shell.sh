#!/bin/sh
# Every shell script parses, and shellcheck (where present) finds nothing. Usage: shell.sh SOURCE_DIR
set -u
cd "$1" || exit 1
. tests/structure/files.sh
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

list_files | grep -vE '\.(c|h|cu|cuh|py|md|yaml|json)$' | while IFS= read -r file; do
    case $(head -c 64 "$file" 2>/dev/null | tr -d '\0' | head -n 1) in
    '#!'*bash*) echo "bash $file" ;;
    '#!'*/sh | '#!'*' sh') echo "sh $file" ;;
    *) case $file in *.sh) echo "bash $file" ;; esac ;; # sourced
    esac
done >"$work/scripts"
: >"$work/findings"
while read -r shell file; do
    $shell -n "$file" 2>&1 | sed "s|^|$file: |" >>"$work/findings"
done <"$work/scripts"
for file in quickstart .ci/run; do
    [ ! -s "$file" ] || [ -x "$file" ] || echo "$file: may not be executed" >>"$work/findings"
done
# Not followed into sourced files, shellcheck cannot know what they set and use; lists are split on purpose.
sourced=SC1090,SC2046,SC1091,SC1007,SC2034,SC2154
if command -v shellcheck >/dev/null 2>&1; then
    while read -r shell file; do
        shellcheck -s "$shell" -S warning -e "$sourced" -f gcc "$file" >>"$work/findings"
    done <"$work/scripts"
else
    echo "SKIP: shellcheck is not installed; syntax only"
fi
report_findings "$work/findings" "$(wc -l <"$work/scripts") shell scripts are sound"
