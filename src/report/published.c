/* Figures that others printed (`published` of the experiment file), with ours beside them.
 *
 * A published figure is one run. It agrees with ours where it lies in the 95 % prediction interval of one more run,
 * mean ± t sd sqrt(1 + 1/n) with n - 1 degrees of freedom: 3.04 sd for five seeds; or within the per cent that the
 * experiment grants it. */
#include "config/published.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/text.h"
#include "report/report.h"
#include "report/results.h"
#include "report/statistics.h"
#include "store.h"

/* The column called name of [n][n_names] values; n_names where there is none. */
static HnStatus column_of(const HnStore *store, const char *names, const char *name, uint64_t n_names, uint64_t *column,
                          HnError *err) {
    char *bytes = NULL;
    uint64_t *offsets = NULL;
    HN_TRY(hn_store_read_strings(store, names, 0, n_names, &bytes, &offsets, err));
    for (*column = 0; *column < n_names; (*column)++) {
        const uint64_t length = offsets[*column + 1] - offsets[*column];
        if (strlen(name) == length && memcmp(bytes + offsets[*column], name, length) == 0) {
            break;
        }
    }
    hn_free(bytes);
    hn_free(offsets);
    return HN_OK;
}

/* One number of a field [n][n_names]; NaN where its row or column is absent. */
static HnStatus one_value(const HnStore *store, const char *field, uint64_t row, const char *names, const char *name,
                          double *value, HnError *err) {
    uint64_t dims[HN_MAX_DIMS] = {0}, column = 0;
    HN_TRY(hn_store_dims(store, field, dims, err));
    HN_TRY(column_of(store, names, name, dims[1], &column, err));
    if (row >= dims[0] || column >= dims[1]) {
        return HN_OK;
    }
    double *values = hn_alloc(dims[1], sizeof *values, "an epoch's values", err);
    HnStatus status = values == NULL ? HN_MEMORY : hn_store_read_rows(store, field, row, 1, values, err);
    *value = status == HN_OK ? values[column] : *value;
    hn_free(values);
    return status;
}

/* The sum over the batches of an epoch, as training logs print it. */
static HnStatus epoch_loss(const HnStore *store, uint64_t epoch, double *value, HnError *err) {
    int64_t batches = 0;
    HN_TRY(one_value(store, "loss/value", epoch, "loss/name", "total", value, err));
    HN_TRY(hn_store_get_i64(store, "batches", &batches, err));
    *value *= (double)batches;
    return HN_OK;
}

static HnStatus epoch_metric(const HnStore *store, int64_t epoch, const char *metric, double *value, HnError *err) {
    uint64_t dims[HN_MAX_DIMS] = {0};
    HN_TRY(hn_store_dims(store, "valid/epoch", dims, err));
    int32_t *epochs = hn_alloc(dims[0], sizeof *epochs, "epochs", err);
    HnStatus status = epochs == NULL ? HN_MEMORY : hn_store_read_rows(store, "valid/epoch", 0, dims[0], epochs, err);
    for (uint64_t r = 0; r < dims[0] && status == HN_OK; r++) {
        if (epochs[r] == epoch + 1) { /* ours are epochs done */
            status = one_value(store, "valid/value", r, "metric/name", metric, value, err);
        }
    }
    hn_free(epochs);
    return status;
}

/* Ours for one seed; NaN where this training has no such value. */
static HnStatus value_of(const HnResults *results, const HnResult *result, const HnPublished *figure, double *value,
                         HnError *err) {
    *value = (double)NAN;
    if (figure->epoch == HN_PUBLISHED_BEST) {
        for (size_t m = 0; m < results->n_metrics; m++) {
            *value = strcmp(results->metrics[m], figure->figure) == 0 ? result->test[m] : *value;
        }
        return HN_OK;
    }
    HnStore *store = NULL;
    HN_TRY(hn_store_open(result->path, &HN_SCHEMA_RESULT, &store, err));
    HnStatus status = strcmp(figure->figure, "loss") == 0
                          ? epoch_loss(store, (uint64_t)figure->epoch, value, err)
                          : epoch_metric(store, figure->epoch, figure->figure, value, err);
    hn_store_close(&store);
    return status;
}

static HnStatus values_of(const HnResults *results, const HnPublished *figure, double *values, size_t *n,
                          HnError *err) {
    *n = 0;
    for (size_t r = 0; r < results->n_rows; r++) {
        const HnResultRow *row = &results->rows[r];
        for (size_t s = 0; s < results->n_seeds && strcmp(row->name, figure->row) == 0; s++) {
            if (row->results[s].present) {
                HN_TRY(value_of(results, &row->results[s], figure, &values[*n], err));
                *n += isnan(values[*n]) ? 0u : 1u;
            }
        }
    }
    return HN_OK;
}

/* "yes" or "no"; "-" where there are too few seeds to tell. */
static const char *verdict(const HnPublished *figure, double mean, double deviation, size_t n) {
    const double distance = fabs(figure->value - mean);
    if (distance <= figure->within * fabs(figure->value)) {
        return "yes"; /* not where there is no mean */
    }
    if (n < 2) {
        return "-";
    }
    return hn_t_two_sided(distance / (deviation * sqrt(1.0 + 1.0 / (double)n)), (double)n - 1.0) >= 0.05 ? "yes" : "no";
}

