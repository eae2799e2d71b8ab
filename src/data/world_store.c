/* The synthetic world straight into dataset.h5: users one after the other, memory for a user's picks, one buffer a
 * column and the offsets of the users. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "dataset.h"
#include "split.h"
#include "store.h"
#include "synthetic_world.h"

enum { BUFFER_ROWS = 1 << 16, N_PARTS = 3 };

typedef struct Column { /* rows on their way to a field */
    const char *field;
    size_t width;
    uint8_t *rows; /* [BUFFER_ROWS][width] */
    uint64_t n, written;
} Column;

typedef struct Emit {
    const HnWorld *world;
    HnSplit split;
    HnStoreWriter *writer;
    HnPrepareReport *report;
    uint64_t *offsets[N_PARTS]; /* [n_users + 1] */
    uint64_t n_pairs[N_PARTS];
    Column columns[N_PARTS + 2]; /* items of the parts; train ratings, train times */
    HnPicks picks;
    uint8_t *parts; /* [room] of a user */
    int64_t *times;
    HnSplitKey *keys;
    uint64_t room;
    HnText text;
} Emit;

static HnStatus flush(HnStoreWriter *writer, Column *column, HnError *err) {
    if (column->n == 0) {
        return HN_OK;
    }
    HN_TRY(hn_store_write_rows(writer, column->field, column->written, column->n, column->rows, err));
    column->written += column->n;
    column->n = 0;
    return HN_OK;
}

static HnStatus push(HnStoreWriter *writer, Column *column, const void *row, HnError *err) {
    memcpy(column->rows + column->n * column->width, row, column->width);
    return ++column->n == BUFFER_ROWS ? flush(writer, column, err) : HN_OK;
}

static int compare_items(const void *left, const void *right) {
    const HnPick *a = left, *b = right;
    return (a->item > b->item) - (a->item < b->item);
}

static HnStatus user_room(Emit *emit, uint64_t n, HnError *err) {
    if (n <= emit->room) {
        return HN_OK;
    }
    hn_free(emit->parts);
    hn_free(emit->times);
    hn_free(emit->keys);
    emit->parts = hn_alloc(n, sizeof *emit->parts, "parts of a user", err);
    emit->times = hn_alloc(n, sizeof *emit->times, "times of a user", err);
    emit->keys = hn_alloc(n, sizeof *emit->keys, "split keys", err);
    emit->room = n;
    return emit->parts != NULL && emit->times != NULL && emit->keys != NULL ? HN_OK : HN_MEMORY;
}

static HnStatus emit_user(Emit *emit, uint64_t user, HnError *err) {
    HN_TRY(hn_world_picks(emit->world, user, &emit->picks, err));
    HN_TRY(user_room(emit, emit->picks.n, err));
    qsort(emit->picks.picks, emit->picks.n, sizeof *emit->picks.picks, compare_items);
    for (uint64_t p = 0; p < emit->picks.n; p++) {
        emit->times[p] = emit->picks.picks[p].time;
    }
    hn_split_user(&emit->split, (uint32_t)user, emit->picks.n, emit->times, emit->parts, emit->keys);
    for (uint64_t p = 0; p < emit->picks.n; p++) {
        const HnPick *pick = &emit->picks.picks[p];
        int32_t item = (int32_t)pick->item;
        if (emit->parts[p] == HN_PART_NONE) {
            continue;
        }
        HN_TRY(push(emit->writer, &emit->columns[emit->parts[p]], &item, err));
        if (emit->parts[p] == HN_PART_TRAIN) {
            HN_TRY(push(emit->writer, &emit->columns[N_PARTS], &pick->rating, err));
            HN_TRY(push(emit->writer, &emit->columns[N_PARTS + 1], &pick->time, err));
            hn_text_clear(&emit->text);
            HN_TRY(hn_world_summary(emit->world, user, pick, &emit->text, err));
            HN_TRY(hn_text_append(&emit->text, "\n", 1, err));
            HN_TRY(hn_world_review(emit->world, user, pick, &emit->text, err));
            HN_TRY(hn_store_strings_add(emit->writer, "train/review", emit->text.data, emit->text.length, err));
        }
    }
    return HN_OK;
}

/* How many pairs of each part every user has: what the fields are sized by. */
static HnStatus count_users(Emit *emit, HnError *err) {
    const HnWorld *world = emit->world;
    for (int part = 0; part < N_PARTS; part++) {
        emit->offsets[part] = hn_alloc(world->n_users + 1, sizeof *emit->offsets[part], "user offsets", err);
        if (emit->offsets[part] == NULL) {
            return HN_MEMORY;
        }
    }
    for (uint64_t user = 0; user < world->n_users; user++) {
        uint64_t counts[N_PARTS];
        hn_split_counts(&emit->split, (uint32_t)user, hn_world_degree(world, user), counts);
        for (int part = 0; part < N_PARTS; part++) {
            emit->offsets[part][user + 1] = emit->offsets[part][user] + counts[part];
        }
        emit->report->users_untested += counts[HN_PART_TEST] == 0;
    }
    for (int part = 0; part < N_PARTS; part++) {
        emit->n_pairs[part] = emit->offsets[part][world->n_users];
    }
    return HN_OK;
}

