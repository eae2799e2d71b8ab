#!/bin/bash
# `hnlmrec embed --model`: a file of texts and prompts to a store of vectors; batches, sharing, going on, bad lines.
. "$(dirname "$0")/lib.sh"
make_model
store_of() { "$program" digest "$1" | head -n 1 | cut -d' ' -f1; } # contents without the name
embed() { "$program" embed --model "$model" --weights f32 "$@" >"$work/log" 2>&1; }

for user in $(seq 12); do
    for item in $(seq 8); do
        printf '{"id": "u%d i%d", "prompt": "user %d likes lamps of kind %d and much else of that sort; item %d \\u00e9", "system": "Say what does not fit."}\n' \
            "$user" "$item" "$user" "$user" "$item"
    done
    printf '{"id": %d, "text": "a text of user %d"}\n{"text": "lamp"}\n' "$user" "$user" # one without an id
done >"$work/in.jsonl"
n=$(wc -l <"$work/in.jsonl")
embed --input "$work/in.jsonl" --output "$work/out.h5" --type f32 || { fail "lines"; cat "$work/log"; finish; }
grep -q "$n vectors of 32 values" "$work/log" && pass "$n lines" || fail "lines"
read -r computed tokens < <(sed -n 's/.*computed \([0-9]*\) of \([0-9]*\) tokens.*/\1 \2/p' "$work/log")
[ "$((2 * computed))" -lt "$tokens" ] && pass "computed $computed of $tokens tokens" || fail "not shared: $computed of $tokens"
[ ! -e "$work/out.h5.work" ] && [ ! -e "$work/out.h5.claim" ] && pass "nothing is left beside the store" || fail "leftovers"
reference=$(store_of "$work/out.h5")
embed --input "$work/in.jsonl" --output "$work/out.h5" --type f32 && grep -q 'stands already' "$work/log" && pass "again: it stands" || fail "again"

same() { # WHAT ARGS...
    local what=$1
    shift
    rm -f "$work/other.h5"
    if embed --input "$work/in.jsonl" --output "$work/other.h5" --type f32 "$@" && [ "$(store_of "$work/other.h5")" = "$reference" ]; then
        pass "$what: same contents"
    else
        fail "$what"
        tail -n 3 "$work/log"
    fi
}
same "batches of 7" --batch 7
same "unshared" --unshared
grep -q "computed $tokens of $tokens tokens" "$work/log" && pass "unshared computes all" || fail "unshared shares"
export OMP_NUM_THREADS=2
same "2 threads" --batch 1000
unset OMP_NUM_THREADS
rm -f "$work/other.h5"
embed --input - --output "$work/other.h5" --type f32 <"$work/in.jsonl" && [ "$(store_of "$work/other.h5")" = "$reference" ] && [ ! -e "$work/other.h5.input" ] &&
    pass "from a pipe: same contents" || { fail "from a pipe"; cat "$work/log"; }
differs() { # WHAT ARGS...
    local what=$1
    shift
    rm -f "$work/other.h5"
    embed --input "$work/in.jsonl" --output "$work/other.h5" --type f32 "$@" || { fail "$what"; tail -n 3 "$work/log"; }
    [ "$(store_of "$work/other.h5")" != "$reference" ] && pass "$what: other vectors" || fail "$what changes nothing"
}
differs "mean" --pooling mean
differs "normalised" --normalise
differs "short" --context 32
grep -q ' [1-9][0-9]* lines were too long and cut' "$work/log" && pass "cut lines are counted" || fail "cut lines"

# Killed, and taken up with another batch: the same store. Another configuration does not go on with it.
for i in $(seq 20); do cat "$work/in.jsonl"; done >"$work/long.jsonl"
embed --input "$work/long.jsonl" --output "$work/long.h5" --quiet || fail "long"
[ ! -s "$work/log" ] && pass "--quiet is" || { fail "--quiet"; cat "$work/log"; }
whole=$(store_of "$work/long.h5")
"$program" embed --model "$model" --weights f32 --input "$work/long.jsonl" --output "$work/killed.h5" --batch 3 >"$work/log" 2>&1 &
pid=$!
for _ in $(seq 400); do
    [ -n "$(find "$work/killed.h5.work" -name '*.journal' -size +1k 2>/dev/null)" ] && break
    kill -0 $pid 2>/dev/null || break
    sleep 0.01
done
kill -9 $pid 2>/dev/null
wait $pid 2>/dev/null
[ ! -e "$work/killed.h5" ] && [ -d "$work/killed.h5.work" ] && pass "killed: no half store" || fail "killed: there is a store"
printf 'torn' >>"$(find "$work/killed.h5.work" -name '*.journal')"
embed --input "$work/long.jsonl" --output "$work/killed.h5" --pooling mean && fail "half done with other settings: accepted" ||
    { grep -q 'pooling: as the model.*pooling: mean' "$work/log" && pass "half done with other settings: refused" || { fail "other words"; cat "$work/log"; }; }
embed --input "$work/long.jsonl" --output "$work/killed.h5" --batch 50 || { fail "taken up"; cat "$work/log"; }
grep -q '[1-9][0-9]* of [0-9]* lines are embedded already' "$work/log" && pass "goes on" || { fail "it began anew"; cat "$work/log"; }
[ "$(store_of "$work/killed.h5")" = "$whole" ] && pass "killed and taken up: same contents" || fail "killed and taken up"

