#!/bin/sh
# The rules themselves: a small tree that breaks each of them once; every script must find its own breach and no other
# line. Usage: planted.sh SOURCE_DIR BUILD_DIR C_COMPILER
set -u
rules=$1/tests/structure build=$2 cc=$3
tree=$(mktemp -d) || exit 1
trap 'rm -rf "$tree"' EXIT
cd "$tree" || exit 1
failures=0

mkdir -p src/base src/cf mpi kernels hdf5_schemas slurm tests/structure .ci
cp "$rules/files.sh" tests/structure/
touch CMakeLists.txt README.md LICENSE CMakePresets.json .clang-format .gitignore quickstart slurm/x .ci/run
touch src/base/error.h
printf '#include "base/good.h"\n' >src/cf/good.c
printf '#include <stddef.h>\n/* atoi( */ typedef size_t hn_size; // strcpy(\n' >src/base/good.h

# expect: script, pattern that its output must hold (none: it must pass)
expect() {
    output=$(sh "$rules/$1.sh" "$tree" "$build" "$cc" 2>&1)
    status=$?
    if [ -z "$2" ]; then
        [ $status = 0 ] && return
    else
        [ $status = 1 ] && echo "$output" | grep -qE "$2" && return
    fi
    echo "FAIL: $1.sh, exit $status, expected: ${2:-a pass}"
    echo "$output" | sed 's/^/    /'
    failures=$((failures + 1))
}

for rule in includes calls length top_level headers; do expect $rule ''; done

printf '#include <mpi.h>\n' >src/cf/bad.c && expect includes 'src/cf/bad.c:1: src/cf may not include <mpi.h>'
printf '#include "cf/good.h"\n' >src/base/bad.c && touch src/cf/good.h
expect includes 'src/base/bad.c:1: src/base may not include src/cf/good.h'
printf '#include "../../hdf5_schemas/store_private.h"\n' >src/cf/bad.c && touch hdf5_schemas/store_private.h
expect includes 'src/cf may not include hdf5_schemas/store_private.h'
rm src/cf/bad.c src/base/bad.c src/cf/good.h hdf5_schemas/store_private.h && expect includes ''

printf 'int f(const char *t) { return atoi(t); }\n' >src/cf/bad.c && expect calls 'src/cf/bad.c:1:.*atoi'
printf 'void f(void) { exit(1); }\n' >src/cf/bad.c && expect calls 'only src/app ends the program'
printf 'void *f(void) { return malloc(1); }\n' >src/cf/bad.c && expect calls 'hn_alloc'
printf '/* \124ODO later */\n' >src/cf/bad.c && expect calls 'unfinished work'
printf 'const char *f(void) { return "exit(1) atoi(x)"; }\n' >src/cf/bad.c && expect calls ''

{ echo 'static int f(int a,'; echo '             int b) {'; yes '    a += b;' | head -n 78; echo '    return a;'; echo '}'; } >src/cf/bad.c
expect length 'src/cf/bad.c:1: f has 82 lines'
yes '/* a line */' | head -n 501 >src/cf/bad.c && expect length 'src/cf/bad.c: 501 lines'
printf 'int f(int a) {\n{{{{{{{\na++;\n}}}}}}}\n    return a;\n}\n' >src/cf/bad.c && expect length 'nests 8 blocks'
rm src/cf/bad.c

touch notes.txt && expect top_level 'notes.txt: the top level is fixed' && rm notes.txt
printf 'path: /%s/somebody/data\n' home >slurm/x && expect top_level 'slurm/x:1:.*absolute path' && : >slurm/x
printf 'hn_size hn_broken(void);\n' >kernels/bad.h && expect headers 'kernels/bad.h: not self-sufficient' && rm kernels/bad.h

printf '#!/bin/sh\nif then\n' >slurm/bad && chmod +x slurm/bad && expect shell 'slurm/bad' && rm slurm/bad
if [ $failures = 0 ]; then echo "ok: every rule finds its breach"; else exit 1; fi
