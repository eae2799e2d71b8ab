#!/bin/sh
# Each header compiles alone: as C11, and what device code includes (kernels/, base/error.h) as C++17 too.
# Usage: headers.sh SOURCE_DIR BUILD_DIR C_COMPILER
set -u
cd "$1" || exit 1
. tests/structure/files.sh
build=$2 cc=$3 cxx=${CXX:-g++}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# The include paths of the libraries, as the build found them.
flags=$(grep -oE -- '(-I|-isystem )[^ "]+' "$build/compile_commands.json" | sort -u | tr '\n' ' ')
common="-Isrc -Impi -Ikernels -Ihdf5_schemas $flags -D_POSIX_C_SOURCE=200809L -Wall -Wextra -fsyntax-only"
# $1 language, $2 standard, $3 compiler, $4 findings, rest: headers
check_alone() {
    language=$1 standard=$2 compiler=$3 out=$4
    shift 4
    for header in "$@"; do
        # A line after the include makes an empty header legal and names the file under test in messages.
        printf '#include "%s"\ntypedef int hn_header_stands_alone;\n' "$header" |
            $compiler -x "$language" -std="$standard" $common -I. - >"$work/message" 2>&1 ||
            { echo "$header: not self-sufficient as $standard: $(grep -m 1 -E 'error' "$work/message")"; } >>"$out"
    done
}
headers=$(list_sources | grep -E '\.h$' | grep -vE '^tests/(gpu|peers)/')
half=$(($(echo "$headers" | wc -l) / 2 + 1))
: >"$work/1" && : >"$work/2" && : >"$work/3"
# shellcheck disable=SC2046 # no file name of the tree has a blank
check_alone c c11 "$cc" "$work/1" $(echo "$headers" | head -n $half) &
# shellcheck disable=SC2046
check_alone c c11 "$cc" "$work/2" $(echo "$headers" | tail -n +$((half + 1)))
wait
if command -v "$cxx" >/dev/null 2>&1; then
    # shellcheck disable=SC2046
    check_alone c++ c++17 "$cxx" "$work/3" src/base/error.h $(echo "$headers" | grep '^kernels/[^/]*\.h$')
else
    echo "SKIP: no C++ compiler ($cxx); C++17 not checked"
fi
cat "$work/1" "$work/2" "$work/3" >"$work/findings"
report_findings "$work/findings" "$(echo "$headers" | wc -l) headers compile alone"
