#!/bin/sh
# clang-format decides the layout. Usage: format.sh SOURCE_DIR (exit 77: no clang-format here)
set -u
cd "$1" || exit 1
. tests/structure/files.sh
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

tool=
for name in clang-format-14 clang-format; do
    if command -v $name >/dev/null 2>&1 && $name --version | grep -q 'version 14\.'; then tool=$name && break; fi
done
if [ -z "$tool" ]; then
    echo "SKIP: clang-format 14 is not installed (other versions lay code out differently)"
    exit 77
fi
list_sources | grep -vE '\.def$' | xargs $tool --dry-run --Werror 2>&1 | grep -E 'error:' |
    cut -d : -f 1 | sort | uniq -c | awk '{ print $2 ": " $1 " places; mend with: clang-format -i " $2 }' >"$work/findings"
report_findings "$work/findings" "layout by clang-format 14"
