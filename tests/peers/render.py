#!/usr/bin/env python3
"""A plain PyTorch rendering of the comparison field: MF, LightGCN and NGCF (in MixGCF's form) with random, popularity-drawn, DNS, AHNS,
MixGCF and DINS negatives.

The formulas are written out from the papers; gradients and Adam are PyTorch's own; what is random is computed again by draws.py, so
initial values, batches, candidates, coefficients and dropped elements are the program's. Prints the loss of every epoch, the sum over its full batches
with L2 in it, as the MixGCF family's logs do. With --curves, the output of `hnlmrec report DIR --format curves`, it sets them beside
the program's, and fails where one is further off than --within. --evaluate adds recall@20 and ndcg@20 on test after epochs 0, 5, 10 ...

    hnlmrec run published/dens-toy --out toy ...; hnlmrec report toy --format curves > curves.csv
    python tests/peers/render.py --train train.txt --test test.txt --sampler dns --candidates 8 --seed 2020 \\
        --curves curves.csv --row 'LightGCN DNS'
"""
import argparse
import csv
import sys

import numpy as np
import torch
import torch.nn.functional as F

import draws

torch.sparse.check_sparse_tensor_invariants.disable()  # silences a warning about their being off


def read_lists(path):
    pairs = set()
    with open(path, encoding="ascii") as lines:
        for line in lines:
            user, *items = map(int, line.split())
            pairs.update((user, item) for item in items)
    return pairs


HITS = 20  # the metrics' cut-off
SLOPE = 0.2  # of NGCF's leaky ReLU


def load(train, test):
    """Train pairs with ids renumbered as the program does it: in numeric order over all parts."""
    train, test = read_lists(train), read_lists(test) if test else set()
    users = {u: i for i, u in enumerate(sorted({u for u, _ in train | test}))}
    items = {p: i for i, p in enumerate(sorted({p for _, p in train | test}))}
    lists = draws.Lists(np.array([(users[u], items[p]) for u, p in train]), len(users), len(items))
    targets = {}
    for u, p in test:
        targets.setdefault(users[u], set()).add(items[p])
    return lists, targets


