#!/usr/bin/env python3
"""Milliseconds of one LightGCN, NGCF or DGCF training step in CPU PyTorch: random negatives, or semantic ones where --text-dim is given.

One step: draw a batch and its negatives, propagate, BPR and squared L2 of the ego rows, backward, dense Adam. Semantic: an MLP adapter over
the pair's text vector (stored in float16), mixing with the random negative, InfoNCE with the pair's own hard negative.
"""
import argparse

import torch
import torch.nn.functional as F

from peer import Graph, correlation, dgcf, lightgcn, median_ms, ngcf

LAYERS, DIM, BATCH, L2, RATE, ALPHA, TAU, WEIGHT = 3, 64, 2048, 1e-4, 1e-3, 0.1, 0.2, 1e-3


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("graph")
    parser.add_argument("--backbone", choices=["lightgcn", "ngcf", "dgcf"], default="lightgcn")
    parser.add_argument("--text-dim", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=5.0)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    graph = Graph(args.graph)
    n_pairs = len(graph.user)
    ego = torch.empty(graph.n_users + graph.n_items, DIM)
    torch.nn.init.xavier_uniform_(ego)
    ego.requires_grad_(True)
    parameters, adapter = [ego], None
    if args.text_dim:
        hidden = (args.text_dim + DIM) // 2
        adapter = torch.nn.Sequential(torch.nn.Linear(args.text_dim, hidden), torch.nn.LeakyReLU(), torch.nn.Linear(hidden, DIM))
        parameters += list(adapter.parameters())
        # 16,384 distinct rows, used in turn: more than any cache holds, less than the memory of a small machine.
        text = torch.randn(min(n_pairs, 16384), args.text_dim).to(torch.float16)
    weights = []
    if args.backbone == "ngcf":
        weights = [torch.nn.init.xavier_uniform_(torch.empty(DIM, DIM)).requires_grad_(True) for _ in range(2 * LAYERS)]
        parameters += weights
    optimiser = torch.optim.Adam(parameters, lr=RATE, fused=True)
    state = {"order": torch.randperm(n_pairs), "at": 0}

    def step():
        if state["at"] + BATCH > n_pairs:
            state.update(order=torch.randperm(n_pairs), at=0)
        pair = state["order"][state["at"]:state["at"] + BATCH]
        state["at"] += BATCH
        user, positive = graph.user[pair], graph.item[pair]
        negative = graph.draw_negatives(user)
        if args.backbone == "ngcf":
            final = ngcf(graph.adjacency, ego, weights)
        elif args.backbone == "dgcf":
            final = dgcf(graph, ego)
        else:
            final = lightgcn(graph.adjacency, ego, LAYERS)
        ids = torch.cat([user, positive + graph.n_users, negative + graph.n_users])
        e_u, e_p, e_n = final.index_select(0, ids).split(BATCH)
        loss = L2 / 2 * ego.index_select(0, ids).square().sum() / BATCH
        if adapter is not None:
            e_n = ALPHA * adapter(text[pair % len(text)].float()) + (1 - ALPHA) * e_n
            close, far = F.cosine_similarity(e_u, e_p), F.cosine_similarity(e_u, e_n)
            loss = loss + WEIGHT * F.softplus((far - close) / TAU).mean()
        if args.backbone == "dgcf":
            drawn = max(graph.n_users, graph.n_items) // (n_pairs // BATCH + 1)
            rows = torch.cat([torch.randperm(graph.n_users)[:drawn], graph.n_users + torch.randperm(graph.n_items)[:drawn]])
            loss = loss + 0.01 * correlation(final[rows])
        loss = loss + F.softplus((e_u * (e_n - e_p)).sum(1)).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    print(f"{median_ms(step, seconds=args.seconds):.4f}")


if __name__ == "__main__":
    main()
