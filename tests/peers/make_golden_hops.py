#!/usr/bin/env python3
"""Renders tests/fixtures/golden/steps_hops.json: training steps of samplers that make negatives hop by hop (MixGCF, DINS), and of
several negatives a pair, as make_golden.py does. Candidates and mixing coefficients are drawn here too, by the project's random numbers, and the hardest are
chosen here: the C side draws and chooses by itself, and must have chosen the same. Run by hand:
    .cache/peers/bin/python tests/peers/make_golden_hops.py
"""
import argparse
import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

import draws
from draws import MIX, NEGATIVE, Sequence
from make_golden import BATCH, DIM, N_ITEMS, N_USERS, STEPS, flat, make_graph, single

SEED, EPOCH, CANDIDATES = 1, 0, 6
CLOSE = 1e-5  # scores nearer than this could be in another order in single precision


def kept_edges(case, rows, step):
    """[layers] of [nodes][nodes]: what an edge counts in a layer of this step under model.edge_dropout, or 1. Those to users and those to
    items are dropped one by one, by the number of their pair; the same ones in all layers, or others."""
    each = case.get("edges", {}).get("masks") == "layer"
    masks = [kept_edges_of(case, rows, step, mask) for mask in range(case["layers"] if each else 1)]
    return masks if each else masks * case["layers"]


