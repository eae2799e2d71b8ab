/* Which training pairs an epoch takes, in which order: a function of (seed, epoch), evaluated point by point. Every
 * rank asks where its own pairs fall; nothing depends on which rank asks. */
#ifndef HN_CF_ORDER_H
#define HN_CF_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "cf/shards.h"
#include "config/experiment.h"

/* An epoch's positions, by train.epoch_unit. edge: one permutation of all pairs; user (LightGCN-PyTorch): every user
 * has the same number of slots, as many as users have pairs on average (at least one), shuffled, and each holds a
 * uniform one of the user's pairs; user_uniform (SGL-Torch): each of as many positions as there are pairs holds a
 * uniform user and a uniform one of its pairs; distinct_users (NGCF's authors): pairs / batch + 1 batches, each of as
 * many distinct users, uniform, and a uniform one of each one's pairs. But for edge, pairs repeat, and a position whose
 * user has no pair stays empty. */
typedef struct HnOrder {
    HnEpochUnit unit;
    const HnUserShards *shards; /* borrowed */
    uint64_t n_positions;       /* of an epoch, over all ranks */
    uint64_t per_user;          /* slots of a user; unit user only */
    uint64_t room;              /* most positions that can fall to this rank */
    uint64_t batch, n_batches;  /* positions a batch; batches an epoch */
    uint64_t *begin; /* [n_batches + 2] where each batch's entries start in the two lists below; the last is scratch */
    uint32_t *local; /* [room] pair - first pair of this rank, by batch, by position */
    uint32_t *position;  /* [room] position within the batch */
    uint32_t *scratch;   /* [n_threads][batch] */
    uint64_t *place;     /* [room] batch << 32 | position within it of each slot */
    uint32_t *slot_pair; /* [room] local pair of each slot, or none; NULL for unit edge, whose slots are pairs */
    int n_threads;       /* that scratch is for */
} HnOrder;

/* Positions of an epoch. */
uint64_t hn_order_positions(HnEpochUnit unit, uint64_t batch, uint64_t n_pairs, uint64_t n_users);
/* Most that can fall to a rank with so many users and pairs; a rank that draws users may draw its own
 * each time. */
uint64_t hn_order_room(HnEpochUnit unit, uint64_t batch, uint64_t n_pairs, uint64_t n_users, uint64_t n_local_pairs,
                       uint64_t n_local_users);
uint64_t hn_order_bytes(HnEpochUnit unit, uint64_t room, uint64_t batch, uint64_t n_batches);
/* The last, smaller batch is kept unless drop_last. Local. */
HnStatus hn_order_create(const HnUserShards *shards, HnEpochUnit unit, uint64_t batch, bool drop_last, HnOrder *order,
                         HnError *err);
void hn_order_free(HnOrder *order);
void hn_order_start_epoch(HnOrder *order, uint64_t seed, uint32_t epoch);
/* Positions of batch `step` over all ranks. */
uint64_t hn_order_batch_size(const HnOrder *order, uint64_t step);

#endif
