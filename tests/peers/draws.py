"""What the project draws at random, computed again in numpy from the same definitions (src/base/rng.h, permutation.c, cf/order.c,
cf/table.c, the samplers): so that a rendering gets the same initial values, batches, candidates and coefficients without a word from
the program. Everything works on whole arrays."""
import numpy as np

INIT_USER, INIT_ITEM, INIT_LAYER, SHUFFLE, NEGATIVE, DROPOUT, EPOCH_PAIR, EPOCH_USER, MIX = 1, 2, 3, 4, 5, 10, 30, 31, 40
U32, U64 = np.uint32, np.uint64
MASK = 0xFFFFFFFFFFFFFFFF
STEP = 0x9E3779B97F4A7C15


def mix64(word):
    word = (word + STEP) & MASK
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & MASK
    return word ^ (word >> 31)


def multiply(a, b):
    """High and low halves of the product of 32-bit words."""
    product = U64(a) * b.astype(U64)
    return (product >> U64(32)).astype(U32), product.astype(U32)


def philox4(key, counter):
    """Philox4x32-10 (Salmon et al., 2011): counter [4][n] to words [4][n]."""
    c0, c1, c2, c3 = (np.asarray(c, dtype=U32) for c in counter)
    k0, k1 = key
    for _ in range(10):
        high0, low0 = multiply(0xD2511F53, c0)
        high1, low1 = multiply(0xCD9E8D57, c2)
        c0, c1, c2, c3 = high1 ^ c1 ^ U32(k0), low1, high0 ^ c3 ^ U32(k1), low0
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3])


def words(seed, stream, a, b, block):
    """Block number `block` of the sequences (seed, stream, a, b): words [4][n]; a, b, block are numbers or arrays."""
    key = mix64((mix64(seed) + stream * STEP) & MASK)
    a, b, block = np.broadcast_arrays(np.asarray(a, U64), np.asarray(b, U64), np.asarray(block, U64))
    counter = (block.astype(U32), a.astype(U32), b.astype(U32), (b >> U64(32)).astype(U32))
    return philox4((key & 0xFFFFFFFF, key >> 32), counter)


class Sequence:
    """hn_rng_start(seed, stream, a, b), one draw after the other."""

    def __init__(self, seed, stream, a, b):
        self.which, self.block, self.left = (seed, stream, a, b), 0, []

    def u32(self):
        if not self.left:
            self.left = [int(w) for w in words(*self.which, self.block)]
            self.block += 1
        return self.left.pop(0)

    def below(self, bound):
        while True:
            product = self.u32() * bound
            if product % 2**32 >= 2**32 % bound:
                return product >> 32

    def below64(self, bound):
        while True:
            word = self.u32() | self.u32() << 32
            if word >= 2**64 % bound:
                return word % bound

    def real(self):
        return (self.u32() >> 8) * 2.0**-24


def u64(low, high):
    return low.astype(U64) | high.astype(U64) << U64(32)


def below64(word, bound):
    """hn_rng_below64, whose few rejected words (bound in 2^64) do not occur here."""
    bound = np.asarray(bound, U64)
    assert np.all(word >= (U64(0) - bound) % bound), "a word that the program throws back"
    return word % bound


def to_float(word):
    return (word >> U32(8)).astype(np.float32) * np.float32(2.0 ** -24)


def to_double(low, high):
    return (u64(low, high) >> U64(11)).astype(np.float64) * 2.0 ** -53


