/* The preparation of a data set, step by step; what each step does is in the file that work.h names for it. */
#include "prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "synthetic_world.h"
#include "work.h"

static HnStatus parse_day(const char *key, const char *text, bool end_of_day, int64_t *seconds, HnError *err) {
    if (text[0] == '\0') {
        *seconds = end_of_day ? INT64_MAX : INT64_MIN;
        return HN_OK;
    }
    if (!hn_parse_date(text, seconds)) {
        return hn_fail(err, HN_CONFIG, "%s: \"%s\" is no date; write YYYY-MM-DD", key, text);
    }
    *seconds += end_of_day && strlen(text) == strlen("2018-01-01") ? 86399 : 0;
    return HN_OK;
}

/* What the keys say together; each alone was checked when the file was read. */
static HnStatus check_config(const HnDataConfig *config, const HnReaderOps *ops, HnError *err) {
    bool given = config->split == HN_SPLIT_GIVEN;
    if (config->interactions.n == 0) {
        return hn_fail(err, HN_CONFIG,
                       "data.interactions is empty: name the files to read, or choose data.format: synthetic");
    }
    if (config->interactions.n + config->valid.n + config->test.n > 65535) {
        return hn_fail(err, HN_CONFIG, "more than 65535 interaction files: join some of them");
    }
    if (given && config->test.n == 0) {
        return hn_fail(err, HN_CONFIG, "data.split: given needs data.test: name the test files");
    }
    if (config->valid_share > 0 && (!given || config->valid.n > 0)) {
        return hn_fail(err, HN_CONFIG,
                       "data.valid_share is for data.split: given without data.valid; drop it, or them");
    }
    if (!given && config->valid.n + config->test.n > 0) {
        return hn_fail(err, HN_CONFIG,
                       "data.valid and data.test are read only with data.split: given; set it, or drop them");
    }
    bool dated = config->date_from[0] != '\0' || config->date_to[0] != '\0';
    if (ops == &HN_READER_LIGHTGCN && (config->min_rating > 0 || dated)) {
        return hn_fail(
            err, HN_CONFIG,
            "LightGCN lists have no ratings and no times: drop data.min_rating, data.date_from and data.date_to");
    }
    if (ops == &HN_READER_LIGHTGCN && config->split == HN_SPLIT_BY_TIME) {
        return hn_fail(err, HN_CONFIG,
                       "LightGCN lists have no times: choose data.split: ratio, leave_one_out or given");
    }
    return HN_OK;
}

static HnStatus recipe_split(const HnWork *work, HnText *recipe, HnError *err) {
    const double *r = work->split.ratio;
    long long seed = (long long)work->config->split_seed;
    switch (work->config->split) {
    case HN_SPLIT_BY_RATIO:
        return hn_text_printf(recipe, err, "; split: random per user, %g/%g/%g, seed %lld", r[0], r[1], r[2], seed);
    case HN_SPLIT_BY_TIME:
        return hn_text_printf(recipe, err, "; split: by time per user, %g/%g/%g, seed %lld", r[0], r[1], r[2], seed);
    case HN_SPLIT_LEAVE_ONE_OUT:
        return hn_text_printf(recipe, err, "; split: leave one out, %s",
                              work->have_times ? "the last by time" : "a random pair (no times)");
    case HN_SPLIT_GIVEN:
        break;
    }
    return hn_text_puts(recipe, "; split: given files", err);
}

HnStatus hn_recipe(const HnWork *work, HnText *recipe, HnError *err) {
    const HnDataConfig *config = work->config;
    HN_TRY(hn_text_printf(recipe, err, "format %s", work->ops->name));
    if (config->min_rating > 0) {
        HN_TRY(hn_text_printf(recipe, err, "; rating >= %g", config->min_rating));
    }
    if (config->date_from[0] != '\0' || config->date_to[0] != '\0') {
        HN_TRY(hn_text_printf(recipe, err, "; dates %s to %s", config->date_from[0] != '\0' ? config->date_from : "any",
                              config->date_to[0] != '\0' ? config->date_to : "any"));
    }
    if (config->keep_users[0] != '\0' || config->keep_items[0] != '\0') {
        HN_TRY(hn_text_printf(recipe, err, "; only listed%s%s", config->keep_users[0] != '\0' ? " users" : "",
                              config->keep_items[0] != '\0' ? " items" : ""));
    }
    HN_TRY(hn_text_puts(recipe, "; repeated pairs: the earliest is kept", err));
    if (config->keep_crossing) {
        HN_TRY(hn_text_puts(recipe, " of each part", err));
    }
    if (config->core_users > 0 || config->core_items > 0) {
        HN_TRY(hn_text_printf(recipe, err, "; k-core to a fixed point: %lld per user, %lld per item",
                              (long long)config->core_users, (long long)config->core_items));
    }
    if (config->catalogue != HN_CATALOGUE_SEEN) {
        HN_TRY(hn_text_printf(recipe, err, "; catalogue: every number up to the largest id%s",
                              config->catalogue == HN_CATALOGUE_JOINT ? ", items behind the users" : ""));
    }
    HN_TRY(recipe_split(work, recipe, err));
    return hn_split_recipe_share(&work->split, recipe, err);
}