static HnStatus open_fields(Emit *emit, HnError *err) {
    static const char *const offsets[] = {"train/offsets", "valid/offsets", "test/offsets"};
    static const Column columns[] = {{.field = "train/items", .width = sizeof(int32_t)},
                                     {.field = "valid/items", .width = sizeof(int32_t)},
                                     {.field = "test/items", .width = sizeof(int32_t)},
                                     {.field = "train/rating", .width = sizeof(float)},
                                     {.field = "train/time", .width = sizeof(int64_t)}};
    uint64_t n_rows = emit->world->n_users + 1;
    for (int c = 0; c < N_PARTS + 2; c++) {
        int part = c < N_PARTS ? c : HN_PART_TRAIN;
        emit->columns[c] = columns[c];
        emit->columns[c].rows = hn_alloc(BUFFER_ROWS, columns[c].width, "rows of a field", err);
        if (emit->columns[c].rows == NULL) {
            return HN_MEMORY;
        }
        HN_TRY(hn_store_define(emit->writer, columns[c].field, &emit->n_pairs[part], err));
        if (c < N_PARTS) {
            HN_TRY(hn_store_write(emit->writer, offsets[c], &n_rows, emit->offsets[c], err));
        }
    }
    return hn_store_strings_begin(emit->writer, "train/review", emit->n_pairs[HN_PART_TRAIN], err);
}

typedef HnStatus TextFn(const HnWorld *world, uint32_t item, HnText *out, HnError *err);

static HnStatus item_id(const HnWorld *world, uint32_t item, HnText *out, HnError *err) {
    (void)world;
    return hn_world_item_id(item, out, err);
}

static HnStatus attributes(const HnWorld *world, uint32_t item, HnText *out, HnError *err) {
    HN_TRY(hn_text_puts(out, "brand: ", err));
    return hn_world_brand(world, item, out, err);
}

static HnStatus emit_names(Emit *emit, HnError *err) {
    static const struct {
        const char *field;
        TextFn *make;
    } texts[] = {{"item/raw_id", item_id},
                 {"item/title", hn_world_title},
                 {"item/description", hn_world_description},
                 {"item/categories", hn_world_categories},
                 {"item/attributes", attributes}};
    for (size_t f = 0; f < sizeof texts / sizeof texts[0]; f++) {
        HN_TRY(hn_store_strings_begin(emit->writer, texts[f].field, emit->world->n_items, err));
        for (uint64_t item = 0; item < emit->world->n_items; item++) {
            hn_text_clear(&emit->text);
            HN_TRY(texts[f].make(emit->world, (uint32_t)item, &emit->text, err));
            HN_TRY(hn_store_strings_add(emit->writer, texts[f].field, emit->text.data, emit->text.length, err));
        }
    }
    HN_TRY(hn_store_strings_begin(emit->writer, "user/raw_id", emit->world->n_users, err));
    for (uint64_t user = 0; user < emit->world->n_users; user++) {
        hn_text_clear(&emit->text);
        HN_TRY(hn_world_user_id(user, &emit->text, err));
        HN_TRY(hn_store_strings_add(emit->writer, "user/raw_id", emit->text.data, emit->text.length, err));
    }
    HN_TRY(hn_store_strings_begin(emit->writer, "input/name", 0, err));
    return hn_store_strings_begin(emit->writer, "input/sha256", 0, err);
}

static HnStatus emit_attributes(Emit *emit, HnError *err) {
    static const char *const rules[] = {"random per user", "leave one out, the last by time", "by time per user"};
    const HnWorld *world = emit->world;
    HnPrepareReport *report = emit->report;
    const double *r = emit->split.ratio;
    hn_text_clear(&emit->text);
    HN_TRY(hn_text_printf(
        &emit->text, err,
        "SYNTHETIC world: %llu users, %llu items in %lu categories of %lu flavours, %llu interactions, "
        "seed %llu; split: %s",
        (unsigned long long)world->n_users, (unsigned long long)world->n_items, (unsigned long)world->n_categories,
        (unsigned long)world->n_flavours, (unsigned long long)world->n_interactions, (unsigned long long)world->seed,
        rules[emit->split.rule == HN_SPLIT_LEAVE_ONE_OUT ? 1
              : emit->split.rule == HN_SPLIT_BY_TIME     ? 2
                                                         : 0]));
    if (emit->split.rule != HN_SPLIT_LEAVE_ONE_OUT) {
        HN_TRY(hn_text_printf(&emit->text, err, ", %g/%g/%g", r[0], r[1], r[2]));
    }
    HN_TRY(hn_text_printf(&emit->text, err, ", seed %llu", (unsigned long long)emit->split.seed));
    HN_TRY(hn_split_recipe_share(&emit->split, &emit->text, err));
    HN_TRY(hn_store_set_text(emit->writer, "recipe", hn_text_get(&emit->text), err));
    const struct {
        const char *name;
        uint64_t value;
    } counts[] = {{"n_users", report->users},
                  {"n_items", report->items},
                  {"n_train", report->n_train},
                  {"n_valid", report->n_valid},
                  {"n_test", report->n_test},
                  {"lines_read", 0},
                  {"lines_bad", 0}};
    for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++) {
        HN_TRY(hn_store_set_i64(emit->writer, counts[k].name, (int64_t)counts[k].value, err));
    }
    return hn_store_set_f64(emit->writer, "density", report->density, err);
}

