#!/usr/bin/env python3
"""Milliseconds of the work of a language model in transformers or llama.cpp (PyPI's llama-cpp-python, built from source):

prefill   a prompt of 512 tokens
decode    one token for each of --batch sequences that hold 128 tokens
embed     the last hidden state of 20 prompts of one user: 160 common tokens, then 48 to 128 of their own; transformers in one padded batch
"""
import argparse
import ctypes
import os

import torch

from peer import report

PROMPT, HELD, SHARED, ITEMS, STEPS = 512, 128, 160, 20, 16


def prompts():
    """Token lists of one user's items, the same for every peer and for us (tests/bench/bench_lm.c)."""
    shared = [(7 * i + 3) % 5000 + 100 for i in range(SHARED)]
    return [shared + [(11 * i + 131 * item) % 5000 + 100 for i in range(48 + 80 * item // (ITEMS - 1))] for item in range(ITEMS)]


def with_transformers(args):
    from transformers import AutoModelForCausalLM
    dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[args.type]
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=dtype, attn_implementation="sdpa").eval()
    if args.work == "prefill":
        ids = torch.tensor([prompts()[0] * 4])[:, :PROMPT]
        return lambda: model(ids, use_cache=False, logits_to_keep=1), 1
    if args.work == "embed":
        rows = prompts()
        longest = max(map(len, rows))
        ids = torch.tensor([[0] * (longest - len(r)) + r for r in rows])  # padded on the left, as for last-token pooling
        mask = torch.tensor([[0] * (longest - len(r)) + [1] * len(r) for r in rows])
        return lambda: model.model(ids, attention_mask=mask, use_cache=False).last_hidden_state[:, -1], 1
    ids = torch.tensor([prompts()[0][:HELD]] * args.batch)

    def decode():
        cache = cached()
        token = ids[:, -1:]
        for _ in range(STEPS):
            token = model(token, past_key_values=cache, use_cache=True).logits[:, -1].argmax(-1, keepdim=True)
        cache.crop(-STEPS)

    state = {}

    def cached():
        if not state:
            state["cache"] = model(ids, use_cache=True).past_key_values
        return state["cache"]

    return decode, STEPS


def quantised(path, kind):
    """path's f32 GGUF as q8_0 or q4_0, made once beside it."""
    import llama_cpp
    out = os.path.join(path, kind + ".gguf")
    if kind not in ("f32", "bf16") and not os.path.exists(out):
        params = llama_cpp.llama_model_quantize_default_params()
        params.ftype = {"q8_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0, "q4_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_0}[kind]
        if llama_cpp.llama_model_quantize(os.path.join(path, "f32.gguf").encode(), out.encode(), ctypes.byref(params)) != 0:
            raise SystemExit("llama.cpp cannot quantise")
    return out


def with_llama(args):
    import llama_cpp
    import numpy as np
    kind = {"int8": "q8_0", "nf4": "q4_0"}.get(args.type, args.type)
    llama_cpp.llama_backend_init()
    silent = llama_cpp.llama_log_callback(lambda level, text, data: None)
    llama_cpp.llama_log_set(silent, ctypes.c_void_p(0))
    mp = llama_cpp.llama_model_default_params()
    model = llama_cpp.llama_model_load_from_file(quantised(args.model, kind).encode(), mp)
    cp = llama_cpp.llama_context_default_params()
    cp.n_ctx, cp.n_batch, cp.n_ubatch, cp.n_seq_max = 4096, 2048, 512, max(args.batch, 1)
    cp.n_threads = cp.n_threads_batch = args.threads
    context = llama_cpp.llama_init_from_model(model, cp)
    memory = llama_cpp.llama_get_memory(context)

    def step(tokens, positions, sequences, wanted):
        batch = llama_cpp.llama_batch_init(len(tokens), 0, 1)
        batch.n_tokens = len(tokens)
        for i, (token, position, sequence) in enumerate(zip(tokens, positions, sequences)):
            batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.logits[i] = token, position, 1, i in wanted
            batch.seq_id[i][0] = sequence
        if llama_cpp.llama_decode(context, batch) != 0:
            raise SystemExit("llama.cpp cannot decode")
        llama_cpp.llama_batch_free(batch)

    prompt = (prompts()[0] * 4)[:PROMPT]
    if args.work == "prefill":
        def prefill():
            llama_cpp.llama_memory_clear(memory, True)
            step(prompt, range(PROMPT), [0] * PROMPT, {PROMPT - 1})
        return prefill, 1
    vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
    sequences = list(range(args.batch))
    for sequence in sequences:
        step(prompt[:HELD], range(HELD), [sequence] * HELD, {HELD - 1})

    def decode():
        tokens = [1] * args.batch
        for at in range(STEPS):
            step(tokens, [HELD + at] * args.batch, sequences, set(sequences))
            tokens = [int(np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(context, i), (vocabulary,)).argmax()) for i in sequences]
        for sequence in sequences:
            llama_cpp.llama_memory_seq_rm(memory, sequence, HELD, -1)

    return decode, STEPS


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--with", dest="library", choices=("transformers", "llama"), default="transformers")
    parser.add_argument("--work", choices=("prefill", "decode", "embed"), default="prefill")
    parser.add_argument("--type", choices=("f32", "bf16", "int8", "nf4"), default="f32")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--turns", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    with torch.inference_mode():
        work, steps = (with_transformers if args.library == "transformers" else with_llama)(args)
        report(work, args, steps)


if __name__ == "__main__":
    main()
