#!/bin/sh
# The reference pages in the tree say what the program says. Usage: reference.sh SOURCE_DIR HNLMREC
set -u
cd "$1" || exit 1
hnlmrec=$2 failures=0
compare() { # page, command that prints it
    page=$1
    shift
    if "$@" | diff "$page" - >/dev/null; then
        echo "ok: $page"
    else
        "$@" | diff "$page" - | head -n 10
        shift
        echo "FAIL: $page is not what the declarations say; make it anew: hnlmrec $* >$page"
        failures=$((failures + 1))
    fi
}
compare src/config/REFERENCE.md "$hnlmrec" help config --markdown
compare hdf5_schemas/REFERENCE.md "$hnlmrec" help stores
[ $failures = 0 ]
