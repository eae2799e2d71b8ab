#!/bin/bash
# `hnlmrec generate`: one prompt, files of prompts, going on, bad lines.
. "$(dirname "$0")/lib.sh"
make_model
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
cp "$work/out.jsonl.settings" "$work/part.jsonl.settings"
generate --input "$work/in.jsonl" --output "$work/part.jsonl" --max-tokens 10 --temperature 1 2>/dev/null
cmp -s "$work/out.jsonl" "$work/part.jsonl" && pass "goes on behind the last whole line" || fail "does not go on"
generate --input - --max-tokens 10 --temperature 1 <"$work/in.jsonl" 2>/dev/null | cmp -s - "$work/out.jsonl" && pass "from and to a pipe" || fail "pipe"

# An output that was begun with other settings is not gone on with, whichever they are; nor is it changed.
rm -rf "$work/model2" && cp -r "$model" "$work/model2" && printf ' ' >>"$work/model2/config.json"
other() { # WORDS ARGS...
    local words=$1
    shift
    head -n 17 "$work/out.jsonl" >"$work/half.jsonl"
    cp "$work/out.jsonl.settings" "$work/half.jsonl.settings"
    generate --input "$work/in.jsonl" --output "$work/half.jsonl" --max-tokens 10 --temperature 1 "$@" 2>"$work/log" && fail "begun otherwise ($words): accepted"
    grep -q "begun with \"$words.*, now it is .*name another --output" "$work/log" && head -n 17 "$work/out.jsonl" | cmp -s - "$work/half.jsonl" &&
        pass "begun otherwise ($words): refused" || { fail "begun otherwise ($words)"; cat "$work/log"; }
}
other model --model "$work/model2"
other "weights: f32" --weights f16
other "temperature: 1" --temperature 0.5
other "seed: 1" --seed 2
other "max-tokens: 10" --max-tokens 11
other "top-k: 0" --top-k 5
other "top-p: 1" --top-p 0.5
other "repetition-penalty: 1" --repetition-penalty 1.5
other 'system: ""' --system 'be brief'
other 'stop: \[\]' --stop end
other 'json: \[\]' --json a
other "context: 0" --context 100
head -n 17 "$work/out.jsonl" >"$work/half.jsonl"
rm -f "$work/half.jsonl.settings"
generate --input "$work/in.jsonl" --output "$work/half.jsonl" 2>"$work/log" && fail "without its settings: accepted"
grep -q 'half.jsonl.settings is not there' "$work/log" && pass "answers whose settings nobody knows: refused" || { fail "without its settings"; cat "$work/log"; }
: >"$work/half.jsonl" # killed before the first answer: nothing to mix
cp "$work/out.jsonl.settings" "$work/half.jsonl.settings"
generate --input "$work/in.jsonl" --output "$work/half.jsonl" --max-tokens 2 2>"$work/log" && pass "no answer yet: other settings are taken" || { fail "no answer yet"; cat "$work/log"; }

# The words that say the products may stand in an instruction, too.
said() { generate --input "$work/in.jsonl" --output "$work/said.jsonl" --max-tokens 4 --system $'Good\nproducts: many' 2>"$work/log"; }
said || { fail "an instruction that speaks of products"; cat "$work/log"; }
cp "$work/said.jsonl" "$work/before" && head -n 9 "$work/before" >"$work/said.jsonl"
said && cmp -s "$work/said.jsonl" "$work/before" && pass "an instruction that speaks of products is gone on with" || { fail "an instruction that speaks of products: resume"; cat "$work/log"; }

# Two processes would mix their lines; a pipe is no file to go on with.
echo "$(hostname) $$" >"$work/two.jsonl.claim"
generate --input "$work/in.jsonl" --output "$work/two.jsonl" --max-tokens 2 2>"$work/log" && fail "another process writes the output: accepted"
grep -q 'another process is writing' "$work/log" && [ ! -e "$work/two.jsonl" ] && pass "another process writes the output: refused" || { fail "two processes"; cat "$work/log"; }
sh -c "echo \"$(hostname) \$\$\"" >"$work/two.jsonl.claim" # of a process that is gone
generate --input "$work/in.jsonl" --output "$work/two.jsonl" --max-tokens 2 2>"$work/log" && [ ! -e "$work/two.jsonl.claim" ] && pass "a dead process's claim is taken over" || { fail "a dead claim"; cat "$work/log"; }
mkfifo "$work/pipe"
timeout -s KILL 60 cat "$work/pipe" >"$work/piped" &
timeout -s KILL 60 "$program" generate --model "$model" --weights f32 --plain --input "$work/in.jsonl" --output "$work/pipe" --max-tokens 2 --quiet
wait $!
cmp -s "$work/piped" "$work/two.jsonl" && [ ! -e "$work/pipe.settings" ] && pass "--output may be a pipe" || fail "--output into a pipe"