static HnStatus put_figure(const HnPublished *figure, const double *values, size_t n, size_t n_seeds, HnText *out,
                           HnError *err) {
    const double mean = hn_mean(values, n), deviation = hn_sample_deviation(values, n);
    char epoch[32] = "best", ours[64] = "-", off[32] = "-", seeds[32];
    if (figure->epoch != HN_PUBLISHED_BEST) {
        (void)snprintf(epoch, sizeof epoch, "%lld", (long long)figure->epoch);
    }
    const int digits = figure->value >= 1.0 ? 4 : 5;
    if (n > 0) {
        (void)snprintf(ours, sizeof ours, n > 1 ? "%.*f +- %.*f" : "%.*f", digits, mean, digits, deviation);
        (void)snprintf(off, sizeof off, "%+.2f %%", 100.0 * (mean / figure->value - 1.0));
    }
    (void)snprintf(seeds, sizeof seeds, "%zu/%zu", n, n_seeds);
    return hn_text_printf(out, err, "%-20s %-12s %5s %10.*f   %-22s %5s %10s  %s\n", figure->row, figure->figure, epoch,
                          digits, figure->value, ours, seeds, off, verdict(figure, mean, deviation, n));
}

typedef struct Comparison {
    const HnResults *results;
    double *values; /* [n_seeds] room */
    bool *has;      /* [n_rows] some figure of the row is published */
    size_t n_short; /* figures that some finished seed has no value of */
} Comparison;

static HnStatus compare(Comparison *all, const char *text, const HnExperiment *experiment, HnText *out, HnError *err) {
    const HnResults *results = all->results;
    HnPublished figure;
    size_t n = 0;
    HN_TRY(hn_published_parse(text, experiment, &figure, err));
    HN_TRY(values_of(results, &figure, all->values, &n, err));
    for (size_t r = 0; r < results->n_rows; r++) {
        if (strcmp(results->rows[r].name, figure.row) == 0) {
            all->has[r] = true;
            all->n_short += n < hn_results_n_seeds(results, &results->rows[r]) ? 1u : 0u;
        }
    }
    return put_figure(&figure, all->values, n, results->n_seeds, out, err);
}

/* What the lines above leave out. */
static HnStatus put_rest(const Comparison *all, HnText *out, HnError *err) {
    bool any = false;
    for (size_t r = 0; r < all->results->n_rows; r++) {
        if (!all->has[r]) {
            HN_TRY(hn_text_printf(out, err, "%s%s",
                                  any ? ", " : "no figure is published for: ", all->results->rows[r].name));
            any = true;
        }
    }
    HN_TRY(hn_text_puts(out, any ? "\n" : "", err));
    if (all->n_short > 0) {
        HN_TRY(hn_text_printf(out, err,
                              "%zu figure%s: finished seeds have no value of that name or at that epoch, which "
                              "train.epochs, train.eval_first and train.eval_every, or an early stop, left out\n",
                              all->n_short, all->n_short == 1 ? "" : "s"));
    }
    return hn_results_put_missing(all->results, out, err);
}

static HnStatus put_all(const HnResults *results, const HnExperiment *experiment, const char *folder, HnText *out,
                        HnError *err) {
    Comparison all = {.results = results,
                      .values = hn_alloc(results->n_seeds + 1, sizeof(double), "values of the seeds", err),
                      .has = hn_alloc(results->n_rows + 1, sizeof(bool), "rows", err)};
    HnStatus status =
        all.values == NULL || all.has == NULL
            ? HN_MEMORY
            : hn_text_printf(out, err, "%s (%s)\n%-20s %-12s %5s %10s   %-22s %5s %10s  %s\n", experiment->name, folder,
                             "row", "figure", "epoch", "published", "ours", "seeds", "off", "inside");
    for (size_t i = 0; i < experiment->published.n && status == HN_OK; i++) {
        status = compare(&all, experiment->published.items[i], experiment, out, err);
    }
    status = status == HN_OK ? put_rest(&all, out, err) : status;
    hn_free(all.has);
    hn_free(all.values);
    return status == HN_OK
               ? hn_text_puts(out,
                              "ours: mean +- sample standard deviation over seeds; loss: sum over an "
                              "epoch's batches; epochs are counted from 0\ninside: the published figure "
                              "lies where one more of our runs would, 19 times in 20, or within the per cent that "
                              "the experiment grants it\n",
                              err)
               : status;
}

HnStatus hn_report_published(const char *folder, FILE *out, HnError *err) {
    HnResults results;
    HnExperiment *experiment = NULL;
    HnText text = {0};
    HN_TRY(hn_results_collect(folder, &results, err));
    char *path = hn_path_join(folder, "experiment.yaml", err);
    HnStatus status = path == NULL ? HN_MEMORY : hn_experiment_load(path, NULL, 0, &experiment, err);
    if (status == HN_OK && experiment->published.n == 0) {
        status = hn_fail(err, HN_INPUT, "%s names no published figures; give them in the experiment's key `published`",
                         path);
    }
    status = status == HN_OK ? put_all(&results, experiment, folder, &text, err) : status;
    if (status == HN_OK) {
        (void)fputs(hn_text_get(&text), out);
        status = fflush(out) != 0 || ferror(out)
                     ? hn_fail(err, HN_IO, "the comparison could not be written in full; is the disk full?")
                     : HN_OK;
    }
    hn_text_free(&text);
    hn_experiment_free(&experiment);
    hn_free(path);
    hn_results_free(&results);
    return status;
}
