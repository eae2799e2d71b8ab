/* Pass 2: the texts of what is kept. Reviews of train pairs are found by the place that pass 1 noted; item texts come
 * from the item files, and from a keep list that carries them. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "work.h"

enum { LINE_BITS = 48 };
static const size_t text_memory = (size_t)512 << 20;

/* ---- reviews ---- */

typedef struct Wanted {
    uint64_t where, pair; /* place in the input; number of the train pair */
    uint32_t user, item;
} Wanted;

typedef struct Reviews {
    HnWork *work;
    const Wanted *wanted, *end; /* the next one, ascending by place */
    uint64_t file;
    bool done; /* nothing more is wanted from this file */
    HnText text;
} Reviews;

static int compare_wanted(const void *left, const void *right) {
    const Wanted *a = left, *b = right;
    return (a->where > b->where) - (a->where < b->where);
}

static bool same_id(const HnIntern *ids, uint32_t id, HnSlice text) {
    size_t n_bytes;
    const char *known = hn_intern_text(ids, id, &n_bytes);
    return n_bytes == text.n && memcmp(known, text.data, n_bytes) == 0;
}

static HnStatus take_review(void *context, const HnInteraction *in, HnError *err) {
    Reviews *reviews = context;
    HnWork *work = reviews->work;
    const Wanted *wanted = reviews->wanted;
    if (!same_id(work->users, work->user_source[wanted->user], in->user) ||
        !same_id(work->items, work->item_source[wanted->item], in->item)) {
        return hn_fail(err, HN_CONFLICT, "%s changed while it was read (line %llu): start again when it is complete",
                       work->inputs[reviews->file].path,
                       (unsigned long long)(wanted->where & (((uint64_t)1 << LINE_BITS) - 1)));
    }
    HnText *text = &reviews->text;
    hn_text_clear(text);
    HN_TRY(hn_reader_join(text, "\n", NULL, in->summary.data, in->summary.n, err));
    HN_TRY(hn_reader_join(text, "\n", NULL, in->text.data, in->text.n, err));
    if (text->length == 0) {
        return HN_OK;
    }
    work->report->n_reviews++;
    return hn_text_sort_add(work->reviews, wanted->pair, text->data, text->length, err);
}

static HnStatus review_line(void *context, HnReader *reader, HnLine *line, HnError *err) {
    Reviews *reviews = context;
    uint64_t where = reviews->file << LINE_BITS | line->number;
    if (reviews->wanted < reviews->end && reviews->wanted->where == where) {
        if (!hn_utf8_valid(line->text, line->n_bytes, NULL)) {
            hn_reader_refuse(reader, "it is not UTF-8 any more");
        } else {
            HN_TRY(reader->ops->interactions(reader, line, take_review, reviews, err));
        }
        if (reader->why[0] != '\0') {
            return hn_fail(err, HN_CONFLICT,
                           "%s changed while it was read (line %llu: %s): start again when it is complete",
                           reader->path, (unsigned long long)line->number, reader->why);
        }
        reviews->wanted++;
    }
    reviews->done = reviews->wanted == reviews->end || reviews->wanted->where >> LINE_BITS != reviews->file;
    return HN_OK;
}

static HnStatus list_wanted(const HnWork *work, Wanted **wanted, uint64_t *n, HnError *err) {
    *n = 0;
    for (uint64_t p = 0; p < work->table.n; p++) {
        *n += work->table.pairs[p].part == HN_PART_TRAIN;
    }
    *wanted = hn_alloc(*n, sizeof **wanted, "places of reviews", err);
    if (*wanted == NULL) {
        return HN_MEMORY;
    }
    uint64_t number = 0;
    for (uint64_t p = 0; p < work->table.n; p++) {
        const HnPair *pair = &work->table.pairs[p];
        if (pair->part == HN_PART_TRAIN) {
            (*wanted)[number] = (Wanted){pair->where, number, pair->user, pair->item};
            number++;
        }
    }
    qsort(*wanted, *n, sizeof **wanted, compare_wanted);
    return HN_OK;
}

