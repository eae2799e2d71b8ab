#!/bin/sh
# Calls and words that no file may contain. Usage: calls.sh SOURCE_DIR
set -u
cd "$1" || exit 1
. tests/structure/files.sh
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

list_sources >"$work/sources"
# shellcheck disable=SC2046 # no file name of the tree has a blank
strip_comments $(cat "$work/sources") >"$work/code"
[ -s "$work/code" ] || { echo "no sources found in $1" && exit 1; }
grep -v '^tests/' "$work/code" >"$work/product"

ban() { # where pattern why [folders where it is allowed]
    grep -E "^[^:]+:[0-9]+:(.*[^A-Za-z0-9_>.])?($2)[[:space:]]*\(" "$1" | grep -vE "^(${4:-no folder at all})" |
        sed "s|\$|    <- $3|" >>"$work/findings"
}
: >"$work/findings"
ban "$work/code" 'atoi|atof|atol|atoll' 'cannot report a bad number: hn_parse_*'
ban "$work/code" 'sprintf|vsprintf|strcpy|strcat|stpcpy|gets' 'no bound: snprintf, hn_text_*'
ban "$work/code" 'strtok' 'hidden state'
ban "$work/product" 'rand|srand|random|srandom|drand48' 'hidden state: hn_rng_*'
ban "$work/product" 'exit|_exit|_Exit|quick_exit|abort' 'only src/app ends the program, and mpi/ the job' 'src/app/|mpi/'
ban "$work/product" 'malloc|calloc|realloc|aligned_alloc|posix_memalign|strdup|strndup|asprintf' \
    'every block comes from hn_alloc' 'src/base/'
ban "$work/product" 'setlocale|system|popen' 'not in libraries' 'src/app/|src/report/'
# What is not finished does not get in as a comment; issues are the place.
list_files | grep -vE '^tests/structure/' | xargs grep -nIE '\b(TODO|FIXME|XXX|HACK)\b' /dev/null |
    sed 's|$|    <- unfinished work belongs into an issue|' >>"$work/findings"
report_findings "$work/findings" "banned calls and words"
