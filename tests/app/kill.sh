#!/bin/bash
# kill -9 of the whole job at many moments, then `run` again with another number of ranks: the same final contents.
. "$(dirname "$0")/lib.sh"

run 1 run "$tiny" --out "$work/reference" || { fail "reference"; tail -n 20 "$work/log"; finish; }
reference=$(digest_of "$work/reference")

kill_after() { # SECONDS RANKS OUT
    setsid "$mpiexec" "$numproc" "$2" "$program" run "$tiny" --out "$3" >"$work/killed.log" 2>&1 &
    local leader=$!
    sleep "$1"
    pkill -KILL -s "$leader" 2>/dev/null # mpirun and its ranks: one session
    wait "$leader" 2>/dev/null
    while pgrep -s "$leader" >/dev/null 2>&1; do sleep 0.05; done
}

ranks=(1 2 3)
round=0
for delay in 0.3 0.6 0.9 1.3 1.7 2.2 2.8 3.5; do
    out=$work/killed-$round
    kill_after $delay 2 "$out"
    stage=$(ls "$out/artefacts" "$out/train" 2>/dev/null | tr '\n' ' ' | cut -c1-200)
    again=${ranks[$((round % 3))]}
    if ! run "$again" run "$tiny" --out "$out"; then
        fail "killed after $delay s, again on $again"
        tail -n 10 "$work/log"
    elif [ "$(digest_of "$out")" = "$reference" ]; then
        pass "killed after $delay s, again on $again ranks: same contents (stood: $stage)"
    else
        fail "killed after $delay s, again on $again ranks: other contents"
    fi
    rm -rf "$out"
    round=$((round + 1))
done

# a polite stop: SIGUSR1 to the launcher, exit code 14, and on
# MPICH's mpiexec now and then loses the exit codes of its ranks (see pmodels/mpich issue 7057; here after a signal): a
# shell around each rank writes them down too.
noted='trap "" USR1; "$@"; code=$?; echo $code >>"$0"; exit $code'
setsid "$mpiexec" "$numproc" 2 sh -c "$noted" "$work/codes" "$program" run "$tiny" --out "$work/stopped" \
    --set train.epochs=100000 --set train.patience=0 >"$work/log" 2>&1 &
leader=$!
for _ in $(seq 600); do grep -q '^training' "$work/log" && break; sleep 0.1; done # on a busy machine MPI takes its time to start
kill -USR1 "$leader"
for _ in $(seq 100); do kill -0 "$leader" 2>/dev/null || break; sleep 0.1; done
if kill -0 "$leader" 2>/dev/null; then
    fail "SIGUSR1: still running after 10 s"
    pkill -KILL -s "$leader"
else
    wait "$leader"
    code=$?
    if [ "$code" = 14 ]; then
        pass "SIGUSR1: exit code 14"
    elif "$mpiexec" --version | grep -q HYDRA && [ "$(tr '\n' ' ' <"$work/codes")" = "14 14 " ]; then
        pass "SIGUSR1: exit code 14 of both ranks; MPICH's mpiexec lost it and said $code"
    else
        fail "SIGUSR1: exit code $code"
        tail -n 5 "$work/log"
    fi
fi
finish