static HnStatus emit_world(Emit *emit, HnError *err) {
    const HnWorld *world = emit->world;
    HN_TRY(open_fields(emit, err));
    HN_TRY(emit_attributes(emit, err));
    HN_TRY(emit_names(emit, err));
    HnProgress progress;
    bool shown = world->n_interactions >= 1000000;
    if (shown) {
        hn_progress_start(&progress, "synthetic users", world->n_users, 0);
    }
    for (uint64_t user = 0; user < world->n_users; user++) {
        HN_TRY(emit_user(emit, user, err));
        if (user % 1024 == 0 && hn_stop_requested()) {
            return hn_fail(err, HN_INTERRUPTED, "stopped while making the synthetic world; nothing was written");
        }
        if (shown && user % 1024 == 0) {
            hn_progress_update(&progress, user);
        }
    }
    for (int c = 0; c < N_PARTS + 2; c++) {
        HN_TRY(flush(emit->writer, &emit->columns[c], err));
    }
    if (shown) {
        hn_progress_finish(&progress);
    }
    return HN_OK;
}

static void note_counts(Emit *emit) {
    HnPrepareReport *report = emit->report;
    report->users = emit->world->n_users;
    report->items = emit->world->n_items;
    report->n_train = emit->n_pairs[HN_PART_TRAIN];
    report->n_valid = emit->n_pairs[HN_PART_VALID];
    report->n_test = emit->n_pairs[HN_PART_TEST];
    report->pairs_read = emit->world->n_interactions;
    report->pairs_kept = report->n_train + report->n_valid + report->n_test;
    report->density = (double)report->pairs_kept / ((double)report->users * (double)report->items);
    report->takes_reviews = report->takes_items = true;
    report->n_reviews = report->n_train;
    report->n_titles = report->n_descriptions = report->n_categories = report->n_attributes = report->items;
}

static void emit_free(Emit *emit) {
    for (int c = 0; c < N_PARTS + 2; c++) {
        hn_free(emit->columns[c].rows);
    }
    for (int part = 0; part < N_PARTS; part++) {
        hn_free(emit->offsets[part]);
    }
    hn_picks_free(&emit->picks);
    hn_free(emit->parts);
    hn_free(emit->times);
    hn_free(emit->keys);
    hn_text_free(&emit->text);
}

/* Filters are for what people left behind; a world is configured instead. */
static HnStatus check_config(const HnDataConfig *config, HnError *err) {
    if (config->min_rating > 0 || config->date_from[0] != '\0' || config->date_to[0] != '\0' ||
        config->core_users > 0 || config->core_items > 0 || config->keep_users[0] != '\0' ||
        config->keep_items[0] != '\0') {
        return hn_fail(
            err, HN_CONFIG,
            "data.format: synthetic takes no filters (min_rating, date_from, date_to, core_users, core_items, "
            "keep_users, keep_items): drop them, or write the world with `hnlmrec synthesize` and prepare that");
    }
    if (config->split == HN_SPLIT_GIVEN) {
        return hn_fail(err, HN_CONFIG,
                       "data.format: synthetic has no given split: choose ratio, leave_one_out or time");
    }
    if (config->interactions.n > 0) {
        return hn_fail(err, HN_CONFIG,
                       "data.format: synthetic reads no files: drop data.interactions, or name their format");
    }
    return HN_OK;
}

HnStatus hn_world_prepare(const HnDataConfig *config, const char *config_yaml, const char *out_path,
                          HnPrepareReport *report, HnError *err) {
    HnWorld world;
    HN_TRY(check_config(config, err));
    HN_TRY(hn_world_found(config, &world, err));
    Emit emit = {.world = &world, .report = report};
    HnProvenance provenance = {.config = config_yaml, .seed = config->synthetic.seed, .synthetic = true};
    HnStatus status = hn_split_setup(config, &emit.split, err);
    if (status == HN_OK) {
        status = count_users(&emit, err);
    }
    if (status == HN_OK) {
        note_counts(&emit);
        status = hn_store_create(out_path, &HN_SCHEMA_DATASET, &provenance, &emit.writer, err);
    }
    if (status == HN_OK) {
        status = emit_world(&emit, err);
    }
    if (status == HN_OK) {
        status = hn_store_seal(&emit.writer, err);
    }
    if (emit.writer != NULL) {
        hn_store_abandon(&emit.writer);
    }
    emit_free(&emit);
    hn_world_free(&world);
    return status;
}
