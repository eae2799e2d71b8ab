#!/usr/bin/env python3
"""Golden chats as token ids: the chats of chat.json whose texts hold nothing like a special token, rendered and cut by the
reference libraries with the tokenizers of the shared data. Run after make_golden_chat.py.
Usage: make_golden_chat_ids.py CHAT.json DATA OUT.json"""
import json
import os
import sys

import sentencepiece
import tiktoken
import transformers
from transformers import AutoTokenizer

from tokenizer_references import LLAMA3, tiktoken_ranks

SPECIALS = {"<|begin_of_text|>": 128000, "<|end_of_text|>": 128001, "<|start_header_id|>": 128006,
            "<|end_header_id|>": 128007, "<|eot_id|>": 128009}


def cut_pieces(processor):
    """SentencePiece between special tokens: no space is put behind them. The line end before each part takes that space, and
    merges with nothing (its byte is a token of its own)."""
    ends = {"<s>": processor.bos_id(), "</s>": processor.eos_id()}
    n_before = len(processor.encode("\n"))

    def cut(text):
        ids = []
        for k, part in enumerate(text.replace("\ue001", "\ue000").split("\ue000")):
            if k % 2 == 1:
                ids.append(ends[part])
            elif part:
                ids += processor.encode("\n" + part)[n_before:]
        return ids

    return cut


def bare(text):
    return text.replace("\ue000", "").replace("\ue001", "")


def main():
    with open(sys.argv[1], encoding="utf-8") as stream:
        golden = json.load(stream)
    data = sys.argv[2]
    qwen = AutoTokenizer.from_pretrained(os.path.join(data, "tokenizer-qwen"))
    llama2 = sentencepiece.SentencePieceProcessor(model_file=os.path.join(data, "tokenizer-llama2", "tokenizer.model"))
    llama3 = tiktoken.Encoding("llama3", pat_str=LLAMA3, special_tokens=SPECIALS, mergeable_ranks=tiktoken_ranks(
        os.path.join(data, "tokenizer-llama3", "tokenizer.model")))
    cut = {"tokenizer-qwen": lambda text: qwen(bare(text), add_special_tokens=False)["input_ids"],
           "tokenizer-llama2": cut_pieces(llama2),
           "tokenizer-llama3": lambda text: llama3.encode(bare(text), allowed_special="all")}
    models = {"qwen3": "tokenizer-qwen", "qwen2.5": "tokenizer-qwen", "llama-2": "tokenizer-llama2",
              "mistral-477": "tokenizer-llama2", "mistral-1058": "tokenizer-llama2", "llama-3": "tokenizer-llama3",
              "llama-3.1": "tokenizer-llama3"}
    out = []
    for template in golden["templates"]:
        if template["name"] not in models:
            continue
        folder, row = models[template["name"]], template["rows"][0]
        for number, turns in enumerate(golden["chats"]):
            rendered = golden["renderings"][row["rendering"]][number]
            if rendered is None or any(mark in text for _, text in turns for mark in ("<|", "<s>", "</s>")):
                continue
            out.append({"template": template["sha256"][0], "folder": folder, "chat": number,
                        "ids": cut[folder](rendered)})
    with open(sys.argv[3], "w", encoding="utf-8") as stream:
        json.dump({"made_by": f"tests/peers/make_golden_chat_ids.py, transformers {transformers.__version__}, "
                              f"tiktoken {tiktoken.__version__}, sentencepiece {sentencepiece.__version__}",
                   "cases": out}, stream, separators=(",", ":"))
        stream.write("\n")


main()
