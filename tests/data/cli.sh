#!/bin/bash
# `hnlmrec prepare` and `hnlmrec synthesize` as a user runs them. Usage: cli.sh HNLMREC
set -u
hnlmrec=$1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failed=0

# expect CODE TEXT COMMAND ...: the exit code, and a text in what is printed
expect() {
    local code=$1 text=$2
    shift 2
    "$@" >out 2>&1
    local got=$?
    if [ $got -ne "$code" ] || ! grep -qF -- "$text" out; then
        echo "FAILED: $* gave $got, not $code with \"$text\":"
        sed 's/^/    /' out
        failed=1
    fi
}

world="--set data.synthetic.users=300 --set data.synthetic.items=200 --set data.synthetic.interactions=3000"
expect 0 "usage: hnlmrec prepare" "$hnlmrec" prepare --help
expect 0 "usage: hnlmrec synthesize" "$hnlmrec" synthesize --help
expect 2 "--out is missing" "$hnlmrec" prepare demo
expect 2 "cannot use \"--frobnicate\"" "$hnlmrec" prepare demo --frobnicate --out d.h5
expect 2 "cannot use \"--part\" 3/3" "$hnlmrec" synthesize --out d --part 3/3
expect 2 "nonsense" "$hnlmrec" prepare nonsense --out d.h5
expect 3 "data.core_user" "$hnlmrec" prepare --set data.core_user=2 --out d.h5 # a misspelt key
expect 0 "(SYNTHETIC)" "$hnlmrec" prepare demo --out demo.h5
: >demo # a file of a shipped experiment's name is not meant; ./demo is
expect 0 "users                     1,000" "$hnlmrec" prepare demo --out demo.h5
expect 0 "variants" "$hnlmrec" doctor demo
rm demo

# Three writers' parts put together are one writer's files, packed bytes included.
# shellcheck disable=SC2086 # the options are words
expect 0 "SYNTHETIC world in one" "$hnlmrec" synthesize $world --out one
for part in 2 0 1; do
    # shellcheck disable=SC2086
    expect 0 "part $part of 3" "$hnlmrec" synthesize $world --out parts --part $part/3
done
for name in reviews meta; do
    cat parts/$name-*.json.gz | cmp - one/$name.json.gz || { echo "FAILED: parts of $name differ from the whole"; failed=1; }
done

# The label stays on the way through files; a device is no place for a data set.
expect 0 "(SYNTHETIC)" "$hnlmrec" prepare --set data.format=amazon --set "data.interactions=[one/reviews.json.gz]" --out label.h5
expect 13 "no plain file" "$hnlmrec" prepare demo --out /dev/null
printf 'a, x\nb, x\na,x\n' >blanks.csv
cp blanks.csv kept.csv
expect 13 "holds no data set" "$hnlmrec" prepare --set data.format=pairs --set "data.interactions=[blanks.csv]" --out blanks.csv
cmp blanks.csv kept.csv || { echo "FAILED: an input was overwritten"; failed=1; }
: >empty.h5 # as mktemp leaves it
expect 0 "users                         2" "$hnlmrec" prepare --set data.format=pairs --set "data.interactions=[blanks.csv]" --out empty.h5
expect 0 "users                         2" "$hnlmrec" prepare --set data.format=pairs --set "data.interactions=[blanks.csv]" --out empty.h5
expect 0 "repeated                    1" "$hnlmrec" prepare --set data.format=pairs --set "data.interactions=[blanks.csv]" --out blanks.h5

expect 0 "users                       300" "$hnlmrec" prepare --set data.format=amazon --set "data.interactions=[one/reviews.json.gz]" \
    --set "data.items=[one/meta.json.gz]" --out one.h5
grep -qF "malformed                   0" out || { echo "FAILED: lines of our own are malformed"; failed=1; }
# The parts, given in order, are the same interactions: the same split of the same users.
expect 0 "users                       300" "$hnlmrec" prepare --set data.format=amazon \
    --set "data.interactions=[$(echo parts/reviews-*.json.gz | tr ' ' ,)]" \
    --set "data.items=[$(echo parts/meta-*.json.gz | tr ' ' ,)]" --out parts.h5
for h5 in one parts; do
    "$hnlmrec" digest --fields $h5.h5 2>&1 | grep -E '(train|valid|test|item)/' | sed "s/$h5//" >$h5.digest
done
if [ "$(wc -l <one.digest)" -le 5 ] || ! cmp one.digest parts.digest; then
    echo "FAILED: parts and whole give different data sets"
    failed=1
fi

printf 'a x 1\nb y nan\n' >bad.txt
expect 4 "bad.txt: 1 of 2 lines (50 %) are malformed" "$hnlmrec" prepare --set data.format=pairs --set "data.interactions=[bad.txt]" --out bad.h5
grep -qF "bad.txt:2: the rating" out || { echo "FAILED: no file and line in the warning"; failed=1; }
[ ! -e bad.h5 ] || { echo "FAILED: a failed run left bad.h5"; failed=1; }
expect 5 "absent/d.h5" "$hnlmrec" prepare demo --out absent/d.h5

# Train and test files alone are enough to prepare; to stop by validation, a share of train becomes it, in `run` too.
printf '0 0 1 2 3 4 5\n1 1 2 3 4 5 6\n2 0 2 4 6 8 7\n' >train.txt
printf '0 6\n1 7\n2 1\n' >test.txt
cat >given.yaml <<YAML
name: given
seeds: [1]
data: {format: lightgcn, split: given, interactions: train.txt, test: test.txt}
train: {epochs: 2, eval_every: 1}
compare: [{name: RNS, sampler.name: rns}]
YAML
expect 0 "valid pairs                   0" "$hnlmrec" prepare given.yaml --out given.h5
expect 0 "valid pairs                   6" "$hnlmrec" prepare given.yaml --set data.valid_share=0.34 --set data.split_seed=3 --out shared.h5
expect 3 "data.valid_share with split given" "$hnlmrec" run given.yaml --out run
expect 0 "recall@20" "$hnlmrec" run given.yaml --set data.valid_share=0.34 --out run
grep -q 'SELECTED ON TEST' out && { echo "FAILED: a run with a validation part was selected on test"; failed=1; }
[ $failed -eq 0 ] && echo "ok"
exit $failed
