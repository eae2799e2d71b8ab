#include "cf/evaluate.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "cf/groups.h"
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

/* What a ranking adds up: a slot for all users, then one for each group. In a slot: the metrics, the group's share of
 * recall at each k, and the number of users, all as integers. */
typedef struct Sums {
    const HnEvalSet *set;
    const HnIntList *ks;
    const HnGroups *groups; /* NULL = none */
    size_t n_metrics, width, n_slots;
    size_t n_rows;    /* of scratch a user: all targets, then those of each popularity group */
    int64_t *slots;   /* [n_slots][width] */
    double *scratch;  /* [users at once][n_rows][n_metrics + 1] metrics, and how many targets they are of */
    int32_t *targets; /* [targets of the set] those of one popularity group */
} Sums;

static HnStatus sums_create(Sums *sums, const HnEvalSet *set, uint64_t block, HnError *err) {
    sums->slots = hn_alloc(sums->n_slots, sums->width * sizeof(int64_t), "metrics", err);
    sums->scratch = hn_alloc(block, sums->n_rows * (sums->n_metrics + 1) * sizeof(double), "metrics", err);
    sums->targets = hn_alloc(sums->n_rows > 1 ? set->target_offsets[set->n_users] : 0, sizeof(int32_t),
                             "items of a popularity group", err);
    return sums->slots && sums->scratch && sums->targets ? HN_OK : HN_MEMORY;
}

static void sums_free(Sums *sums) {
    hn_free(sums->targets);
    hn_free(sums->scratch);
    hn_free(sums->slots);
}

/* All metrics of one user, whose ranked items are top [k]. */
static void rank_metrics(const Sums *sums, uint64_t user, const int32_t *top, int k, double *rows) {
    const uint64_t begin = sums->set->target_offsets[user], n = sums->set->target_offsets[user + 1] - begin;
    const int32_t *targets = sums->set->targets + begin;
    hn_metrics_user(top, k, targets, n, sums->ks, rows);
    rows[sums->n_metrics] = (double)n;
    for (size_t g = 0; g + 1 < sums->n_rows; g++) {
        int32_t *mine = sums->targets + begin;
        uint64_t n_mine = 0;
        for (uint64_t t = 0; t < n; t++) {
            if (sums->groups->of_item[targets[t]] == g) {
                mine[n_mine++] = targets[t];
            }
        }
        rows += sums->n_metrics + 1;
        rows[sums->n_metrics] = (double)n_mine;
        if (n_mine > 0) {
            hn_metrics_user(top, k, mine, n_mine, sums->ks, rows);
        }
    }
}

/* share: of the user's targets that belong to the slot. */
static void add_to_slot(const Sums *sums, size_t slot, const double *metrics, double share) {
    int64_t *to = sums->slots + slot * sums->width;
    for (size_t i = 0; i < sums->n_metrics; i++) {
        to[i] += (int64_t)llrint(metrics[i] * METRIC_UNITS);
    }
    for (size_t j = 0; j < sums->ks->n; j++) { /* recall comes first among the metrics */
        to[sums->n_metrics + j] += (int64_t)llrint(metrics[j] * share * METRIC_UNITS);
    }
    to[sums->width - 1]++;
}

/* Users begin .. end-1, ranked in top [..][k]. */
static void add_metrics(const Sums *sums, uint64_t begin, uint64_t end, const int32_t *top, int k) {
    const size_t row = sums->n_metrics + 1, stride = sums->n_rows * row;
#pragma omp parallel for schedule(static)
    for (uint64_t u = begin; u < end; u++) {
        rank_metrics(sums, u, top + (u - begin) * (uint64_t)k, k, sums->scratch + (u - begin) * stride);
    }
    for (uint64_t u = begin; u < end; u++) {
        const double *rows = sums->scratch + (u - begin) * stride;
        add_to_slot(sums, 0, rows, 1.0);
        if (sums->groups != NULL && sums->groups->n_activity > 0) {
            add_to_slot(sums, 1 + sums->groups->of_user[u], rows, 1.0);
        }
        for (size_t g = 1; g < sums->n_rows; g++) {
            if (rows[g * row + sums->n_metrics] > 0.0) {
                add_to_slot(sums, sums->groups->n_activity + g, rows + g * row,
                            rows[g * row + sums->n_metrics] / rows[sums->n_metrics]);
            }
        }
    }
}

