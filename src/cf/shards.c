#include "cf/shards.h"

#include "base/alloc.h"
#include "shard.h"

static HnStatus cut(const HnDataset *dataset, HnUserShards *shards, HnError *err) {
    shards->begin = hn_alloc((size_t)shards->n_shards + 1, sizeof *shards->begin, "shard bounds", err);
    if (shards->begin == NULL) {
        return HN_MEMORY;
    }
    uint64_t *offsets = NULL;
    HN_TRY(hn_dataset_offsets(dataset, HN_PART_TRAIN, &offsets, err));
    hn_shard_by_weight(offsets, shards->n_users, shards->n_shards, shards->begin);
    hn_free(offsets);
    return HN_OK;
}

static HnStatus name_users(HnUserShards *shards, HnError *err) {
    const uint64_t base = shards->train.offsets[0];
    shards->pair_user = hn_alloc(shards->n_local_pairs, sizeof *shards->pair_user, "users of pairs", err);
    for (uint64_t u = 0; shards->pair_user != NULL && u < hn_user_shards_count(shards); u++) {
        for (uint64_t p = shards->train.offsets[u]; p < shards->train.offsets[u + 1]; p++) {
            shards->pair_user[p - base] = (int32_t)u;
        }
    }
    return shards->pair_user == NULL ? HN_MEMORY : HN_OK;
}

HnStatus hn_user_shards_create(const HnDataset *dataset, int64_t n_shards, const HnComm *comm, HnUserShards *shards,
                               HnError *err) {
    int size = hn_comm_size(comm), rank = hn_comm_rank(comm);
    *shards = (HnUserShards){.n_shards = (int)n_shards,
                             .n_users = hn_dataset_users(dataset),
                             .n_items = hn_dataset_items(dataset),
                             .n_pairs = hn_dataset_count(dataset, HN_PART_TRAIN)};
    if (n_shards < size) {
        return hn_fail(err, HN_CONFIG,
                       "%d trainer ranks, but train.virtual_shards is %lld: set it to at least %d, or use fewer ranks",
                       size, (long long)n_shards, size);
    }
    if (shards->n_pairs == 0 || shards->n_users == 0 || shards->n_items == 0) {
        return hn_fail(err, HN_INPUT,
                       "the data set has no training pairs (%llu users, %llu items): loosen the filters of data.* or "
                       "raise the train share of data.split_ratio",
                       (unsigned long long)shards->n_users, (unsigned long long)shards->n_items);
    }
    HnStatus status = cut(dataset, shards, err);
    if (status == HN_OK) {
        status = hn_shard_of_rank(shards->n_shards, size, rank, &shards->first, &shards->last, err);
    }
    if (status == HN_OK) {
        shards->user_begin = shards->begin[shards->first];
        shards->user_end = shards->begin[shards->last];
        status = hn_dataset_pairs(dataset, HN_PART_TRAIN, shards->user_begin, shards->user_end, &shards->train, err);
    }
    if (status == HN_OK) {
        uint64_t n = hn_user_shards_count(shards);
        shards->n_local_pairs = shards->train.offsets[n] - shards->train.offsets[0];
        if (shards->n_local_pairs >= UINT32_MAX / 2) {
            status = hn_fail(err, HN_RANGE, "a rank would own %llu training pairs, more than 2^31: use more ranks",
                             (unsigned long long)shards->n_local_pairs);
        }
    }
    if (status == HN_OK) {
        status = name_users(shards, err);
    }
    if (status != HN_OK) {
        hn_user_shards_free(shards);
    }
    return status;
}

void hn_user_shards_free(HnUserShards *shards) {
    hn_free(shards->pair_user);
    hn_pairs_free(&shards->train);
    hn_free(shards->begin);
    *shards = (HnUserShards){0};
}
