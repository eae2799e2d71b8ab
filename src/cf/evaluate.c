#include "cf/evaluate.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "cf/rows.h"
#include "rank.h"

enum { USERS_AT_ONCE = 16384 };
#define METRIC_UNITS 4294967296.0 /* 2^32: sums of up to 2^31 users stay exact */

static uint64_t merge(int32_t *out, const int32_t *a, uint64_t n_a, const int32_t *b, uint64_t n_b) {
    uint64_t i = 0, j = 0, n = 0;
    while (i < n_a || j < n_b) {
        bool take_a = j == n_b || (i < n_a && a[i] <= b[j]);
        int32_t item = take_a ? a[i++] : b[j++];
        if (n == 0 || out[n - 1] != item) {
            out[n++] = item;
        }
    }
    return n;
}

static HnStatus allocate(HnEvalSet *set, uint64_t n_users, uint64_t n_targets, uint64_t n_masked, HnError *err) {
    set->users = hn_alloc(n_users, sizeof *set->users, "users under test", err);
    set->target_offsets = hn_alloc(n_users + 1, sizeof *set->target_offsets, "items under test", err);
    set->targets = hn_alloc(n_targets, sizeof *set->targets, "items under test", err);
    set->mask_offsets = hn_alloc(n_users + 1, sizeof *set->mask_offsets, "masked items", err);
    set->masked = hn_alloc(n_masked, sizeof *set->masked, "masked items", err);
    return set->users && set->target_offsets && set->targets && set->mask_offsets && set->masked ? HN_OK : HN_MEMORY;
}

static uint64_t count_users(const HnPairs *part) {
    uint64_t n = 0;
    for (uint64_t u = 0; u < part->user_end - part->user_begin; u++) {
        n += part->offsets[u + 1] > part->offsets[u];
    }
    return n;
}

/* valid may be NULL: train items alone are masked. */
static HnStatus fill(HnEvalSet *set, const HnPairs *part, const HnPairs *train, const HnPairs *valid, HnError *err) {
    uint64_t n_local = part->user_end - part->user_begin, n_targets = part->offsets[n_local] - part->offsets[0];
    uint64_t n_masked = train->offsets[n_local] - train->offsets[0];
    n_masked += valid == NULL ? 0 : valid->offsets[n_local] - valid->offsets[0];
    HN_TRY(allocate(set, count_users(part), n_targets, n_masked, err));
    for (uint64_t u = 0; u < n_local; u++) {
        uint64_t begin = part->offsets[u], n = part->offsets[u + 1] - begin, k = set->n_users;
        if (n == 0) {
            continue;
        }
        const int32_t *seen = train->items + (train->offsets[u] - train->offsets[0]);
        const int32_t *also = valid == NULL ? NULL : valid->items + (valid->offsets[u] - valid->offsets[0]);
        set->users[k] = (int32_t)u;
        memcpy(set->targets + set->target_offsets[k], part->items + (begin - part->offsets[0]), n * sizeof(int32_t));
        set->target_offsets[k + 1] = set->target_offsets[k] + n;
        uint64_t n_mask = merge(set->masked + set->mask_offsets[k], seen, train->offsets[u + 1] - train->offsets[u],
                                also, valid == NULL ? 0 : valid->offsets[u + 1] - valid->offsets[u]);
        set->mask_offsets[k + 1] = set->mask_offsets[k] + n_mask;
        set->n_users++;
    }
    return HN_OK;
}

static HnStatus create_local(const HnDataset *dataset, const HnUserShards *shards, HnPart part, bool mask_valid,
                             HnEvalSet *set, HnError *err) {
    HnPairs tested = {0}, valid = {0};
    HnStatus status = hn_dataset_pairs(dataset, part, shards->user_begin, shards->user_end, &tested, err);
    if (status == HN_OK && mask_valid) {
        status = hn_dataset_pairs(dataset, HN_PART_VALID, shards->user_begin, shards->user_end, &valid, err);
    }
    if (status == HN_OK) {
        status = fill(set, &tested, &shards->train, mask_valid ? &valid : NULL, err);
    }
    hn_pairs_free(&valid);
    hn_pairs_free(&tested);
    return status;
}