static HnStatus evaluate_local(const Sums *sums, const float *users, const float *items, uint64_t n_items, int dim,
                               uint64_t block, HnError *err) {
    const HnEvalSet *set = sums->set;
    int64_t largest = 1;
    for (size_t i = 0; i < sums->ks->n; i++) {
        largest = sums->ks->items[i] > largest ? sums->ks->items[i] : largest;
    }
    const int k = (int)((uint64_t)largest < n_items ? (uint64_t)largest : n_items);
    float *rows = hn_alloc(block, (size_t)dim * sizeof(float), "users to rank", err);
    int32_t *top = hn_alloc(block, (size_t)k * sizeof(int32_t), "ranked items", err);
    HnStatus status = rows && top ? HN_OK : HN_MEMORY;
    for (uint64_t begin = 0; begin < set->n_users && status == HN_OK; begin += block) {
        uint64_t end = begin + block < set->n_users ? begin + block : set->n_users;
        hn_rows_gather(rows, users, set->users + begin, end - begin, dim);
        status = hn_rank_cpu(rows, end - begin, items, n_items, dim, set->mask_offsets + begin, set->masked, k, top,
                             NULL, err);
        if (status == HN_OK) {
            add_metrics(sums, begin, end, top, k);
        }
    }
    hn_free(top);
    hn_free(rows);
    return status;
}

static double mean_of(int64_t sum, uint64_t n) {
    return n > 0 ? (double)sum / METRIC_UNITS / (double)n : 0.0;
}

static void take_groups(const Sums *sums, uint64_t n_users, HnGroups *groups) {
    for (size_t g = 0; g < groups->n; g++) {
        const int64_t *slot = sums->slots + (g + 1) * sums->width;
        groups->groups[g].users = slot[sums->width - 1];
        for (size_t i = 0; i < sums->n_metrics; i++) {
            groups->metric[g * sums->n_metrics + i] = mean_of(slot[i], (uint64_t)slot[sums->width - 1]);
        }
        for (size_t j = 0; j < sums->ks->n; j++) {
            groups->recall_share[g * sums->ks->n + j] = mean_of(slot[sums->n_metrics + j], n_users);
        }
    }
}

HnStatus hn_evaluate(const HnEvalSet *set, const float *users, const float *items, uint64_t n_items, int dim,
                     const HnIntList *ks, HnGroups *groups, HnComm *comm, double *values, HnError *err) {
    const uint64_t block = set->n_users < USERS_AT_ONCE ? set->n_users : USERS_AT_ONCE;
    const size_t n_metrics = hn_metrics_count(ks), n_groups = groups == NULL ? 0 : groups->n;
    Sums sums = {.set = set,
                 .ks = ks,
                 .groups = groups,
                 .n_metrics = n_metrics,
                 .width = n_metrics + ks->n + 1,
                 .n_slots = 1 + n_groups,
                 .n_rows = 1 + (groups == NULL ? 0 : groups->n_popularity)};
    HnStatus status = sums_create(&sums, set, block, err);
    status = status == HN_OK ? evaluate_local(&sums, users, items, n_items, dim, block, err) : status;
    status = hn_comm_agree(comm, status, err);
    if (status == HN_OK) {
        status = hn_comm_sum_i64(comm, sums.slots, sums.n_slots * sums.width, err);
    }
    for (size_t i = 0; i < n_metrics && status == HN_OK; i++) {
        values[i] = mean_of(sums.slots[i], set->n_users_global);
    }
    if (status == HN_OK && groups != NULL) {
        take_groups(&sums, set->n_users_global, groups);
    }
    sums_free(&sums);
    return status;
}
