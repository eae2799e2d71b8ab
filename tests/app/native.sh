#!/bin/bash
# The main job with the native provider: a small random model writes and embeds. Every answer has the form and names an
# item of the pool that the user does not have; contents depend on no rank, thread or slot count; a killed run goes on.
. "$(dirname "$0")/lib.sh"
make_model

cat >"$work/native.yaml" <<YAML
name: native
seeds: [1]
reproducible: true
data:
  format: synthetic
  synthetic: {users: 30, items: 24, interactions: 240, categories: 3}
llm:
  provider: native
  embedder: native
  max_reviews: 2
  max_review_words: 8
  native: {model: $model, weights: f32, plain: true, max_tokens: 64, slots: 4, temperature: 1.0}
model: {backbone: mf, dim: 8}
train: {epochs: 2, batch: 64, eval_every: 2}
compare:
  - {name: semantic, sampler.name: semantic}
YAML
run 1 run "$work/native.yaml" --out "$work/one" || { fail "one rank"; tail -n 20 "$work/log"; finish; }
grep -q 'native model: llama, 2 layers' "$work/log" && pass "the model is named" || fail "the model is not named"
noise=$(grep -c ' 0 noise, 0 lost' "$work/log") # of the three stages that write; pairs answered by None have no vector
[ "$noise" = 3 ] && pass "no noise in any stage" || { fail "noise"; grep -i noise "$work/log"; }
reference=$(digest_of "$work/one")

same() { same_run "$1" "$work/native.yaml" "$work/one" "${@:2}"; } # WHAT RANKS ARGS...
same "3 ranks, other slots" 3 --set llm.native.slots=2
same "2 threads" 1 --set threads=2

# Imported vectors ask no model, so that none need be there.
run 1 embed "$work/native.yaml" --out "$work/imported" --set llm.native.model=/nowhere \
    --set llm.import_vectors="$(echo "$work"/one/artefacts/vectors-*.h5)" && pass "imported vectors need no model" || { fail "import"; tail -n 3 "$work/log"; }

# Killed while it writes: what was answered stays, and the end is the same.
rm -rf "$work/other"
"$program" run "$work/native.yaml" --out "$work/other" >"$work/log" 2>&1 &
pid=$!
for _ in $(seq 200); do
    [ -n "$(find "$work/other" -path '*negatives*' -name 'rank-*' -size +0 2>/dev/null)" ] && break
    kill -0 $pid 2>/dev/null || break
    sleep 0.02
done
kill -9 $pid 2>/dev/null
wait $pid 2>/dev/null
if run 1 run "$work/native.yaml" --out "$work/other" && [ "$(digest_of "$work/other")" = "$reference" ]; then
    pass "killed and taken up: same contents"
else
    fail "killed and taken up"
    tail -n 5 "$work/log"
fi

# Products of other bits (bf16 weights, with and without pairs of bf16): neither a half-done stage nor the stages behind a
# sealed one are gone on with, unless they may be mixed.
if pairs_here; then
    narrow() { "$program" run "$work/native.yaml" --out "$work/narrow" --set llm.native.weights=bf16 "$@" >"$work/log" 2>&1; }
    "$program" profile "$work/native.yaml" --out "$work/narrow" --set llm.native.weights=bf16 --set llm.native.slots=1 >"$work/log" 2>&1 &
    pid=$!
    for _ in $(seq 400); do
        [ -n "$(find "$work/narrow" -path '*profiles-items*' -name 'rank-*' -size +0 2>/dev/null)" ] && break
        kill -0 $pid 2>/dev/null || break
        sleep 0.01
    done
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
    HNLMREC_CPU=avx2 narrow && fail "a stage of other bits: accepted"
    grep -q 'made as "bf16 pairs", here they are made as "plain".*llm.native.mix_bits' "$work/log" && pass "a stage of other bits: refused" || { fail "a stage of other bits"; tail -n 3 "$work/log"; }
    run 1 profile "$work/native.yaml" --out "$work/narrow" --set llm.native.weights=bf16 && pass "it goes on where it was begun" || fail "bf16 profiles"
    HNLMREC_CPU=avx512 narrow && fail "inputs of other bits: accepted"
    grep -q 'products as "plain", but what they are made from was not: profiles-items (bf16 pairs)' "$work/log" && pass "inputs of other bits: refused" || { fail "inputs of other bits"; tail -n 3 "$work/log"; }
    HNLMREC_CPU=avx512 narrow --set llm.native.mix_bits=true && [ "$(grep -c 'mixed, as asked' "$work/log")" -ge 2 ] && pass "llm.native.mix_bits goes on, and says so" || { fail "llm.native.mix_bits"; tail -n 3 "$work/log"; }
    if command -v h5dump >/dev/null; then
        products() { h5dump -a products "$work"/narrow/artefacts/"$1"-*.h5 | sed -n 's/.*(0): "\(.*\)"/\1/p'; }
        [ "$(products profiles-items), $(products negatives), $(products vectors)" = "bf16 pairs, mixed, mixed" ] && pass "stores made from others say so" || fail "stores made from others: $(products profiles-items), $(products negatives), $(products vectors)"
    else
        skip "what stores say of products: no h5dump"
    fi
    HNLMREC_CPU=avx512 narrow && pass "what is whole is found on any path" || { fail "found on any path"; tail -n 3 "$work/log"; }
