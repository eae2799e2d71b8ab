#!/usr/bin/env python3
"""Milliseconds of encoding the first MiB of a text, in prompts of whole lines, by Hugging Face tokenizers on one thread."""
import argparse
import os

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

import tokenizer_references as references  # noqa: E402 (the environment comes first)
from peer import report  # noqa: E402

PROMPT_BYTES, TEXT_BYTES = 1500, 1 << 20  # as in tests/bench/bench_tokenizer.c


def prompts(text):
    def end_of(at):
        end = min(at + PROMPT_BYTES, len(text))
        while end < len(text) and text[end - 1:end] != b"\n":
            end += 1
        return end

    last = end_of(0 if len(text) < TEXT_BYTES else TEXT_BYTES - PROMPT_BYTES)
    text, at, found = text[:last], 0, []
    while at < len(text):
        end = end_of(at)
        found.append(text[at:end].decode())
        at = end
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["llama2", "llama3", "qwen", "gpt2", "bert-uncased"])
    parser.add_argument("folder")
    parser.add_argument("text")
    parser.add_argument("--threads", type=int, default=1, help="always one here")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--turns", action="store_true")
    args = parser.parse_args()
    tokenizer = references.fast(args.kind, args.folder)
    tokenizer.encode_special_tokens = True
    with open(args.text, "rb") as file:
        texts = prompts(file.read())

    def work():
        for text in texts:
            tokenizer.encode(text, add_special_tokens=False)

    report(work, args)


if __name__ == "__main__":
    main()
