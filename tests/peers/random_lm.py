#!/usr/bin/env python3
"""A random checkpoint of the shape of Qwen2-0.5B, for benches: OUT gets config.json, model.safetensors (bf16), and the tokenizer files of
--tokenizer where given; OUT/f32.gguf and OUT/bf16.gguf too where --gguf names the converter of llama.cpp. Weights are normal with the
deviation of trained ones; figures of speed depend on the shape alone. Nothing is made anew where it stands."""
import argparse
import os
import shutil
import subprocess
import sys

import torch
from transformers import AutoModelForCausalLM, Qwen2Config

SHAPE = dict(hidden_size=896, intermediate_size=4864, num_hidden_layers=24, num_attention_heads=14, num_key_value_heads=2, vocab_size=151936,
             max_position_embeddings=32768, rope_theta=1e6, rms_norm_eps=1e-6, tie_word_embeddings=True, bos_token_id=151643,
             eos_token_id=151643)
TOKENIZER = ("vocab.json", "merges.txt", "tokenizer_config.json")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out")
    parser.add_argument("--tokenizer", default="")
    parser.add_argument("--gguf", default="", help="convert_hf_to_gguf.py")
    args = parser.parse_args()
    if not os.path.exists(os.path.join(args.out, "model.safetensors")):
        torch.manual_seed(7)
        model = AutoModelForCausalLM.from_config(Qwen2Config(**SHAPE)).to(torch.bfloat16)
        model.save_pretrained(args.out, max_shard_size="8GB")
    for name in TOKENIZER:
        source = os.path.join(args.tokenizer, name)
        if args.tokenizer and not os.path.exists(os.path.join(args.out, name)):
            shutil.copyfile(source, os.path.join(args.out, name))
    for kind in ("f32", "bf16") if args.gguf else ():
        path = os.path.join(args.out, kind + ".gguf")
        if not os.path.exists(path):
            subprocess.run([sys.executable, args.gguf, args.out, "--outtype", kind, "--outfile", path], check=True)


if __name__ == "__main__":
    main()
