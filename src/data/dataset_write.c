/* The prepared data set into its store. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "work.h"

static const char *const part_names[] = {"train", "valid", "test"};

/* SHA-256 and name of each input file, for the provenance and the store's own list. */
static HnStatus write_inputs(const HnWork *work, HnStoreWriter *writer, HnError *err) {
    HN_TRY(hn_store_strings_begin(writer, "input/name", work->n_inputs, err));
    HN_TRY(hn_store_strings_begin(writer, "input/sha256", work->n_inputs, err));
    for (size_t f = 0; f < work->n_inputs; f++) {
        const char *base = strrchr(work->inputs[f].path, '/');
        const char *name = base != NULL ? base + 1 : work->inputs[f].path;
        HN_TRY(hn_store_strings_add(writer, "input/name", name, strlen(name), err));
        HN_TRY(hn_store_strings_add(writer, "input/sha256", work->inputs[f].sha256, 64, err));
    }
    return HN_OK;
}

static HnStatus list_inputs(const HnWork *work, HnText *list, HnError *err) {
    for (size_t f = 0; f < work->n_inputs; f++) {
        const char *base = strrchr(work->inputs[f].path, '/');
        HN_TRY(hn_text_printf(list, err, "%s  %s\n", work->inputs[f].sha256,
                              base != NULL ? base + 1 : work->inputs[f].path));
    }
    return HN_OK;
}

static HnStatus write_ids(HnStoreWriter *writer, const char *field, const HnIntern *ids, const uint32_t *source,
                          uint64_t n, HnError *err) {
    HN_TRY(hn_store_strings_begin(writer, field, n, err));
    for (uint64_t k = 0; k < n; k++) {
        size_t n_bytes;
        const char *text = hn_intern_text(ids, source[k], &n_bytes);
        HN_TRY(hn_store_strings_add(writer, field, text, n_bytes, err));
    }
    return HN_OK;
}

/* Offsets and items of one part, and what the train part has besides. room: one 8-byte cell a pair. */
static HnStatus write_part(const HnWork *work, HnStoreWriter *writer, HnPart part, uint64_t *offsets, void *room,
                           HnError *err) {
    const HnPairTable *table = &work->table;
    int32_t *items = room;
    char field[32];
    uint64_t n = 0, n_users = work->n_users + 1;
    memset(offsets, 0, n_users * sizeof *offsets);
    for (uint64_t p = 0; p < table->n; p++) {
        if (table->pairs[p].part == part) {
            items[n++] = (int32_t)table->pairs[p].item;
            offsets[table->pairs[p].user + 1]++;
        }
    }
    for (uint64_t u = 0; u < work->n_users; u++) {
        offsets[u + 1] += offsets[u];
    }
    (void)snprintf(field, sizeof field, "%s/offsets", part_names[part]);
    HN_TRY(hn_store_write(writer, field, &n_users, offsets, err));
    (void)snprintf(field, sizeof field, "%s/items", part_names[part]);
    HN_TRY(hn_store_write(writer, field, &n, items, err));
    if (part == HN_PART_TRAIN && work->have_ratings) {
        float *ratings = room;
        for (uint64_t p = 0, at = 0; p < table->n; p++) {
            if (table->pairs[p].part == part) {
                ratings[at++] = table->pairs[p].rating;
            }
        }
        HN_TRY(hn_store_write(writer, "train/rating", &n, ratings, err));
    }
    if (part == HN_PART_TRAIN && work->have_times) {
        int64_t *times = room;
        for (uint64_t p = 0, at = 0; p < table->n; p++) {
            if (table->pairs[p].part == part) {
                times[at++] = table->pairs[p].time;
            }
        }
        HN_TRY(hn_store_write(writer, "train/time", &n, times, err));
    }
    return HN_OK;
}

static HnStatus write_parts(const HnWork *work, HnStoreWriter *writer, HnError *err) {
    uint64_t *offsets = hn_alloc(work->n_users + 1, sizeof *offsets, "user offsets", err);
    int64_t *room = hn_alloc(work->table.n, sizeof *room, "a column of pairs", err);
    HnStatus status = offsets != NULL && room != NULL ? HN_OK : HN_MEMORY;
    for (int part = 0; status == HN_OK && part < 3; part++) {
        status = write_part(work, writer, (HnPart)part, offsets, room, err);
    }
    hn_free(room);
    hn_free(offsets);
    return status;
}

/* Texts whose keys are first .. first+n-1 as the rows of a field; the text at the front of the sort, if any, is kept in
 * *key and *got for the next field. */
