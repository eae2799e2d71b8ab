#!/bin/bash
# The main job on real input: raw Amazon Gift Cards reviews, and Yelp pairs with profiles that a language model wrote.
# 1 to 4 trainer ranks, 1 and 2 threads: identical contents after every epoch. SKIPs where the data is not at hand.
# HNLMREC_TEST_GROUPS="1:1 1:2 2:1 ..." (ranks:threads) and HNLMREC_TEST_EPOCHS widen it; HNLMREC_TEST_KILL=1 kills the Yelp run too.
. "$(dirname "$0")/lib.sh"
data=${HNLMREC_TEST_DATA:-$source_dir/../shared/data}
epochs=${HNLMREC_TEST_EPOCHS:-2}
groups=${HNLMREC_TEST_GROUPS:-1:2 2:1 3:1 4:2}

gift=(amazon-reviews --set "data.interactions=[$data/amazon-reviews-5core/Gift_Cards_5.json.gz]"
    --set "data.items=[$data/amazon-reviews-5core/meta_Gift_Cards.json.gz]")
x=$data/xrec-profiles
xrec=(imported-profiles --set "data.interactions=[$x/yelp_trn.csv.gz]" --set "data.valid=[$x/yelp_val.csv.gz]"
    --set "data.test=[$x/yelp_tst.csv.gz]" --set "data.keep_users=$x/yelp_user_profiles.jsonl"
    --set "data.keep_items=$x/yelp_item_profiles.jsonl" --set "llm.import_user_profiles=$x/yelp_user_profiles.jsonl"
    --set "llm.import_item_profiles=$x/yelp_item_profiles.jsonl")

check() { # NAME ARGS...
    local name=$1 reference= found
    shift
    for group in $groups; do
        local ranks=${group%:*} threads=${group#*:}
        local out=$work/$name-$ranks-$threads
        if ! run $ranks run "$@" --out "$out" --artefacts "$work/$name-artefacts" --set threads=$threads \
            --set train.epochs=$epochs --set train.eval_every=1; then
            fail "$name, $ranks ranks, $threads threads"
            tail -n 10 "$work/log"
            continue
        fi
        found=$(digest_of "$out")
        [ -n "$reference" ] || reference=$found
        [ "$found" = "$reference" ] && pass "$name, $ranks ranks, $threads threads: $found" ||
            fail "$name, $ranks ranks, $threads threads: $found is not $reference"
        rm -rf "$out"
    done
    sed -n '/±/p' "$work/log"
}

# kill_in_each_stage NAME ARGS...: one run folder; the whole job is killed with -9 in every stage in turn, taken up again with
# another number of ranks each time, and must end with the contents of a run that nobody disturbed.
kill_in_each_stage() {
    local name=$1 out=$work/$1-killed mark ranks=1 leader
    shift
    run 2 run "$@" --out "$work/$name-quiet" --set train.epochs=$epochs --set train.eval_every=1 || fail "$name, undisturbed"
    for mark in artefacts/dataset-*.claim artefacts/profiles-items-*.work artefacts/profiles-users-*.work \
        artefacts/negatives-*.work artefacts/vectors-*.work 'train/lightgcn-rns/*/*' 'train/lightgcn-semantic/*/checkpoint*' \
        'train/*/*/result.h5'; do
        setsid "$mpiexec" "$numproc" $ranks "$program" run "$@" --out "$out" --set train.epochs=$epochs \
            --set train.eval_every=1 --set train.checkpoint_every=1 >"$work/killed.log" 2>&1 &
        leader=$!
        while kill -0 $leader 2>/dev/null && ! compgen -G "$out/$mark" >/dev/null; do sleep 0.01; done
        compgen -G "$out/$mark" >/dev/null && echo "   killed on $ranks ranks at $mark" || echo "   $mark was not seen"
        pkill -KILL -s $leader 2>/dev/null
        wait $leader 2>/dev/null
        while pgrep -s $leader >/dev/null 2>&1; do sleep 0.02; done
        ranks=$((ranks % 3 + 1))
    done
    run 3 run "$@" --out "$out" --set train.epochs=$epochs --set train.eval_every=1 --set train.checkpoint_every=1 ||
        { fail "$name, after the kills"; tail -n 10 "$work/log"; }
    if [ "$(digest_of "$out")" = "$(digest_of "$work/$name-quiet")" ]; then
        pass "$name, killed in each stage: the contents of a run that nobody disturbed"
    else
        fail "$name, killed in each stage: other contents"
    fi
    diff <("$program" report "$out" | tail -n +2) <("$program" report "$work/$name-quiet" | tail -n +2) >/dev/null &&
        pass "$name: the same table" || fail "$name: another table"
}

if [ ! -d "$data/amazon-reviews-5core" ] || [ ! -d "$data/xrec-profiles" ]; then
    skip "no real data at $data (set HNLMREC_TEST_DATA)"
    exit 77
fi
check gift-cards "${gift[@]}"
kill_in_each_stage gift-cards "${gift[@]}"
groups=${HNLMREC_TEST_GROUPS:-1:2 3:1} # minutes where the machine is busy
check xrec "${xrec[@]}"
[ -z "${HNLMREC_TEST_KILL:-}" ] || kill_in_each_stage xrec "${xrec[@]}"
finish
