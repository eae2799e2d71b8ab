#!/usr/bin/env python3
"""Renders tests/fixtures/golden/steps_forms.json: training steps in the forms that code bases give the ranking loss, L2 and pooling, and
of samplers that choose whole items (popularity, DNS, AHNS, in-batch), as make_golden.py does. Items are drawn and chosen here too, by
the project's random numbers: the C side does so by itself, and must have chosen the same; so are batches of
distinct users. Run by hand:
    .cache/peers/bin/python tests/peers/make_golden_forms.py
"""
import argparse
import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

import draws
from make_golden import BATCH, DIM, KINK, N_ITEMS, N_USERS, STEPS, flat, make_graph, single
from make_golden_hops import kept_edges, layers_of

SEED, EPOCH, CANDIDATES = 1, 0, 6
CLOSE = 1e-5  # scores nearer than this could be in another order in single precision
FORMS = dict(pool="mean", reg="sq_half", reg_rows="ego", reg_divide="batch", reduce="mean", epsilon=0.0, tau=0.15)


def pooled(hops, pool):
    return {"mean": hops.mean(0), "sum": hops.sum(0), "final": hops[-1]}[pool]


def far_apart(values):
    gaps = np.diff(np.sort(values))
    assert not ((gaps > 1e-12) & (gaps < CLOSE)).any(), "two candidates are nearly alike: choose another seed"


def chosen(sampler, lists, final, pair, key):
    """The item that one pair is compared with (cf-methods 2.1, 2.2, 2.5). key: what its draws go by."""
    user, positive = int(lists.user[pair]), int(lists.item[pair])
    if sampler["name"] == "popularity":
        return int(draws.Popularity(lists, sampler["exponent"], sampler["weight"]).draw(SEED, EPOCH, np.array([pair]))[0])
    if sampler["name"] == "in_batch":
        return positive
    outside = [item for item in range(N_ITEMS) if sampler["draw_from"] == "all" or not lists.has(np.array([user]), np.array([item]))[0]]
    sequence = draws.Sequence(SEED, draws.NEGATIVE, EPOCH, key)
    if sampler["name"] == "rns":
        return outside[sequence.below64(len(outside))]
    pool = [outside[sequence.below64(len(outside))] for _ in range(CANDIDATES)]
    similar = {"product": lambda x: (x * final[user]).sum(-1), "cosine": lambda x: F.cosine_similarity(x, final[user][None], dim=-1),
               "distance": lambda x: ((x - final[user]) ** 2).sum(-1)}[sampler["similarity"]]
    scores = similar(final[[N_USERS + item for item in pool]]).detach().numpy()
    if sampler["name"] == "dns":
        far_apart(scores)
        rank = sequence.below(sampler["pick"]) if sampler["pick"] > 1 else 0
        return pool[sorted(range(CANDIDATES), key=lambda m: (-scores[m], m))[rank]]
    wanted = 0.1 * (float(similar(final[N_USERS + positive][None])[0].detach()) + 1.0) ** -1
    far_apart(np.abs(scores - wanted))
    return pool[int(np.abs(scores - wanted).argmin())]


def in_batch(case, e_u, e_p):
    """Every pair against the positives of all others."""
    forms, others = case["forms"], ~torch.eye(len(e_u), dtype=torch.bool)
    if case["loss"] == "softmax":
        cosines = F.normalize(e_u, dim=1) @ F.normalize(e_p, dim=1).T / forms["tau"]
        return torch.logsumexp(cosines.masked_fill(~others, -torch.inf), 1) - cosines.diagonal()
    scores = e_u @ e_p.T
    x = (scores - scores.diagonal()[:, None])[others].reshape(len(e_u), -1)
    if case["loss"] == "hinge":
        assert (x + case["margin"]).abs().min() > KINK
        return F.relu(x + case["margin"]).mean(1)
    return F.softplus(x).mean(1)


def l2_of(case, params, final, users, positives, negatives):
    forms = case["forms"]
    if forms["reg"] == "all_params":
        return case["l2"] * sum((v ** 2).sum() for v in params.values())
    of_users, of_items = (final[:N_USERS], final[N_USERS:]) if forms["reg_rows"] == "final" else (params["users"], params["items"])
    blocks = [of_users[users], of_items[positives]]
    if case["sampler"]["name"] != "in_batch":
        blocks.append(of_items[negatives])
    term = sum(b.norm() for b in blocks) if forms["reg"] == "norm" else sum((b ** 2).sum() for b in blocks) / 2
    return case["l2"] * term / {"none": 1, "batch": len(users), "batch2": len(users) * BATCH}[forms["reg_divide"]]


