#include "cf/groups.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"

/* ---- users by activity ---- */

static int64_t train_pairs(const HnUserShards *shards, int32_t local_user) {
    return (int64_t)(shards->train.offsets[local_user + 1] - shards->train.offsets[local_user]);
}

/* Users of the part by number of train pairs, over all ranks: histogram[0 .. *most]; hn_free it. */
static HnStatus count_users(const HnUserShards *shards, const HnEvalSet *set, HnComm *comm, int64_t **histogram,
                            int64_t *most, HnError *err) {
    *most = 0;
    for (uint64_t k = 0; k < set->n_users; k++) {
        int64_t n = train_pairs(shards, set->users[k]);
        *most = n > *most ? n : *most;
    }
    HN_TRY(hn_comm_max_i64(comm, most, 1, err));
    *histogram = hn_alloc((size_t)*most + 1, sizeof **histogram, "users by activity", err);
    HN_TRY(hn_comm_agree(comm, *histogram == NULL ? HN_MEMORY : HN_OK, err));
    for (uint64_t k = 0; k < set->n_users; k++) {
        (*histogram)[train_pairs(shards, set->users[k])]++;
    }
    return hn_comm_sum_i64(comm, *histogram, (size_t)*most + 1, err);
}

/* The last number of train pairs of each group: declared, or the first at which the group's quantile is reached. */
static size_t activity_bounds(const HnTrainConfig *config, const int64_t *histogram, int64_t most, uint64_t n_users,
                              int64_t *bounds) {
    const HnIntList *declared = &config->eval.activity_bounds;
    const uint64_t groups = (uint64_t)config->eval.activity_groups;
    size_t n = 0;
    if (declared->n > 0) {
        for (; n < declared->n; n++) {
            bounds[n] = declared->items[n];
        }
        bounds[n++] = INT64_MAX;
        return n;
    }
    uint64_t below = 0;
    for (int64_t pairs = 0; pairs <= most && groups > 0; pairs++) {
        below += (uint64_t)histogram[pairs];
        uint64_t reached = below * groups / n_users; /* groups that are full */
        if (reached > 0 && histogram[pairs] > 0 && (below - (uint64_t)histogram[pairs]) * groups / n_users < reached) {
            bounds[n++] = pairs;
        }
    }
    if (n > 0) {
        bounds[n - 1] = INT64_MAX;
    }
    return n;
}

static uint16_t group_of(const int64_t *bounds, int64_t pairs) {
    uint16_t g = 0;
    while (pairs > bounds[g]) {
        g++;
    }
    return g;
}

static void note(HnGroup *group, int64_t pairs, int64_t n) {
    group->least = group->members == 0 || pairs < group->least ? pairs : group->least;
    group->most = group->members == 0 || pairs > group->most ? pairs : group->most;
    group->members += n;
}

static void name_activity(HnGroup *group, const int64_t *bounds, size_t g, size_t n) {
    int64_t from = g == 0 ? 0 : bounds[g - 1] + 1;
    group->kind = "activity";
    if (g + 1 == n) {
        (void)snprintf(group->name, sizeof group->name, "%" PRId64 " pairs and more", from);
    } else {
        (void)snprintf(group->name, sizeof group->name, "%" PRId64 " to %" PRId64 " pairs", from, bounds[g]);
    }
}

static HnStatus by_activity(const HnTrainConfig *config, const HnUserShards *shards, const HnEvalSet *set, HnComm *comm,
                            HnGroups *groups, HnError *err) {
    const size_t room = config->eval.activity_bounds.n + 1 + (size_t)config->eval.activity_groups;
    int64_t *histogram = NULL, most = 0;
    int64_t *bounds = hn_alloc(room, sizeof *bounds, "bounds of activity", err);
    HnStatus status = hn_comm_agree(comm, bounds == NULL ? HN_MEMORY : HN_OK, err);
    if (status == HN_OK) {
        status = count_users(shards, set, comm, &histogram, &most, err);
    }
    if (status == HN_OK) {
        groups->n_activity = activity_bounds(config, histogram, most, set->n_users_global, bounds);
        for (int64_t pairs = 0; pairs <= most && groups->n_activity > 0; pairs++) {
            if (histogram[pairs] > 0) {
                note(&groups->groups[group_of(bounds, pairs)], pairs, histogram[pairs]);
            }
        }
        for (size_t g = 0; g < groups->n_activity; g++) {
            name_activity(&groups->groups[g], bounds, g, groups->n_activity);
        }
        for (uint64_t k = 0; k < set->n_users && groups->n_activity > 0; k++) {
            groups->of_user[k] = group_of(bounds, train_pairs(shards, set->users[k]));
        }
    }
    hn_free(histogram);
    hn_free(bounds);
    return status;
}

/* ---- items by popularity ---- */

typedef struct Popular {
    int64_t pairs;
    int32_t item;
} Popular;

