#!/bin/bash
# Vectors of prompts by a small random model: what prompts begin with in common is computed once; contents depend on no
# rank, thread or batch; a killed run goes on.
. "$(dirname "$0")/lib.sh"
make_model

# ---- a run whose vectors are those of prompts ----

cat >"$work/prompts.yaml" <<YAML
name: prompts
seeds: [1]
reproducible: true
data:
  format: synthetic
  synthetic: {users: 30, items: 24, interactions: 240, categories: 3}
llm:
  provider: extractive
  embedder: native
  vectors_of: prompts
  vector_type: f32
  native: {model: $model, weights: f32}
model: {backbone: mf, dim: 8}
train: {epochs: 2, batch: 64, eval_every: 2}
compare:
  - {name: semantic, sampler.name: semantic}
YAML
run 1 run "$work/prompts.yaml" --out "$work/one" || { fail "one rank"; tail -n 20 "$work/log"; finish; }
pairs=$(sed -n 's/.*vectors: \([0-9]*\) train pairs, 0 without one.*/\1/p' "$work/log")
[ -n "$pairs" ] && pass "each of $pairs train pairs has a vector" || { fail "pairs without a vector"; tail "$work/log"; }
[ -z "$(find "$work/one/artefacts" -name 'negatives*')" ] && pass "no negatives are written" || fail "negatives"
share=$(sed -n 's/.*computed [0-9]* of [0-9]* tokens (\([0-9]*\)\..*/\1/p' "$work/log")
if [ -n "$share" ] && [ "$share" -lt 60 ]; then
    pass "$(sed -n 's/.*\(computed [0-9]* of .*\)/\1/p' "$work/log")"
else
    fail "prefixes are not shared: ${share:-no figure} %"
fi
reference=$(digest_of "$work/one")

same() { same_run "$1" "$work/prompts.yaml" "$work/one" "${@:2}"; } # WHAT RANKS ARGS...
same "3 ranks" 3
same "batches of 5" 1 --set llm.native.batch=5
same "2 threads, one prompt at a time" 1 --set threads=2 --set llm.native.batch=1
grep -q 'tokens (100.0 %)' "$work/log" && pass "one prompt at a time shares nothing" || fail "one at a time shares"

# Killed while it embeds: what was embedded stays, and the end is the same.
rm -rf "$work/other"
"$program" run "$work/prompts.yaml" --out "$work/other" --set llm.native.batch=2 >"$work/log" 2>&1 &
pid=$!
for _ in $(seq 400); do
    journal=$(find "$work/other" -path '*journal-vectors*' -name 'rank-*' -size +1k 2>/dev/null)
    [ -n "$journal" ] && break
    kill -0 $pid 2>/dev/null || break
    sleep 0.01
done
kill -9 $pid 2>/dev/null
wait $pid 2>/dev/null
[ -n "$journal" ] && pass "killed while it embeds" || fail "it was over before it could be killed"
if run 1 run "$work/prompts.yaml" --out "$work/other" --set llm.native.batch=7; then
    [ "$(digest_of "$work/other")" = "$reference" ] && pass "killed and taken up: same contents" || fail "killed and taken up"
    grep -q 'embeddings: [1-9][0-9]* of [0-9]* are done already' "$work/log" && pass "what was done stays" || fail "it began anew"
else
    fail "killed and taken up"
    tail -n 5 "$work/log"
fi

# `embed` ends behind the vectors; the plan counts prompts.
rm -rf "$work/other"
run 1 embed "$work/prompts.yaml" --out "$work/other" || { fail "embed"; tail -n 5 "$work/log"; }
[ -n "$(find "$work/other/artefacts" -name 'vectors-*.h5')" ] && [ ! -d "$work/other/train" ] &&
    pass "embed stops after the vectors" || fail "embed does not stop after the vectors"
run 1 run "$work/prompts.yaml" --out "$work/planned" --plan
grep -q "0 hard negatives, $pairs embeddings" "$work/log" && pass "the plan counts prompts" || { fail "plan"; grep requests "$work/log"; }

# Other prompts, other vectors: another artefact, not the old one.
mkdir "$work/prompts-folder"
cp "$source_dir"/src/semantic/prompts/*.txt "$work/prompts-folder"
sed -i 's/one existing item/an existing item/' "$work/prompts-folder/hard-negative.txt"
run 1 embed "$work/prompts.yaml" --out "$work/words" --artefacts "$work/one/artefacts" --set llm.prompt_folder="$work/prompts-folder"
n=$(find "$work/one/artefacts" -name 'vectors-*.h5' | wc -l)
[ "$n" = 2 ] && pass "another prompt makes another artefact" || fail "$n artefacts of two prompts"

# A context that is too short for the prompts cuts them, and says so; too short for the instruction is an error.
run 1 embed "$work/prompts.yaml" --out "$work/cut" --set llm.native.context=900
grep -q 'longer than the embedding model takes' "$work/log" && pass "cut prompts are counted" || { fail "cut"; tail -n 3 "$work/log"; }
expect_error "no room for the instruction" "shorten the instruction" 1 embed "$work/prompts.yaml" --out "$work/short" --set llm.native.context=300

# A published tokenizer with a chat template: prompts are turns of it, unless they shall be plain.
qwen=${HNLMREC_TEST_DATA:-$source_dir/../shared/data}/tokenizer-qwen
if [ -f "$qwen/merges.txt" ]; then
    chat=$work/chat
    "$random_model" "$chat" "$source_dir/tests/fixtures/tokenizers/json-bytes/tokenizer.json" 151936
    rm "$chat/tokenizer.json"
    cp "$qwen"/{vocab.json,merges.txt,tokenizer_config.json} "$chat"
    tokens_of() { # ARGS...
        run 1 embed "$work/prompts.yaml" --out "$work/chat-run" --set llm.native.model="$chat" "$@" || tail -n 3 "$work/log"
        rm -rf "$work/chat-run"
        sed -n 's/.*computed [0-9]* of \([0-9]*\) tokens.*/\1/p' "$work/log"
    }
    turns=$(tokens_of) plain=$(tokens_of --set llm.native.plain=true)
    # 11 tokens of markers, roles and line ends, where plain text has an empty line of one.
    more=$((turns - plain))
    [ "$more" = $((10 * pairs)) ] && pass "turns of the chat template: $more tokens more" ||
        fail "chat template: $turns tokens, plain $plain"
else
    skip "no tokenizer-qwen: set HNLMREC_TEST_DATA to the shared data's folder"
fi
expect_error "no language model" "llm.embedder native or http" 1 embed "$work/prompts.yaml" --out "$work/bad" --set llm.embedder=extractive
expect_error "several samples" "leave llm.negatives_per_pair at 1" 1 embed "$work/prompts.yaml" --out "$work/bad" --set llm.negatives_per_pair=2
finish