def render(case, seed):
    rng = np.random.default_rng(seed)
    rows = make_graph(np.random.default_rng(1))
    pairs = [(user, item) for user, taken in enumerate(rows) for item in taken]
    lists = draws.Lists(np.array(pairs), N_USERS, N_ITEMS)
    params = {"users": single(rng.normal(0, 0.4, (N_USERS, DIM))), "items": single(rng.normal(0, 0.4, (N_ITEMS, DIM)))}
    params = {k: torch.tensor(v, requires_grad=True) for k, v in params.items()}
    result = dict(case, pairs=[list(p) for p in pairs], initial={k: flat([v]) for k, v in params.items()}, steps=[])
    optimiser = torch.optim.Adam(params.values(), lr=case["learning_rate"], betas=(0.9, 0.999), eps=1e-8)
    batches = list(draws.distinct_users(lists, SEED, EPOCH, case["batch"])) if "batch" in case else None
    for step in range(STEPS):
        if batches is None:
            batch = keys = rng.choice(len(pairs), BATCH, replace=False).tolist()
        else:
            keys, batch = ([entry[k] for entry in batches[step]] for k in (0, 1))
        users, positives = [pairs[p][0] for p in batch], [pairs[p][1] for p in batch]
        optimiser.zero_grad()
        final = pooled(layers_of(params["users"], params["items"], rows, case["layers"], kept_edges(case, rows, step)), case["forms"]["pool"])
        negatives = [chosen(case["sampler"], lists, final, p, key) for p, key in zip(batch, keys)]
        e_u, e_p, e_n = (final[users], *(final[[N_USERS + i for i in items]] for items in (positives, negatives)))
        if case["sampler"]["name"] == "in_batch":
            each = in_batch(case, e_u, e_p)
        else:
            each = -torch.log(case["forms"]["epsilon"] + torch.sigmoid((e_u * e_p).sum(1) - (e_u * e_n).sum(1)))
        ranking = each.sum() if case["forms"]["reduce"] == "sum" else each.mean()
        l2 = l2_of(case, params, final, users, positives, negatives)
        (ranking + l2).backward()
        record = dict(pairs=batch, negatives=negatives,
                      loss={"total": (ranking + l2).item(), "ranking": ranking.item(), "l2": l2.item()},
                      gradient={k: flat([v.grad]) for k, v in params.items()})
        optimiser.step()
        if step in (0, STEPS - 1):
            record["after"] = {k: flat([v]) for k, v in params.items()}
        result["steps"].append(record)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    default = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "golden" / "steps_forms.json"
    parser.add_argument("--out", type=pathlib.Path, default=default)
    out = parser.parse_args().out

    def case(name, layers, sampler, loss="bpr", margin=0.0, edges=None, batch=None, **forms):
        settings = dict(name=sampler, similarity="product", draw_from="outside", weight="power", exponent=0.75, pick=1, candidates=CANDIDATES)
        settings.update({k: forms.pop(k) for k in list(forms) if k in settings})
        return dict(name=name, loss=loss, margin=margin, l2=1e-2, learning_rate=1e-2, semantic=None, layers=layers, sampler=settings,
                    forms=dict(FORMS, **forms), **({} if edges is None else {"edges": edges}),
                    **({} if batch is None else {"epoch_unit": "distinct_users", "batch": batch}))

    cases = [
        case("mf_popularity", 0, "popularity"),
        case("lightgcn_popularity_selfrec", 2, "popularity", reg="norm", reg_divide="batch2", epsilon=1e-5),
        case("lightgcn_dns", 3, "dns"),
        case("mf_dns_pick", 0, "dns", pick=3),
        case("mf_ahns", 0, "ahns"),
        case("lightgcn_ahns_sum", 2, "ahns", pool="sum"),
        case("lightgcn_softmax", 3, "in_batch", loss="softmax"),
        case("mf_softmax_sum", 0, "in_batch", loss="softmax", reduce="sum", reg_divide="none", tau=0.5),
        case("lightgcn_in_batch_bpr", 2, "in_batch", pool="final"),
        case("lightgcn_in_batch_hinge", 2, "in_batch", loss="hinge", margin=0.3, reg="norm"),
        case("lightgcn_sums", 2, "dns", pool="sum", reg="all_params", reduce="sum"),
        case("lightgcn_l2_of_final_rows", 3, "popularity", reg_rows="final"),
        case("lightgcn_norms_of_final_rows", 2, "dns", pool="sum", reg="norm", reg_rows="final", reg_divide="batch2", epsilon=1e-5),
        case("lightgcn_softmax_l2_of_final_rows", 2, "in_batch", loss="softmax", reg="norm", reg_rows="final"),
        case("mf_popularity_log", 0, "popularity", weight="log"),
        case("lightgcn_dns_of_all_items", 2, "dns", draw_from="all"),
        case("mf_ahns_cosine", 0, "ahns", similarity="cosine"),
        case("lightgcn_ahns_distance", 2, "ahns", similarity="distance"),
        case("mf_dns_distance", 0, "dns", similarity="distance"),
        case("lightgcn_dropped_edges", 3, "popularity", edges=dict(dropout=0.3, rescale=True)),
        case("lightgcn_dropped_edges_rlmrec", 2, "popularity", pool="sum", reg="all_params", edges=dict(dropout=0.5, rescale=False)),
        case("lightgcn_dropped_edges_dns", 3, "dns", edges=dict(dropout=0.2, rescale=True)),
        case("lightgcn_dropped_edges_one_layer", 1, "dns", edges=dict(dropout=0.7, rescale=True)),
        case("lightgcn_distinct_users", 2, "rns", batch=8),
        case("mf_distinct_users_dns", 0, "dns", batch=9, reg_rows="final"),
        case("lightgcn_edges_by_layer", 2, "popularity", edges=dict(dropout=0.4, rescale=True, masks="layer")),
        case("lightgcn_edges_by_layer_dns", 3, "dns", edges=dict(dropout=0.3, rescale=False, masks="layer")),
    ]
    golden = {
        "made_by": f"tests/peers/make_golden_forms.py, torch {torch.__version__.split('+')[0]}, float64, CPU",
        "n_users": N_USERS, "n_items": N_ITEMS, "dim": DIM, "batch": BATCH,
        "cases": [render(one, 510 + number) for number, one in enumerate(cases)],
    }
    text = json.dumps(golden, separators=(",", ":")).replace('{"name":"', '\n{"name":"').replace('"initial"', '\n"initial"')
    out.write_text(text.replace('{"pairs"', '\n{"pairs"').replace('"gradient"', '\n"gradient"') + "\n")
    print(f"{out}: {out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
