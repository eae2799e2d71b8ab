#!/bin/bash
# The main job on real input: raw Amazon Gift Cards reviews, and Yelp pairs with profiles that a language model wrote.
# 1 to 4 trainer ranks, 1 and 2 threads: identical contents after every epoch. SKIPs where the data is not at hand.
# HNLMREC_TEST_GROUPS="1:1 1:2 2:1 ..." (ranks:threads) and HNLMREC_TEST_EPOCHS widen it.
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

if [ ! -d "$data/amazon-reviews-5core" ] || [ ! -d "$data/xrec-profiles" ]; then
    skip "no real data at $data (set HNLMREC_TEST_DATA)"
    exit 77
fi
check gift-cards "${gift[@]}"
check xrec "${xrec[@]}"
finish