# Products of other bits: a half-done store with bf16 weights, begun with pairs of bf16, is not gone on with without them.
if pairs_here; then
    narrow() { "$program" embed --model "$model" --weights bf16 --input "$work/long.jsonl" --output "$work/narrow.h5" "$@" >"$work/log" 2>&1; }
    narrow --batch 1 &
    pid=$!
    for _ in $(seq 400); do
        [ -n "$(find "$work/narrow.h5.work" -name '*.journal' -size +1k 2>/dev/null)" ] && break
        kill -0 $pid 2>/dev/null || break
        sleep 0.01
    done
    kill -TERM $(pgrep -P $pid) 2>/dev/null
    wait $pid
    HNLMREC_CPU=avx512 narrow && fail "other bits: accepted"
    grep -q 'made as "bf16 pairs", here they are made as "plain".*--mix-bits' "$work/log" && pass "other bits: refused" || { fail "other bits"; cat "$work/log"; }
    HNLMREC_CPU=avx512 narrow --mix-bits && grep -q 'mixed, as asked' "$work/log" && grep -q 'are embedded already' "$work/log" && pass "--mix-bits goes on, and says so" || { fail "--mix-bits"; cat "$work/log"; }
    HNLMREC_CPU=avx512 narrow && grep -q 'stands already' "$work/log" && pass "a whole store is found on any path" || fail "a whole store"
else
    skip "products of other bits: this processor multiplies no bf16 pairs"
fi

# A stop is heeded between batches, with its own exit code.
"$program" embed --model "$model" --weights f32 --input "$work/long.jsonl" --output "$work/stopped.h5" --batch 1 >"$work/log" 2>&1 &
pid=$!
for _ in $(seq 400); do
    [ -n "$(find "$work/stopped.h5.work" -name '*.journal' -size +1k 2>/dev/null)" ] && break
    sleep 0.01
done
kill -TERM $pid
wait $pid
[ $? = 14 ] && grep -q 'goes on behind line' "$work/log" && pass "stopped: exit code 14" || { fail "stopped"; cat "$work/log"; }

refused() { # WHAT WORDS ARGS...
    local what=$1 words=$2
    shift 2
    if embed --output "$work/bad.h5" "$@"; then
        fail "$what: accepted"
    else
        grep -q -- "$words" "$work/log" && pass "$what: refused" || { fail "$what: other words"; tail -n 3 "$work/log"; }
    fi
    [ -e "$work/bad.h5" ] || [ -e "$work/bad.h5.work" ] && fail "$what: something is left"
}
bad_line() { # WHAT LINE WORDS: as the second line
    printf '{"text": "good"}\n%s\n' "$2" >"$work/bad.jsonl"
    refused "$1" "bad.jsonl:2: .*$3" --input "$work/bad.jsonl"
}
bad_line "no object" 'hello' "no JSON object"
bad_line "an empty line" '' "no JSON object"
bad_line "half an object" '{"text": "a' "no JSON object"
bad_line "a list" '["text"]' "no JSON object"
bad_line "no text" '{"id": 1}' '"text", or "prompt"'
bad_line "text and prompt" '{"text": "a", "prompt": "b"}' '"text", or "prompt"'
bad_line "text with a system" '{"text": "a", "system": "b"}' '"text", or "prompt"'
bad_line "a text that is no string" '{"text": 5}' "strings"
bad_line "a key that nobody knows" '{"text": "a", "sytem": "b"}' 'the key "sytem"'
bad_line "a blank key" '{"text": "a", "": "b"}' 'the key ""'
bad_line "a key twice" '{"text": "a", "text": "b"}' "duplicate"
bad_line "an id that is a list" '{"text": "a", "id": []}' "neither a string nor a whole number"
bad_line "bytes that are no UTF-8" "$(printf '{"text": "\xff"}')" "decode byte"
: >"$work/empty.jsonl"
refused "no lines" "holds no lines" --input "$work/empty.jsonl"
refused "no such input" "cannot read" --input "$work/nowhere.jsonl"
refused "no such pooling" "--pooling cannot be" --input "$work/in.jsonl" --pooling first
refused "cls of a decoder" "sees no other token" --input "$work/in.jsonl" --pooling cls
refused "a batch of none" "--batch cannot be" --input "$work/in.jsonl" --batch 0
refused "an unknown option" "unknown option --shape" --input "$work/in.jsonl" --shape 5
"$program" embed --model "$model" >"$work/log" 2>&1 && fail "no input: accepted" || pass "no input: refused"
embed --input "$work/in.jsonl" --output "$work/out.h5" && fail "another type over a store: accepted" ||
    { grep -q 'stands already' "$work/log" && [ "$(store_of "$work/out.h5")" = "$reference" ] && pass "another type over a store: refused"; }
"$program" help embed | grep -q 'EXPERIMENT' && "$program" embed --help | grep -q -- '--model DIR' && pass "help says both" || fail "help"

# As another program reads it.
python=$(command -v python3)
if [ -n "$python" ] && "$python" -c 'import h5py' 2>/dev/null; then
    "$python" - "$work/out.h5" "$n" <<'PY' && pass "read by h5py" || fail "h5py"
import sys
import h5py
import numpy
with h5py.File(sys.argv[1]) as f:
    offsets, heap = f["id/offsets"][:], bytes(f["id/bytes"][:])
    ids = [heap[a:b].decode() for a, b in zip(offsets, offsets[1:])]
    assert len(ids) == int(sys.argv[2]) and ids[0] == "u1 i1" and ids[8] == "1" and ids[9] == "9", ids[:12]
    vectors = f["vector_f32"][:]
    assert vectors.shape == (len(ids), 32) and numpy.isfinite(vectors).all()
    assert numpy.array_equal(vectors[9], vectors[19]) and not numpy.array_equal(vectors[0], vectors[1])
    assert f.attrs["pooling"] in ("last", b"last") and len(f.attrs["model_id"]) == 64
PY
else
    skip "no h5py"
fi
finish