class Rendering:
    def __init__(self, lists, options):
        self.lists, self.options = lists, options
        self.type = torch.float64 if options.double else torch.float32
        self.layers = 0 if options.model == "mf" else options.layers
        self.tables = [torch.tensor(draws.xavier(options.seed, stream, n, options.dim), dtype=self.type, requires_grad=True)
                       for stream, n in ((draws.INIT_USER, lists.n_users), (draws.INIT_ITEM, lists.n_items))]
        self.steps, self.weights = 0, []
        if options.model == "ngcf":  # W1, W2, b1, b2 of each layer
            self.weights = [[torch.tensor(draws.layer_weights(options.seed, 256 + 4 * layer + k, options.dim if k < 2 else 1, options.dim),
                                          dtype=self.type, requires_grad=True) for k in range(4)] for layer in range(options.layers)]
        leaves = self.tables + [w for layer in self.weights for w in layer]
        self.adam = torch.optim.Adam(leaves, lr=options.learning_rate, betas=(0.9, 0.999), eps=1e-8)
        self.popularity = draws.Popularity(lists, options.exponent) if options.sampler == "popularity" else None
        n = lists.n_users + lists.n_items
        user, item = torch.from_numpy(lists.user), torch.from_numpy(lists.item) + lists.n_users
        edges = torch.stack([torch.cat([user, item]), torch.cat([item, user])])
        degree = torch.bincount(edges[0], minlength=n).clamp(min=1).to(self.type)
        value = degree[edges[0]].rsqrt() * degree[edges[1]].rsqrt()
        self.adjacency = torch.sparse_coo_tensor(edges, value, (n, n)).coalesce()

    def ngcf_hops(self, drops):
        """E0 and the rows of every later layer, divided by their lengths; those that go on are not."""
        o, e = self.options, torch.cat(self.tables)
        parts = [e]
        for layer, (w1, w2, b1, b2) in enumerate(self.weights):
            s = torch.sparse.mm(self.adjacency, e)
            e = F.leaky_relu(s @ w1 + b1 + (s * e) @ w2 + b2, SLOPE)
            if drops and o.dropout > 0:
                masks = [draws.kept(o.seed, self.steps, 2 * layer + side, len(self.tables[side]), o.dim, o.dropout) for side in (0, 1)]
                e = e * torch.from_numpy(np.concatenate(masks)).to(self.type)
            parts.append(F.normalize(e, dim=1))
        return torch.stack(parts, 1)

    def hops(self, drops=True):
        """Vectors of all nodes after 0 .. L layers: [nodes][L + 1][dim]."""
        if self.weights:
            return self.ngcf_hops(drops)
        layers = [torch.cat(self.tables)]
        for _ in range(self.layers):
            layers.append(torch.sparse.mm(self.adjacency, layers[-1]))
        return torch.stack(layers, 1)

    def pool(self, hops):
        """[..][hops][dim] to [..][width]: side by side in NGCF, else the mean."""
        return hops.flatten(-2) if self.weights else hops.mean(-2)

    def queries(self, user, hops):
        """What candidates are compared with, by hop: [n][hops][dim]."""
        return hops[user] if self.weights else hops[user].mean(1, keepdim=True).expand(-1, hops.shape[1], -1)

    def choose(self, epoch, pair, user, positive, hops):
        """The chosen candidate of each pair, by hop where the sampler works by hop: [n] or [n][hops]."""
        o, n_users = self.options, self.lists.n_users
        if o.sampler == "rns":
            return torch.from_numpy(self.lists.candidates(o.seed, epoch, pair, 1)[:, 0])
        if o.sampler == "popularity":
            return torch.from_numpy(self.popularity.draw(o.seed, epoch, pair))
        pool = torch.from_numpy(self.lists.candidates(o.seed, epoch, pair, o.candidates))
        with torch.no_grad():
            if o.sampler in ("mixgcf", "dins"):
                scores = torch.einsum("nhd,nmhd->nmh", self.queries(user, hops), hops[pool + n_users])
                return torch.gather(pool, 1, scores.argmax(1))
            final = self.pool(hops)
            scores = torch.einsum("nd,nmd->nm", final[user], final[pool + n_users])
            if o.sampler == "dns":
                best = scores.argmax(1)
            else:
                wanted = (final[user] * final[positive + n_users]).sum(1, keepdim=True).double() + o.ahns_alpha
                best = (scores.double() - o.ahns_beta * wanted ** (o.ahns_p + 1)).abs().argmin(1)
            return torch.gather(pool, 1, best[:, None])[:, 0]

    def negative_hops(self, epoch, pair, user, positive, hops):
        """[n][hops][dim]: a node's own, or mixed hop by hop."""
        o, n_users = self.options, self.lists.n_users
        chosen = self.choose(epoch, pair, user, positive, hops)
        if o.sampler not in ("mixgcf", "dins"):
            return hops[chosen + n_users]
        hard = hops[(chosen + n_users), torch.arange(hops.shape[1])]
        easy = hops[positive + n_users]
        if o.sampler == "mixgcf":
            a = torch.from_numpy(draws.mix_coefficients(o.seed, epoch, pair, hops.shape[1])).to(self.type)[:, :, None]
            return a * easy + (1 - a) * hard
        query = self.queries(user, hops)
        w = (query * hard).exp() / (o.dins_alpha * (query * easy).exp() + (query * hard).exp())
        return (1 - w) * easy + w * hard

    def step(self, epoch, pair):
        user, positive = torch.from_numpy(self.lists.user[pair]), torch.from_numpy(self.lists.item[pair])
        hops = self.hops()
        negative = self.negative_hops(epoch, pair, user, positive, hops)
        final = self.pool(hops)
        u, p, n = final[user], final[positive + self.lists.n_users], self.pool(negative)
        ranking = F.softplus((u * n).sum(1) - (u * p).sum(1)).mean()
        squares = sum((x ** 2).sum() for x in (self.tables[0][user], self.tables[1][positive], negative[:, 0]))
        loss = ranking + self.options.l2 / 2 * squares / len(pair)
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()
        self.steps += 1
        return loss.item()

    def epoch(self, number):
        batch = self.options.batch
        place = draws.positions(self.lists.n, self.options.seed, number)
        order = np.argsort(place)
        return sum(self.step(number, order[at:at + batch]) for at in range(0, self.lists.n - batch + 1, batch))