static int less_popular(const void *left, const void *right) {
    const Popular *a = left, *b = right;
    return a->pairs != b->pairs ? (a->pairs < b->pairs ? -1 : 1) : (a->item > b->item) - (a->item < b->item);
}

static void name_popularity(HnGroup *group, size_t g, size_t n) {
    static const char *const paper[] = {"unpopular", "normal", "popular"};
    group->kind = "popularity";
    if (n == 3) {
        (void)snprintf(group->name, sizeof group->name, "%s", paper[g]);
    } else {
        (void)snprintf(group->name, sizeof group->name, "%zu of %zu", g + 1, n);
    }
}

/* Cuts the items, ascending by popularity, where the shares say. */
static void cut_items(const HnDoubleList *shares, const Popular *order, uint64_t n_items, HnGroups *groups) {
    double until = 0.0;
    uint64_t at = 0;
    for (size_t g = 0; g < shares->n; g++) {
        HnGroup *group = &groups->groups[groups->n_activity + g];
        until += shares->items[g];
        uint64_t end = g + 1 == shares->n ? n_items : (uint64_t)llround(until * (double)n_items);
        for (; at < end && at < n_items; at++) {
            groups->of_item[order[at].item] = (uint16_t)g;
            note(group, order[at].pairs, 1);
        }
        name_popularity(group, g, shares->n);
    }
}

static HnStatus by_popularity(const HnTrainConfig *config, const HnUserShards *shards, HnComm *comm, HnGroups *groups,
                              HnError *err) {
    const uint64_t n_items = shards->n_items;
    int64_t *pairs = hn_alloc(n_items, sizeof *pairs, "popularity of items", err);
    Popular *order = hn_alloc(n_items, sizeof *order, "items by popularity", err);
    HnStatus status = hn_comm_agree(comm, pairs == NULL || order == NULL ? HN_MEMORY : HN_OK, err);
    for (uint64_t p = 0; status == HN_OK && p < shards->n_local_pairs; p++) {
        pairs[shards->train.items[p]]++;
    }
    status = status == HN_OK ? hn_comm_sum_i64(comm, pairs, n_items, err) : status;
    if (status == HN_OK) {
        for (uint64_t i = 0; i < n_items; i++) {
            order[i] = (Popular){pairs[i], (int32_t)i};
        }
        qsort(order, n_items, sizeof *order, less_popular);
        cut_items(&config->eval.popularity_shares, order, n_items, groups);
    }
    hn_free(order);
    hn_free(pairs);
    return status;
}

/* ---- both ---- */

static HnStatus allocate(const HnTrainConfig *config, const HnUserShards *shards, const HnEvalSet *set,
                         HnGroups *groups, HnError *err) {
    size_t most =
        config->eval.activity_bounds.n + 1 + (size_t)config->eval.activity_groups + config->eval.popularity_shares.n;
    groups->n_metrics = hn_metrics_count(&config->eval.ks);
    groups->n_ks = config->eval.ks.n;
    groups->groups = hn_alloc(most, sizeof *groups->groups, "groups", err);
    groups->of_user = hn_alloc(set->n_users, sizeof *groups->of_user, "groups of users", err);
    groups->of_item = hn_alloc(shards->n_items, sizeof *groups->of_item, "groups of items", err);
    groups->metric = hn_alloc(most, groups->n_metrics * sizeof(double), "metrics of groups", err);
    groups->recall_share = hn_alloc(most, groups->n_ks * sizeof(double), "metrics of groups", err);
    bool whole = groups->groups && groups->of_user && groups->of_item && groups->metric && groups->recall_share;
    return whole ? HN_OK : HN_MEMORY;
}

HnStatus hn_groups_create(const HnTrainConfig *config, const HnUserShards *shards, const HnEvalSet *set, HnComm *comm,
                          HnGroups *groups, HnError *err) {
    *groups = (HnGroups){0};
    HN_TRY(hn_comm_agree(comm, allocate(config, shards, set, groups, err), err));
    if (set->n_users_global == 0) {
        return HN_OK; /* nobody to put into a group */
    }
    if (config->eval.activity_groups > 0 || config->eval.activity_bounds.n > 0) {
        HN_TRY(by_activity(config, shards, set, comm, groups, err));
    }
    groups->n_popularity = config->eval.popularity_shares.n;
    groups->n = groups->n_activity + groups->n_popularity;
    return groups->n_popularity > 0 ? by_popularity(config, shards, comm, groups, err) : HN_OK;
}

uint64_t hn_groups_bytes(uint64_t n_local_users, uint64_t n_items) {
    return n_local_users * sizeof(uint16_t) + n_items * (sizeof(uint16_t) + sizeof(int64_t) + sizeof(Popular));
}

void hn_groups_free(HnGroups *groups) {
    hn_free(groups->recall_share);
    hn_free(groups->metric);
    hn_free(groups->of_item);
    hn_free(groups->of_user);
    hn_free(groups->groups);
    *groups = (HnGroups){0};
}
