#include "cf/batch.h"

#include <string.h>

#include "base/alloc.h"

/* One line an array: pointer, elements, bytes an element. The size table that creation, freeing and planning share. */
#define BATCH_ARRAYS(X)                                \
    X(local, c, sizeof(uint32_t))                      \
    X(position, c, sizeof(uint32_t))                   \
    X(user, c, sizeof(int32_t))                        \
    X(positive, c, sizeof(int32_t))                    \
    X(negative, draws *c, sizeof(int32_t))             \
    X(users, c, sizeof(int32_t))                       \
    X(items, i, sizeof(int32_t))                       \
    X(user_row, c, sizeof(int32_t))                    \
    X(positive_row, c, sizeof(int32_t))                \
    X(negative_row, draws *c, sizeof(int32_t))         \
    X(item_uses, i, sizeof(int32_t))                   \
    X(positive_uses, i, sizeof(int32_t))               \
    X(user_begin, c + 1, sizeof(uint32_t))             \
    X(user_pairs, c, sizeof(uint32_t))                 \
    X(item_begin, i + 1, sizeof(uint32_t))             \
    X(item_entries, (1 + draws) * c, sizeof(uint32_t)) \
    X(user_vectors, c, row)                            \
    X(d_user_vectors, c, row)                          \
    X(item_vectors, i, row)                            \
    X(d_item_vectors, i, row)                          \
    X(negative_vectors, negatives *c, row)             \
    X(d_user, c, row)                                  \
    X(d_positive, c, row)                              \
    X(d_negative, negatives *c, row)                   \
    X(ids, (1 + draws) * positions, sizeof(int32_t))   \
    X(user_mark, n_local_users, sizeof(int32_t))       \
    X(item_mark, n_items, sizeof(int32_t))

/* The same, where the sampler works by hop; of items, there or where L2 takes hops; and of users. */
#define HOP_ARRAYS(X)                      \
    X(d_positive_hops, c, hops)            \
    X(d_negative_hops, negatives *c, hops) \
    X(negative_ego, negatives *c, l2_row)
#define ITEM_HOP_ARRAYS(X)  \
    X(item_hops, i, of_row) \
    X(d_item_hops, i, of_row)
#define USER_HOP_ARRAYS(X)  \
    X(user_hops, c, of_row) \
    X(d_user_hops, c, of_row)
#define ALL_HOP_ARRAYS(X)                         \
    if (shape->hops > 0) {                        \
        HOP_ARRAYS(X)                             \
    }                                             \
    if (shape->hops > 0 || shape->row_hops > 0) { \
        ITEM_HOP_ARRAYS(X)                        \
    }                                             \
    if (shape->row_hops > 0) {                    \
        USER_HOP_ARRAYS(X)                        \
    }

/* Hop vectors of an item's row. */
static int hops_of_row(const HnBatchShape *shape) {
    return shape->hops > shape->row_hops ? shape->hops : shape->row_hops;
}

uint64_t hn_batch_most_items(const HnBatchShape *shape, uint64_t max_positions, uint64_t n_items) {
    const uint64_t named = (1 + (uint64_t)shape->draws) * max_positions;
    return named < n_items ? named : n_items;
}

uint64_t hn_batch_bytes(const HnBatchShape *shape, uint64_t capacity, uint64_t max_positions, uint64_t n_local_users,
                        uint64_t n_items) {
    uint64_t c = capacity, positions = max_positions, row = (uint64_t)shape->width * sizeof(float);
    uint64_t draws = (uint64_t)shape->draws, negatives = (uint64_t)shape->negatives,
             i = hn_batch_most_items(shape, positions, n_items), total = 0;
    uint64_t ego = (uint64_t)shape->dim * sizeof(float), hops = (uint64_t)shape->hops * ego;
    uint64_t of_row = (uint64_t)hops_of_row(shape) * ego, l2_row = (uint64_t)shape->l2_hops * ego;
#define BATCH_BYTES(name, count, bytes) total += (uint64_t)(count) * (uint64_t)(bytes);
    BATCH_ARRAYS(BATCH_BYTES)
    ALL_HOP_ARRAYS(BATCH_BYTES)
#undef BATCH_BYTES
    return total;
}

