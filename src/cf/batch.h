/* One batch as a rank sees it: its own pairs, the distinct users and items they touch, and room for their vectors and
 * gradients. Items are those that ANY rank's pairs touch, in ascending order, the same list on every rank.
 */
#ifndef HN_CF_BATCH_H
#define HN_CF_BATCH_H

#include <stdint.h>

#include "base/error.h"
#include "cf/order.h"
#include "cf/shards.h"
#include "comm.h"

/* Widths of what a batch holds: hn_batch_shape (sampler.h). */
typedef struct HnBatchShape {
    int dim, width;      /* of a table's row, of a final vector */
    int hops;            /* hop vectors of an item, where the sampler works by hop; else 0 */
    int row_hops;        /* hop vectors of a user and an item, where L2 takes others than the first; else 0 */
    int l2_hop, l2_hops; /* the first that L2 takes, and their number */
    int negatives;       /* that a pair is compared with */
    int draws;           /* items drawn for a pair: one for each negative, or one for each of its hops */
    bool repeats;        /* a batch may hold a pair more than once */
    bool draw_all;       /* draws may be items that the user took */
} HnBatchShape;

typedef struct HnBatch {
    int dim, width, hops, row_hops, negatives, draws; /* its shape; K negatives below */
    size_t l2_first, l2_n; /* elements of a row of hops that L2 takes: layer 0's unless train.reg_rows says others */
    uint64_t capacity;     /* pairs that fit: this rank's share of a batch can be all of it */
    uint64_t max_positions;
    uint64_t most_items; /* that it can touch */
    uint64_t step;       /* optimiser steps done before this one */
    uint32_t epoch;
    bool repeats;            /* pairs can stand in it, or in an epoch, more than once */
    bool draw_all;           /* as in the shape */
    uint64_t first_position; /* in its epoch */
    uint64_t n_positions;    /* pairs of the batch over all ranks */
    uint64_t n_used;         /* of these, pairs that have a negative: what means are taken over */
    uint64_t n_skipped;      /* pairs of THIS rank without a negative (a user who took every item) */

    uint32_t n;         /* this rank's pairs, in position order */
    uint32_t *local;    /* [n] train pair number - first pair of this rank */
    uint32_t *position; /* [n] */
    int32_t *user;      /* [n] local user row */
    int32_t *positive;  /* [n] item */
    int32_t *negative;  /* [n][draws] item; -1 = none */

    uint32_t n_users, n_items;
    int32_t *users;         /* [n_users] local user rows, ascending */
    int32_t *items;         /* [n_items] ascending */
    int32_t *user_row;      /* [n] place in users */
    int32_t *positive_row;  /* [n] place in items */
    int32_t *negative_row;  /* [n][draws] */
    int32_t *positive_uses; /* [n_items] of these, positives */
    int32_t *item_uses;   /* [n_items] layer-0 rows that L2 counts over all ranks: positives, negatives unless by hop */
    uint32_t *user_begin; /* [n_users + 1] */
    uint32_t *user_pairs; /* [n] pairs of each user, in position order */
    uint32_t *item_begin; /* [n_items + 1] */
    uint32_t *item_entries; /* [(1 + draws) n] (1 + draws) * pair + (0 as positive, 1 + d as draw d), in order */

    float *user_vectors, *d_user_vectors; /* [n_users][width] final vectors of the batch's users; gradient */
    float *item_vectors, *d_item_vectors; /* [n_items][width] */
    float *negative_vectors;              /* [n][K][width] the negatives each pair is compared with */
    float *d_user, *d_positive;           /* [n][width] gradient of each pair's loss */
    float *d_negative;                    /* [n][K][width] */

    /* Where the sampler works by hop; else NULL. Draw k * hops + l of a pair is the item whose hop l negative k uses.
     */
    float *item_hops, *d_item_hops; /* [n_items][hops][dim] vectors after 0, 1 .. layers; gradient beside that of
                                     * item_vectors */
    const float *all_item_hops;     /* [n_items of the data set][hops][dim], in place of item_hops; or NULL */
    float *d_positive_hops;         /* [n][hops][dim] gradient of each pair's loss by the positive's hops */
    float *d_negative_hops;         /* [n][K][hops][dim] and by the hops of the drawn items */
    float *negative_ego;            /* [n][K][l2_n] what L2 takes of the negative's hops, as mixed; its gradient is the
                                     * sampler's business */
    float negative_l2;              /* weight of negative_ego in its own gradient */

    float *user_hops, *d_user_hops; /* [n_users][row_hops][dim] likewise, with row_hops; else NULL. Then there are
                                     * item_hops and d_item_hops too, whatever the sampler. */

    int32_t *ids;       /* [max_positions][1 + draws] positive + 1 and negatives + 1 of every position */
    int32_t *user_mark; /* [n local users] */
    int32_t *item_mark; /* [n_items of the data set] */
    uint64_t n_local_users, n_all_items;
} HnBatch;

HnStatus hn_batch_create(const HnUserShards *shards, uint64_t max_positions, const HnBatchShape *shape, HnBatch *batch,
                         HnError *err);
void hn_batch_free(HnBatch *batch);
uint64_t hn_batch_bytes(const HnBatchShape *shape, uint64_t capacity, uint64_t max_positions, uint64_t n_local_users,
                        uint64_t n_items);
/* Most items that a batch touches: what blocks over its items are made for. */
uint64_t hn_batch_most_items(const HnBatchShape *shape, uint64_t max_positions, uint64_t n_items);

/* What the randomness of pair k in its epoch goes by: the pair's number, or its place where pairs repeat. first_pair:
 * of this rank. */
static inline uint64_t hn_batch_draw_key(const HnBatch *batch, uint64_t first_pair, uint32_t k) {
    return batch->repeats ? batch->first_position + batch->position[k] : first_pair + batch->local[k];
}

/* This rank's pairs of batch `step` of the epoch that order was started for. */
void hn_batch_take(HnBatch *batch, const HnOrder *order, const HnUserShards *shards, uint32_t epoch, uint64_t step);
/* A batch given from outside (tests, benches): n train pair numbers over all ranks; this rank keeps its own. */
HnStatus hn_batch_take_given(HnBatch *batch, const HnUserShards *shards, const uint64_t *pairs, uint64_t n,
                             HnError *err);
/* The distinct users of this rank's pairs, before any pair is dropped; hn_batch_index finds them again. Local. */
void hn_batch_index_users(HnBatch *batch);
/* After the negatives are drawn: drops pairs without one, exchanges item ids, and finds the distinct rows. Collective.
 */
HnStatus hn_batch_index(HnBatch *batch, HnComm *comm, HnError *err);

#endif
