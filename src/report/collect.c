/* Finds and reads the results of a run folder. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/text.h"
#include "config/experiment.h"
#include "report/results.h"
#include "store.h"

static HnStatus add_row(HnResults *results, const char *name, HnError *err) {
    HN_TRY(hn_resize(&results->rows, results->n_rows * sizeof *results->rows, results->n_rows + 1,
                     sizeof *results->rows, "rows of the table", err));
    HnResultRow *row = &results->rows[results->n_rows++]; /* counted at once, so that a failure below frees it */
    row->name = hn_strdup(name, err);
    row->results = hn_alloc(results->n_seeds, sizeof *row->results, "results of a row", err);
    return row->name == NULL || row->results == NULL ? HN_MEMORY : HN_OK;
}

static HnStatus add_seed(HnResults *results, int64_t seed, HnError *err) {
    for (size_t r = 0; r < results->n_rows; r++) {
        HN_TRY(hn_resize(&results->rows[r].results, results->n_seeds * sizeof(HnResult), results->n_seeds + 1,
                         sizeof(HnResult), "results of a row", err));
    }
    HN_TRY(hn_resize(&results->seeds, results->n_seeds * sizeof *results->seeds, results->n_seeds + 1,
                     sizeof *results->seeds, "seeds", err));
    results->seeds[results->n_seeds++] = seed;
    return HN_OK;
}

/* What the experiment says should be there. A folder without a readable one still has a table, with a note. */
static HnStatus expect(const char *folder, HnResults *results, HnError *err) {
    HnExperiment *experiment = NULL;
    HnError why = HN_ERROR_INIT;
    char *path = hn_path_join(folder, "experiment.yaml", err);
    if (path == NULL) {
        return HN_MEMORY;
    }
    HnStatus status = HN_OK;
    if (hn_experiment_load(path, NULL, 0, &experiment, &why) != HN_OK && why.status == HN_MEMORY) {
        status = hn_fail(err, HN_MEMORY, "%s", why.message);
    } else if (experiment == NULL) {
        results->note = hn_strdup(why.message, err);
        status = results->note == NULL ? HN_MEMORY : HN_OK;
    } else {
        results->experiment = hn_strdup(experiment->name, err);
        results->train_share = experiment->data.train_share;
        status = results->experiment == NULL ? HN_MEMORY : HN_OK;
    }
    for (size_t s = 0; experiment != NULL && s < experiment->seeds.n && status == HN_OK; s++) {
        status = add_seed(results, experiment->seeds.items[s], err);
    }
    for (size_t v = 0; experiment != NULL && v < experiment->n_variants && status == HN_OK; v++) {
        status = add_row(results, experiment->variants[v].name, err);
    }
    hn_experiment_free(&experiment);
    hn_free(path);
    return status;
}

static HnStatus row_of(HnResults *results, const char *name, size_t *row, HnError *err) {
    for (size_t r = 0; r < results->n_rows; r++) {
        if (strcmp(results->rows[r].name, name) == 0) {
            *row = r;
            return HN_OK;
        }
    }
    *row = results->n_rows;
    return add_row(results, name, err);
}

static HnStatus seed_of(HnResults *results, int64_t seed, size_t *index, HnError *err) {
    for (size_t s = 0; s < results->n_seeds; s++) {
        if (results->seeds[s] == seed) {
            *index = s;
            return HN_OK;
        }
    }
    *index = results->n_seeds;
    return add_seed(results, seed, err);
}

