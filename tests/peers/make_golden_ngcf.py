#!/usr/bin/env python3
"""Renders tests/fixtures/golden/ngcf.json: training steps of NGCF's variants by PyTorch's autograd and Adam in double precision.

The layers are written out here from the paper and from the formulas of the codes that the variants are named after; dropout's masks come from a
Philox4x32-10 of its own (Salmon et al., SC'11) with the project's counters (kernels/keep.h). Run by hand:
    .cache/peers/bin/python tests/peers/make_golden_ngcf.py
"""
import argparse
import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

from make_golden import BATCH, DIM, N_ITEMS, N_USERS, STEPS, flat, make_graph, single

SEED = 1  # of the training, for dropout
STREAM_DROPOUT = 10
SLOPE = 0.2
KINK = 1e-5  # no activation's input may lie this close to 0
MASK64 = (1 << 64) - 1


class AtKink(Exception):
    pass


def mix64(word):
    word = (word + 0x9E3779B97F4A7C15) & MASK64
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & MASK64
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & MASK64
    return word ^ (word >> 31)


def philox(counter, key):
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & 0xFFFFFFFF, (a >> 32) ^ c[3] ^ k[1], a & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def kept(step, layer, dropout):
    """1 / (1 - p) where an element of the layer's output is kept, else 0, for users and then items."""
    threshold = round(dropout * 65536)
    key = mix64((mix64(SEED) + STREAM_DROPOUT * 0x9E3779B97F4A7C15) & MASK64)
    rows = []
    for side, n in ((0, N_USERS), (1, N_ITEMS)):
        for node in range(n):
            bits = []
            for block in range((DIM + 7) // 8):
                for word in philox((block, step, node, 2 * layer + side), (key & 0xFFFFFFFF, key >> 32)):
                    bits += [word & 0xFFFF, word >> 16]
            rows.append([bit >= threshold for bit in bits[:DIM]])
    return torch.tensor(rows, dtype=torch.float64) / (1 - threshold / 65536)


def operator(rows, averaged):
    n = N_USERS + N_ITEMS
    adjacency = torch.zeros(n, n, dtype=torch.float64)
    for user, taken in enumerate(rows):
        for item in taken:
            adjacency[user, N_USERS + item] = adjacency[N_USERS + item, user] = 1.0
    degree = adjacency.sum(1)
    if averaged:
        return (adjacency + torch.eye(n, dtype=torch.float64)) / (degree + 1)[:, None]
    root = torch.where(degree > 0, degree.clamp(min=1).rsqrt(), torch.zeros_like(degree))
    return root[:, None] * adjacency * root[None, :]


def leaky(x):
    if x.abs().min() < KINK:
        raise AtKink
    return F.leaky_relu(x, SLOPE)


def final_vectors(case, params, rows, step):
    variant = case["ngcf"]["variant"]
    graph = operator(rows, variant == "author")
    e = torch.cat([params["users"], params["items"]])
    parts = [e]
    for layer, weights in enumerate(params["model"]):
        s = graph @ e
        if variant == "paper":
            w1, w2 = weights
            e = leaky((s + e) @ w1 + (s * e) @ w2)
        else:
            w1, w2, b1, b2 = weights
            if variant == "author":
                e = leaky(s @ w1 + b1) + leaky((s * e) @ w2 + b2)
            elif variant == "mixgcf":
                e = leaky(s @ w1 + b1 + (s * e) @ w2 + b2)
            else:
                e = leaky((s + e) @ w1 + b1 + (s * e) @ w2 + b2)
        if case["ngcf"]["dropout"] > 0:
            e = e * kept(step, layer, case["ngcf"]["dropout"])
        if variant == "recbole":
            e = F.normalize(e, dim=1)
        parts.append(F.normalize(e, dim=1) if variant in ("author", "mixgcf") else e)
    final = torch.cat(parts, 1)
    return final[:N_USERS], final[N_USERS:]


def render(case, seed):
    rng = np.random.default_rng(seed)
    rows = make_graph(np.random.default_rng(1))
    pairs = [(user, item) for user, taken in enumerate(rows) for item in taken]

    def leaf(array):
        return torch.tensor(single(array), requires_grad=True)

    shapes = [(DIM, DIM), (DIM, DIM)] + ([] if case["ngcf"]["variant"] == "paper" else [(1, DIM), (1, DIM)])
    params = {"users": leaf(rng.normal(0, 0.5, (N_USERS, DIM))), "items": leaf(rng.normal(0, 0.5, (N_ITEMS, DIM))),
              "model": [[leaf(rng.uniform(-0.6, 0.6, shape)) for shape in shapes] for _ in range(case["layers"])]}
    weights = [w for layer in params["model"] for w in layer]
    groups = {"users": [params["users"]], "items": [params["items"]], "model": weights}
    result = dict(case, pairs=[list(p) for p in pairs], initial={k: flat(v) for k, v in groups.items()}, steps=[])
    optimiser = torch.optim.Adam([params["users"], params["items"], *weights], lr=case["learning_rate"], eps=1e-8)
    for step in range(STEPS):
        chosen = rng.choice(len(pairs), BATCH, replace=False)
        user, positive = (torch.tensor([pairs[p][k] for p in chosen]) for k in (0, 1))
        negatives = [int(rng.choice([i for i in range(N_ITEMS) if i not in rows[u]])) for u in user.tolist()]
        negative = torch.tensor(negatives)
        optimiser.zero_grad()
        final_users, final_items = final_vectors(case, params, rows, step)
        e_u, e_p, e_n = final_users[user], final_items[positive], final_items[negative]
        ranking = F.softplus((e_u * e_n).sum(1) - (e_u * e_p).sum(1)).mean()
        if case.get("reg_rows") == "final":
            blocks = [e_u, e_p, e_n]
        else:
            blocks = [params["users"][user], params["items"][positive], params["items"][negative]]
        squares = [(block ** 2).sum() for block in blocks]
        l2 = case["l2"] / BATCH * sum(s.sqrt() if case.get("reg") == "norm" else s / 2 for s in squares)
        (ranking + l2).backward()
        record = dict(pairs=chosen.tolist(), negatives=negatives,
                      loss={"total": (ranking + l2).item(), "ranking": ranking.item(), "l2": l2.item()},
                      gradient={k: flat([w.grad for w in v]) for k, v in groups.items()})
        optimiser.step()
        if step in (0, STEPS - 1):
            record["after"] = {k: flat(v) for k, v in groups.items()}
        result["steps"].append(record)
    return result


def away_from_kinks(case, seed):
    while True:
        try:
            return render(case, seed)
        except AtKink:
            seed += 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    default = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "golden" / "ngcf.json"
    parser.add_argument("--out", type=pathlib.Path, default=default)
    out = parser.parse_args().out
    base = dict(loss="bpr", margin=0.0, l2=1e-2, learning_rate=1e-2, semantic=None)
    cases = [dict(base, name=f"ngcf_{variant}_{'drop' if dropout > 0 else 'plain'}", layers=layers,
                  ngcf=dict(variant=variant, dropout=dropout))
             for variant in ("paper", "author", "mixgcf", "recbole") for layers, dropout in ((3, 0.0), (2, 0.3))]
    cases.append(dict(base, name="ngcf_author_one_layer", layers=1, ngcf=dict(variant="author", dropout=0.1)))
    cases.append(dict(base, name="ngcf_author_l2_of_final_rows", layers=2, reg_rows="final", ngcf=dict(variant="author", dropout=0.1)))
    cases.append(dict(base, name="ngcf_recbole_norms_of_final_rows", layers=2, reg="norm", reg_rows="final",
                      ngcf=dict(variant="recbole", dropout=0.1)))
    golden = {
        "made_by": f"tests/peers/make_golden_ngcf.py, torch {torch.__version__.split('+')[0]}, float64, CPU",
        "n_users": N_USERS, "n_items": N_ITEMS, "dim": DIM, "batch": BATCH, "seed": SEED, "slope": SLOPE,
        "cases": [away_from_kinks(case, 300 + number) for number, case in enumerate(cases)],
    }
    text = json.dumps(golden, separators=(",", ":")).replace('{"name"', '\n{"name"').replace('"initial"', '\n"initial"')
    out.write_text(text.replace('{"pairs"', '\n{"pairs"').replace('"gradient"', '\n"gradient"') + "\n")
    print(f"{out}: {out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
