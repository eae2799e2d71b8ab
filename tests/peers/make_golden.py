#!/usr/bin/env python3
"""Renders tests/fixtures/golden/steps.json: training steps computed by PyTorch's autograd and optimiser in double precision.

The forward formulas are written out here from the papers, independently of the C code; gradients and updates are PyTorch's own. Run by hand:
    .cache/peers/bin/python tests/peers/make_golden.py
Initial values, batches, negatives and text vectors are part of the file, so nothing random has to agree between the two sides.
"""
import argparse
import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

N_USERS, N_ITEMS, DIM, TEXT_DIM, BATCH, STEPS = 11, 13, 8, 12, 16, 5
KINK = 1e-4  # no value may lie this close to a kink, where the two sides could take different slopes


def single(array):
    """Rounded to float32 (what the C side starts from), held in double."""
    return np.asarray(array, dtype=np.float32).astype(np.float64)


def make_graph(rng):
    """User 10 and item 12 have no train pair; user 0 has one item; item 0 is everyone's."""
    rows = [[0]]
    for user in range(1, N_USERS - 1):
        degree = int(rng.integers(2, 6))
        rows.append(sorted({0} | set(rng.choice(np.arange(1, N_ITEMS - 1), degree, replace=False).tolist())))
    rows.append([])
    return rows


def propagate(users, items, rows, layers):
    """Mean of layers 0..L of D^-1/2 A D^-1/2 (LightGCN, eq. 3 and 4), with a dense adjacency."""
    adjacency = torch.zeros(N_USERS + N_ITEMS, N_USERS + N_ITEMS, dtype=torch.float64)
    for user, taken in enumerate(rows):
        for item in taken:
            adjacency[user, N_USERS + item] = adjacency[N_USERS + item, user] = 1.0
    degree = adjacency.sum(1)
    root = torch.where(degree > 0, degree.clamp(min=1).rsqrt(), torch.zeros_like(degree))
    normal = root[:, None] * adjacency * root[None, :]
    layer = total = torch.cat([users, items])
    for _ in range(layers):
        layer = normal @ layer
        total = total + layer
    final = total / (layers + 1)
    return final[:N_USERS], final[N_USERS:]


def adapt(text, adapter, last_relu):
    """Paper eq. 6: linear layers with leaky ReLU (slope 0.01) between them."""
    x = text
    n_layers = len(adapter) // 2
    for layer in range(n_layers):
        x = x @ adapter[2 * layer].T + adapter[2 * layer + 1]
        if layer + 1 < n_layers or last_relu:
            assert x.abs().min() > KINK, "a value lies at the kink: choose another seed"
            x = F.leaky_relu(x, 0.01)
    return x


def losses(case, params, rows, batch, text):
    final_users, final_items = propagate(params["users"], params["items"], rows, case["layers"])
    user, positive, negative, pair = (torch.tensor(batch[k]) for k in ("users", "positives", "negatives", "pairs"))
    e_u, e_i, compared = final_users[user], final_items[positive], final_items[negative]
    align = torch.zeros((), dtype=torch.float64)
    l2 = sum((params[k][ids] ** 2).sum() for k, ids in (("users", user), ("items", positive), ("items", negative)))
    if case["semantic"] is not None:
        s = case["semantic"]
        present = torch.tensor(s["present"])[pair]
        adapter = params["adapter"]
        hard = adapt(text[pair], adapter, s["last_relu"])
        mixed = torch.where(present[:, None], s["alpha"] * hard + (1 - s["alpha"]) * compared, compared)  # eq. 7
        compared = mixed
        seen = mixed if s["align_vector"] == "mixed" else hard
        unit_u, unit_i, unit_h = (F.normalize(v, dim=1) for v in (e_u, e_i, seen))
        a = (unit_u * unit_i).sum(1) / s["tau"]
        if s["align_negatives"] == "own":
            c = ((unit_u * unit_h).sum(1) / s["tau"])[:, None]
        else:
            c = (unit_u @ unit_h.T / s["tau"])[:, present]
        per_pair = torch.logsumexp(torch.cat([a[:, None], c], 1), 1) - a  # eq. 9
        align = per_pair[present].sum() / len(pair)
        l2 = l2 + sum((w ** 2).sum() for w in adapter)
    margin = (e_u * compared).sum(1) - (e_u * e_i).sum(1)
    if case["loss"] == "bpr":
        ranking = F.softplus(margin).mean()  # eq. 8
    else:
        assert (margin + case["margin"]).abs().min() > KINK
        ranking = F.relu(margin + case["margin"]).mean()
    lambda_align = case["semantic"]["lambda"] if case["semantic"] else 0.0
    parts = {"ranking": ranking, "align": align, "l2": case["l2"] / 2 * l2 / len(pair)}
    return ranking + lambda_align * align + parts["l2"], parts


