/* Pass 1: every interaction that the filters let through, as 32 bytes, with where its text stands. */
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "work.h"

enum { LINE_BITS = 48 };

typedef struct Collect {
    HnWork *work;
    HnReader *reader;
    HnPair pair; /* part and where of the line at hand */
} Collect;

/* Does the line itself let this pair through? What a filter needs and the line lacks makes it malformed. */
static bool passes(const Collect *collect, const HnInteraction *in) {
    const HnWork *work = collect->work;
    const HnDataConfig *config = work->config;
    bool dated = config->date_from[0] != '\0' || config->date_to[0] != '\0';
    if (config->min_rating > 0 && !in->has_rating) {
        hn_reader_refuse(collect->reader, "no rating, but data.min_rating is set");
        return false;
    }
    if (dated && !in->has_time) {
        hn_reader_refuse(collect->reader, "no time, but data.date_from or data.date_to is set");
        return false;
    }
    return !(config->min_rating > 0 && in->rating < config->min_rating) &&
           !(dated && (in->time < work->time_from || in->time > work->time_to)) &&
           (work->keep_users == NULL || hn_intern_find(work->keep_users, in->user.data, in->user.n) != HN_NO_ID) &&
           (work->keep_items == NULL || hn_intern_find(work->keep_items, in->item.data, in->item.n) != HN_NO_ID);
}

static HnStatus collect_pair(void *context, const HnInteraction *in, HnError *err) {
    Collect *collect = context;
    HnWork *work = collect->work;
    bool kept = passes(collect, in);
    if (collect->reader->why[0] != '\0') {
        return HN_OK;
    }
    work->report->pairs_read++;
    if (!kept) {
        work->report->pairs_filtered++;
        return HN_OK;
    }
    HnPair pair = collect->pair;
    HN_TRY(hn_intern_add(work->users, in->user.data, in->user.n, &pair.user, err));
    HN_TRY(hn_intern_add(work->items, in->item.data, in->item.n, &pair.item, err));
    pair.has_rating = in->has_rating;
    pair.rating = in->has_rating ? (float)in->rating : 0;
    pair.has_time = in->has_time;
    pair.time = in->has_time ? in->time : 0;
    return hn_pair_table_add(&work->table, &pair, err);
}

static HnStatus collect_line(void *context, HnReader *reader, HnLine *line, HnError *err) {
    Collect *collect = context;
    collect->reader = reader;
    collect->pair.where = (collect->pair.where >> LINE_BITS << LINE_BITS) | line->number;
    return reader->ops->interactions(reader, line, collect_pair, collect, err);
}

static HnStatus read_keep_list(HnWork *work, const char *path, bool users, HnInputFile *input, HnError *err) {
    HnIntern **ids = users ? &work->keep_users : &work->keep_items;
    HN_TRY(hn_intern_create(users ? "users to keep" : "items to keep", ids, err));
    HnScan scan = {
        .path = path, .format = "a keep list", .max_bad_share = work->config->max_bad_share, .first_pass = true};
    HnScanResult result;
    HN_TRY(hn_keep_read(&scan, users, *ids, &result, err));
    memcpy(input->sha256, result.sha256, sizeof input->sha256);
    work->report->lines_read += result.lines_read;
    work->report->lines_bad += result.lines_bad;
    return HN_OK;
}

/* All input files in the order in which they are read, before any is opened. */
static HnStatus list_inputs(HnWork *work, HnError *err) {
    const HnDataConfig *config = work->config;
    const HnStringList *lists[] = {&config->interactions, &config->valid, &config->test, &config->items};
    const char *keep[] = {config->keep_users, config->keep_items};
    size_t most = 2;
    for (int k = 0; k < 4; k++) {
        most += lists[k]->n;
    }
    work->inputs = hn_alloc(most, sizeof *work->inputs, "input files", err);
    if (work->inputs == NULL) {
        return HN_MEMORY;
    }
    for (int k = 0; k < 4; k++) {
        for (size_t f = 0; f < lists[k]->n; f++) {
            HnInputFile *input = &work->inputs[work->n_inputs++];
            input->path = lists[k]->items[f];
            input->part = (uint8_t)(k < 3 ? k : 0);
            work->n_interactions += k < 3;
        }
    }
    for (int k = 0; k < 2; k++) {
        if (keep[k][0] != '\0') {
            work->inputs[work->n_inputs++].path = keep[k];
        }
    }
    work->report->n_inputs = work->n_inputs;
    return HN_OK;
}

static HnStatus read_keep_lists(HnWork *work, HnError *err) {
    size_t at = work->n_inputs;
    const HnDataConfig *config = work->config;
    if (config->keep_items[0] != '\0') {
        HN_TRY(read_keep_list(work, config->keep_items, false, &work->inputs[--at], err));
    }
    if (config->keep_users[0] != '\0') {
        HN_TRY(read_keep_list(work, config->keep_users, true, &work->inputs[--at], err));
    }
    return HN_OK;
}

/* Ids of a keep list that no interaction has: worth a word, since a wrong list looks like that. */
static uint64_t count_unseen(const HnIntern *keep, const HnIntern *seen) {
    uint64_t unseen = 0;
    for (uint32_t id = 0; keep != NULL && id < hn_intern_count(keep); id++) {
        size_t n_bytes;
        const char *text = hn_intern_text(keep, id, &n_bytes);
        unseen += hn_intern_find(seen, text, n_bytes) == HN_NO_ID;
    }
    return unseen;
}

HnStatus hn_work_collect(HnWork *work, HnError *err) {
    HN_TRY(list_inputs(work, err));
    HN_TRY(read_keep_lists(work, err));
    HN_TRY(hn_intern_create("users", &work->users, err));
    HN_TRY(hn_intern_create("items", &work->items, err));
    for (size_t f = 0; f < work->n_interactions; f++) {
        HnInputFile *input = &work->inputs[f];
        Collect collect = {.work = work, .pair = {.part = input->part, .where = (uint64_t)f << LINE_BITS}};
        HnScan scan = {.path = input->path,
                       .ops = work->ops,
                       .format = work->ops->name,
                       .max_bad_share = work->config->max_bad_share,
                       .first_pass = true,
                       .each = collect_line,
                       .context = &collect};
        HnScanResult result;
        HN_TRY(hn_scan(&scan, &result, err));
        memcpy(input->sha256, result.sha256, sizeof input->sha256);
        work->report->lines_read += result.lines_read;
        work->report->lines_bad += result.lines_bad;
    }
    work->report->kept_users_unseen = count_unseen(work->keep_users, work->users);
    work->report->kept_items_unseen = count_unseen(work->keep_items, work->items);
    if (work->report->pairs_read == 0) {
        return hn_fail(err, HN_INPUT, "%s%s hold no interactions: check data.interactions and data.format (it is %s)",
                       work->inputs[0].path, work->n_interactions > 1 ? " and the other files" : "", work->ops->name);
    }
    if (work->table.n == 0) {
        return hn_fail(
            err, HN_INPUT,
            "none of the %llu interactions in %s%s passes the filters: loosen data.min_rating, data.date_from, "
            "data.date_to, data.keep_users or data.keep_items",
            (unsigned long long)work->report->pairs_read, work->inputs[0].path,
            work->n_interactions > 1 ? " and the other files" : "");
    }
    return HN_OK;
}
