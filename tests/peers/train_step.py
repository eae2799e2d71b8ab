#!/usr/bin/env python3
"""Milliseconds of one training step in CPU PyTorch: draw a batch and its negatives, propagate, BPR and squared L2 of the ego rows, backward,
dense Adam. Backbones MF, LightGCN, NGCF (the paper's form, message dropout 0.1), DGCF (one layer), SGL (two views without a tenth of the edges, InfoNCE over all users
and all items). Random negatives, or the choice among candidates of DNS, AHNS or MixGCF; semantic negatives where --text-dim is given: an MLP adapter
over the pair's text vector (stored in float16), mixing with the random negative, InfoNCE with the pair's own hard negative.
"""
import argparse

import torch
import torch.nn.functional as F

from peer import Graph, Propagate, add_arguments, correlation, dgcf, lightgcn, lightgcn_layers, report

DIM, BATCH, L2, RATE, ALPHA, TAU, WEIGHT = 64, 2048, 1e-4, 1e-3, 0.1, 0.2, 1e-3
AHNS_ALPHA, AHNS_BETA = 1.0, 0.1  # p = -2
DROPOUT, SSL_TAU, SSL_WEIGHT, SSL_RHO = 0.1, 0.2, 0.1, 0.1


class Ngcf:
    def __init__(self):
        self.weights = [torch.nn.init.xavier_uniform_(torch.empty(DIM, DIM)).requires_grad_(True) for _ in range(6)]
        self.biases = [torch.zeros(DIM, requires_grad=True) for _ in range(6)]

    def __call__(self, adjacency, ego):
        layer, outputs = ego, [ego]
        for l in range(3):
            side = Propagate.apply(adjacency, layer)
            own = (side + layer) @ self.weights[2 * l] + self.biases[2 * l]
            layer = F.leaky_relu(own + (side * layer) @ self.weights[2 * l + 1] + self.biases[2 * l + 1], 0.2)
            layer = F.dropout(layer, DROPOUT)
            outputs.append(F.normalize(layer, dim=1))
        return torch.cat(outputs, 1)


def info_nce(first, second, rows):
    """Sum over rows of the first view against all of the second."""
    first, second = F.normalize(first, dim=1), F.normalize(second, dim=1)
    scores = first[rows] @ second.T / SSL_TAU
    return (scores.logsumexp(1) - scores.gather(1, rows.unsqueeze(1)).squeeze(1)).sum()


def choose(sampler, user, positive, candidates, final, n_users):
    """A candidate for each pair, by the scores of final vectors that take no gradient here."""
    with torch.no_grad():
        e_u = final[user]
        scores = torch.bmm(final[candidates.flatten() + n_users].view(*candidates.shape, -1), e_u.unsqueeze(2)).squeeze(2)
        if sampler == "ahns":
            goal = AHNS_BETA / ((e_u * final[positive + n_users]).sum(1, keepdim=True) + AHNS_ALPHA)
            scores = -(scores - goal).abs()
        return candidates.gather(1, scores.argmax(1, keepdim=True)).squeeze(1)


def mix_hops(user, positive, candidates, hops, n_users):
    """MixGCF: the hardest candidate of each hop, mixed with the positive's hop and pooled. hops [n, L+1, d]."""
    with torch.no_grad():
        scores = torch.einsum("bmld,bd->bml", hops[candidates + n_users], hops[user].mean(1))
        hardest = candidates.gather(1, scores.argmax(1))  # [B, L+1]
    share = torch.rand(len(user), hops.shape[1], 1)
    chosen = hops[hardest + n_users, torch.arange(hops.shape[1])]
    return (share * hops[positive + n_users] + (1 - share) * chosen).mean(1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    parser.add_argument("--backbone", choices=["mf", "lightgcn", "ngcf", "dgcf", "sgl"], default="lightgcn")
    parser.add_argument("--sampler", choices=["rns", "dns", "ahns", "mixgcf"], default="rns")
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
    parameters, adapter, ngcf, views = [ego], None, None, []
    if args.backbone == "ngcf":
        ngcf = Ngcf()
        parameters += ngcf.weights + ngcf.biases
    if args.backbone == "sgl":
        views = [graph.without(SSL_RHO) for _ in range(2)]
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
        hops = None
        if ngcf is not None:
            final = ngcf(graph.adjacency, ego)
        elif args.backbone == "dgcf":
            final = dgcf(graph, ego)
        elif args.sampler == "mixgcf":
            hops = torch.stack(lightgcn_layers(graph.adjacency, ego, 3), 1)
            final = hops.mean(1)
        else:
            final = ego if args.backbone == "mf" else lightgcn(graph.adjacency, ego, 3)
        if args.sampler == "rns":
            negative = graph.draw_negatives(user)
        else:
            candidates = graph.draw_negatives(user.repeat_interleave(args.candidates)).view(-1, args.candidates)
            negative = candidates[:, 0] if hops is not None else choose(args.sampler, user, positive, candidates, final, graph.n_users)
        ids = torch.cat([user, positive + graph.n_users, negative + graph.n_users])
        e_u, e_p, e_n = final.index_select(0, ids).split(BATCH)
        if hops is not None:
            e_n = mix_hops(user, positive, candidates, hops, graph.n_users)
        loss = L2 / 2 * ego.index_select(0, ids).square().sum() / BATCH
        if adapter is not None:
            e_n = ALPHA * adapter(text[pair % len(text)].float()) + (1 - ALPHA) * e_n
            close, far = F.cosine_similarity(e_u, e_p), F.cosine_similarity(e_u, e_n)
            loss = loss + WEIGHT * F.softplus((far - close) / TAU).mean()
        loss = loss + F.softplus((e_u * (e_n - e_p)).sum(1)).mean()
        if args.backbone == "dgcf":
            drawn = max(graph.n_users, graph.n_items) // (n_pairs // BATCH + 1)
            rows = torch.cat([torch.randperm(graph.n_users)[:drawn], graph.n_users + torch.randperm(graph.n_items)[:drawn]])
            loss = loss + 0.01 * correlation(final[rows])
        if views:
            first, second = (lightgcn(view, ego, 3).split([graph.n_users, graph.n_items]) for view in views)
            loss = loss + SSL_WEIGHT * (info_nce(first[0], second[0], user) + info_nce(first[1], second[1], positive))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    report(step, args)


if __name__ == "__main__":
    main()
