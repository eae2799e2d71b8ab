/* From collected interactions to the final pairs: duplicates, k-core, new indices, parts. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "work.h"

/* Numeric order of decimal ids without leading zeros: the longer is the larger. */
static int compare_numeric(const HnIntern *ids, uint32_t a, uint32_t b) {
    size_t n_a, n_b;
    const char *text_a = hn_intern_text(ids, a, &n_a), *text_b = hn_intern_text(ids, b, &n_b);
    return n_a != n_b ? (n_a < n_b ? -1 : 1) : memcmp(text_a, text_b, n_a);
}

/* qsort passes no context: the ids travel with the elements. */
typedef struct Numbered {
    const HnIntern *ids;
    uint32_t id;
} Numbered;

static int compare_numbered(const void *left, const void *right) {
    const Numbered *a = left, *b = right;
    return compare_numeric(a->ids, a->id, b->id);
}

static HnStatus sort_numeric(const HnIntern *ids, uint32_t *source, uint64_t n, HnError *err) {
    Numbered *order = hn_alloc(n, sizeof *order, "id order", err);
    if (order == NULL) {
        return HN_MEMORY;
    }
    for (uint64_t k = 0; k < n; k++) {
        order[k] = (Numbered){ids, source[k]};
    }
    qsort(order, n, sizeof *order, compare_numbered);
    for (uint64_t k = 0; k < n; k++) {
        source[k] = order[k].id;
    }
    hn_free(order);
    return HN_OK;
}

/* The ids that occur, in the order of their new numbers. */
static HnStatus list_seen(const HnWork *work, bool users, uint32_t **source, uint64_t *n, HnError *err) {
    const HnIntern *ids = users ? work->users : work->items;
    uint32_t n_ids = hn_intern_count(ids);
    uint8_t *seen = hn_alloc(n_ids, sizeof *seen, "marks of ids", err);
    if (seen == NULL) {
        return HN_MEMORY;
    }
    for (uint64_t p = 0; p < work->table.n; p++) {
        seen[users ? work->table.pairs[p].user : work->table.pairs[p].item] = 1;
    }
    *n = 0;
    for (uint32_t id = 0; id < n_ids; id++) {
        *n += seen[id];
    }
    *source = hn_alloc(*n, sizeof **source, users ? "kept users" : "kept items", err);
    for (uint32_t id = 0, at = 0; *source != NULL && id < n_ids; id++) {
        if (seen[id] != 0) {
            (*source)[at++] = id;
        }
    }
    hn_free(seen);
    if (*source == NULL) {
        return HN_MEMORY;
    }
    return work->ops->numeric_ids ? sort_numeric(ids, *source, *n, err) : HN_OK;
}

/* *source: new number -> interned; *index: interned -> new. */
static HnStatus number_ids(HnWork *work, bool users, uint32_t **source, uint32_t **index, uint64_t *n, HnError *err) {
    HN_TRY(work->config->catalogue == HN_CATALOGUE_SEEN ? list_seen(work, users, source, n, err)
                                                        : hn_catalogue_fill(work, users, source, n, err));
    uint32_t n_ids = hn_intern_count(users ? work->users : work->items);
    *index = hn_alloc(n_ids, sizeof **index, users ? "user index" : "item index", err);
    if (*index == NULL) {
        return HN_MEMORY;
    }
    for (uint32_t id = 0; id < n_ids; id++) {
        (*index)[id] = HN_NO_ID;
    }
    for (uint32_t at = 0; at < *n; at++) {
        (*index)[(*source)[at]] = at;
    }
    return HN_OK;
}

static HnStatus renumber(HnWork *work, HnError *err) {
    uint32_t *user_index = NULL;
    HnStatus status = number_ids(work, true, &work->user_source, &user_index, &work->n_users, err);
    if (status == HN_OK) {
        status = number_ids(work, false, &work->item_source, &work->item_index, &work->n_items, err);
    }
    for (uint64_t p = 0; status == HN_OK && p < work->table.n; p++) {
        HnPair *pair = &work->table.pairs[p];
        pair->user = user_index[pair->user];
        pair->item = work->item_index[pair->item];
    }
    hn_free(user_index);
    return status != HN_OK ? status : hn_pair_table_sort(&work->table, work->n_users, err);
}

/* The longest list of a user, for the split's room. */
static uint64_t longest_list(const HnPairTable *table) {
    uint64_t longest = 0;
    for (uint64_t p = 0, begin = 0; p < table->n; p++) {
        if (table->pairs[p].user != table->pairs[begin].user) {
            begin = p;
        }
        longest = p + 1 - begin > longest ? p + 1 - begin : longest;
    }
    return longest;
}

