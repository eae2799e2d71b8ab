#!/usr/bin/env python3
"""Golden data of sampling: what transformers' logits processors leave of a row of logits, and the probabilities.

Usage: make_golden_sampling.py OUT.json   (made with transformers 5.23, torch 2.15)
Logits come from a formula that tests/llm/generate/test_sampling.c repeats, so that only settings and results are kept.
"""
import json
import sys

import numpy as np
import torch
from transformers.generation.logits_process import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)


def logits(n_vocab, salt, step):
    """Multiples of step in [-8, 8); step 0: whatever comes, 2^-16 apart."""
    h = (np.arange(n_vocab, dtype=np.uint64) * 2654435761 + salt * 97531) & 0xFFFFFFFF
    h = ((h ^ (h >> np.uint64(15))) * 2246822519) & 0xFFFFFFFF
    h = h ^ (h >> np.uint64(13))
    x = (h >> np.uint64(12)).astype(np.float64) / 65536 - 8
    return (np.floor(x / step) * step if step else x).astype(np.float32)


def case(n_vocab, salt, step, temperature, top_k, top_p, penalty, seen):
    row = torch.from_numpy(logits(n_vocab, salt, step))[None]
    chain = LogitsProcessorList()
    if penalty != 1.0:
        chain.append(RepetitionPenaltyLogitsProcessor(penalty))
    if temperature != 1.0:
        chain.append(TemperatureLogitsWarper(temperature))
    if top_k:
        chain.append(TopKLogitsWarper(top_k))
    before = chain(torch.tensor([seen]), row.clone()) if len(chain) else row
    if top_p < 1.0:
        # Rounding must not decide: no running sum within 1e-5 of the bound.
        sums = torch.cumsum(torch.sort(torch.softmax(before.double(), -1), descending=True)[0], -1)
        assert (sums - top_p).abs().min() > 1e-5, (salt, top_p)
        chain.append(TopPLogitsWarper(top_p))
    scores = chain(torch.tensor([seen]), row.clone()) if len(chain) else row
    kept = torch.nonzero(scores[0] > -float("inf"))[:, 0]
    probabilities = torch.softmax(scores.double(), -1)[0][kept]
    return {
        "n_vocab": n_vocab, "salt": salt, "step": step, "temperature": temperature, "top_k": top_k, "top_p": top_p,
        "penalty": penalty, "seen": seen, "ids": kept.tolist(),
        "probabilities": [float(f"{p:.7g}") for p in probabilities.tolist()],
    }


def main():
    seen = [3, 17, 18, 19, 40, 41, 99, 3, 17]
    cases = [
        case(100, 1, 0, 1.0, 0, 1.0, 1.0, seen),
        case(100, 2, 0, 0.7, 0, 1.0, 1.0, seen),
        case(100, 3, 0, 1.0, 0, 1.0, 1.3, seen),
        case(100, 3, 0, 1.0, 0, 1.0, 0.8, seen),
        case(1000, 4, 0, 1.0, 20, 1.0, 1.0, seen),
        case(1000, 5, 0.5, 1.0, 20, 1.0, 1.0, seen),
        case(1000, 6, 0.5, 2.0, 1, 1.0, 1.0, seen),
        case(1000, 7, 0, 1.0, 0, 0.9, 1.0, seen),
        case(1000, 8, 0, 3.0, 0, 0.5, 1.0, seen),
        case(1000, 9, 0, 0.6, 20, 0.95, 1.1, seen),
        case(1000, 10, 0, 1.5, 50, 0.8, 1.2, seen),
        case(1000, 11, 0, 0.05, 0, 0.99, 1.0, seen),
        case(1000, 12, 0, 100.0, 300, 0.3, 1.05, seen),
        case(1000, 13, 0, 1.0, 2000, 0.01, 1.0, seen),
        case(65, 14, 0, 1.0, 0, 0.999, 1.0, [0, 64]),
        case(7, 15, 0, 1.0, 3, 0.7, 5.0, [6, 0]),
    ]
    with open(sys.argv[1], "w", encoding="ascii") as out:
        out.write("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n")


main()
