"""What the peers share: a graph read from LightGCN lists, its product with a symmetric backward, vectorised sampling, timing."""
import statistics
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F


def read_lists(path):
    users, items = [], []
    with open(path, encoding="ascii") as lines:
        for line in lines:
            numbers = np.array(line.split(), dtype=np.int64)
            users.append(np.full(len(numbers) - 1, numbers[0]))
            items.append(numbers[1:])
    return torch.from_numpy(np.concatenate(users)), torch.from_numpy(np.concatenate(items))


class Graph:
    """Pairs, counts, and the normalised adjacency D^-1/2 A D^-1/2 as float32 CSR."""

    def __init__(self, path):
        self.user, self.item = read_lists(path)
        self.n_users, self.n_items = int(self.user.max()) + 1, int(self.item.max()) + 1
        self.adjacency = self.normalised(self.user, self.item)
        self.keys = torch.sort(self.user * self.n_items + self.item).values

    def normalised(self, user, item):
        n = self.n_users + self.n_items
        row, column = torch.cat([user, item + self.n_users]), torch.cat([item + self.n_users, user])
        degree = torch.bincount(row, minlength=n).clamp(min=1).float()
        value = degree[row].rsqrt() * degree[column].rsqrt()
        return torch.sparse_coo_tensor(torch.stack([row, column]), value, (n, n)).coalesce().to_sparse_csr()

    def without(self, share):
        """The adjacency without that share of the pairs, normalised by its own degrees."""
        kept = torch.randperm(len(self.user))[:int(len(self.user) * (1 - share))]
        return self.normalised(self.user[kept], self.item[kept])

    def taken(self, user, item):
        key = user * self.n_items + item
        place = torch.searchsorted(self.keys, key).clamp(max=len(self.keys) - 1)
        return self.keys[place] == key

    def draw_negatives(self, user):
        """Uniform items, redrawn where the user has them."""
        negative = torch.randint(self.n_items, user.shape)
        wrong = torch.nonzero(self.taken(user, negative)).flatten()
        while len(wrong):
            negative[wrong] = torch.randint(self.n_items, wrong.shape)
            wrong = wrong[self.taken(user[wrong], negative[wrong])]
        return negative


class Propagate(torch.autograd.Function):
    """The adjacency is symmetric, so the backward pass is the same product."""

    @staticmethod
    def forward(ctx, adjacency, x):
        ctx.adjacency = adjacency
        return adjacency @ x

    @staticmethod
    def backward(ctx, gradient):
        return None, ctx.adjacency @ gradient.contiguous()


def lightgcn_layers(adjacency, ego, layers):
    outputs = [ego]
    for _ in range(layers):
        outputs.append(Propagate.apply(adjacency, outputs[-1]))
    return outputs


def lightgcn(adjacency, ego, layers):
    layer = total = ego
    for _ in range(layers):
        layer = Propagate.apply(adjacency, layer)
        total = total + layer
    return total / (layers + 1)


def dgcf(graph, ego, factors=4, turns=2):
    """One layer of routing over the directed edges."""
    n = graph.n_users + graph.n_items
    head = torch.cat([graph.user, graph.item + graph.n_users])
    tail = torch.cat([graph.item + graph.n_users, graph.user])
    logits = torch.ones(len(head), factors)
    chunks = ego.reshape(n, factors, -1)
    bent = torch.tanh(F.normalize(chunks, dim=-1))
    for turn in range(turns):
        share = torch.softmax(logits, 1)
        root = torch.zeros(n, factors).index_add(0, head, share).clamp(min=1e-8).rsqrt()
        message = (share * root[head] * root[tail])[:, :, None] * chunks[tail]
        z = torch.zeros_like(chunks).index_add(0, head, message)
        if turn + 1 < turns:
            logits = logits + (F.normalize(z, dim=-1)[head] * bent[tail]).sum(2)
    return (ego + z.reshape(n, -1)) / 2


def correlation(rows, factors=4):
    """Distance correlation of neighbouring factors."""
    def centred(x):
        square = (x * x).sum(1)
        d = (square[:, None] - 2 * x @ x.T + square[None, :]).clamp(min=0).add(1e-8).sqrt()
        return d - d.mean(0, keepdim=True) - d.mean(1, keepdim=True) + d.mean()

    def covariance(a, b):
        return ((a * b).sum() / len(a) ** 2).clamp(min=0).add(1e-8).sqrt()

    m = [centred(x) for x in rows.reshape(len(rows), factors, -1).unbind(1)]
    total = sum(covariance(a, b) / ((covariance(a, a) * covariance(b, b)).sqrt() + 1e-10) for a, b in zip(m, m[1:]))
    return total / (factors * (factors + 1) / 2)


def median_ms(work, least=10, seconds=5.0):
    for _ in range(3):
        work()
    times, start = [], time.perf_counter()
    while len(times) < least or time.perf_counter() - start < seconds:
        before = time.perf_counter()
        work()
        times.append(time.perf_counter() - before)
        if time.perf_counter() - start > 60:
            break
    return 1e3 * statistics.median(times)


def add_arguments(parser):
    parser.add_argument("graph")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--turns", action="store_true", help="work half a second for every line of standard input, and answer with the times")


def report(work, args, steps=1):
    """Milliseconds of a step of work(), which does `steps`: their median, or in turns with who asks (tests/bench/peer.c)."""
    if not args.turns:
        print(f"{median_ms(work, seconds=args.seconds) / steps:.4f}")
        return
    for _ in range(3):
        work()
    for _ in sys.stdin:
        times, start = [], time.perf_counter()
        while not times or time.perf_counter() - start < 0.5:
            before = time.perf_counter()
            work()
            times.append(1e3 * (time.perf_counter() - before) / steps)
        print(*(f"{ms:.4f}" for ms in times), flush=True)
