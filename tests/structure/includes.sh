#!/bin/sh
# Includes point down the rooms' dependencies only, and each room sees only the libraries it is meant to see.
# Usage: includes.sh SOURCE_DIR
set -u
cd "$1" || exit 1
. tests/structure/files.sh
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# room : rooms or single headers of this project : libraries beside the C library and POSIX
cat >"$work/rules" <<'RULES'
src/base : - : xxhash.h openssl/ Random123/ utf8proc.h immintrin.h cpuid.h
src/config : src/base : yaml.h
src/data : src/base src/config hdf5_schemas/store.h : jansson.h zlib.h
src/cf : src/base src/config src/data kernels mpi/comm.h mpi/shard.h hdf5_schemas/store.h : omp.h
src/llm : src/base kernels mpi/comm.h hdf5_schemas/store.h : jansson.h pcre2.h utf8proc.h omp.h
src/semantic : src/base src/config src/data src/llm kernels mpi/comm.h mpi/deal.h mpi/shard.h hdf5_schemas/store.h : curl/ jansson.h omp.h sys/prctl.h
src/report : src/base src/config hdf5_schemas/store.h : jansson.h
src/app : src kernels mpi hdf5_schemas/store.h : jansson.h omp.h sys/vfs.h
mpi : src/base : mpi.h nccl.h cuda_runtime
kernels : src/base : sys/syscall.h emulator.h omp.h immintrin.h cpuid.h oneapi/ dnnl.h dnnl_types.h cuda
hdf5_schemas : src/base : hdf5.h H5 mpi.h
RULES
# The C library and POSIX, which every room may use.
c_library='assert ctype errno fenv float inttypes limits locale math setjmp signal stdalign stdarg stdatomic stdbool
stddef stdint stdio stdlib stdnoreturn string strings tgmath threads time uchar wchar wctype dirent fcntl fnmatch glob
libgen poll pthread sched semaphore spawn unistd utime termios dlfcn netdb sys/file sys/ioctl sys/mman sys/resource
sys/select sys/socket sys/stat sys/statvfs sys/time sys/types sys/uio sys/un sys/utsname sys/wait arpa/inet netinet/in'
echo $c_library >"$work/c_library"

list_sources | grep -v '^tests/' >"$work/sources"
# Headers that a room's CMakeLists.txt makes in the build folder: "room/name.h"
list_files | grep 'CMakeLists.txt$' | xargs grep -oE '[a-z_]+\.h\b' /dev/null | sed 's|/CMakeLists.txt:|/|' >"$work/generated"
if [ ! -s "$work/sources" ]; then echo "no sources found in $1"; exit 1; fi

# "file<TAB>line<TAB>quote<TAB>name" of each include
xargs grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*["<]' <"$work/sources" /dev/null |
    sed -E 's/^([^:]+):([0-9]+):[^"<]*(["<])([^">]+)[">].*/\1\t\2\t\3\t\4/' >"$work/includes"

awk -F '\t' -v rules="$work/rules" -v c_file="$work/c_library" -v sources="$work/sources" -v generated="$work/generated" '
function room_of(file, parts) {
    split(file, parts, "/")
    return parts[1] == "src" ? parts[1] "/" parts[2] : parts[1]
}
function begins(text, prefix) { return substr(text, 1, length(prefix)) == prefix }
function allowed(room, target, list, words, n, i) { # target: a file of this project
    if (room_of(target) == room) return 1
    n = split(list[room], words, " ")
    for (i = 1; i <= n; i++) if (words[i] == target || begins(target, words[i] "/")) return 1
    return 0
}
function resolve(file, name, folder, roots, n, i, path) {
    folder = file; sub(/[^\/]*$/, "", folder)
    path = folder name
    while (sub(/[^\/]+\/\.\.\//, "", path)) {}
    if (path in exists) return path
    # The order of the include path: src, and each room that is a dependency.
    n = split("src src/base src/config src/data src/cf src/llm src/semantic src/report src/app mpi kernels hdf5_schemas", roots, " ")
    for (i = 1; i <= n; i++) if ((roots[i] "/" name) in exists) return roots[i] "/" name
    return ""
}
BEGIN {
    while ((getline line < rules) > 0) {
        split(line, part, / : /)
        rooms[part[1]] = part[2]; libraries[part[1]] = part[3]
    }
    getline line < c_file; n = split(line, words, " ")
    for (i = 1; i <= n; i++) c_library[words[i] ".h"] = 1
    while ((getline line < sources) > 0) exists[line] = 1
    while ((getline line < generated) > 0) made[line] = 1
}
{
    file = $1; name = $4; room = room_of(file)
    if (!(room in rooms)) { print file ":" $2 ": the folder " room " is no room of the plan"; next }
    target = resolve(file, name)
    if (target != "" && $3 == "\"") {
        if (!allowed(room, target, rooms))
            print file ":" $2 ": " room " may not include " target " (may: " rooms[room] ")"
        next
    }
    if (target == "" && (room "/" name) in made) next
    if (name in c_library) next
    n = split(libraries[room], words, " ")
    for (i = 1; i <= n; i++) if (begins(name, words[i])) next
    if ($3 == "\"" && target == "") print file ":" $2 ": \"" name "\" is found in no room"
    else print file ":" $2 ": " room " may not include <" name "> (may: C, POSIX, " libraries[room] ")"
}' "$work/includes" >"$work/findings"
report_findings "$work/findings" "includes point down the rooms' dependencies only"