static HnStatus write_texts(HnStoreWriter *writer, const char *field, HnTextSort *sort, uint64_t first, uint64_t n,
                            uint64_t *key, const char **bytes, size_t *n_bytes, bool *got, HnError *err) {
    HN_TRY(hn_store_strings_begin(writer, field, n, err));
    for (uint64_t row = 0; row < n; row++) {
        bool here = *got && *key == first + row;
        HN_TRY(hn_store_strings_add(writer, field, here ? *bytes : "", here ? *n_bytes : 0, err));
        if (here) {
            HN_TRY(hn_text_sort_next(sort, key, bytes, n_bytes, got, err));
        }
    }
    return HN_OK;
}

static HnStatus write_all_texts(const HnWork *work, HnStoreWriter *writer, HnError *err) {
    static const char *const fields[HN_ITEM_FIELDS] = {"item/title", "item/description", "item/categories",
                                                       "item/attributes"};
    uint64_t key = 0;
    const char *bytes = NULL;
    size_t n_bytes = 0;
    bool got = false;
    if (work->report->n_reviews > 0) {
        HN_TRY(hn_text_sort_next(work->reviews, &key, &bytes, &n_bytes, &got, err));
        HN_TRY(write_texts(writer, "train/review", work->reviews, 0, work->report->n_train, &key, &bytes, &n_bytes,
                           &got, err));
    }
    HN_TRY(hn_text_sort_next(work->item_texts, &key, &bytes, &n_bytes, &got, err));
    for (uint64_t f = 0; f < HN_ITEM_FIELDS; f++) {
        if (work->n_item_texts[f] > 0) {
            HN_TRY(write_texts(writer, fields[f], work->item_texts, f * work->n_items, work->n_items, &key, &bytes,
                               &n_bytes, &got, err));
        }
    }
    return HN_OK;
}

static HnStatus write_attributes(const HnWork *work, HnStoreWriter *writer, const char *recipe, HnError *err) {
    const HnPrepareReport *report = work->report;
    HN_TRY(hn_store_set_i64(writer, "n_users", (int64_t)report->users, err));
    HN_TRY(hn_store_set_i64(writer, "n_items", (int64_t)report->items, err));
    HN_TRY(hn_store_set_i64(writer, "n_train", (int64_t)report->n_train, err));
    HN_TRY(hn_store_set_i64(writer, "n_valid", (int64_t)report->n_valid, err));
    HN_TRY(hn_store_set_i64(writer, "n_test", (int64_t)report->n_test, err));
    HN_TRY(hn_store_set_f64(writer, "density", report->density, err));
    HN_TRY(hn_store_set_text(writer, "recipe", recipe, err));
    HN_TRY(hn_store_set_i64(writer, "lines_read", (int64_t)report->lines_read, err));
    return hn_store_set_i64(writer, "lines_bad", (int64_t)report->lines_bad, err);
}

static HnStatus write_store(const HnWork *work, HnStoreWriter *writer, const char *recipe, HnError *err) {
    HN_TRY(write_attributes(work, writer, recipe, err));
    HN_TRY(write_inputs(work, writer, err));
    HN_TRY(write_ids(writer, "user/raw_id", work->users, work->user_source, work->n_users, err));
    HN_TRY(write_ids(writer, "item/raw_id", work->items, work->item_source, work->n_items, err));
    HN_TRY(write_parts(work, writer, err));
    return write_all_texts(work, writer, err);
}

/* Raw files of `hnlmrec synthesize` say so in every id (world_text.c): the label survives the way through files. */
static bool from_synthesize(const HnWork *work) {
    static const char mark[] = "SYN-U";
    for (uint64_t u = 0; u < work->n_users; u++) {
        size_t n_bytes;
        const char *id = hn_intern_text(work->users, work->user_source[u], &n_bytes);
        if (n_bytes >= sizeof mark - 1 + 9 && memcmp(id, mark, sizeof mark - 1) == 0) {
            return true;
        }
    }
    return false;
}

HnStatus hn_work_write(HnWork *work, const char *config_yaml, const char *out_path, HnError *err) {
    HnText inputs = {NULL, 0, 0, 0}, recipe = {NULL, 0, 0, 0};
    HnStoreWriter *writer = NULL;
    HnStatus status = list_inputs(work, &inputs, err);
    if (status == HN_OK) {
        status = hn_recipe(work, &recipe, err);
    }
    HnProvenance provenance = {.config = config_yaml,
                               .inputs = hn_text_get(&inputs),
                               .seed = work->split.rule == HN_SPLIT_GIVEN ? -1 : work->config->split_seed,
                               .synthetic = from_synthesize(work)};
    work->report->synthetic = provenance.synthetic;
    if (status == HN_OK) {
        status = hn_store_create(out_path, &HN_SCHEMA_DATASET, &provenance, &writer, err);
    }
    if (status == HN_OK) {
        status = write_store(work, writer, hn_text_get(&recipe), err);
    }
    if (status == HN_OK) {
        status = hn_store_seal(&writer, err);
    }
    if (writer != NULL) {
        hn_store_abandon(&writer);
    }
    hn_text_free(&recipe);
    hn_text_free(&inputs);
    return status;
}
