#!/bin/bash
# hnlmrec tune as a user runs it: trials on one rank, side by side, in parts, killed and taken up: the same contents.
. "$(dirname "$0")/lib.sh"

cat >"$work/tune.yaml" <<YAML
name: tuned
seeds: [5, 6]
data:
  synthetic: {users: 100, items: 60, interactions: 1200, categories: 5}
llm: {embed_dim: 32}
model: {dim: 8, layers: 2}
train: {stop_metric: recall@10, epochs: 4, batch: 128, eval_every: 1, checkpoint_every: 1, virtual_shards: 8}
eval.ks: [5, 10]
tune:
  ranges:
    sampler.name: [rns, semantic]
    train.learning_rate: {from: 0.001, to: 0.1, log: true, steps: 3}
YAML
tune=$work/tune.yaml

trials_of() { digest_of "$1/tune"; }

run 1 tune "$tune" --out "$work/one" || { fail "one rank"; tail -n 20 "$work/log"; finish; }
[ "$(find "$work/one/tune" -name trial.h5 | wc -l)" = 6 ] && pass "six trials" || fail "trials: $(find "$work/one/tune" -name trial.h5)"
grep -q 'SYNTHETIC' "$work/log" && grep -q '6 of 6 trials are done' "$work/log" && pass "table printed" || fail "no table"
[ ! -e "$work/one/train" ] && [ -z "$(find "$work/one/tune" -name 'checkpoint*' -o -name model.h5)" ] && pass "a trial leaves its store alone" || fail "left: $(ls "$work"/one/tune/*)"
reference=$(trials_of "$work/one")

run 3 tune "$tune" --out "$work/three" --set roles.seed_groups=3 || { fail "side by side"; tail -n 5 "$work/log"; }
[ "$(trials_of "$work/three")" = "$reference" ] && pass "three groups side by side: same contents" || fail "three groups: other contents"
run 2 tune "$tune" --out "$work/parts" --part 1/2 && grep -q '3 of 6 trials' "$work/log" && pass "part 1/2: three trials" || { fail "part 1/2"; tail -n 5 "$work/log"; }
run 1 tune "$tune" --out "$work/parts" --part 0/2 && [ "$(trials_of "$work/parts")" = "$reference" ] && pass "both parts: same contents" || fail "parts"

touch "$work/stamp"
run 2 tune "$tune" --out "$work/one" && [ -z "$(find "$work/one" -name '*.h5' -newer "$work/stamp")" ] && pass "again: all trials found" || fail "again"

# kill -9 as soon as so many trials stand; each start goes on with what is left
long=(--set train.epochs=60 --set train.patience=0 --set train.eval_every=10)
run 2 tune "$tune" --out "$work/long" "${long[@]}" || fail "long trials"
count() { find "$work/killed/tune" -name trial.h5 2>/dev/null | wc -l; }
stood=
for wanted in 1 3 4; do
    setsid "$mpiexec" "$numproc" 2 "$program" tune "$tune" --out "$work/killed" --set roles.seed_groups=2 "${long[@]}" >"$work/killed.log" 2>&1 &
    leader=$!
    for _ in $(seq 1500); do [ "$(count)" -ge $wanted ] && break; sleep 0.02; done
    pkill -KILL -s "$leader" 2>/dev/null # mpirun and its ranks: one session
    wait "$leader" 2>/dev/null
    while pgrep -s "$leader" >/dev/null 2>&1; do sleep 0.05; done
    stood="$stood $(count)"
done
run 1 tune "$tune" --out "$work/killed" "${long[@]}" && [ "$(trials_of "$work/killed")" = "$(trials_of "$work/long")" ] && pass "killed three times: same contents (trials that stood:$stood)" || { fail "killed"; tail -n 5 "$work/log"; }

# the order, the winner, and its experiment
"$program" report "$work/one" --format trials-csv >"$work/trials.csv"
best=$(sed -n 2p "$work/trials.csv")
column() { sed 1d "$work/trials.csv" | cut -d, -f"$1"; }
[ "$(column 4)" = "$(column 4 | LC_ALL=C sort -gr)" ] && pass "best first" || fail "order: $(column 4 | tr '\n' ' ')"
"$program" tune --best "$work/one" >"$work/best.yaml" && grep -q "tuned_from: \"trial $(echo "$best" | cut -d, -f1) of 6" "$work/best.yaml" &&
    grep -q "learning_rate: $(echo "$best" | cut -d, -f3)" "$work/best.yaml" && pass "tune --best: $(grep -m 1 tuned_from "$work/best.yaml" | cut -c1-100)" || { fail "tune --best"; cat "$work/best.yaml"; }