/* A metric that no result had before: all results get a column for it. */
static HnStatus metric_of(HnResults *results, const char *name, size_t length, size_t *metric, HnError *err) {
    for (size_t m = 0; m < results->n_metrics; m++) {
        if (strlen(results->metrics[m]) == length && strncmp(results->metrics[m], name, length) == 0) {
            *metric = m;
            return HN_OK;
        }
    }
    size_t n = results->n_metrics;
    HN_TRY(hn_resize(&results->metrics, n * sizeof *results->metrics, n + 1, sizeof *results->metrics, "metrics", err));
    for (size_t r = 0; r < results->n_rows; r++) {
        for (size_t s = 0; s < results->n_seeds; s++) {
            HnResult *result = &results->rows[r].results[s];
            if (result->present) {
                HN_TRY(hn_resize(&result->test, n * sizeof *result->test, n + 1, sizeof *result->test, "metrics", err));
                result->test[n] = (double)NAN;
            }
        }
    }
    results->metrics[n] = hn_strndup(name, length, err);
    if (results->metrics[n] == NULL) {
        return HN_MEMORY;
    }
    *metric = results->n_metrics++;
    return HN_OK;
}

static HnStatus read_metrics(HnResults *results, const HnStore *store, HnResult *result, HnError *err) {
    uint64_t dims[HN_MAX_DIMS] = {0};
    char *bytes = NULL;
    uint64_t *offsets = NULL;
    HN_TRY(hn_store_dims(store, "test/value", dims, err));
    double *values = hn_alloc(dims[0], sizeof *values, "metrics", err);
    HnStatus status = values == NULL ? HN_MEMORY : hn_store_read_rows(store, "test/value", 0, dims[0], values, err);
    if (status == HN_OK) {
        status = hn_store_read_strings(store, "metric/name", 0, dims[0], &bytes, &offsets, err);
    }
    if (status == HN_OK) {
        result->test = hn_alloc(results->n_metrics, sizeof *result->test, "metrics", err);
        status = result->test == NULL ? HN_MEMORY : HN_OK;
        result->present = status == HN_OK;
    }
    for (size_t m = 0; status == HN_OK && m < results->n_metrics; m++) {
        result->test[m] = (double)NAN;
    }
    for (uint64_t m = 0; m < dims[0] && status == HN_OK; m++) {
        size_t metric = 0;
        status = metric_of(results, bytes + offsets[m], (size_t)(offsets[m + 1] - offsets[m]), &metric, err);
        if (status == HN_OK && result->n_test_users > 0) { /* a mean over nobody is no figure */
            result->test[metric] = values[m];
        }
    }
    hn_free(values);
    hn_free(bytes);
    hn_free(offsets);
    return status;
}

static HnStatus read_result(HnResults *results, const HnStore *store, const char *path, HnError *err) {
    char *variant = NULL;
    int64_t seed = 0, synthetic = 0;
    size_t r = 0, s = 0;
    HN_TRY(hn_store_get_i64(store, "seed", &seed, err));
    HN_TRY(hn_store_get_i64(store, "synthetic", &synthetic, err));
    HN_TRY(seed_of(results, seed, &s, err));
    HN_TRY(hn_store_get_text(store, "variant", &variant, err));
    HnStatus status = row_of(results, variant, &r, err);
    HnResult *result = status == HN_OK ? &results->rows[r].results[s] : NULL;
    if (status == HN_OK && result->present) {
        status = hn_fail(err, HN_CONFLICT, "%s and %s are both \"%s\" with seed %lld; move one away", result->path,
                         path, variant, (long long)seed);
    }
    hn_free(variant);
    HN_TRY(status);
    results->synthetic = results->synthetic || synthetic != 0;
    char *config = NULL;
    HN_TRY(hn_store_get_text(store, "config", &config, err));
    results->rows[r].on_test = results->rows[r].on_test || strstr(config, "select_on: test") != NULL;
    results->on_test = results->on_test || results->rows[r].on_test;
    hn_free(config);
    result->path = hn_strdup(path, err);
    HN_TRY(result->path == NULL ? HN_MEMORY : HN_OK);
    HN_TRY(hn_store_get_i64(store, "best_epoch", &result->best_epoch, err));
    HN_TRY(hn_store_get_i64(store, "epochs_run", &result->epochs_run, err));
    HN_TRY(hn_store_get_i64(store, "n_test_users", &result->n_test_users, err));
    results->untested = results->untested || result->n_test_users == 0;
    return read_metrics(results, store, result, err);
}

