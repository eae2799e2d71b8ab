#!/bin/sh
# The top level holds what the plan names, nothing else; nothing committed names a folder of somebody's machine.
# Usage: top_level.sh SOURCE_DIR
set -u
cd "$1" || exit 1
. tests/structure/files.sh
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

: >"$work/findings"
plan='CMakeLists.txt README.md src mpi kernels hdf5_schemas slurm tests'
convention='LICENSE CMakePresets.json .clang-format .gitignore .ci quickstart'
for name in $(list_files | cut -d / -f 1 | sort -u); do
    case " $plan $convention " in
    *" $name "*) ;;
    *) echo "$name: the top level is fixed: $plan $convention" ;;
    esac
done >>"$work/findings"
for name in $plan $convention; do
    [ -e "$name" ] || echo "$name: missing at the top level"
done >>"$work/findings"

# Absolute paths of a home, a work place or a mount; "/tmp" and system folders are every machine's.
homes='home|root|Users|work|scratch|mnt|workspace'
list_files | grep -vE '^tests/structure/|^tests/fixtures/' |
    xargs grep -nIE "(^|[^A-Za-z0-9_./{}\$~*<>-])/($homes)/[A-Za-z0-9_.]" /dev/null |
    sed 's|$|    <- an absolute path of one machine|' >>"$work/findings"
# Large binaries have no place in the history.
list_files | while IFS= read -r file; do
    bytes=$(wc -c <"$file")
    [ "$bytes" -gt 1000000 ] && echo "$file: $bytes bytes; keep big data out of the tree"
done >>"$work/findings"
report_findings "$work/findings" "top level as planned, no absolute paths, no big files"