def xavier(seed, stream, n_rows, dim):
    """hn_table_init: uniform on +-sqrt(6 / (rows + dim)), four columns a block."""
    rows, blocks = np.meshgrid(np.arange(n_rows), np.arange((dim + 3) // 4), indexing="ij")
    draw = to_float(words(seed, stream, rows, blocks, 0)).astype(np.float64)  # [4][n_rows][blocks]
    size = np.sqrt(6.0 / (n_rows + dim))
    values = (size * (2.0 * draw - 1.0)).astype(np.float32)
    return values.transpose(1, 2, 0).reshape(n_rows, -1)[:, :dim].copy()


def layer_weights(seed, matrix, rows, columns):
    """hn_table_init_layer with xavier's bound: a dense layer's matrix (NGCF's W, and b as one row)."""
    draw = to_float(words(seed, INIT_LAYER, matrix, np.arange((rows * columns + 3) // 4), 0)).astype(np.float64)
    bound = np.sqrt(6.0 / (rows + columns))
    return (bound * (2.0 * draw - 1.0)).astype(np.float32).T.reshape(-1)[: rows * columns].reshape(rows, columns).copy()


def kept(seed, step, part, n_rows, dim, dropout):
    """kernels/keep.h: 1 / (1 - p) where an element is kept, else 0; p in multiples of 2^-16."""
    threshold = round(dropout * 65536)
    nodes, blocks = np.meshgrid(np.arange(n_rows), np.arange((dim + 7) // 8), indexing="ij")
    w = words(seed, DROPOUT, step, part * 2**32 + nodes, blocks)
    bits = np.stack([w & U32(0xFFFF), w >> U32(16)], axis=1).reshape(8, n_rows, -1)  # word by word, low half first
    return (bits.transpose(1, 2, 0).reshape(n_rows, -1)[:, :dim] >= threshold) * (65536 / (65536 - threshold))


def philox2(key, half, round_key):
    """Philox2x32-7, first word."""
    c0, c1, k = half.astype(U32), np.full(half.shape, round_key & 0xFFFFFFFF, U32), key
    for _ in range(7):
        high, low = multiply(0xD256D193, c0)
        c0, c1 = high ^ U32(k) ^ c1, low
        k = (k + 0x9E3779B9) & 0xFFFFFFFF
    return c0


def permuted(n, seed, stream, a, inverse):
    """hn_permute, or hn_permute_inverse, of 0 .. n-1."""
    key = mix64(mix64((mix64(seed) + stream * STEP) & MASK) ^ a)
    key0, key1 = key & 0xFFFFFFFF, key >> 32
    bits = 1
    while bits < 32 and n > 1 << (2 * bits):
        bits += 1
    mask = U32((1 << bits) - 1)
    value = np.arange(n, dtype=U64)
    walking = np.ones(n, dtype=bool)
    while walking.any():
        left, right = (value[walking] >> U64(bits)).astype(U32) & mask, value[walking].astype(U32) & mask
        for step in range(8):
            if inverse:
                left, right = right ^ (philox2(key0, left, key1 + 7 - step) & mask), left
            else:
                left, right = right, left ^ (philox2(key0, right, key1 + step) & mask)
        value[walking] = left.astype(U64) << U64(bits) | right.astype(U64)
        walking = value >= n
    return value.astype(np.int64)


def positions(n, seed, epoch):
    """Where each of n pairs stands in the epoch."""
    return permuted(n, seed, SHUFFLE, epoch, True)


class Lists:
    """Pairs by user, items ascending, numbered as the program numbers them."""

    def __init__(self, pairs, n_users, n_items):
        order = np.lexsort((pairs[:, 1], pairs[:, 0]))
        self.user, self.item = pairs[order, 0], pairs[order, 1]
        self.n_users, self.n_items, self.n = n_users, n_items, len(pairs)
        self.count = np.bincount(self.user, minlength=n_users)
        self.offset = np.concatenate([[0], np.cumsum(self.count)])
        place = np.arange(self.n) - self.offset[self.user]
        self.gap = self.user * (n_items + 1) + self.item - place  # items outside the list that lie below each of its own
        self.key = self.user * n_items + self.item

    def outside(self, user, rank):
        """hn_sample_next: the item that has `rank` others outside the user's list below it."""
        below = np.searchsorted(self.gap, user * (self.n_items + 1) + rank, side="right") - self.offset[user]
        return rank + below

    def has(self, user, item):
        key = user * self.n_items + item
        place = np.minimum(np.searchsorted(self.key, key), self.n - 1)
        return self.key[place] == key

    def candidates(self, seed, epoch, pair, n):
        """n uniform draws outside the list for each pair: [pairs][n]."""
        user = self.user[pair]
        free = self.n_items - self.count[user]
        assert free.min() > 0, "a user who took every item: the program skips its pairs"
        columns = []
        for block in range((n + 1) // 2):
            w = words(seed, NEGATIVE, epoch, pair, block)
            for half in range(2):
                columns.append(self.outside(user, below64(u64(w[2 * half], w[2 * half + 1]), free).astype(np.int64)))
        return np.stack(columns[:n], axis=1)


def distinct_users(lists, seed, epoch, size):
    """Batches of train.epoch_unit distinct_users, as NGCF's authors make them: pairs / size + 1 of them, each of `size` users of all, no
    two alike, and a uniform one of each one's pairs; a user who has none leaves its place empty. For each batch a list of (place in the
    epoch, pair)."""
    n_batches = lists.n // size + 1
    for t in range(n_batches):
        users = permuted(lists.n_users, seed, EPOCH_USER, epoch * n_batches + t, False)[:size].tolist()
        yield [(t * size + i, int(lists.offset[user]) + Sequence(seed, EPOCH_PAIR, epoch, t * size + i).below64(int(lists.count[user])))
               for i, user in enumerate(users) if lists.count[user] > 0]


class Popularity:
    """samplers/popularity.c: an alias table in the program's order, and its draws with rejection."""

    def __init__(self, lists, exponent, weight="power"):
        self.lists = lists
        degree = np.bincount(lists.item, minlength=lists.n_items).astype(np.float64)
        weight = np.log(degree + 1.0) if weight == "log" else degree**exponent
        n = len(weight)
        total = 0.0
        for w in weight.tolist():  # in order, as the program adds
            total += w
        self.keep, self.alias = (weight * n / total).tolist(), list(range(n))
        small = [i for i in range(n) if self.keep[i] < 1.0]
        large = [i for i in range(n) if self.keep[i] >= 1.0]
        while small and large:
            poor, rich = small.pop(), large[-1]
            self.alias[poor] = rich
            self.keep[rich] -= 1.0 - self.keep[poor]
            if self.keep[rich] < 1.0:
                small.append(large.pop())
        for i in small:
            self.keep[i] = 1.0
        self.keep, self.alias = np.array(self.keep), np.array(self.alias)

    def draw(self, seed, epoch, pair):
        user, negative = self.lists.user[pair], np.full(len(pair), -1)
        for attempt in range(64):
            todo = np.flatnonzero(negative < 0)
            if len(todo) == 0:
                return negative
            w = words(seed, NEGATIVE, epoch, pair[todo], attempt)
            column = below64(u64(w[0], w[1]), self.lists.n_items).astype(np.int64)
            item = np.where(to_double(w[2], w[3]) < self.keep[column], column, self.alias[column])
            good = ~self.lists.has(user[todo], item)
            negative[todo[good]] = item[good]
        raise AssertionError("a user for whom 64 draws fail: the program goes through what is left")


def mix_coefficients(seed, epoch, pair, hops):
    """MixGCF's a of each pair and hop: [pairs][hops]."""
    blocks = [to_float(words(seed, MIX, epoch, pair, block)) for block in range((hops + 3) // 4)]
    return np.concatenate(blocks)[:hops].T