/* Seed folders in numeric order, so that seeds no experiment names come out ascending. */
static int compare_seed_folders(const void *a, const void *b) {
    const char *left = *(const char *const *)a, *right = *(const char *const *)b;
    size_t n_left = strlen(left), n_right = strlen(right);
    return n_left != n_right ? (n_left > n_right) - (n_left < n_right) : strcmp(left, right);
}

static HnStatus read_variant_folder(HnResults *results, const char *folder, HnError *err) {
    char **names = NULL;
    size_t n_names = 0;
    HN_TRY(hn_folder_list(folder, &names, &n_names, err));
    if (n_names > 1) {
        qsort(names, n_names, sizeof *names, compare_seed_folders);
    }
    HnStatus status = HN_OK;
    for (size_t i = 0; i < n_names && status == HN_OK; i++) {
        char *path = hn_path_printf(err, "%s/%s/result.h5", folder, names[i]);
        status = path == NULL ? HN_MEMORY : HN_OK;
        if (status == HN_OK && strncmp(names[i], "seed-", 5) == 0 && hn_file_exists(path)) {
            HnStore *store = NULL;
            char contents[65]; /* fails where the contents are not those that were sealed */
            status = hn_store_digest(path, NULL, NULL, contents, err);
            if (status == HN_OK) {
                status = hn_store_open(path, &HN_SCHEMA_RESULT, &store, err);
            }
            if (status == HN_OK) {
                status = read_result(results, store, path, err);
                hn_store_close(&store);
            }
        }
        hn_free(path);
    }
    hn_names_free(&names, n_names);
    return status;
}

static HnStatus read_all(HnResults *results, const char *train, HnError *err) {
    char **names = NULL;
    size_t n_names = 0;
    if (!hn_folder_exists(train)) {
        return HN_OK;
    }
    HN_TRY(hn_folder_list(train, &names, &n_names, err));
    HnStatus status = HN_OK;
    for (size_t i = 0; i < n_names && status == HN_OK; i++) {
        char *path = hn_path_join(train, names[i], err);
        status = path == NULL ? HN_MEMORY : HN_OK;
        if (status == HN_OK && hn_folder_exists(path)) {
            status = read_variant_folder(results, path, err);
        }
        hn_free(path);
    }
    hn_names_free(&names, n_names);
    return status;
}

HnStatus hn_results_collect(const char *folder, HnResults *results, HnError *err) {
    memset(results, 0, sizeof *results);
    if (!hn_folder_exists(folder)) {
        return hn_fail(err, HN_INPUT, "there is no folder %s; give the one that `hnlmrec run --out` wrote", folder);
    }
    char *train = hn_path_join(folder, "train", err);
    HnStatus status = train == NULL ? HN_MEMORY : expect(folder, results, err);
    if (status == HN_OK) {
        status = read_all(results, train, err);
    }
    if (status == HN_OK && results->n_metrics == 0) {
        status =
            hn_fail(err, HN_INPUT,
                    "%s holds no finished training (train/<variant>/seed-<n>/result.h5); is it a run folder? If the "
                    "run was interrupted, start it again with the same --out; of a tuning: --format trials",
                    folder);
    }
    hn_free(train);
    if (status != HN_OK) {
        hn_results_free(results);
    }
    return status;
}

void hn_results_free(HnResults *results) {
    for (size_t r = 0; r < results->n_rows; r++) {
        for (size_t s = 0; results->rows[r].results != NULL && s < results->n_seeds; s++) {
            hn_free(results->rows[r].results[s].path);
            hn_free(results->rows[r].results[s].test);
        }
        hn_free(results->rows[r].results);
        hn_free(results->rows[r].name);
    }
    for (size_t m = 0; m < results->n_metrics; m++) {
        hn_free(results->metrics[m]);
    }
    hn_free(results->rows);
    hn_free(results->metrics);
    hn_free(results->seeds);
    hn_free(results->experiment);
    hn_free(results->note);
    memset(results, 0, sizeof *results);
}