def kept_edges_of(case, rows, step, mask):
    counts = torch.ones(N_USERS + N_ITEMS, N_USERS + N_ITEMS, dtype=torch.float64)
    if "edges" in case:
        pairs = [(user, N_USERS + item) for user, taken in enumerate(rows) for item in taken]
        for part in (0, 1):
            kept = draws.kept(SEED, step, 2 * mask + part, len(pairs) // 128 + 1, 128, case["edges"]["dropout"]).reshape(-1)
            for number, (user, item) in enumerate(pairs):
                counts[(user, item) if part == 0 else (item, user)] = kept[number] if case["edges"]["rescale"] else float(kept[number] > 0)
    return counts


def layers_of(users, items, rows, n_layers, counts):
    """[n_layers + 1][nodes][dim]: vectors after 0, 1 .. layers of D^-1/2 A D^-1/2, times counts."""
    adjacency = torch.zeros(N_USERS + N_ITEMS, N_USERS + N_ITEMS, dtype=torch.float64)
    for user, taken in enumerate(rows):
        for item in taken:
            adjacency[user, N_USERS + item] = adjacency[N_USERS + item, user] = 1.0
    degree = adjacency.sum(1)
    root = torch.where(degree > 0, degree.clamp(min=1).rsqrt(), torch.zeros_like(degree))
    normal = root[:, None] * adjacency * root[None, :]
    hops = [torch.cat([users, items])]
    for layer in range(n_layers):
        hops.append(normal * counts[layer] @ hops[-1])
    return torch.stack(hops)


POOLS = {"mean": lambda hops: hops.mean(0), "sum": lambda hops: hops.sum(0), "final": lambda hops: hops[-1],
         "upper": lambda hops: hops[1:].mean(0)}  # of [hops][...]


def pools_of(sampler, pair, taken, n, size=CANDIDATES):
    """The candidates of each of a pair's n negatives, drawn one after the other."""
    taken = [] if sampler.get("draw_from") == "all" else taken
    outside = [item for item in range(N_ITEMS) if item not in taken]
    sequence = Sequence(SEED, NEGATIVE, EPOCH, pair)
    return [[outside[sequence.below64(len(outside))] for _ in range(size)] for _ in range(n)]


def shares(sampler, pair, item, n_hops, k):
    """MixGCF's share a of the positive for the pair's negative k, [n_hops][dim]."""
    if sampler["mix_per"] == "hop":
        sequence = Sequence(SEED, MIX, EPOCH, pair)
        drawn = [sequence.real() for _ in range((k + 1) * n_hops)]
        return torch.tensor([[a] * DIM for a in drawn[k * n_hops:]], dtype=torch.float64)
    sequences = [Sequence(SEED, MIX, EPOCH, (pair * N_ITEMS + item) * n_hops + l + (k << 56)) for l in range(n_hops)]
    return torch.tensor([[s.real() for _ in range(DIM)] for s in sequences], dtype=torch.float64)


def choose(scores, which=0):
    """The place of the candidate that has so many others above it; of equal ones the one drawn first ranks higher."""
    apart = np.diff(-np.sort(-scores))[:which + 1]
    assert not ((apart < -1e-12) & (apart > -CLOSE)).any(), "two candidates are nearly equally hard: choose another seed"
    return sorted(range(len(scores)), key=lambda m: (-round(float(scores[m]), 11), m))[which]


def whole_items(case, final, user, pair, taken):
    """Final vectors [K][dim] of DNS(M,N) with all of M, or of K times DNS, and the items chosen."""
    def scores(pool):
        return (final[[N_USERS + item for item in pool]] @ final[user]).detach().numpy()
    if case["sampler"]["name"] == "rns":
        chosen = [pool[0] for pool in pools_of(case["sampler"], pair, taken, case["negatives"], 1)]
        return final[[N_USERS + item for item in chosen]], chosen
    every = case["sampler"]["mn"] == "all"
    k = case["sampler"]["pick"] if every else case["negatives"]
    pools = pools_of(case["sampler"], pair, taken, 1 if every else k)
    chosen = [pools[0][choose(scores(pools[0]), m)] if every else pools[m][choose(scores(pools[m]))] for m in range(k)]
    return final[[N_USERS + item for item in chosen]], chosen


def negative_of(sampler, hops, query, positive, pair, pool, k):
    """Mixed hops [n_hops][dim] of one pair (cf-methods 2.3, 2.4), and the item chosen for each."""
    p = hops[:, N_USERS + positive]
    mixed, chosen = [], []
    for l in range(len(hops)):
        h = torch.stack([hops[l, N_USERS + item] for item in pool])
        if sampler["name"] == "mixgcf":
            a = torch.stack([shares(sampler, pair, item, len(hops), k)[l] for item in pool])
            h = a * p[l] + (1 - a) * h
        scores = (h @ query).detach().numpy()
        best = choose(scores)
        vector = h[best]
        if sampler["name"] == "dins":
            of_negative, of_positive = torch.exp(query * vector), sampler["dins_alpha"] * torch.exp(query * p[l])
            w = of_negative / (of_positive + of_negative)
            vector = (1 - w) * p[l] + w * vector
        mixed.append(vector)
        chosen.append(pool[best])
    return torch.stack(mixed), chosen


def render(case, seed):
    rng = np.random.default_rng(seed)
    rows = make_graph(np.random.default_rng(1))
    pairs = [(user, item) for user, taken in enumerate(rows) for item in taken]
    params = {"users": single(rng.normal(0, 0.5, (N_USERS, DIM))), "items": single(rng.normal(0, 0.5, (N_ITEMS, DIM)))}
    params = {k: torch.tensor(v, requires_grad=True) for k, v in params.items()}
    groups = {k: [v] for k, v in params.items()}
    result = dict(case, pairs=[list(p) for p in pairs], initial={k: flat(v) for k, v in groups.items()}, steps=[])
    optimiser = torch.optim.Adam(params.values(), lr=case["learning_rate"], betas=(0.9, 0.999), eps=1e-8)
    for step in range(STEPS):
        batch = rng.choice(len(pairs), BATCH, replace=False).tolist()
        users, positives = [pairs[p][0] for p in batch], [pairs[p][1] for p in batch]
        optimiser.zero_grad()
        hops, pooled = layers_of(params["users"], params["items"], rows, case["layers"], kept_edges(case, rows, step)), POOLS[case["pool"]]
        final = pooled(hops)
        e_u, e_p = final[users], final[[N_USERS + i for i in positives]]
        if case["sampler"]["name"] in ("dns", "rns"):
            made = [whole_items(case, final, u, p, rows[u]) for u, p in zip(users, batch)]
            e_n = torch.stack([m for m, _ in made])  # [B][K][dim]
            ego_n = params["items"][[item for _, chosen in made for item in chosen]]
        else:
            made = [negative_of(case["sampler"], hops, final[u], i, p, pool, k) for u, i, p in zip(users, positives, batch)
                    for k, pool in enumerate(pools_of(case["sampler"], p, rows[u], case["negatives"]))]
            negatives = torch.stack([m for m, _ in made])  # [B K][hops][dim]
            e_n = pooled(negatives.transpose(0, 1)).view(BATCH, case["negatives"], DIM)
            ego_n = negatives[:, 0]
        apart = (e_u[:, None] * (e_n - e_p[:, None])).sum(2)  # [B][K]
        if case["loss"] == "softmax":  # cf-methods 0.2
            e_n = e_n.reshape(BATCH, -1, DIM)
            c_p, c_n = F.cosine_similarity(e_u, e_p, dim=1) / case["tau"], F.cosine_similarity(e_u[:, None], e_n, dim=2) / case["tau"]
            ranking = (torch.logsumexp(c_n, 1) - c_p).mean()
        elif case["sampler"].get("mn") == "all":
            ranking = F.softplus(apart).sum(1).mean()
        else:
            ranking = torch.log1p(apart.exp().sum(1)).mean()
        if case.get("reg_rows") == "final":
            blocks = [e_u, e_p, e_n]
        elif case.get("reg_rows"):  # layer1, layers
            taken = slice(1, 2) if case["reg_rows"] == "layer1" else slice(None)
            of_negatives = (negatives.transpose(0, 1) if case["sampler"]["name"] in ("mixgcf", "dins") else
                            hops[:, [N_USERS + item for _, picked in made for item in picked]])
            blocks = [hops[taken, users], hops[taken, [N_USERS + i for i in positives]], of_negatives[taken]]
        else:
            blocks = [params["users"][users], params["items"][positives], ego_n]
        squares = [(block ** 2).sum() for block in blocks]
        l2 = case["l2"] / BATCH * sum(s.sqrt() if case.get("reg") == "norm" else s / 2 for s in squares)
        (ranking + l2).backward()
        record = dict(pairs=batch, negatives=[item for _, chosen in made for item in chosen],
                      loss={"total": (ranking + l2).item(), "ranking": ranking.item(), "l2": l2.item()},
                      gradient={k: flat([w.grad for w in v]) for k, v in groups.items()})
        optimiser.step()
        if step in (0, STEPS - 1):
            record["after"] = {k: flat(v) for k, v in groups.items()}
        result["steps"].append(record)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    default = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "golden" / "steps_hops.json"
    parser.add_argument("--out", type=pathlib.Path, default=default)
    out = parser.parse_args().out
    base = dict(loss="bpr", margin=0.0, l2=1e-2, learning_rate=1e-2, semantic=None, pool="mean", negatives=1)
    mixgcf = dict(name="mixgcf", mix_per="hop", dins_alpha=0.5, candidates=CANDIDATES)
    dins = dict(mixgcf, name="dins")
    dns = dict(mixgcf, name="dns", pick=3, exponent=0.75, mn="pick")
    cases = [
        dict(base, name="lightgcn_mixgcf", layers=3, sampler=mixgcf),
        dict(base, name="mf_mixgcf", layers=0, sampler=mixgcf),
        dict(base, name="lightgcn_mixgcf_element", layers=2, sampler=dict(mixgcf, mix_per="element")),
        dict(base, name="lightgcn_dins", layers=3, sampler=dins),
        dict(base, name="lightgcn_dins_upper", layers=2, sampler=dins, pool="upper"),
        dict(base, name="lightgcn_mixgcf_sum", layers=2, sampler=mixgcf, pool="sum"),
        dict(base, name="lightgcn_mixgcf_final", layers=3, sampler=mixgcf, pool="final"),
        dict(base, name="lightgcn_mixgcf_3_negatives", layers=1, sampler=mixgcf, negatives=3),
        dict(base, name="lightgcn_mixgcf_element_2_negatives", layers=1, sampler=dict(mixgcf, mix_per="element"), negatives=2),
        dict(base, name="lightgcn_dins_2_negatives", layers=2, sampler=dins, negatives=2),
        dict(base, name="lightgcn_dns_all", layers=2, sampler=dict(dns, mn="all")),
        dict(base, name="mf_dns_2_negatives", layers=0, sampler=dict(dns, pick=1), negatives=2),
        dict(base, name="mf_dins", layers=0, sampler=dict(dins, dins_alpha=2.5)),
        dict(base, name="lightgcn_mixgcf_norms", layers=2, sampler=mixgcf, reg="norm"),
        dict(base, name="lightgcn_mixgcf_selfrec", layers=2, sampler=dict(mixgcf, mix_per="element"), reg="norm", reg_rows="final"),
        dict(base, name="lightgcn_dins_norms", layers=2, sampler=dins, reg="norm", negatives=2),
        dict(base, name="mf_dns_all_of_all_items", layers=0, sampler=dict(dns, mn="all", draw_from="all")),
        dict(base, name="lightgcn_mixgcf_of_all_items", layers=2, sampler=dict(mixgcf, draw_from="all")),
        dict(base, name="mf_softmax_of_5", layers=0, sampler=dict(dns, name="rns"), negatives=5, loss="softmax", tau=0.3),
        dict(base, name="lightgcn_softmax_mixgcf_3", layers=2, sampler=mixgcf, negatives=3, loss="softmax", tau=0.2),
        dict(base, name="lightgcn_softmax_dins", layers=2, sampler=dins, loss="softmax", tau=0.5),
        dict(base, name="lightgcn_dns_l2_of_layers", layers=3, sampler=dict(dns, pick=1), reg_rows="layers"),
        dict(base, name="lightgcn_softmax_bsl", layers=2, sampler=dict(dns, name="rns"), negatives=4, loss="softmax", tau=0.15, reg_rows="layers"),
        dict(base, name="lightgcn_dins_authors", layers=3, sampler=dins, pool="upper", reg_rows="layer1"),
        dict(base, name="lightgcn_mixgcf_norms_of_layers", layers=2, sampler=mixgcf, negatives=2, reg="norm", reg_rows="layers"),
        dict(base, name="lightgcn_mixgcf_dropped_edges", layers=3, sampler=mixgcf, edges=dict(dropout=0.5, rescale=True)),
        dict(base, name="lightgcn_dins_authors_dropped_edges", layers=2, sampler=dins, pool="upper", reg_rows="layer1",
             edges=dict(dropout=0.25, rescale=True)),
        dict(base, name="lightgcn_mixgcf_edges_by_layer", layers=3, sampler=mixgcf, edges=dict(dropout=0.5, rescale=True, masks="layer")),
    ]
    golden = {
        "made_by": f"tests/peers/make_golden_hops.py, torch {torch.__version__.split('+')[0]}, float64, CPU",
        "n_users": N_USERS, "n_items": N_ITEMS, "dim": DIM, "batch": BATCH,
        "cases": [render(case, 360 + number) for number, case in enumerate(cases)],
    }
    text = json.dumps(golden, separators=(",", ":")).replace('{"loss":"', '\n{"loss":"').replace('"initial"', '\n"initial"')
    out.write_text(text.replace('{"pairs"', '\n{"pairs"').replace('"gradient"', '\n"gradient"') + "\n")
    print(f"{out}: {out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