/* Counts over the final pairs. */
static HnStatus count(const HnWork *work, HnPrepareReport *report, HnError *err) {
    uint8_t *users = hn_alloc(work->n_users, 1, "user marks", err);
    uint8_t *items = hn_alloc(work->n_items, 1, "item marks", err);
    if (users == NULL || items == NULL) {
        hn_free(users);
        hn_free(items);
        return HN_MEMORY;
    }
    uint64_t n[3] = {0, 0, 0};
    for (uint64_t p = 0; p < work->table.n; p++) {
        const HnPair *pair = &work->table.pairs[p];
        n[pair->part]++;
        users[pair->user] |= (uint8_t)(1u << pair->part);
        items[pair->item] |= (uint8_t)(1u << pair->part);
    }
    for (uint64_t u = 0; u < work->n_users; u++) {
        report->users_untrained += (users[u] >> HN_PART_TRAIN & 1) == 0;
        report->users_untested += (users[u] >> HN_PART_TEST & 1) == 0;
    }
    for (uint64_t i = 0; i < work->n_items; i++) {
        report->items_untrained += (items[i] >> HN_PART_TRAIN & 1) == 0;
    }
    hn_free(users);
    hn_free(items);
    report->pairs_kept = work->table.n;
    report->users = work->n_users;
    report->items = work->n_items;
    report->n_train = n[HN_PART_TRAIN];
    report->n_valid = n[HN_PART_VALID];
    report->n_test = n[HN_PART_TEST];
    report->density = (double)work->table.n / ((double)work->n_users * (double)work->n_items);
    if (report->n_train == 0) {
        return hn_fail(err, HN_INPUT, "no train pair is left: check data.interactions, data.split and the filters");
    }
    if (report->users_untrained > 0) {
        hn_log(HN_LOG_WARN, "users without a train pair, who are kept and never trained: %llu",
               (unsigned long long)report->users_untrained);
    }
    if (report->n_test == 0) {
        hn_log(HN_LOG_WARN, "no user has a test item: nothing can be ranked; users need more interactions, or choose "
                            "another data.split");
    }
    return HN_OK;
}

static void work_free(HnWork *work) {
    hn_text_sort_free(&work->reviews);
    hn_text_sort_free(&work->item_texts);
    hn_free(work->user_source);
    hn_free(work->item_source);
    hn_free(work->item_index);
    hn_pair_table_free(&work->table);
    hn_intern_free(&work->users);
    hn_intern_free(&work->items);
    hn_intern_free(&work->keep_users);
    hn_intern_free(&work->keep_items);
    hn_free(work->inputs);
}

/* A data set is made anew; anything else, an input by a slip of the hand, is not replaced. */
static HnStatus check_replaced(const char *out_path, HnError *err) {
    struct stat info;
    if (stat(out_path, &info) != 0 || (S_ISREG(info.st_mode) && info.st_size == 0)) {
        return HN_OK;
    }
    if (!S_ISREG(info.st_mode)) { /* the rename would put a file in a device's place */
        return hn_fail(err, HN_CONFLICT, "%s is there and no plain file: choose another --out", out_path);
    }
    HnStore *store = NULL;
    HnError why = HN_ERROR_INIT;
    HnStatus status = hn_store_open(out_path, &HN_SCHEMA_DATASET, &store, &why);
    hn_store_close(&store);
    return status == HN_OK
               ? HN_OK
               : hn_fail(err, HN_CONFLICT,
                         "%s is there and holds no data set that could be made anew: choose another --out, or "
                         "remove it",
                         out_path);
}

/* Nobody should learn after hours of reading that the output's folder is not there. */
static HnStatus check_output(const char *out_path, HnError *err) {
    char *temp = NULL;
    HN_TRY(check_replaced(out_path, err));
    HN_TRY(hn_file_temp_name(out_path, &temp, err));
    HnStatus status = HN_OK;
    int fd = open(temp, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) {
        status = hn_fail_errno(err, errno,
                               "cannot write %s: choose an --out in a folder that exists and may be written", out_path);
    } else {
        (void)close(fd);
        (void)unlink(temp);
    }
    hn_free(temp);
    return status;
}

static HnStatus prepare_files(HnWork *work, const char *config_yaml, const char *out_path, HnError *err) {
    const HnDataConfig *config = work->config;
    HN_TRY(check_config(config, work->ops, err));
    HN_TRY(hn_split_setup(config, &work->split, err));
    HN_TRY(parse_day("data.date_from", config->date_from, false, &work->time_from, err));
    HN_TRY(parse_day("data.date_to", config->date_to, true, &work->time_to, err));
    if (work->time_from > work->time_to) {
        return hn_fail(err, HN_CONFIG, "data.date_from (%s) is after data.date_to (%s)", config->date_from,
                       config->date_to);
    }
    HN_TRY(check_output(out_path, err));
    HN_TRY(hn_work_collect(work, err));
    HN_TRY(hn_work_arrange(work, err));
    HN_TRY(count(work, work->report, err));
    HN_TRY(hn_work_texts(work, out_path, err));
    return hn_work_write(work, config_yaml, out_path, err);
}

HnStatus hn_prepare(const HnDataConfig *config, const char *config_yaml, const char *out_path, HnPrepareReport *report,
                    HnError *err) {
    memset(report, 0, sizeof *report);
    if (config->dataset[0] != '\0') {
        return hn_fail(err, HN_CONFIG,
                       "data.dataset names a ready data set (%s): there is nothing to prepare; drop the key",
                       config->dataset);
    }
    if (config->format == HN_FORMAT_SYNTHETIC) {
        HN_TRY(check_output(out_path, err));
        return hn_world_prepare(config, config_yaml, out_path, report, err);
    }
    HnWork work = {.config = config, .ops = hn_reader_for(config->format), .report = report};
    HnStatus status = prepare_files(&work, config_yaml, out_path, err);
    work_free(&work);
    return status;
}
