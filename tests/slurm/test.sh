#!/bin/bash
# The shipped batch scripts on a real Slurm of two nodes: one job and an array end with the contents of a direct mpirun
# run; a job told that its time is up requeues itself, goes on and ends with the same contents; a cancelled one stays so.
# Usage: test.sh HNLMREC MPIEXEC NUMPROC_FLAG SOURCE_DIR          (exit 77: no Slurm here)
set -u
program=$1 mpiexec=$2 numproc=$3 source_dir=$4
here=$source_dir/tests/slurm scripts=$source_dir/slurm tiny=$source_dir/tests/fixtures/experiments/tiny.yaml
PATH=$PATH:/usr/sbin
for tool in slurmctld slurmd srun sbatch munged mungekey; do
    command -v $tool >/dev/null || { echo "SKIP: $tool is not installed (Debian: slurm-wlm munge)" && exit 77; }
done
if ldd "$program" | grep -q libmpich; then
    echo "SKIP: built with MPICH; Debian's Slurm starts Open MPI by PMIx, which these scripts use"
    exit 77
fi

work=$(mktemp -d) failures=0
chmod 755 "$work" # MUNGE wants its socket within reach of all
finish() {
    "$here/cluster.sh" stop "$work/cluster"
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP
fail() { # what, log
    echo "FAIL: $1"
    [ -f "${2:-}" ] && tail -n 25 "$2" | sed 's/^/    /'
    failures=$((failures + 1))
}
digest_of() { "$program" digest "$1" | tail -n 1 | cut -d ' ' -f 1; }
same_contents() { # what, folder, folder, log
    local a b
    a=$(digest_of "$2") b=$(digest_of "$3")
    if [ ${#a} = 64 ] && [ "$a" = "$b" ]; then echo "ok: $1 ($SECONDS s)"; else fail "$1: digests '$a' and '$b'" "$4"; fi
}
# A job's state, as the controller tells it ("COMPLETED").
state_of() { scontrol show job "$1" 2>/dev/null | sed -n 's/.*JobState=\([A-Z_]*\).*/\1/p' | sort -u | tr '\n' ' '; }
wait_for() { # seconds, command...
    local end=$((SECONDS + $1))
    shift
    until "$@"; do [ $SECONDS -lt $end ] || return 1; sleep 0.2; done
}
no_job_left() { [ -z "$(squeue --noheader)" ]; }
checkpoint_in() { [ -n "$(find "$1/train" -name '*checkpoint*' 2>/dev/null | head -n 1)" ]; }

cd "$work" || exit 1
"$here/cluster.sh" start "$work/cluster" || { echo "FAIL: the cluster did not start" && exit 1; }
. "$work/cluster/environment"
export HNLMREC=$program EXPERIMENT=$tiny
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=0} # in sanitizer builds: what MPI leaves behind is no leak of ours
export HNLMREC_EXPERIMENTS=$source_dir/src/experiments HNLMREC_PROMPTS=$source_dir/src/semantic/prompts
direct() { # folder, arguments
    OMPI_MCA_rmaps_base_oversubscribe=1 "$mpiexec" "$numproc" 2 "$program" run "$tiny" --out "$@" >direct.log 2>&1 || fail "direct run" direct.log
}

# 1. one job, two nodes, two ranks on each
direct direct
OUT=$work/job timeout 120 sbatch --wait --nodes=2 --ntasks-per-node=2 --output=job.log "$scripts/run.sbatch" >/dev/null ||
    fail "run.sbatch" job.log
same_contents "one job on two nodes has the contents of a direct run" direct job job.log
grep -q '±' job.log || fail "the job's log has no table" job.log

# 2. the same without PMIx: mpirun inside the allocation
OUT=$work/mpirun SRUN_MPI=absent timeout 120 sbatch --wait --nodes=2 --ntasks-per-node=1 --output=mpirun.log \
    "$scripts/run.sbatch" >/dev/null || fail "run.sbatch by mpirun" mpirun.log
same_contents "mpirun where srun has no PMIx" direct mpirun mpirun.log

# 3. an array, one seed an element, side by side
OUT=$work/array timeout 120 sbatch --wait --array=0-1 --ntasks=2 --output=array-%a.log "$scripts/array.sbatch" >/dev/null ||
    fail "array.sbatch" array-0.log
same_contents "an array of seeds has the contents of a direct run" direct array array-1.log

# 4. the time is up: checkpoint, requeue, the rest
longer='--set seeds=[1] --set train.epochs=400 --set train.patience=0 --set train.checkpoint_every=50 --set train.eval_every=500'
# shellcheck disable=SC2086 # a list of arguments
direct longer $longer
job=$(OUT=$work/requeued ARGS=$longer sbatch --parsable --ntasks=2 --output=requeued.log "$scripts/run.sbatch")
wait_for 60 checkpoint_in "$work/requeued" || fail "no checkpoint appeared" requeued.log
scancel --batch --signal=USR1 "$job"
wait_for 120 no_job_left || fail "the requeued job did not end" requeued.log
grep -q 'requeued, to go on' requeued.log || fail "the job did not requeue itself" requeued.log
[ "$(state_of "$job")" = "COMPLETED " ] || fail "the requeued job is $(state_of "$job")" requeued.log
same_contents "stopped, requeued and finished as if never stopped" longer requeued requeued.log

# 5. cancelled: stops in order, and is not started again
job=$(OUT=$work/cancelled ARGS=$longer sbatch --parsable --ntasks=2 --output=cancelled.log "$scripts/run.sbatch")
wait_for 60 checkpoint_in "$work/cancelled" || fail "no checkpoint appeared" cancelled.log
scancel "$job"
wait_for 60 no_job_left || fail "the cancelled job did not end" cancelled.log
if [ "$(state_of "$job")" = "CANCELLED " ]; then echo "ok: a cancelled job stays cancelled ($SECONDS s)"; else
    fail "the cancelled job is $(state_of "$job")" cancelled.log
fi

# 6. a tuning as an array: each element its share of the trials, and what was killed goes on with the next submission
{
    cat "$tiny"
    printf 'tune:\n  row: random\n  ranges: {train.learning_rate: [0.003, 0.01, 0.03], model.layers: [1, 2]}\n'
} >tuning.yaml
slow='--set train.epochs=40 --set train.patience=0 --set train.checkpoint_every=5 --set train.eval_every=10'
# shellcheck disable=SC2086 # a list of arguments
"$program" tune tuning.yaml --out tuned $slow >tuned.log 2>&1 || fail "direct tuning" tuned.log
export COMMAND=tune EXPERIMENT=$work/tuning.yaml OUT=$work/shared-out ARGS=$slow
trial_checkpoint() { [ -n "$(find "$OUT/tune" -name '*checkpoint*' 2>/dev/null | head -n 1)" ]; }
job=$(sbatch --parsable --array=0-1 --ntasks=1 --output=tune-%a.log "$scripts/array.sbatch")
wait_for 60 trial_checkpoint || fail "no trial wrote a checkpoint" tune-0.log
scancel --signal=KILL --full "$job"
wait_for 60 no_job_left || fail "the killed array did not end" tune-0.log
[ "$(find "$OUT/tune" -name trial.h5 | wc -l)" -lt 6 ] || fail "nothing was left to do when the array was killed"
timeout 300 sbatch --wait --array=0-1 --ntasks=1 --output=tune-%a.log "$scripts/array.sbatch" >/dev/null || fail "the array again" tune-0.log
same_contents "a tuning as an array, killed and submitted again" tuned "$OUT" tune-1.log
[ $failures = 0 ]
