#include "report/trials.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "report/grid.h"
#include "report/report.h"
#include "report/results.h"
#include "report/stored.h"
#include "store.h"

static void free_row(HnTrialRow *row, size_t n_keys) {
    hn_free(row->row);
    hn_free(row->metric);
    hn_free(row->reason);
    hn_free(row->version);
    hn_free(row->commit);
    hn_names_free(&row->settings, n_keys);
}

void hn_trials_free(HnTrials *trials) {
    for (size_t t = 0; t < trials->n_rows; t++) {
        free_row(&trials->rows[t], trials->n_keys);
    }
    hn_free(trials->rows);
    hn_names_free(&trials->keys, trials->n_keys);
    *trials = (HnTrials){0};
}

static HnStatus read_texts(const HnStore *store, HnTrialRow *row, HnError *err) {
    char *status = NULL;
    HN_TRY(hn_store_get_text(store, "status", &status, err));
    row->failed = strcmp(status, "done") != 0;
    hn_free(status);
    HN_TRY(hn_store_get_text(store, "variant", &row->row, err));
    HN_TRY(hn_store_get_text(store, "metric", &row->metric, err));
    HN_TRY(hn_store_get_text(store, "reason", &row->reason, err));
    HN_TRY(hn_store_get_text(store, "version", &row->version, err));
    return hn_store_get_text(store, "commit", &row->commit, err);
}

/* Wall time of all epochs and validations. */
static HnStatus read_seconds(const HnStore *store, HnTrialRow *row, HnError *err) {
    static const char *const fields[] = {"time/epoch_seconds", "time/eval_seconds"};
    for (int f = 0; f < 2; f++) {
        uint64_t dims[HN_MAX_DIMS] = {0};
        double *seconds = NULL;
        HN_TRY(hn_store_dims(store, fields[f], dims, err));
        HnStatus status = hn_stored_numbers(store, fields[f], dims[0], 1, &seconds, err);
        for (uint64_t i = 0; i < dims[0] && status == HN_OK; i++) {
            row->seconds += seconds[i];
        }
        hn_free(seconds);
        HN_TRY(status);
    }
    return HN_OK;
}

static HnStatus read_numbers(const HnStore *store, HnTrialRow *row, HnError *err) {
    int64_t synthetic = 0;
    const struct {
        const char *name;
        int64_t *value;
    } numbers[] = {{"trial", &row->number},          {"n_trials", &row->n_trials},     {"seed", &row->seed},
                   {"best_epoch", &row->best_epoch}, {"epochs_run", &row->epochs_run}, {"synthetic", &synthetic}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        HN_TRY(hn_store_get_i64(store, numbers[i].name, numbers[i].value, err));
    }
    row->synthetic = synthetic != 0;
    return hn_store_get_f64(store, "best_value", &row->value, err);
}

/* The keys of the first trial are those of all. */
static HnStatus read_settings(HnTrials *trials, const HnStore *store, const char *path, HnTrialRow *row, HnError *err) {
    uint64_t dims[HN_MAX_DIMS] = {0};
    char **keys = NULL;
    HN_TRY(hn_store_dims(store, "setting/key", dims, err));
    HnStatus status = hn_stored_names(store, "setting/key", dims[0], &keys, err);
    bool same = trials->n_keys == dims[0] && (trials->n_rows == 1 || strcmp(trials->rows[0].metric, row->metric) == 0);
    if (status == HN_OK && trials->keys == NULL) {
        trials->keys = keys;
        trials->n_keys = dims[0];
        keys = NULL;
        same = true;
    }
    for (size_t k = 0; status == HN_OK && keys != NULL && same && k < dims[0]; k++) {
        same = strcmp(keys[k], trials->keys[k]) == 0;
    }
    hn_names_free(&keys, dims[0]);
    if (status == HN_OK && !same) {
        return hn_fail(err, HN_CONFLICT,
                       "%s is a trial of other ranges, or judged by another metric, than the trials before it: they "
                       "cannot be compared; move one of the two tunings away",
                       path);
    }
    return status == HN_OK ? hn_stored_names(store, "setting/value", dims[0], &row->settings, err) : status;
}

static HnStatus read_trial(HnTrials *trials, const char *path, HnError *err) {
    HnStore *store = NULL;
    char contents[65]; /* fails where the contents are not those that were sealed */
    HN_TRY(hn_store_digest(path, NULL, NULL, contents, err));
    size_t n = trials->n_rows;
    HN_TRY(hn_resize(&trials->rows, n * sizeof *trials->rows, n + 1, sizeof *trials->rows, "trials", err));
    HnTrialRow *row = &trials->rows[trials->n_rows++]; /* counted at once, so that a failure below frees it */
    HN_TRY(hn_store_open(path, &HN_SCHEMA_TRIAL, &store, err));
    HnStatus status = read_texts(store, row, err);
    status = status == HN_OK ? read_numbers(store, row, err) : status;
    status = status == HN_OK ? read_seconds(store, row, err) : status;
    status = status == HN_OK ? read_settings(trials, store, path, row, err) : status;
    hn_store_close(&store);
    return status;
}

static int better_first(const void *left, const void *right) {
    const HnTrialRow *a = left, *b = right;
    return a->failed != b->failed ? (a->failed ? 1 : -1)
           : a->value != b->value ? (a->value < b->value ? 1 : -1)
                                  : (a->number > b->number) - (a->number < b->number);
}

