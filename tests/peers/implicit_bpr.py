#!/usr/bin/env python3
"""MF trained by `implicit` (BPR by lock-free SGD): prints a line "SETTING SECONDS NDCG" after every third epoch, where NDCG@20 is that
of the test lists with the train items masked, and seconds are those of training alone. SETTING numbers the settings tried: 0, 1, ..."""
import argparse
import time

import numpy as np
import scipy.sparse as sparse
import torch
from implicit.cpu.bpr import BayesianPersonalizedRanking

from peer import read_lists

K, EVERY = 20, 3
SETTINGS = [(0.05, 1e-4), (0.1, 1e-4)]  # learning rate, L2: the best on phone of seven tried


def matrix(path, shape=None):
    user, item = (ids.numpy() for ids in read_lists(path))
    return sparse.csr_matrix((np.ones(len(user), np.float32), (user, item)), shape=shape)


def ndcg(users, items, train, test):
    """Mean over the users with test items."""
    gain = 1 / np.log2(np.arange(K) + 2)
    best, total = np.cumsum(gain), 0.0
    tested = np.flatnonzero(np.diff(test.indptr))
    for block in np.array_split(tested, len(tested) // 512 + 1):
        scores = torch.from_numpy(users[block]) @ torch.from_numpy(items).T
        scores[train[block].nonzero()] = float("-inf")
        top = scores.topk(K, dim=1).indices.numpy()
        wanted = test[block].toarray()
        hits = np.take_along_axis(wanted, top, 1)
        total += ((hits * gain).sum(1) / best[np.minimum(wanted.sum(1), K).astype(int) - 1]).sum()
    return total / len(tested)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("train")
    parser.add_argument("test")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    train, test = matrix(args.train), matrix(args.test)
    shape = np.maximum(train.shape, test.shape)
    train, test = matrix(args.train, shape), matrix(args.test, shape)
    for setting, (rate, l2) in enumerate(SETTINGS):
        model = BayesianPersonalizedRanking(factors=64, learning_rate=rate, regularization=l2, iterations=args.epochs,
                                            num_threads=args.threads, verify_negative_samples=True, random_state=1)
        clock = {"spent": 0.0, "since": time.perf_counter()}

        def tell(epoch, *_):
            if epoch % EVERY:
                return
            clock["spent"] += time.perf_counter() - clock["since"]
            print(setting, clock["spent"], ndcg(model.user_factors, model.item_factors, train, test), flush=True)
            clock["since"] = time.perf_counter()

        model.fit(train, show_progress=False, callback=tell)


if __name__ == "__main__":
    main()
