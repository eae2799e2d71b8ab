/* The distinct rows of a batch, and which pairs touch each. Counting sorts throughout: lists come out ascending, and
 * pairs of a row in position order, so every later sum has one order whoever computes it. */
#include <string.h>

#include "cf/batch.h"

static void drop_pairs_without_negative(HnBatch *batch) {
    const size_t draws = (size_t)batch->draws;
    uint32_t kept = 0;
    while (kept < batch->n && batch->negative[kept * draws] >= 0) {
        kept++;
    }
    for (uint32_t k = kept; k < batch->n; k++) {
        if (batch->negative[k * draws] >= 0) {
            batch->local[kept] = batch->local[k];
            batch->position[kept] = batch->position[k];
            batch->user[kept] = batch->user[k];
            batch->positive[kept] = batch->positive[k];
            for (size_t d = 0; d < draws; d++) {
                batch->negative[kept * draws + d] = batch->negative[k * draws + d];
            }
            kept++;
        }
    }
    batch->n_skipped = batch->n - kept;
    batch->n = kept;
}

/* Every rank fills its own positions; the sum is the whole batch. */
static HnStatus exchange_ids(HnBatch *batch, HnComm *comm, HnError *err) {
    const size_t draws = (size_t)batch->draws;
    memset(batch->ids, 0, (1 + draws) * batch->n_positions * sizeof *batch->ids);
    for (uint32_t k = 0; k < batch->n; k++) {
        int32_t *ids = batch->ids + (1 + draws) * batch->position[k];
        ids[0] = batch->positive[k] + 1;
        for (size_t d = 0; d < draws; d++) {
            ids[1 + d] = batch->negative[k * draws + d] + 1;
        }
    }
    return hn_comm_sum_i32(comm, batch->ids, (1 + draws) * batch->n_positions, err);
}

/* Marks what is touched with its uses, -1 = not touched. */
static void mark_items(HnBatch *batch, int32_t *low, int32_t *high) {
    const int stride = 1 + batch->draws;
    batch->n_used = 0;
    for (uint64_t p = 0; p < batch->n_positions; p++) {
        const int32_t *ids = batch->ids + p * (uint64_t)stride;
        for (int j = 0; j < stride && ids[j] > 0; j++) {
            const int32_t item = ids[j] - 1, mark = batch->item_mark[item];
            batch->item_mark[item] = (mark < 0 ? 0 : mark) + (j == 0 || batch->hops == 0);
            *low = item < *low ? item : *low;
            *high = item > *high ? item : *high;
        }
        batch->n_used += ids[0] > 0;
    }
}

/* Of the uses, those as positives; marks are places by now. */
static void count_positives(HnBatch *batch) {
    const uint64_t stride = 1 + (uint64_t)batch->draws;
    memset(batch->positive_uses, 0, batch->n_items * sizeof *batch->positive_uses);
    for (uint64_t p = 0; p < batch->n_positions; p++) {
        const int32_t id = batch->ids[p * stride];
        if (id > 0) {
            batch->positive_uses[batch->item_mark[id - 1]]++;
        }
    }
}

/* Walks the marks in order: ascending, and every mark is -1 again afterwards. */
static void index_items(HnBatch *batch) {
    const size_t draws = (size_t)batch->draws;
    int32_t low = INT32_MAX, high = -1;
    mark_items(batch, &low, &high);
    batch->n_items = 0;
    for (int32_t item = low; item <= high; item++) {
        if (batch->item_mark[item] >= 0) {
            batch->items[batch->n_items] = item;
            batch->item_uses[batch->n_items] = batch->item_mark[item];
            batch->item_mark[item] = (int32_t)batch->n_items++;
        }
    }
    count_positives(batch);
    memset(batch->item_begin, 0, ((size_t)batch->n_items + 1) * sizeof *batch->item_begin);
    for (uint32_t k = 0; k < batch->n; k++) {
        batch->positive_row[k] = batch->item_mark[batch->positive[k]];
        batch->item_begin[batch->positive_row[k] + 1]++;
    }
    for (size_t k = 0; k < batch->n * draws; k++) {
        batch->negative_row[k] = batch->item_mark[batch->negative[k]];
        batch->item_begin[batch->negative_row[k] + 1]++;
    }
    for (uint32_t i = 0; i < batch->n_items; i++) {
        batch->item_begin[i + 1] += batch->item_begin[i];
        batch->item_mark[batch->items[i]] = -1;
    }
}

static void group_items(HnBatch *batch) {
    /* item_begin serves as the cursor and is shifted back afterwards. */
    const uint32_t draws = (uint32_t)batch->draws, stride = 1 + draws;
    for (uint32_t k = 0; k < batch->n; k++) {
        batch->item_entries[batch->item_begin[batch->positive_row[k]]++] = stride * k;
        for (uint32_t d = 0; d < draws; d++) {
            const int32_t row = batch->negative_row[(size_t)k * draws + d];
            batch->item_entries[batch->item_begin[row]++] = stride * k + 1 + d;
        }
    }
    for (uint32_t i = batch->n_items; i > 0; i--) {
        batch->item_begin[i] = batch->item_begin[i - 1];
    }
    batch->item_begin[0] = 0;
}

void hn_batch_index_users(HnBatch *batch) {
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
        hn_batch_index_users(batch);
    }
    return HN_OK;
}