# Products of other bits: bf16 weights with and without pairs of bf16.
if pairs_here; then
    narrow() { "$program" generate --model "$model" --weights bf16 --plain --input "$work/in.jsonl" --output "$work/narrow.jsonl" --max-tokens 10 "$@" 2>"$work/log"; }
    narrow || fail "bf16"
    head -n 17 "$work/narrow.jsonl" >"$work/half.jsonl" && cp "$work/half.jsonl" "$work/narrow.jsonl"
    HNLMREC_CPU=avx512 narrow && fail "other bits: accepted"
    grep -q 'made as "bf16 pairs", here they are made as "plain".*--mix-bits' "$work/log" && cmp -s "$work/half.jsonl" "$work/narrow.jsonl" && pass "other bits: refused" || { fail "other bits"; cat "$work/log"; }
    HNLMREC_CPU=avx512 narrow --mix-bits && grep -q 'mixed, as asked' "$work/log" && grep -q '^products: mixed' "$work/narrow.jsonl.settings" && pass "--mix-bits goes on, and says so" || { fail "--mix-bits"; cat "$work/log"; }
    narrow && pass "a whole file of other bits is whole" || { fail "a whole file of other bits"; cat "$work/log"; }
    rm "$work/narrow.jsonl" && HNLMREC_CPU=avx512 narrow && head -n 17 "$work/narrow.jsonl" >"$work/half.jsonl" && cp "$work/half.jsonl" "$work/narrow.jsonl"
    narrow && fail "begun plain: accepted"
    grep -q 'go on with HNLMREC_CPU=avx512' "$work/log" && HNLMREC_CPU=avx2 narrow && pass "begun plain: the remedy is told, and works" || { fail "begun plain"; cat "$work/log"; }
else
    skip "products of other bits: this processor multiplies no bf16 pairs"
fi

# Files that are no earlier answers to this input are refused, and stay as they are.
kept() { # WHAT WORDS OUTPUT [INPUT]
    cp "$3" "$work/before"
    [ "$3" = "$work/out.jsonl" ] || cp "$work/out.jsonl.settings" "$3.settings"
    generate --input "${4:-$work/in.jsonl}" --output "$3" --max-tokens 10 --temperature 1 2>"$work/log" && fail "$1: accepted"
    grep -q -- "$2" "$work/log" && cmp -s "$3" "$work/before" && pass "$1: refused, and kept" || { fail "$1"; cat "$work/log"; }
}
printf '{"id":"p1","prompt":"a"}\n{"id":"p2","prompt":"b"}' >"$work/pair.jsonl"
kept "the input as output" "name another --output" "$work/pair.jsonl" "$work/pair.jsonl"
printf '{"id":"p1","prompt":"a"}' >"$work/foreign"
kept "an output that ends in another object" "name another --output" "$work/foreign"
printf 'my notes' >"$work/foreign"
kept "an output that ends in other text" "name another --output" "$work/foreign"
printf 'my\nnotes\n' >"$work/foreign"
kept "an output of other lines" "in.jsonl:1: line 1 of .* is no answer" "$work/foreign"
tail -n +2 "$work/out.jsonl" >"$work/foreign"
kept "answers to other lines" "in.jsonl:1: line 1 of .* is no answer" "$work/foreign"
sed '3s/of lamp 3/of lamp 33/' "$work/in.jsonl" >"$work/edited.jsonl"
kept "an edited prompt" "edited.jsonl:3: line 3 of .* has the same id but asks something else" "$work/out.jsonl" "$work/edited.jsonl"
sed '4s/"briefly"/"at length"/' "$work/in.jsonl" >"$work/edited.jsonl"
kept "an edited instruction" "edited.jsonl:4: line 4 of .* has the same id but asks something else" "$work/out.jsonl" "$work/edited.jsonl"
head -n 30 "$work/in.jsonl" >"$work/short.jsonl"
kept "more answers than lines" "holds 40 answers, and .* 30 lines" "$work/out.jsonl" "$work/short.jsonl"