/* Pairs that are in no part go. Users and items keep their numbers. */
static void drop_left_out(HnPairTable *table) {
    uint64_t kept = 0;
    for (uint64_t p = 0; p < table->n; p++) {
        if (table->pairs[p].part != HN_PART_NONE) {
            table->pairs[kept++] = table->pairs[p];
        }
    }
    table->n = kept;
}

static HnStatus check_times(const HnWork *work, HnError *err) {
    if (work->split.rule == HN_SPLIT_BY_TIME && !work->have_times) {
        return hn_fail(
            err, HN_INPUT,
            "data.split: time needs a time for every interaction, and %s%s lacks some: choose data.split: ratio",
            work->inputs[0].path, work->n_interactions > 1 ? " (or another file)" : "");
    }
    if (work->split.rule == HN_SPLIT_LEAVE_ONE_OUT && !work->have_times) {
        hn_log(HN_LOG_WARN, "leave_one_out: not every interaction has a time, so the pair left out is a random one");
    }
    return HN_OK;
}

/* The parts of every user's pairs; those of given files stay, but for what data.valid_share and data.train_share take
 * out of train. */
static HnStatus split_pairs(HnWork *work, HnError *err) {
    HnPairTable *table = &work->table;
    const bool given = work->split.rule == HN_SPLIT_GIVEN;
    uint64_t longest = longest_list(table);
    int64_t *times = hn_alloc(longest, sizeof *times, "times of a user", err);
    uint8_t *parts = hn_alloc(longest, sizeof *parts, "parts of a user", err);
    HnSplitKey *keys = hn_alloc(longest, sizeof *keys, "split keys", err);
    HnStatus status = times != NULL && parts != NULL && keys != NULL ? HN_OK : HN_MEMORY;
    for (uint64_t begin = 0, end; status == HN_OK && begin < table->n; begin = end) {
        uint32_t user = table->pairs[begin].user;
        for (end = begin; end < table->n && table->pairs[end].user == user; end++) {
            times[end - begin] = table->pairs[end].time;
            parts[end - begin] = table->pairs[end].part;
        }
        if (given) {
            hn_split_given(&work->split, user, end - begin, parts, keys);
        } else {
            hn_split_user(&work->split, user, end - begin, work->have_times ? times : NULL, parts, keys);
        }
        for (uint64_t p = begin; p < end; p++) {
            table->pairs[p].part = parts[p - begin];
        }
    }
    drop_left_out(table);
    hn_free(keys);
    hn_free(parts);
    hn_free(times);
    return status;
}

static void note_coverage(HnWork *work) {
    work->have_ratings = work->have_times = true;
    for (uint64_t p = 0; p < work->table.n; p++) {
        work->have_ratings = work->have_ratings && work->table.pairs[p].has_rating;
        work->have_times = work->have_times && work->table.pairs[p].has_time;
    }
}

HnStatus hn_work_arrange(HnWork *work, HnError *err) {
    HnPrepareReport *report = work->report;
    const HnDataConfig *config = work->config;
    uint64_t n_users = hn_intern_count(work->users), n_items = hn_intern_count(work->items);
    HN_TRY(hn_pair_table_sort(&work->table, n_users, err));
    hn_pair_table_unique(&work->table, config->keep_crossing, &report->pairs_repeated, &report->pairs_crossing);
    if (report->pairs_crossing > 0) {
        hn_log(
            HN_LOG_WARN,
            "%llu validation or test entries (repeats counted) are in an earlier part too (train before valid before "
            "test); they %s",
            (unsigned long long)report->pairs_crossing,
            config->keep_crossing ? "count there, and can never be found"
                                  : "are left out there (data.keep_crossing: true keeps them, as some codes do)");
    }
    uint64_t before = work->table.n;
    HN_TRY(hn_pair_table_core(&work->table, n_users, n_items, (uint64_t)config->core_users,
                              (uint64_t)config->core_items, &report->core_rounds, err));
    report->pairs_core = before - work->table.n;
    if (work->table.n == 0) {
        return hn_fail(
            err, HN_INPUT,
            "no interaction is left: of %llu distinct pairs none is in the k-core of %lld per user and %lld per "
            "item; lower data.core_users or data.core_items",
            (unsigned long long)before, (long long)config->core_users, (long long)config->core_items);
    }
    HN_TRY(renumber(work, err));
    note_coverage(work);
    HN_TRY(check_times(work, err));
    return split_pairs(work, err);
}
