# What the end-to-end scripts share. Called as: SCRIPT HNLMREC MPIEXEC NUMPROC_FLAG SOURCE_DIR [RANDOM_MODEL]
set -u
program=$1 mpiexec=$2 numproc=$3 source_dir=$4 random_model=${5:-}
tiny=$source_dir/tests/fixtures/experiments/tiny.yaml
work=$(mktemp -d)
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_mpi_yield_when_idle=1
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_btl_vader_single_copy_mechanism=none OMPI_MCA_hwloc_base_binding_policy=none
export HNLMREC_EXPERIMENTS=$source_dir/src/experiments HNLMREC_PROMPTS=$source_dir/src/semantic/prompts
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=0} # in sanitizer builds: what MPI leaves behind is no leak of ours
failures=0

cleanup() { # also what a test mounted
    for mounted in "$work"/mnt-*; do [ -d "$mounted" ] && umount "$mounted" 2>/dev/null; done
    rm -rf "$work"
}
trap cleanup EXIT

fail() { echo "FAIL: $*"; failures=$((failures + 1)); }
pass() { echo "ok: $*"; }
skip() { echo "SKIP: $*"; }

# run RANKS ARGS...: the program on that many ranks; output in $work/log
run() {
    local ranks=$1
    shift
    if [ "$ranks" = 1 ]; then
        "$program" "$@" >"$work/log" 2>&1
    else
        "$mpiexec" "$numproc" "$ranks" "$program" "$@" >"$work/log" 2>&1
    fi
}
digest_of() { "$program" digest "$1" | tail -n 1 | cut -d' ' -f1; }

# make_model: a small random model in the folder $model
make_model() {
    model=$work/model
    "$random_model" "$model" "$source_dir/tests/fixtures/tokenizers/json-bytes/tokenizer.json" 712 || { fail "no model"; finish; }
}

# pairs_here: whether this processor multiplies bf16 pairs, so that HNLMREC_CPU=avx512 gives other bits
pairs_here() { "$program" doctor | grep -Eq 'kernels +path (avx512-bf16|amx)'; }

# same_run WHAT EXPERIMENT REFERENCE RANKS ARGS...: another run of it, into $work/other, has the contents of REFERENCE
same_run() {
    local what=$1 experiment=$2 reference=$3 ranks=$4
    shift 4
    rm -rf "$work/other"
    if ! run "$ranks" run "$experiment" --out "$work/other" "$@"; then
        fail "$what"
        tail -n 20 "$work/log"
    elif [ "$(digest_of "$work/other")" = "$(digest_of "$reference")" ]; then
        pass "$what: same contents"
    else
        fail "$what: other contents"
        diff <("$program" digest "$reference") <("$program" digest "$work/other")
    fi
}

# expect_error WHAT TEXT RANKS ARGS...: must fail, and say TEXT
expect_error() {
    local what=$1 text=$2 ranks=$3
    shift 3
    if run "$ranks" "$@"; then
        fail "$what: succeeded"
    elif grep -qi -- "$text" "$work/log"; then
        pass "$what: $(grep -i -m 1 -- "$text" "$work/log" | cut -c1-160)"
    else
        fail "$what: no \"$text\" in:"
        tail -n 5 "$work/log"
    fi
}

finish() {
    [ "$failures" = 0 ] && exit 0
    echo "$failures failed"
    exit 1
}
