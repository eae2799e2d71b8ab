#!/usr/bin/env python3
"""Milliseconds of a layer's products in CPU PyTorch (F.linear), Qwen2-0.5B's shapes, M rows in a type."""
import argparse
import sys

import torch
import torch.nn.functional as F

from peer import report

SHAPES = ((1152, 896), (896, 896), (9728, 896), (896, 4864))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("type", choices=("float32", "bfloat16", "float16"))
    parser.add_argument("rows", type=int)
    parser.add_argument("--layers", type=int, default=1, help="of weights in memory of their own; times are of one layer")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--turns", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.own = args.threads == 1
    torch.manual_seed(1)
    kind = getattr(torch, args.type)
    layers = [[torch.randn(n, k).to(kind) for n, k in SHAPES] for _ in range(args.layers)]
    inputs = [torch.randn(args.rows, k).to(kind) for _, k in SHAPES]
    turn = 0

    def work():
        nonlocal turn
        turn = (turn + 1) % args.layers
        with torch.inference_mode():
            for x, w in zip(inputs, layers[turn]):
                F.linear(x, w)

    report(work, args)


if __name__ == "__main__":
    sys.exit(main())
