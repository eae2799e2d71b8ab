/* The distinct rows of a batch, and which pairs touch each. Counting sorts throughout: lists come out ascending, and
 * pairs of a row in position order, so every later sum has one order whoever computes it. */
#include <string.h>

#include "cf/batch.h"

static void drop_pairs_without_negative(HnBatch *batch) {
    uint32_t kept = 0;
    for (uint32_t k = 0; k < batch->n; k++) {
        if (batch->negative[k] >= 0) {
            batch->local[kept] = batch->local[k];
            batch->position[kept] = batch->position[k];
            batch->user[kept] = batch->user[k];
            batch->positive[kept] = batch->positive[k];
            batch->negative[kept++] = batch->negative[k];
        }
    }
    batch->n_skipped = batch->n - kept;
    batch->n = kept;
}

/* Every rank fills its own positions; the sum is the whole batch. */
static HnStatus exchange_ids(HnBatch *batch, HnComm *comm, HnError *err) {
    memset(batch->ids, 0, 2 * batch->n_positions * sizeof *batch->ids);
    for (uint32_t k = 0; k < batch->n; k++) {
        batch->ids[2 * (uint64_t)batch->position[k]] = batch->positive[k] + 1;
        batch->ids[2 * (uint64_t)batch->position[k] + 1] = batch->negative[k] + 1;
    }
    return hn_comm_sum_i32(comm, batch->ids, 2 * batch->n_positions, err);
}

/* Marks what is touched, then walks the marks in order: ascending, and every mark is -1 again afterwards. */
static void index_items(HnBatch *batch) {
    uint64_t n_ids = 2 * batch->n_positions;
    int32_t low = INT32_MAX, high = -1;
    batch->n_used = 0;
    for (uint64_t k = 0; k < n_ids; k++) {
        int32_t item = batch->ids[k] - 1;
        if (item >= 0) {
            batch->item_mark[item]++; /* from -1: uses - 1 */
            low = item < low ? item : low;
            high = item > high ? item : high;
            batch->n_used += k & 1;
        }
    }
    batch->n_items = 0;
    for (int32_t item = low; item <= high; item++) {
        if (batch->item_mark[item] >= 0) {
            batch->items[batch->n_items] = item;
            batch->item_uses[batch->n_items] = batch->item_mark[item] + 1;
            batch->item_mark[item] = (int32_t)batch->n_items++;
        }
    }
    memset(batch->item_begin, 0, ((size_t)batch->n_items + 1) * sizeof *batch->item_begin);
    for (uint32_t k = 0; k < batch->n; k++) {
        batch->positive_row[k] = batch->item_mark[batch->positive[k]];
        batch->negative_row[k] = batch->item_mark[batch->negative[k]];
        batch->item_begin[batch->positive_row[k] + 1]++;
        batch->item_begin[batch->negative_row[k] + 1]++;
    }
    for (uint32_t i = 0; i < batch->n_items; i++) {
        batch->item_begin[i + 1] += batch->item_begin[i];
        batch->item_mark[batch->items[i]] = -1;
    }
}

static void group_items(HnBatch *batch) {
    /* item_begin serves as the cursor and is shifted back afterwards. */
    for (uint32_t k = 0; k < batch->n; k++) {
        batch->item_entries[batch->item_begin[batch->positive_row[k]]++] = 2 * k;
        batch->item_entries[batch->item_begin[batch->negative_row[k]]++] = 2 * k + 1;
    }
    for (uint32_t i = batch->n_items; i > 0; i--) {
        batch->item_begin[i] = batch->item_begin[i - 1];
    }
    batch->item_begin[0] = 0;
}

static void index_users(HnBatch *batch) {
    int32_t low = INT32_MAX, high = -1;
    for (uint32_t k = 0; k < batch->n; k++) {
        int32_t user = batch->user[k];
        batch->user_mark[user] = 0;
        low = user < low ? user : low;
        high = user > high ? user : high;
    }
    batch->n_users = 0;
    for (int32_t user = low; user <= high; user++) {
        if (batch->user_mark[user] >= 0) {
            batch->users[batch->n_users] = user;
            batch->user_mark[user] = (int32_t)batch->n_users++;
        }
    }
    memset(batch->user_begin, 0, ((size_t)batch->n_users + 1) * sizeof *batch->user_begin);
    for (uint32_t k = 0; k < batch->n; k++) {
        batch->user_row[k] = batch->user_mark[batch->user[k]];
        batch->user_begin[batch->user_row[k] + 1]++;
    }
    for (uint32_t u = 0; u < batch->n_users; u++) {
        batch->user_begin[u + 1] += batch->user_begin[u];
        batch->user_mark[batch->users[u]] = -1;
    }
    for (uint32_t k = 0; k < batch->n; k++) {
        batch->user_pairs[batch->user_begin[batch->user_row[k]]++] = k;
    }
    for (uint32_t u = batch->n_users; u > 0; u--) {
        batch->user_begin[u] = batch->user_begin[u - 1];
    }
    batch->user_begin[0] = 0;
}

HnStatus hn_batch_index(HnBatch *batch, HnComm *comm, HnError *err) {
    drop_pairs_without_negative(batch);
    HN_TRY(exchange_ids(batch, comm, err));
#pragma omp parallel sections if (batch->n > 256)
    {
#pragma omp section
        {
            index_items(batch);
            group_items(batch);
        }
#pragma omp section
        index_users(batch);
    }
    return HN_OK;
}
