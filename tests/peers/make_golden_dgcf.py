#!/usr/bin/env python3
"""Renders tests/fixtures/golden/dgcf.json: training steps of DGCF by PyTorch's autograd and Adam in double precision.

The routing is written out here from the paper over a dense list of directed edges; the rows that the correlation loss draws come from the
project's permutation (base/permutation.c), rendered again. Run by hand:
    .cache/peers/bin/python tests/peers/make_golden_dgcf.py
"""
import argparse
import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

from make_golden import BATCH, DIM, N_ITEMS, N_USERS, STEPS, flat, make_graph, single
from make_golden_ngcf import MASK64, SEED, mix64

STREAM_CORRELATION = 50
NODES = N_USERS + N_ITEMS


def philox2x32(counter, key):
    (a, b), k = counter, key
    for _ in range(7):
        product = 0xD256D193 * a
        a, b = (product >> 32) ^ k ^ b, product & 0xFFFFFFFF
        k = (k + 0x9E3779B9) & 0xFFFFFFFF
    return a


def permuted(n, count, a):
    """The first elements of the permutation of 0 .. n-1 that (SEED, STREAM_CORRELATION, a) stands for."""
    key = mix64(mix64((mix64(SEED) + STREAM_CORRELATION * 0x9E3779B97F4A7C15) & MASK64) ^ a)
    key = (key & 0xFFFFFFFF, key >> 32)
    bits = 1
    while n > 1 << (2 * bits):
        bits += 1

    def once(value):
        left, right = value >> bits, value & ((1 << bits) - 1)
        for step in range(8):
            left, right = right, left ^ (philox2x32((right, (key[1] + step) & 0xFFFFFFFF), key[0]) & ((1 << bits) - 1))
        return left << bits | right

    found = []
    for position in range(count):
        value = once(position)
        while value >= n:
            value = once(value)
        found.append(value)
    return found


def unit(x):
    return F.normalize(x, dim=-1)


def layers_of(case, ego, rows):
    factors = case["dgcf"]["factors"]
    edges = [(u, N_USERS + i) for u, taken in enumerate(rows) for i in taken]
    head = torch.tensor([h for h, _ in edges] + [t for _, t in edges])
    tail = torch.tensor([t for _, t in edges] + [h for h, _ in edges])
    logits = torch.ones(len(head), factors, dtype=torch.float64)
    e, layers = ego, [ego]
    for _ in range(case["layers"]):
        chunks = e.reshape(NODES, factors, -1)
        for _ in range(case["dgcf"]["iterations"]):
            share = torch.softmax(logits, 1)
            total = torch.zeros(NODES, factors, dtype=torch.float64).index_add(0, head, share)
            root = total.clamp(min=1e-8).rsqrt()
            message = (share * root[head] * root[tail])[:, :, None] * chunks[tail]
            z = torch.zeros_like(chunks).index_add(0, head, message)
            logits = logits + (unit(z)[head] * torch.tanh(unit(chunks))[tail]).sum(2)
        e = z.reshape(NODES, DIM)
        layers.append(e)
    return layers


def covariance(a, b):
    return ((a * b).sum() / len(a) ** 2).clamp(min=0).add(1e-8).sqrt()


def centred(x):
    d = ((x[:, None, :] - x[None, :, :]) ** 2).sum(2).clamp(min=0).add(1e-8).sqrt()
    return d - d.mean(0, keepdim=True) - d.mean(1, keepdim=True) + d.mean()