static HnStatus read_all(HnTrials *trials, const char *tune, HnError *err) {
    char **names = NULL;
    size_t n_names = 0;
    if (!hn_folder_exists(tune)) {
        return HN_OK;
    }
    HN_TRY(hn_folder_list(tune, &names, &n_names, err));
    HnStatus status = HN_OK;
    for (size_t i = 0; i < n_names && status == HN_OK; i++) {
        char *path = hn_path_printf(err, "%s/%s/trial.h5", tune, names[i]);
        status = path == NULL ? HN_MEMORY : HN_OK;
        if (status == HN_OK && hn_file_exists(path)) {
            status = read_trial(trials, path, err);
        }
        hn_free(path);
    }
    hn_names_free(&names, n_names);
    return status;
}

HnStatus hn_trials_collect(const char *folder, HnTrials *trials, HnError *err) {
    *trials = (HnTrials){0};
    char *tune = hn_path_join(folder, "tune", err);
    HnStatus status = tune == NULL ? HN_MEMORY : read_all(trials, tune, err);
    if (status == HN_OK && trials->n_rows == 0) {
        status =
            hn_fail(err, HN_INPUT,
                    "%s holds no finished trial (tune/trial-<n>/trial.h5); `hnlmrec tune EXPERIMENT --out %s` makes "
                    "them",
                    folder, folder);
    }
    if (status == HN_OK) {
        qsort(trials->rows, trials->n_rows, sizeof *trials->rows, better_first);
    } else {
        hn_trials_free(trials);
    }
    hn_free(tune);
    return status;
}

/* ---- the table ---- */

static HnStatus fill_head(const HnTrials *trials, bool long_form, HnGrid *grid, HnError *err) {
    static const char *const before[] = {"trial"}, *const after[] = {"best_epoch", "epochs", "seconds", "status"},
                             *const more[] = {"seed", "row", "metric", "commit", "reason", "synthetic"};
    grid->n_columns = 1 + trials->n_keys + 1 + 4 + (long_form ? 6 : 0);
    HN_TRY(hn_grid_add(grid, err, "%s", before[0]));
    for (size_t k = 0; k < trials->n_keys; k++) {
        HN_TRY(hn_grid_add(grid, err, "%s", trials->keys[k]));
    }
    HN_TRY(hn_grid_add(grid, err, "%s", long_form ? "value" : trials->rows[0].metric));
    for (size_t c = 0; c < 4; c++) {
        HN_TRY(hn_grid_add(grid, err, "%s", after[c]));
    }
    for (size_t c = 0; c < 6 && long_form; c++) {
        HN_TRY(hn_grid_add(grid, err, "%s", more[c]));
    }
    return HN_OK;
}

static HnStatus fill_row(const HnTrials *trials, const HnTrialRow *row, bool long_form, HnGrid *grid, HnError *err) {
    HN_TRY(hn_grid_add(grid, err, "%lld", (long long)row->number));
    for (size_t k = 0; k < trials->n_keys; k++) {
        HN_TRY(hn_grid_add(grid, err, "%s", row->settings[k]));
    }
    HN_TRY(long_form     ? hn_grid_add_number(grid, row->value, err)
           : row->failed ? hn_grid_add(grid, err, "-")
                         : hn_grid_add(grid, err, "%.6f", row->value));
    HN_TRY(hn_grid_add(grid, err, "%lld", (long long)row->best_epoch));
    HN_TRY(hn_grid_add(grid, err, "%lld", (long long)row->epochs_run));
    HN_TRY(hn_grid_add(grid, err, "%.1f", row->seconds));
    HN_TRY(hn_grid_add(grid, err, "%s", row->failed ? "failed" : "done"));
    if (!long_form) {
        return HN_OK;
    }
    HN_TRY(hn_grid_add(grid, err, "%lld", (long long)row->seed));
    HN_TRY(hn_grid_add(grid, err, "%s", row->row));
    HN_TRY(hn_grid_add(grid, err, "%s", row->metric));
    HN_TRY(hn_grid_add(grid, err, "%s", row->commit));
    HN_TRY(hn_grid_add(grid, err, "%s", row->reason));
    return hn_grid_add(grid, err, "%d", row->synthetic ? 1 : 0);
}

static HnStatus write_trials(const HnTrials *trials, HnReportFormat format, FILE *out, HnError *err) {
    HnGrid grid = {0};
    const bool long_form = format == HN_REPORT_CSV;
    HnStatus status = fill_head(trials, long_form, &grid, err);
    for (size_t t = 0; t < trials->n_rows && status == HN_OK; t++) {
        status = fill_row(trials, &trials->rows[t], long_form, &grid, err);
    }
    if (status == HN_OK) {
        if (trials->rows[0].synthetic) {
            hn_grid_title(HN_SYNTHETIC_NOTE "\n", format, out);
        }
        status = hn_grid_write(&grid, format, out, err);
    }
    hn_grid_free(&grid);
    if (status == HN_OK) {
        char line[160];
        (void)snprintf(line, sizeof line, "%zu of %lld trials are done; %s is on validation, of the best epoch",
                       trials->n_rows, (long long)trials->rows[0].n_trials, trials->rows[0].metric);
        hn_grid_title(line, format, out);
    }
    return status;
}

HnStatus hn_report_trials(const char *folder, HnReportFormat format, FILE *out, HnError *err) {
    HnTrials trials;
    HN_TRY(hn_trials_collect(folder, &trials, err));
    HnStatus status = write_trials(&trials, format, out, err);
    if (status == HN_OK && (fflush(out) != 0 || ferror(out))) {
        status = hn_fail(err, HN_IO, "the trials could not be written in full; is the disk full?");
    }
    hn_trials_free(&trials);
    return status;
}
