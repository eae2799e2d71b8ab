#!/bin/sh
# quickstart on machines that we do not have: its tools are replaced by ones that tell what they were asked.
# Usage: test.sh SOURCE_DIR
set -u
source=$1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failures=0

# A copy of the launcher in a folder of its own, so that nothing of the source tree is configured or built.
mkdir "$work/tree" "$work/tools" && cp "$source/quickstart" "$work/tree/"
for tool in sh cat sed awk grep tr head sort dirname mkdir rm tee env printf getconf pwd uname cut; do
    path=$(command -v $tool) && case $path in /*) ln -s "$path" "$work/tools/$tool" ;; esac
done
fake() { # name, body
    printf '#!/bin/sh\necho "%s $*" >>"%s"\n%s\n' "$1" "$work/asked" "$2" >"$work/tools/$1" && chmod +x "$work/tools/$1"
}
quickstart() { # arguments; output in $work/output, what it asked of others in $work/asked
    : >"$work/asked"
    (cd "$work/tree" && env -i PATH="$work/tools" HOME="$work" ${with:-} sh ./quickstart "$@") >"$work/output" 2>&1 </dev/null
    status=$?
}
check() { # what, expected status, pattern in the output ('' = any), pattern in the asked ('' = any, '!x' = not x)
    bad=
    [ "$status" = "$2" ] || bad="exit $status, not $2"
    grep -qE -- "$3" "$work/output" || bad="$bad; no '$3' in its output"
    case $4 in
    '!'*) grep -qE -- "${4#!}" "$work/asked" && bad="$bad; it asked '${4#!}'" ;;
    ?*) grep -qE -- "$4" "$work/asked" || bad="$bad; it never asked '$4'" ;;
    esac
    [ -z "$bad" ] && echo "ok: $1" && return
    echo "FAIL: $1: $bad"
    sed 's/^/    output: /' "$work/output" && sed 's/^/    asked: /' "$work/asked"
    failures=$((failures + 1))
}

fake id 'echo 1000'
quickstart && check "no job is a usage error" 2 'usage:' ''
quickstart test demo && check "two jobs are one too many" 2 'not both' ''
quickstart test --mpi lam && check "an unknown MPI" 2 "not 'lam'" ''
quickstart test --build && check "an option without its value" 2 'wants a folder' ''
quickstart fly && check "an unknown job" 2 'unknown argument: fly' ''

quickstart demo && check "no package manager, nothing there" 3 'Random123 +\(needed\).*librandom123-dev' ''
fake lmod 'echo "/modules/core:
HDF5/1.14.0-gompi
OpenMPI/4.1.4" >&2'
with="LMOD_CMD=$work/tools/lmod"
quickstart demo && check "modules are named" 3 'HDF5 +\(needed\).*module load: HDF5/1.14.0' 'lmod sh -t avail'
with=

fake dpkg-query 'case $4 in libyaml-dev) echo installed ;; *) exit 1 ;; esac'
fake apt-cache 'exit 0'
fake apt-get 'exit 0'
quickstart test && check "Debian without root or sudo: a list, nothing installed" 3 'cmocka +\(tests\)' '!apt-get'
fake sudo '"$@"'
quickstart test && check "sudo without consent: the command is printed" 3 'sudo apt-get install .*libdnnl-dev' '!sudo'
fake cmake 'case $1 in
--version) echo "cmake version 3.25.1" ;;
--preset) mkdir -p "$4/Testing/Temporary" && : >"$4/build.ninja" && echo "HN_TESTS:BOOL=${5#*=}
CMAKE_HOME_DIRECTORY:INTERNAL=$PWD" >"$4/CMakeCache.txt" ;;
esac'
fake ctest 'printf "1/2 Testing: alpha\nOutput:\nSKIP: no device here\n2/2 Testing: beta\n[  SKIPPED ] case_two\n" >"$2/Testing/Temporary/LastTest.log"
printf "100%% tests passed, 0 tests failed out of 2\n"'
quickstart test --yes && check "sudo with consent" 0 'libcmocka-dev +unit tests' 'sudo env .*apt-get install .*libcmocka-dev'
check "what is installed already is left alone" 0 'all tests passed' '!install .*libyaml-dev'
check "skips are named with their reason" 0 'SKIPPED alpha: no device here' ''
check "a skipped case too" 0 'SKIPPED beta: case case_two' ''

fake id 'echo 0'
fake apt-cache '[ "$2" != cmake ] || [ -e '"$work"'/updated ]'
fake apt-get 'case "$*" in *update*) : >'"$work"'/updated ;; esac'
quickstart test && check "root: lists are fetched where they lack a name" 0 'all tests passed' 'apt-get -q update'
quickstart test && check "root: and only then" 0 'is configured' '!update'
fake apt-cache '[ "$2" != shellcheck ]'
quickstart test && check "a package for some tests only, not offered here" 0 'shellcheck is not offered here' 'install .* munge procps python3-h5py clang-format-14$'
with='CC=clang'
quickstart test --build build-clang && check "clang brings its own OpenMP" 0 'libomp-dev' 'install .*libomp-dev'
check "and needs no gcc" 0 '' '!install .* gcc '
with=
fake dpkg-query 'echo installed'
quickstart test && check "nothing missing: nothing installed" 0 'all needed Debian packages are installed' '!apt-get'
quickstart test --mpi mpich && check "MPICH has a build folder of its own" 0 'configuring build-mpich' 'cmake --preset release -B build-mpich'

fake mpirun 'exit 14'
quickstart demo && check "a demo that fails" 1 'the demo failed \(exit 14\)' 'mpirun -n 2 build/hnlmrec run demo --out demo-run'
fake mpirun 'exit 0'
quickstart demo && check "a demo" 0 'hnlmrec report demo-run' '!cmake --preset' # built already, tests stay on
fake ctest 'printf "The following tests FAILED:\n\t  7 - gamma (Failed)\n"; : >"$2/Testing/Temporary/LastTest.log"; exit 8'
quickstart test && check "failing tests fail it" 1 'FAILED  gamma \(Failed\)' ''
echo 'CMAKE_HOME_DIRECTORY:INTERNAL=elsewhere' >"$work/tree/build/CMakeCache.txt"
quickstart test && check "a build folder of another tree" 1 'made for another source folder \(elsewhere\)' ''

[ $failures = 0 ] || exit 1