def evaluate(rendering, targets):
    """Means of recall@20 and ndcg@20 over the users with test items: all items but the user's train items are ranked."""
    lists, n_users = rendering.lists, rendering.lists.n_users
    discount = 1 / np.log2(np.arange(HITS) + 2)
    with torch.no_grad():
        final = rendering.pool(rendering.hops(drops=False))
    recall = ndcg = 0.0
    for user, wanted in targets.items():
        scores = final[n_users:] @ final[user]
        scores[torch.from_numpy(lists.item[lists.offset[user]:lists.offset[user + 1]])] = -torch.inf
        hits = np.array([item in wanted for item in scores.topk(HITS).indices.tolist()])
        recall += hits.sum() / len(wanted)
        ndcg += discount[hits].sum() / discount[:len(wanted)].sum()
    return recall / len(targets), ndcg / len(targets)


def program_values(path, row, seed, part, name):
    """By epoch counted from 0, from `report --format curves`; losses are means over batches."""
    with open(path, encoding="utf-8", newline="") as lines:
        found = {int(r["epoch"]) - 1: float(r["value"]) for r in csv.DictReader(lines)
                 if (r["variant"], int(r["seed"]), r["part"], r["name"]) == (row, seed, part, name)}
    assert found, f"{path} has no {part} {name} of \"{row}\", seed {seed}"
    return found


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", required=True)
    parser.add_argument("--test", help="numbers ids as the program does; needed where some occur in test alone")
    parser.add_argument("--model", choices=["mf", "lightgcn", "ngcf"], default="lightgcn")
    parser.add_argument("--sampler", choices=["rns", "popularity", "dns", "ahns", "mixgcf", "dins"], default="rns")
    for name, kind, value in (("layers", int, 3), ("dim", int, 64), ("candidates", int, 32), ("batch", int, 2048),
                              ("epochs", int, 11), ("seed", int, 2020), ("learning-rate", float, 1e-3), ("l2", float, 1e-4),
                              ("exponent", float, 0.75), ("ahns-alpha", float, 1.0), ("ahns-beta", float, 0.1),
                              ("ahns-p", int, -2), ("dins-alpha", float, 0.5), ("dropout", float, 0.1), ("within", float, 1e-4)):
        parser.add_argument("--" + name, type=kind, default=value)
    parser.add_argument("--double", action="store_true", help="compute in float64; the program chooses by float32 scores")
    parser.add_argument("--evaluate", action="store_true", help="recall@20 and ndcg@20 on test too")
    parser.add_argument("--curves", help="output of `hnlmrec report DIR --format curves`")
    parser.add_argument("--row", help="row of the experiment, with --curves")
    return parser.parse_args()


def main():
    options = parse()
    lists, targets = load(options.train, options.test)
    rendering = Rendering(lists, options)
    n_batches = lists.n // options.batch
    program = {}
    if options.curves:
        program = program_values(options.curves, options.row, options.seed, "loss", "total")
        recalls = program_values(options.curves, options.row, options.seed, "valid", "recall@20")
    worst = 0.0
    for epoch in range(options.epochs):
        loss = rendering.epoch(epoch)
        line = f"epoch {epoch:3d}  loss {loss:.6f}"
        if epoch in program:
            off = n_batches * program[epoch] / loss - 1
            worst = max(worst, abs(off))
            line += f"  program {n_batches * program[epoch]:.6f}  off {off:+.1e}"
        if options.evaluate and epoch % 5 == 0:
            recall, ndcg = evaluate(rendering, targets)
            line += f"  recall@20 {recall:.6f} ndcg@20 {ndcg:.6f}"
            line += f"  program's recall {recalls[epoch]:.6f}" if program and epoch in recalls else ""
        print(line, flush=True)
    if program:
        print(f"largest distance {worst:.1e}, {'within' if worst <= options.within else 'NOT within'} {options.within:g}")
    return 0 if worst <= options.within else 1


if __name__ == "__main__":
    sys.exit(main())
