#include "shard.h"

/* floor(total * part / n_parts) without overflow of the product. */
static uint64_t share(uint64_t total, int part, int n_parts) {
    uint64_t parts = (uint64_t)n_parts, p = (uint64_t)part;
    return total / parts * p + total % parts * p / parts;
}

void hn_shard_by_weight(const uint64_t *offsets, uint64_t n_rows, int n_shards, uint64_t *begin) {
    uint64_t total = offsets[n_rows] - offsets[0] + n_rows;
    begin[0] = 0;
    for (int s = 1; s < n_shards; s++) {
        /* The first row at or past the target weight; the row before it may lie nearer. */
        uint64_t target = share(total, s, n_shards);
        uint64_t low = begin[s - 1], high = n_rows;
        while (low < high) {
            uint64_t middle = low + (high - low) / 2;
            if (offsets[middle] - offsets[0] + middle < target) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        if (low > begin[s - 1]) {
            uint64_t above = offsets[low] - offsets[0] + low - target;
            uint64_t below = target - (offsets[low - 1] - offsets[0] + low - 1);
            low -= below < above;
        }
        begin[s] = low;
    }
    begin[n_shards] = n_rows;
}

HnStatus hn_shard_of_rank(int n_shards, int n_ranks, int rank, int *first, int *last, HnError *err) {
    *first = *last = 0;
    if (n_ranks < 1 || rank < 0 || rank >= n_ranks) {
        return hn_fail(err, HN_INTERNAL, "rank %d of %d ranks owns no shard", rank, n_ranks);
    }
    if (n_ranks > n_shards) {
        return hn_fail(err, HN_CONFIG,
                       "%d trainer ranks share %d user shards, at least one each is needed: start fewer ranks, or set "
                       "more shards (and keep that number: it is part of the result)",
                       n_ranks, n_shards);
    }
    *first = (int)((int64_t)n_shards * rank / n_ranks);
    *last = (int)((int64_t)n_shards * (rank + 1) / n_ranks);
    return HN_OK;
}

void hn_shard_block(uint64_t n, int n_parts, int part, uint64_t *begin, uint64_t *end) {
    uint64_t parts = (uint64_t)n_parts, p = (uint64_t)part;
    uint64_t rest = n % parts;
    *begin = n / parts * p + (p < rest ? p : rest);
    *end = *begin + n / parts + (p < rest ? 1 : 0);
}
