#!/bin/bash
# The main job on the tiny experiment: same contents for any number of ranks and threads; run again it skips; report and
# digest read it; roles may be disjoint; an array's elements share what the language model wrote.
. "$(dirname "$0")/lib.sh"

run 1 run "$tiny" --out "$work/one" || { fail "one rank"; tail -n 20 "$work/log"; finish; }
grep -q '±' "$work/log" && pass "one rank: table printed" || fail "one rank: no table"
grep -qi 'synthetic' "$work/log" && pass "the result is labelled synthetic" || fail "no synthetic label"
reference=$(digest_of "$work/one")
[ "${#reference}" = 64 ] && pass "digest $reference" || fail "digest is \"$reference\""

compare() { same_run "$1" "$tiny" "$work/one" "${@:2}"; } # WHAT RANKS ARGS...
compare "2 ranks" 2
compare "3 ranks, 2 threads" 3 --set threads=2
compare "1 worker and 3 trainers" 4 --set roles.workers=1 --set roles.trainers=3
compare "2 workers and 1 trainer" 3 --set roles.workers=2 --set roles.trainers=1
compare "seeds side by side" 2 --set roles.seed_groups=2

# the environment says who is what, rank by rank
as() { echo env "HNLMREC_ROLE=$1" "$program" run "$tiny" --out "$work/roles"; }
if "$mpiexec" "$numproc" 1 $(as worker) : "$numproc" 2 $(as trainer) >"$work/log" 2>&1 && [ "$(digest_of "$work/roles")" = "$reference" ]; then
    grep -q '1 language-model workers, 2 trainers' "$work/log" && pass "HNLMREC_ROLE: same contents" || fail "HNLMREC_ROLE: not heeded"
else
    fail "HNLMREC_ROLE"
    tail -n 5 "$work/log"
fi

# an array: each element takes one seed; the artefacts are made once
for element in 0 1; do
    "$program" run "$tiny" --out "$work/array" --seed-index $element >"$work/log.$element" 2>&1 &
done
wait
[ "$(digest_of "$work/array")" = "$reference" ] && pass "two elements side by side: same contents" || {
    fail "two elements side by side"
    tail -n 5 "$work/log.0" "$work/log.1"
}
made=$(grep -ho '"stage":"\(profiles-items\|vectors\)","seconds":[0-9.e-]*,"note":"made"' "$work/array/run-log.jsonl" | wc -l)
[ "$made" = 2 ] && pass "language-model stages ran once" || fail "language-model stages: $made made, not 2"

# again: everything is found
before=$(find "$work/one" -name '*.h5' -newer "$work/one/experiment.yaml" | wc -l)
touch "$work/stamp"
run 2 run "$tiny" --out "$work/one" || fail "run again"
[ -z "$(find "$work/one" -name '*.h5' -newer "$work/stamp")" ] && pass "run again: all $before stores found" || fail "run again made stores"

for format in table csv json markdown latex groups groups-csv groups-markdown groups-latex shares curves; do
    "$program" report "$work/one" --format $format >"$work/report.$format" 2>&1 && [ -s "$work/report.$format" ] &&
        pass "report --format $format" || fail "report --format $format"
done
# a store whose contents are no longer those that were sealed is refused, not used
result=$(find "$work/array/train" -name result.h5 | head -n 1)
printf 'R' | dd of="$result" bs=1 seek="$(grep -abo 'recall@5' "$result" | head -n 1 | cut -d: -f1)" conv=notrunc 2>/dev/null
"$program" report "$work/array" >"$work/log" 2>&1 && fail "a damaged result was reported" || pass "a damaged result is refused: $(head -n 1 "$work/log" | cut -c1-120)"

run 1 run "$tiny" --out "$work/plan" --plan && grep -q 'memory' "$work/log" && pass "plan" || { fail "plan"; cat "$work/log"; }
[ ! -d "$work/plan/train" ] && pass "plan trains nothing" || fail "plan trained"
finish