HnStatus hn_batch_create(const HnUserShards *shards, uint64_t max_positions, const HnBatchShape *shape, HnBatch *batch,
                         HnError *err) {
    uint64_t n_local_users = hn_user_shards_count(shards), n_items = shards->n_items, positions = max_positions;
    uint64_t c = shape->repeats || positions < shards->n_local_pairs ? positions : shards->n_local_pairs;
    uint64_t draws = (uint64_t)shape->draws, negatives = (uint64_t)shape->negatives,
             i = hn_batch_most_items(shape, positions, n_items);
    size_t row = (size_t)shape->width * sizeof(float), ego = (size_t)shape->dim * sizeof(float);
    size_t hops = (size_t)shape->hops * ego;
    size_t of_row = (size_t)hops_of_row(shape) * ego, l2_row = (size_t)shape->l2_hops * ego;
    *batch = (HnBatch){.dim = shape->dim,
                       .width = shape->width,
                       .hops = shape->hops,
                       .row_hops = shape->row_hops,
                       .l2_first = (size_t)shape->l2_hop * (size_t)shape->dim,
                       .l2_n = (size_t)shape->l2_hops * (size_t)shape->dim,
                       .negatives = shape->negatives,
                       .draws = shape->draws,
                       .draw_all = shape->draw_all,
                       .capacity = c,
                       .max_positions = positions,
                       .most_items = i,
                       .n_local_users = n_local_users,
                       .n_all_items = n_items};
    bool whole = true;
#define BATCH_ALLOC(name, count, bytes)                     \
    batch->name = hn_alloc((count), (bytes), "batch", err); \
    whole = whole && batch->name != NULL;
    BATCH_ARRAYS(BATCH_ALLOC)
    ALL_HOP_ARRAYS(BATCH_ALLOC)
#undef BATCH_ALLOC
    if (!whole) {
        hn_batch_free(batch);
        return HN_MEMORY;
    }
    memset(batch->user_mark, 0xff, n_local_users * sizeof *batch->user_mark);
    memset(batch->item_mark, 0xff, n_items * sizeof *batch->item_mark);
    return HN_OK;
}

void hn_batch_free(HnBatch *batch) {
#define BATCH_FREE(name, count, bytes) hn_free(batch->name);
    BATCH_ARRAYS(BATCH_FREE)
    HOP_ARRAYS(BATCH_FREE)
    ITEM_HOP_ARRAYS(BATCH_FREE)
    USER_HOP_ARRAYS(BATCH_FREE)
#undef BATCH_FREE
    *batch = (HnBatch){0};
}

static void set_pair(HnBatch *batch, const HnUserShards *shards, uint32_t k, uint32_t local, uint32_t position) {
    batch->local[k] = local;
    batch->position[k] = position;
    batch->user[k] = shards->pair_user[local];
    batch->positive[k] = shards->train.items[local];
    for (int d = 0; d < batch->draws; d++) {
        batch->negative[(size_t)k * (size_t)batch->draws + (size_t)d] = -1;
    }
}

void hn_batch_take(HnBatch *batch, const HnOrder *order, const HnUserShards *shards, uint32_t epoch, uint64_t step) {
    uint64_t begin = order->begin[step];
    batch->epoch = epoch;
    batch->first_position = step * order->batch;
    batch->repeats = order->unit != HN_EPOCH_EDGE;
    batch->n_positions = hn_order_batch_size(order, step);
    batch->n = (uint32_t)(order->begin[step + 1] - begin);
#pragma omp parallel for schedule(static) if (batch->n > 256)
    for (uint32_t k = 0; k < batch->n; k++) {
        set_pair(batch, shards, k, order->local[begin + k], order->position[begin + k]);
    }
}

HnStatus hn_batch_take_given(HnBatch *batch, const HnUserShards *shards, const uint64_t *pairs, uint64_t n,
                             HnError *err) {
    if (n > batch->max_positions) {
        return hn_fail(err, HN_RANGE, "a batch of %llu pairs where train.batch is %llu", (unsigned long long)n,
                       (unsigned long long)batch->max_positions);
    }
    uint64_t first = shards->train.offsets[0];
    batch->epoch = 0;
    batch->repeats = false;
    batch->n_positions = n;
    batch->n = 0;
    for (uint64_t position = 0; position < n; position++) {
        if (pairs[position] >= first && pairs[position] - first < shards->n_local_pairs) {
            if (batch->n == batch->capacity) {
                return hn_fail(err, HN_RANGE, "a given batch repeats pairs");
            }
            set_pair(batch, shards, batch->n++, (uint32_t)(pairs[position] - first), (uint32_t)position);
        }
    }
    return HN_OK;
}