# A bad line does not take the answers to those before it along.
{ head -n 5 "$work/in.jsonl"; echo '{"prompt": 5}'; tail -n 3 "$work/in.jsonl"; } >"$work/bad.jsonl"
generate --input "$work/bad.jsonl" --output "$work/some.jsonl" --max-tokens 10 --temperature 1 2>"$work/log" && fail "a bad line: accepted"
grep -q 'bad.jsonl:6: ' "$work/log" && head -n 5 "$work/out.jsonl" | cmp -s - "$work/some.jsonl" && pass "lines before a bad one are answered" || fail "lines before a bad one"
if [ -c /dev/full ]; then
    generate --prompt x --max-tokens 3 >/dev/full 2>"$work/log" && fail "an answer that nobody got: success" || pass "an answer that cannot be printed is an error"
fi

# Qwen3's thoughts: an object is written behind an empty thought, whatever is asked for; free text as it is asked for.
qwen=${HNLMREC_TEST_DATA:-$source_dir/../shared/data}/tokenizer-qwen
if [ -f "$qwen/vocab.json" ] && grep -q enable_thinking "$qwen/tokenizer_config.json"; then
    "$random_model" "$work/qwen" "$source_dir/tests/fixtures/tokenizers/json-bytes/tokenizer.json" 151936
    rm "$work/qwen/tokenizer.json" && cp "$qwen"/*.json "$qwen/merges.txt" "$work/qwen"
    read_tokens() { "$program" generate --model "$work/qwen" --prompt 'a lamp' --max-tokens 24 "$@" 2>&1 >/dev/null | sed -n 's/.*; \([0-9]*\) tokens of prompt.*/\1/p'; }
    thinking=$(read_tokens --thinking) silent=$(read_tokens) object=$(read_tokens --json a)
    # <think>, two line ends, </think>, two line ends
    [ "$((thinking + 4))" = "$silent" ] && [ "$object" = "$silent" ] && pass "thoughts are empty unless asked for" || fail "thinking: $thinking, $silent, $object"
else
    skip "thinking: no tokenizer-qwen (HNLMREC_TEST_DATA)"
fi

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
printf '{"prompt": "good", "sytem": "b"}\n' >"$work/bad.jsonl"
refused "a key that nobody knows" 'bad.jsonl:1: .*"sytem"' --input "$work/bad.jsonl"
printf '{"prompt": "good"}\n{"prompt": "good", "": "b"}\n' >"$work/bad.jsonl"
refused "a blank key" 'bad.jsonl:2: .*the key ""' --input "$work/bad.jsonl"
printf '{"prompt": "good", "prompt": "b"}\n' >"$work/bad.jsonl"
refused "a key of a line twice" 'bad.jsonl:1: .*duplicate' --input "$work/bad.jsonl"
refused "neither prompt nor input" "either --prompt or --input"
refused "thoughts in an object" "exclude each other" --prompt x --thinking --json a
refused "a wrong number" "top_p 7" --prompt x --top-p 7
refused "a key twice" '"a" twice' --prompt x --json a,b,a
refused "an output for one prompt" "--output belongs to --input" --prompt x --output "$work/none"
refused "too little memory" "a step of 1024 tokens .*, all else 64 MiB, but " --prompt x --memory-gb 0.01
refused "next to no memory" "but 1 B may be used" --prompt x --memory-gb 1e-300
refused "a context above the model's" "a context of 99999 tokens is asked for" --prompt x --context 99999
refused "thoughts without a template" "thinking is asked for, but a prompt without a chat template" --prompt x --thinking
generate --input "$work/in.jsonl" --output - --max-tokens 10 --temperature 1 2>/dev/null | cmp -s - "$work/out.jsonl" && [ ! -e - ] && pass "--output - is standard output" || fail "--output -"
refused "no token to draw" "top_p 0: above 0" --prompt x --top-p 0
refused "a budget that fills the context" "context" --prompt x --max-tokens 4096
generate --prompt "$(printf 'word %.0s' $(seq 5000))" --max-tokens 4 >/dev/null 2>"$work/log" && grep -q 'lost [0-9]* tokens' "$work/log" && pass "a prompt that is too long loses its middle, aloud" || fail "long prompt"
finish