else
    skip "products of other bits: this processor multiplies no bf16 pairs"
fi

# Without constraints the same model writes nonsense, which is kept, marked and counted.
rm -rf "$work/other"
run 1 run "$work/native.yaml" --out "$work/other" --set llm.native.json=false --set llm.native.max_tokens=16
grep -Eq ' [1-9][0-9]* noise' "$work/log" && pass "without constraints: noise is counted" || fail "without constraints: no noise?"

# The plan: memory of weights, a step and the cache, in each worker; ranks of a host share what is free.
plan() { run "$1" run "$work/native.yaml" --out "$work/plan" --plan "${@:2}" || { fail "plan"; tail -n 3 "$work/log"; }; }
free_mib() { sed -n 's/^texts by.*; \([0-9.]*\) \([MG]\)iB may be used.*/\1 \2/p' "$work/log" | awk '{print int($2 == "G" ? 1024 * $1 : $1)}'; }
plan 1
grep -Eq '^texts by .*in memory as f32.*a step [0-9.]+ .*keys and values of 8[0-9]{3} tokens [0-9.]+ MiB' "$work/log" && grep -Eq '^vectors by .*keys and values [0-9.]+ ' "$work/log" &&
    pass "the plan tells weights, step and cache" || { fail "the plan"; cat "$work/log"; }
alone=$(free_mib)
plan 2
both=$(free_mib)
[ "$both" -gt 0 ] && [ $((both * 10)) -lt $((alone * 7)) ] && pass "two ranks of a host share its memory ($alone MiB, $both MiB each)" || fail "shared memory: $alone, $both"
plan 2 --set llm.native.memory_gb=2
grep -q '^texts by.*; 1.9 GiB may be used' "$work/log" && pass "llm.native.memory_gb is a rank's own" || { fail "llm.native.memory_gb"; cat "$work/log"; }
run 1 run "$work/native.yaml" --out "$work/plan" --plan --set llm.native.memory_gb=0.08 --set llm.native.slots=64 && fail "a cache that cannot fit: accepted"
grep -q 'does not fit: weights take .*, keys and values of [0-9]* tokens .*76.3 MiB may be used' "$work/log" && pass "a cache that cannot fit: refused with figures" || { fail "a cache that cannot fit"; cat "$work/log"; }

refused() { # WHAT WORDS ARGS...
    local what=$1 words=$2
    shift 2
    if run 1 run "$work/native.yaml" --out "$work/bad" "$@"; then
        fail "$what: accepted"
    else
        grep -q "$words" "$work/log" && ! grep -q "got no answer" "$work/log" && pass "$what: refused" || { fail "$what: other words"; tail -n 3 "$work/log"; }
    fi
    cp "$work/log" "$work/log.refused"
    rm -rf "$work/bad"
}
refused "no chat template" "chat template" --set llm.native.plain=false
grep -q '^stage\|data set:' "$work/log.refused" && fail "no chat template: told late" || pass "... before anything is made"
echo '{{ messages }}' >"$model/chat_template.jinja"
refused "an unknown chat template" "SHA-256 .* is not supported" --set llm.native.plain=false
sed 's/plain: true/plain: false/' "$work/native.yaml" >"$work/chat.yaml"
"$program" doctor "$work/chat.yaml" >"$work/log" && fail "doctor: an unknown template passes"
grep -q 'BROKEN *profiles by .*SHA-256' "$work/log" && pass "doctor names it" || { fail "doctor"; cat "$work/log"; }
rm "$model/chat_template.jinja"
cp -r "$model" "$work/embedder" && echo '{{ messages }}' >"$work/embedder/chat_template.jinja"
refused "an unknown template of the embedder's" "embedder/chat_template.jinja: .* is not supported" --set llm.vectors_of=prompts --set llm.native.embed_model="$work/embedder" \
    --set llm.provider=extractive --set llm.native.plain=false
HNLMREC_CPU=avx521 run 1 run "$work/native.yaml" --out "$work/bad" && fail "a path that does not exist: accepted"
grep -q 'avx512-bf16 or amx, not "avx521"' "$work/log" && pass "a path that does not exist: refused" || { fail "HNLMREC_CPU"; cat "$work/log"; }
refused "no such folder" "nowhere" --set llm.native.model=/nowhere
refused "a budget too small for the form" "its form alone takes .*llm.native.max_tokens is 8" --set llm.native.max_tokens=8
refused "thoughts in an object" "llm.native.thinking needs llm.native.json false" --set llm.native.thinking=true
HNLMREC_CPU=avx521 "$program" doctor >"$work/log" 2>&1 && fail "doctor: a path that does not exist passes"
grep -q 'BROKEN *kernels *HNLMREC_CPU=avx521 names no path' "$work/log" && pass "doctor names it, too" || { fail "doctor: HNLMREC_CPU"; head -n 20 "$work/log"; }
refused "the first token of a decoder" "llm.native.pooling" --set llm.native.pooling=cls
grep -q '^stage\|data set:' "$work/log.refused" && fail "the first token of a decoder: told late" || pass "... before anything is made"
refused "thoughts without a choice" "thinking is asked for, but a prompt without a chat template" --set llm.native.thinking=true --set llm.native.json=false
refused "a context above the model's" "was made for .* at most" --set llm.native.context=9999999
refused "no room for the instruction" "the instruction takes .*llm.native.context 100)" --set llm.native.context=100
finish