run 1 run "$work/best.yaml" --out "$work/best" && pass "the winner's experiment runs" || { fail "the winner's experiment"; tail -n 5 "$work/log"; }
# trained as the trial was: the same losses, so the same validations
trial=$(printf '%s/one/tune/trial-%04d/trial.h5' "$work" "$(echo "$best" | cut -d, -f1)")
field() { "$program" digest --fields "$1" | grep -w 'valid/value' | cut -c1-64; }
result=$(find "$work/best/train" -path '*seed-5/result.h5')
[ -n "$(field "$trial")" ] && [ "$(field "$trial")" = "$(field "$result")" ] && pass "it trains as its trial did" || fail "the winner trains otherwise: $(field "$trial") $(field "$result")"

# the test part is not looked at: with another one, the same trials
printf '0 0 1 2 3 4\n1 3 4 5 6\n2 0 5 7 8 9\n3 1 2 8 9\n' >"$work/t.txt"
printf '0 5\n1 7\n2 1\n3 3\n' >"$work/v.txt"
printf '0 6\n1 0\n' >"$work/x.txt"
printf '0 7\n2 2\n3 4 5 6\n' >"$work/y.txt"
for test in x y; do
    cat >"$work/$test.yaml" <<YAML
name: given
seeds: [1]
data: {format: lightgcn, split: given, interactions: [t.txt], valid: [v.txt], test: [$test.txt]}
sampler.name: rns
model: {dim: 4, layers: 1}
train: {epochs: 3, eval_every: 1, stop_metric: recall@5}
eval.ks: [5]
tune.ranges: {train.learning_rate: [0.01, 0.1]}
YAML
    run 1 tune "$work/$test.yaml" --out "$work/$test" || { fail "given split, test part $test"; tail -n 5 "$work/log"; }
done
[ "$(trials_of "$work/x")" = "$(trials_of "$work/y")" ] && pass "another test part: same trials" || fail "the test part was looked at"

# a trial that diverges is a finding, and the others go on
sed 's/train.learning_rate: .*\]/model.dim: [8192, 4]/' "$work/x.yaml" >"$work/wide.yaml"
huge=(--set train.learning_rate=100 --set loss.name=hinge --set loss.margin=1000 --set train.batch=1 --set train.epochs=5)
run 2 tune "$work/wide.yaml" --out "$work/diverged" "${huge[@]}" || { fail "a trial that diverges ends the tuning"; tail -n 5 "$work/log"; }
grep -q '^1 *8192 *- .*failed' "$work/log" && grep -q '^2 *4 .*done' "$work/log" && pass "a trial that diverged is recorded, and the next one trained" || { fail "diverged"; tail -n 5 "$work/log"; }
"$program" report "$work/diverged" --format trials-csv | grep -q 'not finite' && pass "its store says why" || fail "no reason"
"$program" tune --best "$work/diverged" | grep -q '^#   model.dim: 4$' && pass "it is not the winner" || fail "winner of the diverged"
rm -rf "$work/diverged/tune/trial-0002"
expect_error "no winner among failures" "all trials" 1 tune --best "$work/diverged"

sed 's/0.01, 0.1/0.01, 0.2/' "$work/x.yaml" >"$work/other.yaml"
expect_error "other ranges in the same folder" "other ranges" 1 tune "$work/other.yaml" --out "$work/x"
{ cat "$work/x.yaml"; printf 'compare: [{name: a}, {name: b}]\n'; } >"$work/rows.yaml"
expect_error "several rows" "name the one to tune" 2 tune "$work/rows.yaml" --out "$work/e2"
expect_error "select_on test" "tuning on the test part is refused" 1 tune "$tune" --out "$work/e1" --set eval.select_on=test
expect_error "nothing to tune" "nothing to tune" 2 tune "$tiny" --out "$work/e2" --set tune.row=random
expect_error "a bad part" "I from 0" 1 tune "$tune" --part 2/2
expect_error "run takes no part" "unknown option" 1 run "$tune" --part 0/2
expect_error "no trials yet" "no finished trial" 1 tune --best "$work"
sed 's/, valid: \[v.txt\]//' "$work/x.yaml" >"$work/novalid.yaml"
expect_error "no validation files" "no validation part" 1 tune "$work/novalid.yaml" --out "$work/e3"
"$program" prepare "$work/novalid.yaml" --set eval.select_on=test --out "$work/novalid.h5" >/dev/null 2>&1
cat >"$work/ready.yaml" <<YAML
data.dataset: novalid.h5
sampler.name: rns
tune.ranges: {train.learning_rate: [0.01, 0.1]}
YAML
expect_error "a data set without validation" "no validation pairs" 2 tune "$work/ready.yaml" --out "$work/e4"
finish