HnStatus hn_eval_set_create(const HnDataset *dataset, const HnUserShards *shards, HnPart part, bool mask_valid,
                            HnComm *comm, HnEvalSet *set, HnError *err) {
    *set = (HnEvalSet){0};
    HnStatus status = hn_comm_agree(comm, create_local(dataset, shards, part, mask_valid, set, err), err);
    int64_t n = (int64_t)set->n_users;
    if (status == HN_OK) {
        status = hn_comm_sum_i64(comm, &n, 1, err);
        set->n_users_global = (uint64_t)n;
    }
    if (status != HN_OK) {
        hn_eval_set_free(set);
    }
    return status;
}

void hn_eval_set_free(HnEvalSet *set) {
    hn_free(set->masked);
    hn_free(set->mask_offsets);
    hn_free(set->targets);
    hn_free(set->target_offsets);
    hn_free(set->users);
    *set = (HnEvalSet){0};
}

/* Adds the metrics of users begin .. end-1, ranked in top [..][k], to sums. */
static void add_metrics(const HnEvalSet *set, uint64_t begin, uint64_t end, const int32_t *top, int k,
                        const HnIntList *ks, double *scratch, int64_t *sums) {
    const size_t n_values = hn_metrics_count(ks);
#pragma omp parallel for schedule(static)
    for (uint64_t u = begin; u < end; u++) {
        uint64_t target = set->target_offsets[u];
        hn_metrics_user(top + (u - begin) * (uint64_t)k, k, set->targets + target, set->target_offsets[u + 1] - target,
                        ks, scratch + (u - begin) * n_values);
    }
    for (uint64_t u = 0; u < end - begin; u++) {
        for (size_t i = 0; i < n_values; i++) {
            sums[i] += (int64_t)llrint(scratch[u * n_values + i] * METRIC_UNITS);
        }
    }
}

static HnStatus evaluate_local(const HnEvalSet *set, const float *users, const float *items, uint64_t n_items, int dim,
                               const HnIntList *ks, int64_t *sums, HnError *err) {
    const uint64_t block = set->n_users < USERS_AT_ONCE ? set->n_users : USERS_AT_ONCE;
    int64_t largest = 1;
    for (size_t i = 0; i < ks->n; i++) {
        largest = ks->items[i] > largest ? ks->items[i] : largest;
    }
    const int k = (int)((uint64_t)largest < n_items ? (uint64_t)largest : n_items);
    float *rows = hn_alloc(block, (size_t)dim * sizeof(float), "users to rank", err);
    int32_t *top = hn_alloc(block, (size_t)k * sizeof(int32_t), "ranked items", err);
    double *scratch = hn_alloc(block, hn_metrics_count(ks) * sizeof(double), "metrics", err);
    HnStatus status = rows && top && scratch ? HN_OK : HN_MEMORY;
    for (uint64_t begin = 0; begin < set->n_users && status == HN_OK; begin += block) {
        uint64_t end = begin + block < set->n_users ? begin + block : set->n_users;
        hn_rows_gather(rows, users, set->users + begin, end - begin, dim);
        status = hn_rank_cpu(rows, end - begin, items, n_items, dim, set->mask_offsets + begin, set->masked, k, top,
                             NULL, err);
        if (status == HN_OK) {
            add_metrics(set, begin, end, top, k, ks, scratch, sums);
        }
    }
    hn_free(scratch);
    hn_free(top);
    hn_free(rows);
    return status;
}

HnStatus hn_evaluate(const HnEvalSet *set, const float *users, const float *items, uint64_t n_items, int dim,
                     const HnIntList *ks, HnComm *comm, double *values, HnError *err) {
    const size_t n_values = hn_metrics_count(ks);
    int64_t *sums = hn_alloc(n_values, sizeof *sums, "metrics", err);
    HnStatus status = sums == NULL ? HN_MEMORY : evaluate_local(set, users, items, n_items, dim, ks, sums, err);
    status = hn_comm_agree(comm, status, err);
    if (status == HN_OK) {
        status = hn_comm_sum_i64(comm, sums, n_values, err);
    }
    for (size_t i = 0; i < n_values && status == HN_OK; i++) {
        values[i] = set->n_users_global > 0 ? (double)sums[i] / METRIC_UNITS / (double)set->n_users_global : 0.0;
    }
    hn_free(sums);
    return status;
}
