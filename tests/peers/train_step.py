#!/usr/bin/env python3
"""Milliseconds of one training step in CPU PyTorch: draw a batch and its negatives, propagate, BPR and squared L2 of the ego rows, backward,
dense Adam. MF or LightGCN with random negatives, or the choice among candidates of DNS or AHNS; semantic negatives where --text-dim is given: an MLP
adapter over the pair's text vector (stored in float16), mixing with the random negative, InfoNCE with the pair's own hard negative.
"""
import argparse

import torch
import torch.nn.functional as F

from peer import Graph, add_arguments, lightgcn, report

DIM, BATCH, L2, RATE, ALPHA, TAU, WEIGHT = 64, 2048, 1e-4, 1e-3, 0.1, 0.2, 1e-3
AHNS_ALPHA, AHNS_BETA = 1.0, 0.1  # p = -2


def choose(sampler, user, positive, candidates, final, n_users):
    """A candidate for each pair, by the scores of final vectors that take no gradient here."""
    with torch.no_grad():
        e_u = final[user]
        scores = torch.bmm(final[candidates.flatten() + n_users].view(*candidates.shape, -1), e_u.unsqueeze(2)).squeeze(2)
        if sampler == "ahns":
            goal = AHNS_BETA / ((e_u * final[positive + n_users]).sum(1, keepdim=True) + AHNS_ALPHA)
            scores = -(scores - goal).abs()
        return candidates.gather(1, scores.argmax(1, keepdim=True)).squeeze(1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    parser.add_argument("--backbone", choices=["mf", "lightgcn"], default="lightgcn")
    parser.add_argument("--sampler", choices=["rns", "dns", "ahns"], default="rns")
    parser.add_argument("--candidates", type=int, default=32)
    parser.add_argument("--text-dim", type=int, default=0)
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
    optimiser = torch.optim.Adam(parameters, lr=RATE, fused=True)
    state = {"order": torch.randperm(n_pairs), "at": 0}

    def step():
        if state["at"] + BATCH > n_pairs:
            state.update(order=torch.randperm(n_pairs), at=0)
        pair = state["order"][state["at"]:state["at"] + BATCH]
        state["at"] += BATCH
        user, positive = graph.user[pair], graph.item[pair]
        final = lightgcn(graph.adjacency, ego, 3) if args.backbone == "lightgcn" else ego
        if args.sampler == "rns":
            negative = graph.draw_negatives(user)
        else:
            candidates = graph.draw_negatives(user.repeat_interleave(args.candidates)).view(-1, args.candidates)
            negative = choose(args.sampler, user, positive, candidates, final, graph.n_users)
        ids = torch.cat([user, positive + graph.n_users, negative + graph.n_users])
        e_u, e_p, e_n = final.index_select(0, ids).split(BATCH)
        loss = L2 / 2 * ego.index_select(0, ids).square().sum() / BATCH
        if adapter is not None:
            e_n = ALPHA * adapter(text[pair % len(text)].float()) + (1 - ALPHA) * e_n
            close, far = F.cosine_similarity(e_u, e_p), F.cosine_similarity(e_u, e_n)
            loss = loss + WEIGHT * F.softplus((far - close) / TAU).mean()
        loss = loss + F.softplus((e_u * (e_n - e_p)).sum(1)).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    report(step, args)


if __name__ == "__main__":
    main()
