#!/bin/bash
# `hnlmrec generate`: one prompt, files of prompts, going on, bad lines.
. "$(dirname "$0")/lib.sh"
random_model=$5
model=$work/model
"$random_model" "$model" "$source_dir/tests/fixtures/tokenizers/json-bytes/tokenizer.json" 712 || { fail "no model"; finish; }
generate() { "$program" generate --model "$model" --weights f32 --plain "$@"; }

generate --prompt 'a lamp' --max-tokens 12 >"$work/one" 2>"$work/log" && [ -s "$work/one" ] && pass "one prompt" || fail "one prompt"
grep -q 'budget; [0-9]* tokens of prompt, 12 of answer' "$work/log" && pass "why it ended is said" || fail "no stop reason"
generate --prompt 'a lamp' --max-tokens 12 --quiet >"$work/two" 2>"$work/log"
cmp -s "$work/one" "$work/two" && [ ! -s "$work/log" ] && pass "again: the same; --quiet is" || fail "again"
generate --prompt 'a lamp' --max-tokens 64 --json good,bad --temperature 1 --quiet >"$work/object"
python=$(command -v python3)
if [ -n "$python" ]; then
    "$python" -c 'import json,sys; o=json.load(sys.stdin); assert list(o)==["good","bad"] and o["good"]' <"$work/object" && pass "--json" || fail "--json"
fi

for i in $(seq 40); do
    printf '{"id": "p%d", "prompt": "tell of lamp %d \\u00e9", "system": "briefly"}\n' "$i" "$i"
done >"$work/in.jsonl"
generate --input "$work/in.jsonl" --output "$work/out.jsonl" --max-tokens 10 --temperature 1 2>"$work/log" || { fail "lines"; cat "$work/log"; }
[ "$(wc -l <"$work/out.jsonl")" = 40 ] && head -n 1 "$work/out.jsonl" | grep -q '^{"id":"p1","text":' && pass "40 lines, in order" || fail "lines"
generate --input "$work/in.jsonl" --output "$work/slots.jsonl" --max-tokens 10 --temperature 1 --slots 3 2>/dev/null
cmp -s "$work/out.jsonl" "$work/slots.jsonl" && pass "other slots: the same bytes" || fail "other slots"
{ head -n 17 "$work/out.jsonl"; printf '{"id":"p18","te'; } >"$work/part.jsonl"
generate --input "$work/in.jsonl" --output "$work/part.jsonl" --max-tokens 10 --temperature 1 2>/dev/null
cmp -s "$work/out.jsonl" "$work/part.jsonl" && pass "goes on behind the last whole line" || fail "does not go on"
generate --input - --max-tokens 10 --temperature 1 <"$work/in.jsonl" 2>/dev/null | cmp -s - "$work/out.jsonl" && pass "from and to a pipe" || fail "pipe"

refused() { # WHAT WORDS ARGS...
    local what=$1 words=$2
    shift 2
    if generate "$@" >"$work/log" 2>&1; then
        fail "$what: accepted"
    else
        grep -q -- "$words" "$work/log" && pass "$what: refused" || { fail "$what: other words"; tail -n 3 "$work/log"; }
    fi
}
printf '{"prompt": "good"}\n{"prompt": 5}\n' >"$work/bad.jsonl"
refused "a prompt that is no string" "bad.jsonl:2: " --input "$work/bad.jsonl"
printf 'hello\n' >"$work/bad.jsonl"
refused "a line that is no object" "bad.jsonl:1: " --input "$work/bad.jsonl"
refused "neither prompt nor input" "either --prompt or --input"
refused "a wrong number" "top_p 7" --prompt x --top-p 7
refused "a budget that fills the context" "context" --prompt x --max-tokens 4096
generate --prompt "$(printf 'word %.0s' $(seq 5000))" --max-tokens 4 >/dev/null 2>"$work/log" && grep -q 'lost [0-9]* tokens' "$work/log" && pass "a prompt that is too long loses its middle, aloud" || fail "long prompt"
finish
