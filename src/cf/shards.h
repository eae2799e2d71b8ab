/* Which users a rank owns. Users are cut into `train.virtual_shards` contiguous shards of about equal weight, by the
 * data set alone; a rank owns a contiguous block of shards. Sums that must not depend on the rank count are taken per
 * shard or per row, never per rank. */
#ifndef HN_CF_SHARDS_H
#define HN_CF_SHARDS_H

#include <stdint.h>

#include "base/error.h"
#include "comm.h"
#include "data/dataset.h"

typedef struct HnUserShards {
    int n_shards;
    uint64_t *begin; /* [n_shards + 1] first user of each shard */
    int first, last; /* this rank owns shards first .. last-1 */
    uint64_t user_begin, user_end;
    uint64_t n_users, n_items, n_pairs; /* of the whole data set */
    HnPairs train;                      /* pairs of this rank's users */
    uint64_t n_local_pairs;
    int32_t *pair_user; /* [n_local_pairs] local user of each pair */
} HnUserShards;

/* Local, apart from rank and size. More ranks than shards is an error that names the remedy. */
HnStatus hn_user_shards_create(const HnDataset *dataset, int64_t n_shards, const HnComm *comm, HnUserShards *shards,
                               HnError *err);
void hn_user_shards_free(HnUserShards *shards);

static inline uint64_t hn_user_shards_count(const HnUserShards *shards) {
    return shards->user_end - shards->user_begin;
}

#endif