static HnStatus read_reviews(HnWork *work, HnError *err) {
    Wanted *wanted = NULL;
    uint64_t n;
    HN_TRY(list_wanted(work, &wanted, &n, err));
    Reviews reviews = {.work = work, .wanted = wanted, .end = wanted + n};
    HnStatus status = HN_OK;
    while (status == HN_OK && reviews.wanted < reviews.end) {
        reviews.file = reviews.wanted->where >> LINE_BITS;
        reviews.done = false;
        const Wanted *before = reviews.wanted;
        HnScan scan = {.path = work->inputs[reviews.file].path,
                       .ops = work->ops,
                       .format = work->ops->name,
                       .with_text = true,
                       .max_bad_share = 1,
                       .own_check = true,
                       .each = review_line,
                       .context = &reviews,
                       .done = &reviews.done};
        HnScanResult result;
        status = hn_scan(&scan, &result, err);
        if (status == HN_OK && !reviews.done) {
            status = hn_fail(err, HN_CONFLICT, "%s became shorter while it was read: start again when it is complete",
                             scan.path);
        }
        if (status == HN_OK && reviews.wanted == before) {
            status = hn_fail(err, HN_INTERNAL, "%s: no wanted line was found", scan.path);
        }
    }
    hn_text_free(&reviews.text);
    hn_free(wanted);
    return status;
}

/* ---- items ---- */

typedef struct Items {
    HnWork *work;
    uint8_t *seen; /* [n_items]: bit f: the item has field f already */
} Items;

static HnStatus item_line(void *context, HnReader *reader, HnLine *line, HnError *err) {
    Items *items = context;
    HnWork *work = items->work;
    HnItemText text = {.item = {NULL, 0}};
    bool got = false;
    bool keep_list = reader->ops == NULL;
    if (keep_list && line->text[0] != '{') {
        return HN_OK; /* bare ids carry no text */
    }
    HN_TRY((keep_list ? hn_reader_item_json : reader->ops->item)(reader, line, &text, &got, err));
    if (!got || reader->why[0] != '\0') {
        return HN_OK;
    }
    uint32_t id = hn_intern_find(work->items, text.item.data, text.item.n);
    uint32_t item = id == HN_NO_ID ? HN_NO_ID : work->item_index[id];
    for (unsigned f = 0; item != HN_NO_ID && f < HN_ITEM_FIELDS; f++) {
        if (text.field[f].n > 0 && (items->seen[item] >> f & 1) == 0) {
            items->seen[item] |= (uint8_t)(1u << f);
            work->n_item_texts[f]++;
            HN_TRY(
                hn_text_sort_add(work->item_texts, f * work->n_items + item, text.field[f].data, text.field[f].n, err));
        }
    }
    return HN_OK;
}

static HnStatus read_items(HnWork *work, HnError *err) {
    Items items = {work, hn_alloc(work->n_items, 1, "item texts seen", err)};
    HnStatus status = items.seen != NULL ? HN_OK : HN_MEMORY;
    bool keep_texts = work->config->keep_items[0] != '\0';
    size_t n_item_files = work->config->items.n;
    for (size_t f = 0; status == HN_OK && f < n_item_files + keep_texts; f++) {
        bool keep_list = f == n_item_files;
        HnInputFile *input = &work->inputs[keep_list ? work->n_inputs - 1 : work->n_interactions + f];
        HnScan scan = {.path = input->path,
                       .ops = keep_list ? NULL : work->ops,
                       .format = keep_list ? "a keep list" : work->ops->name,
                       .items = true,
                       .max_bad_share = work->config->max_bad_share,
                       .first_pass = !keep_list,
                       .each = item_line,
                       .context = &items};
        HnScanResult result;
        status = hn_scan(&scan, &result, err);
        if (status == HN_OK && !keep_list) {
            memcpy(input->sha256, result.sha256, sizeof input->sha256);
            work->report->lines_read += result.lines_read;
            work->report->lines_bad += result.lines_bad;
        }
    }
    hn_free(items.seen);
    return status;
}

HnStatus hn_work_texts(HnWork *work, const char *beside, HnError *err) {
    HN_TRY(hn_text_sort_create(beside, text_memory, &work->reviews, err));
    HN_TRY(hn_text_sort_create(beside, text_memory, &work->item_texts, err));
    work->report->takes_reviews = work->ops->has_reviews;
    work->report->takes_items = work->config->items.n > 0 || work->config->keep_items[0] != '\0';
    if (work->ops->has_reviews) {
        HN_TRY(read_reviews(work, err));
    }
    HN_TRY(read_items(work, err));
    work->report->n_titles = work->n_item_texts[HN_ITEM_TITLE];
    work->report->n_descriptions = work->n_item_texts[HN_ITEM_DESCRIPTION];
    work->report->n_categories = work->n_item_texts[HN_ITEM_CATEGORIES];
    work->report->n_attributes = work->n_item_texts[HN_ITEM_ATTRIBUTES];
    HN_TRY(hn_text_sort_rewind(work->reviews, err));
    return hn_text_sort_rewind(work->item_texts, err);
}