def correlation(final, factors, n_pairs, step):
    n = min(max(N_USERS, N_ITEMS) // (n_pairs // BATCH + 1), N_USERS, N_ITEMS)
    drawn = permuted(N_USERS, n, 2 * step) + [N_USERS + i for i in permuted(N_ITEMS, n, 2 * step + 1)]
    chunks = final[torch.tensor(drawn)].reshape(2 * n, factors, -1)
    matrices = [centred(chunks[:, f]) for f in range(factors)]
    total = 0
    for a, b in zip(matrices, matrices[1:]):
        total = total + covariance(a, b) / ((covariance(a, a) * covariance(b, b)).sqrt() + 1e-10)
    return total / (factors * (factors + 1) / 2)


def render(case, seed):
    rng = np.random.default_rng(seed)
    rows = make_graph(np.random.default_rng(1))
    pairs = [(user, item) for user, taken in enumerate(rows) for item in taken]
    params = {key: torch.tensor(single(rng.normal(0, 0.5, (n, DIM))), requires_grad=True)
              for key, n in (("users", N_USERS), ("items", N_ITEMS))}
    result = dict(case, pairs=[list(p) for p in pairs], initial={k: flat([v]) for k, v in params.items()}, steps=[])
    optimiser = torch.optim.Adam(params.values(), lr=case["learning_rate"], eps=1e-8)
    for step in range(STEPS):
        chosen = rng.choice(len(pairs), BATCH, replace=False)
        user, positive = (torch.tensor([pairs[p][k] for p in chosen]) for k in (0, 1))
        negatives = [int(rng.choice([i for i in range(N_ITEMS) if i not in rows[u]])) for u in user.tolist()]
        negative = torch.tensor(negatives)
        optimiser.zero_grad()
        final = torch.stack(layers_of(case, torch.cat([params["users"], params["items"]]), rows)).mean(0)
        e_u, e_p, e_n = final[user], final[N_USERS + positive], final[N_USERS + negative]
        ranking = F.softplus((e_u * e_n).sum(1) - (e_u * e_p).sum(1)).mean()
        ego = (params["users"][user] ** 2).sum() + (params["items"][positive] ** 2).sum() + (params["items"][negative] ** 2).sum()
        l2 = case["l2"] / 2 * ego / BATCH
        own = torch.zeros((), dtype=torch.float64)
        if case["dgcf"]["correlation"] > 0 and case["dgcf"]["factors"] > 1:
            own = case["dgcf"]["correlation"] * correlation(final, case["dgcf"]["factors"], len(pairs), step)
        (ranking + l2 + own).backward()
        record = dict(pairs=chosen.tolist(), negatives=negatives,
                      loss={"total": (ranking + l2 + own).item(), "ranking": ranking.item(), "l2": l2.item(), "own": own.item()},
                      gradient={k: flat([v.grad]) for k, v in params.items()})
        optimiser.step()
        if step in (0, STEPS - 1):
            record["after"] = {k: flat([v]) for k, v in params.items()}
        result["steps"].append(record)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    default = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "golden" / "dgcf.json"
    parser.add_argument("--out", type=pathlib.Path, default=default)
    out = parser.parse_args().out
    base = dict(loss="bpr", margin=0.0, l2=1e-2, learning_rate=1e-2, semantic=None)

    def case(name, layers, factors, iterations, weight):
        return dict(base, name=name, layers=layers, dgcf=dict(factors=factors, iterations=iterations, correlation=weight))

    cases = [case("dgcf_default", 1, 4, 2, 0.01), case("dgcf_routing_alone", 1, 4, 2, 0.0), case("dgcf_deep", 2, 2, 3, 0.3),
             case("dgcf_one_factor", 2, 1, 2, 0.01)]
    golden = {
        "made_by": f"tests/peers/make_golden_dgcf.py, torch {torch.__version__.split('+')[0]}, float64, CPU",
        "n_users": N_USERS, "n_items": N_ITEMS, "dim": DIM, "batch": BATCH, "seed": SEED,
        "cases": [render(one, 500 + number) for number, one in enumerate(cases)],
    }
    text = json.dumps(golden, separators=(",", ":")).replace('{"name"', '\n{"name"').replace('"initial"', '\n"initial"')
    out.write_text(text.replace('{"pairs"', '\n{"pairs"').replace('"gradient"', '\n"gradient"') + "\n")
    print(f"{out}: {out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
