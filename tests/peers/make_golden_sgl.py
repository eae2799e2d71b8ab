#!/usr/bin/env python3
"""Renders tests/fixtures/golden/sgl.json: training steps of SGL by PyTorch's autograd and Adam in double precision.

The loss is written as the authors' code has it (wujcan/SGL-Torch): normalised rows of two views, all scores of a batch's rows in a matrix,
logsumexp; or, for `batch`, as SELFRec has it. The pairs that each view keeps are part of the file. Run by hand:
    .cache/peers/bin/python tests/peers/make_golden_sgl.py
"""
import argparse
import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

from make_golden import BATCH, DIM, N_ITEMS, N_USERS, STEPS, flat, make_graph, propagate, single


def adjacency(pairs):
    matrix = torch.zeros(N_USERS + N_ITEMS, N_USERS + N_ITEMS, dtype=torch.float64)
    for user, item in pairs:
        matrix[user, N_USERS + item] = matrix[N_USERS + item, user] = 1.0
    degree = matrix.sum(1)
    root = torch.where(degree > 0, degree.clamp(min=1).rsqrt(), torch.zeros_like(degree))
    return root[:, None] * matrix * root[None, :]


def choose(case, pairs, rng):
    """Marks of the pairs that one graph keeps."""
    ssl = case["ssl"]
    if ssl["augment"] == "node":
        users = set(rng.choice(N_USERS, int(N_USERS * ssl["rho"]), replace=False).tolist())
        items = set(rng.choice(N_ITEMS, int(N_ITEMS * ssl["rho"]), replace=False).tolist())
        return [int(u not in users and i not in items) for u, i in pairs]
    kept = set(rng.choice(len(pairs), int(len(pairs) * (1 - ssl["rho"])), replace=False).tolist())
    return [int(p in kept) for p in range(len(pairs))]


def view(case, params, pairs, graphs):
    layer = total = torch.cat([params["users"], params["items"]])
    for number in range(case["layers"]):
        marks = graphs[number if len(graphs) > 1 else 0]
        layer = adjacency([p for p, mark in zip(pairs, marks) if mark]) @ layer
        total = total + layer
    unit = F.normalize(total / (case["layers"] + 1), dim=1)
    return unit[:N_USERS], unit[N_USERS:]


def nce(one, other, rows, tau, reduction):
    scores = one[rows] @ other.T / tau
    terms = torch.logsumexp(scores, 1) - (one[rows] * other[rows]).sum(1) / tau
    return terms.sum() / reduction


def contrast(case, params, pairs, user, positive):
    ssl = case["ssl"]
    (users1, items1), (users2, items2) = (view(case, params, pairs, graphs) for graphs in ssl["keep"])
    summed = ssl["reduce"] == "sum" or (ssl["reduce"] == "loss" and ssl["loss_reduce"] == "sum")
    if ssl["denominator"] == "full":
        divisor = 1 if summed else len(user)
        return nce(users1, users2, user, ssl["tau"], divisor) + nce(items1, items2, positive, ssl["tau"], divisor)
    some_users, some_items = torch.unique(user), torch.unique(positive)
    one = torch.cat([users1[some_users], items1[some_items]])
    other = torch.cat([users2[some_users], items2[some_items]])
    return nce(one, other, torch.arange(len(one)), ssl["tau"], 1 if summed else len(one))


def render(case, seed):
    rng = np.random.default_rng(seed)
    rows = make_graph(np.random.default_rng(1))
    pairs = [(user, item) for user, taken in enumerate(rows) for item in taken]
    n_graphs = max(case["layers"], 1) if case["ssl"]["augment"] == "walk" else 1
    case["ssl"]["keep"] = [[choose(case, pairs, rng) for _ in range(n_graphs)] for _ in range(2)]
    params = {"users": single(rng.normal(0, 0.3, (N_USERS, DIM))), "items": single(rng.normal(0, 0.3, (N_ITEMS, DIM)))}
    params = {k: torch.tensor(v, requires_grad=True) for k, v in params.items()}
    groups = {k: [v] for k, v in params.items()}
    result = dict(case, pairs=[list(p) for p in pairs], initial={k: flat(v) for k, v in groups.items()}, steps=[])
    optimiser = torch.optim.Adam(list(params.values()), lr=case["learning_rate"], betas=(0.9, 0.999), eps=1e-8)
    for step in range(STEPS):
        chosen = rng.choice(len(pairs), BATCH, replace=False)
        users, positives = [pairs[p][0] for p in chosen], [pairs[p][1] for p in chosen]
        negatives = [int(rng.choice([i for i in range(N_ITEMS) if i not in rows[u]])) for u in users]
        user, positive, negative = (torch.tensor(x) for x in (users, positives, negatives))
        optimiser.zero_grad()
        final_users, final_items = propagate(params["users"], params["items"], rows, case["layers"])
        margin = (final_users[user] * (final_items[negative] - final_items[positive])).sum(1)
        ranking = F.softplus(margin).sum() / (1 if case["ssl"]["loss_reduce"] == "sum" else BATCH)
        squares = sum((params[k][ids] ** 2).sum() for k, ids in (("users", user), ("items", positive), ("items", negative)))
        l2 = case["l2"] / 2 * squares / BATCH
        own = case["ssl"]["lambda"] * contrast(case, params, pairs, user, positive)
        total = ranking + l2 + own
        total.backward()
        record = dict(pairs=chosen.tolist(), negatives=negatives,
                      loss={"total": total.item(), "ranking": ranking.item(), "l2": l2.item(), "own": own.item()},
                      gradient={k: flat([w.grad for w in v]) for k, v in groups.items()})
        optimiser.step()
        if step in (0, STEPS - 1):
            record["after"] = {k: flat(v) for k, v in groups.items()}
        result["steps"].append(record)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    default = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "golden" / "sgl.json"
    parser.add_argument("--out", type=pathlib.Path, default=default)
    out = parser.parse_args().out

    def case(name, layers, augment, denominator="full", reduction="loss", weight=0.1, rho=0.3, loss_reduce="mean"):
        return dict(name=name, layers=layers, loss="bpr", margin=0.0, l2=1e-2, learning_rate=1e-2, semantic=None,
                    ssl={"augment": augment, "rho": rho, "tau": 0.2, "lambda": weight, "denominator": denominator,
                         "reduce": reduction, "loss_reduce": loss_reduce})

    cases = [
        case("sgl_edge", 3, "edge", loss_reduce="sum"),
        case("sgl_node", 2, "node"),
        case("sgl_walk", 3, "walk", weight=0.5),
        case("sgl_edge_batch_mean", 2, "edge", "batch", "mean"),
        case("sgl_walk_batch_sum", 1, "walk", "batch", "sum", weight=0.01),
        case("sgl_all_lost", 2, "edge", rho=1.0),
    ]
    golden = {
        "made_by": f"tests/peers/make_golden_sgl.py, torch {torch.__version__.split('+')[0]}, float64, CPU",
        "n_users": N_USERS, "n_items": N_ITEMS, "dim": DIM, "batch": BATCH,
        "cases": [render(one, 300 + number) for number, one in enumerate(cases)],
    }
    text = json.dumps(golden, separators=(",", ":")).replace('{"name"', '\n{"name"').replace('"initial"', '\n"initial"')
    out.write_text(text.replace('{"pairs"', '\n{"pairs"').replace('"gradient"', '\n"gradient"') + "\n")
    print(f"{out}: {out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
