/* What the fast rankings share: the task, tiles of scores, and the k best of a stream of candidates. */
#ifndef HN_KERNEL_RANK_PRIVATE_H
#define HN_KERNEL_RANK_PRIVATE_H

#include <stdint.h>

#include "base/error.h"

/* The arguments of hn_rank_cpu. */
typedef struct HnRankTask {
    const float *users, *items; /* [n_users][dim], [n_items][dim] */
    uint64_t n_users, n_items;
    int dim, k;
    const uint64_t *mask_offsets; /* [n_users + 1] */
    const int32_t *mask_items;
    int32_t *top;  /* [n_users][k] */
    float *scores; /* [n_users][k], or NULL */
} HnRankTask;

/* Every score as a chain in floats: any values, any path. */
HnStatus hn_rank_floats(const HnRankTask *task, HnError *err);

/* A tile: the scores of a few users for one panel of items, and which of them are above their user's threshold.
 * users [dim][tile.users] and items [dim][tile.items] are packed; scores [tile.users][tile.items]; bit j of passing[u]:
 * "not scores[u][j] <= threshold[u]", hence true where either is NaN. */
typedef struct HnRankTile {
    int users, items; /* items <= 32 */
    void (*score)(const float *users, const float *items, int dim, const float *threshold, float *scores,
                  uint32_t *passing);
} HnRankTile;

enum { HN_RANK_TILE_USERS = 12, HN_RANK_TILE_ITEMS = 32 }; /* the largest of any path */

HnRankTile hn_rank_tile(void); /* for the current hn_cpu_path */

/* The best of one user so far. A key orders as its candidate does: score first, then lower item number; so the k best
 * are the k largest. keys has room for more than k; when it is full the rest is thrown away and the threshold rises. */
typedef struct HnRankBest {
    uint64_t *keys; /* [capacity], borrowed */
    int count, capacity, k;
} HnRankBest;

/* Adds a candidate (score not NaN). Returns the new threshold to apply: NaN until k candidates were seen. */
float hn_rank_best_add(HnRankBest *best, float score, int32_t item, float threshold);
/* Throws all but the k best away. Returns the score of the last of them, NaN where fewer are there. */
float hn_rank_best_cut(HnRankBest *best);
/* Writes the k best in order, then -1 (and score 0) up to width. scores may be NULL. */
void hn_rank_best_finish(HnRankBest *best, int width, int32_t *top, float *scores);

#endif
