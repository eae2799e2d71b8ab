#!/bin/bash
# What a user gets wrong, end to end: each fails with a message that says what to do.
. "$(dirname "$0")/lib.sh"

expect_error "no such experiment" "no-such" 1 run no-such-experiment
expect_error "unknown key" "train.epochs" 1 run "$tiny" --out "$work/x" --set train.epocs=3
expect_error "out of range" "train.batch" 1 run "$tiny" --out "$work/x" --set train.batch=0
expect_error "unknown subcommand" "did you mean" 1 prepaer
expect_error "unknown option" "unknown option" 1 run "$tiny" --ouput x
expect_error "seed index" "seeds, counted from 0" 1 run "$tiny" --out "$work/x" --seed-index 99
expect_error "missing endpoint" "127.0.0.1:9" 1 run "$tiny" --out "$work/http" --set llm.provider=http \
    --set llm.http.url=http://127.0.0.1:9 --set llm.http.model=m --set llm.http.retries=1
expect_error "native provider" "native" 1 run "$tiny" --out "$work/native" --set llm.provider=native
expect_error "out is a file" "" 1 run "$tiny" --out "$tiny/x"

: >"$work/empty.yaml"
run 1 run "$work/empty.yaml" --out "$work/empty" --plan
grep -q 'empty.yaml holds no key: .* synthetic data' "$work/log" && pass "an empty file is said" || { fail "an empty file"; cat "$work/log"; }
run 1 run "$tiny" --out "$work/made" --plan && ! grep -q 'holds no key' "$work/log" || { fail "plan"; cat "$work/log"; }
grep -q 'nothing was run' "$work/log" && ! grep -q 'everything is in' "$work/log" && pass "a plan says that nothing was run" || { fail "a plan's last line"; cat "$work/log"; }
run 1 profile "$tiny" --out "$work/made" --set train.epochs=7 && pass "a plan settles no configuration" || { fail "after a plan"; cat "$work/log"; }
expect_error "another configuration" "train.learning_rate" 1 run "$tiny" --out "$work/made" --set train.epochs=7 --set train.learning_rate=0.5
expect_error "ranks know it together" "train.learning_rate" 3 run "$tiny" --out "$work/made" --set train.epochs=7 --set train.learning_rate=0.5
[ "$(grep -c 'another configuration' "$work/log")" = 1 ] && pass "said once" || fail "said $(grep -c 'another configuration' "$work/log") times"


# files that are not there: the key is named, before anything is made
for key in llm.import_vectors llm.import_item_profiles llm.import_user_profiles data.dataset; do
    expect_error "missing $key" "$key is .*/absent, and there is no such file" 1 run "$tiny" --out "$work/absent-of-$key" --set "$key=$work/absent"
    expect_error "missing $key, two ranks" "$key is " 2 run "$tiny" --out "$work/absent-of-$key" --set "$key=$work/absent"
done
"$program" prepare "$tiny" --out "$work/ready.h5" >"$work/log" 2>&1 || { fail "prepare"; cat "$work/log"; }
if run 2 run "$tiny" --out "$work/ready" --plan --set data.dataset="$work/ready.h5" --set data.core_users=3 &&
    [ "$(grep -c 'these keys change nothing: .*data.core_users' "$work/log")" = 1 ]; then
    pass "keys beside a ready data set: $(grep -o 'these keys change nothing.*' "$work/log")"
else
    fail "keys beside a ready data set"
    cat "$work/log"
fi

# one more rank than virtual shards; and more ranks than users must simply work
expect_error "more ranks than shards" "virtual_shards" 3 run "$tiny" --out "$work/shards" --set train.virtual_shards=2
printf '0 0 1 2 3\n1 1 2 3 4\n' >"$work/two.txt"
cat >"$work/two.yaml" <<YAML
name: two
seeds: [1]
data: {format: lightgcn, interactions: [two.txt], split_ratio: [0.5, 0.25, 0.25]}
train: {epochs: 2, eval_every: 1}
compare:
  - {name: RNS, sampler.name: rns}
YAML
if run 4 run "$work/two.yaml" --out "$work/two"; then
    pass "two users on four ranks"
else
    fail "two users on four ranks"
    tail -n 5 "$work/log"
fi

# data that change under their name: no table of old and new results
echo '2 0 1 2 4' >>"$work/two.txt"
expect_error "data changed" "another data set" 1 run "$work/two.yaml" --out "$work/two"
expect_error "data changed, three ranks" "another data set" 3 run "$work/two.yaml" --out "$work/two"
if [ "$(id -u)" = 0 ] && mkdir "$work/mnt-full" && mount -t tmpfs -o size=1m tmpfs "$work/mnt-full" 2>/dev/null; then
    expect_error "full disk" "free" 1 run "$tiny" --out "$work/mnt-full/out"
    mkdir "$work/mnt-ro" && mount -t tmpfs -o ro tmpfs "$work/mnt-ro"
    expect_error "read-only folder" "read-only" 2 run "$tiny" --out "$work/mnt-ro/out"
else
    skip "full and read-only disks: mounting a tmpfs is not allowed here"
fi
finish