def flat(tensors):
    return [float(f"{x:.9g}") for t in tensors for x in t.detach().reshape(-1).tolist()]


def render(case, seed):
    rng = np.random.default_rng(seed)
    rows = make_graph(np.random.default_rng(1))
    pairs = [(user, item) for user, taken in enumerate(rows) for item in taken]
    params = {"users": single(rng.normal(0, 0.3, (N_USERS, DIM))), "items": single(rng.normal(0, 0.3, (N_ITEMS, DIM)))}
    params = {k: torch.tensor(v, requires_grad=True) for k, v in params.items()}
    text = torch.zeros(len(pairs), TEXT_DIM, dtype=torch.float64)
    leaves = list(params.values())
    if case["semantic"] is not None:
        widths = [TEXT_DIM] + case["semantic"]["hidden"] + [DIM]
        text = torch.tensor(rng.normal(0, 1, (len(pairs), TEXT_DIM)).astype(np.float16).astype(np.float64))
        case["semantic"]["present"] = [bool(x) for x in rng.random(len(pairs)) < 0.8]
        case["semantic"]["text"] = flat([text])
        params["adapter"] = []
        for fan_in, fan_out in zip(widths, widths[1:]):
            bound = fan_in ** -0.5
            for shape in ((fan_out, fan_in), (fan_out,)):
                params["adapter"].append(torch.tensor(single(rng.uniform(-bound, bound, shape)), requires_grad=True))
        leaves += params["adapter"]
    groups = {"users": [params["users"]], "items": [params["items"]], "adapter": params.get("adapter", [])}
    result = dict(case, pairs=[list(p) for p in pairs], initial={k: flat(v) for k, v in groups.items()}, steps=[])
    optimiser = torch.optim.Adam(leaves, lr=case["learning_rate"], betas=(0.9, 0.999), eps=1e-8)
    for step in range(STEPS):
        chosen = rng.choice(len(pairs), BATCH, replace=False)
        batch = {"pairs": chosen.tolist(), "users": [pairs[p][0] for p in chosen],
                 "positives": [pairs[p][1] for p in chosen]}
        batch["negatives"] = [int(rng.choice([i for i in range(N_ITEMS) if i not in rows[u]])) for u in batch["users"]]
        optimiser.zero_grad()
        total, parts = losses(case, params, rows, batch, text)
        total.backward()
        record = dict(pairs=batch["pairs"], negatives=batch["negatives"],
                      loss={"total": total.item(), **{k: v.item() for k, v in parts.items()}},
                      gradient={k: flat([w.grad for w in v]) for k, v in groups.items()})
        optimiser.step()
        if step in (0, STEPS - 1):
            record["after"] = {k: flat(v) for k, v in groups.items()}
        result["steps"].append(record)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    default = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "golden" / "steps.json"
    parser.add_argument("--out", type=pathlib.Path, default=default)
    out = parser.parse_args().out

    def semantic(alpha, hidden, negatives, vector, weight, last_relu=False):
        return dict(alpha=alpha, hidden=hidden, last_relu=last_relu, tau=0.2, align_negatives=negatives,
                    align_vector=vector, **{"lambda": weight})

    base = dict(loss="bpr", margin=0.0, l2=1e-2, learning_rate=1e-2, semantic=None)
    cases = [
        dict(base, name="mf_bpr", layers=0),
        dict(base, name="lightgcn_bpr", layers=3),
        dict(base, name="lightgcn_hinge", layers=2, loss="hinge", margin=0.3),
        dict(base, name="lightgcn_own_mixed", layers=3, semantic=semantic(0.3, [10], "own", "mixed", 0.1)),
        dict(base, name="lightgcn_batch_adapted", layers=2, semantic=semantic(0.25, [10], "batch", "adapted", 0.5)),
        dict(base, name="mf_batch_mixed_deep", layers=0, semantic=semantic(0.5, [9, 7], "batch", "mixed", 0.1)),
    ]
    golden = {
        "made_by": f"tests/peers/make_golden.py, torch {torch.__version__.split('+')[0]}, float64, CPU",
        "n_users": N_USERS, "n_items": N_ITEMS, "dim": DIM, "text_dim": TEXT_DIM, "batch": BATCH,
        "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "leaky_slope": 0.01,
        "cases": [render(case, 100 + number) for number, case in enumerate(cases)],
    }
    # One line a field of a case, so that a diff shows what changed.
    text = json.dumps(golden, separators=(",", ":")).replace('{"name"', '\n{"name"').replace('"initial"', '\n"initial"')
    out.write_text(text.replace('{"pairs"', '\n{"pairs"').replace('"gradient"', '\n"gradient"') + "\n")
    print(f"{out}: {out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
