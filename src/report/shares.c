/* What the share of training data does: the test of several runs that differ in data.train_share, line by line. */
#include "base/alloc.h"
#include "report/grid.h"
#include "report/report.h"
#include "report/results.h"
#include "report/statistics.h"

static const char *const headings[] = {"row",  "train_share",      "metric",   "n_seeds",
                                       "mean", "sample_deviation", "synthetic"};
enum { N_HEADINGS = sizeof headings / sizeof headings[0] };

static size_t values_of(const HnResults *results, size_t row, size_t metric, double *values) {
    size_t n = 0;
    for (size_t s = 0; s < results->n_seeds; s++) {
        const HnResult *result = &results->rows[row].results[s];
        if (result->present && result->test[metric] == result->test[metric]) { /* no NaN */
            values[n++] = result->test[metric];
        }
    }
    return n;
}

/* One row and metric of one run. */
static HnStatus add_line(const HnResults *results, size_t row, size_t metric, double *values, HnGrid *grid,
                         HnError *err) {
    size_t n = values_of(results, row, metric, values);
    HN_TRY(hn_grid_add(grid, err, "%s", results->rows[row].name));
    HN_TRY(hn_grid_add(grid, err, "%g", results->train_share));
    HN_TRY(hn_grid_add(grid, err, "%s", results->metrics[metric]));
    HN_TRY(hn_grid_add(grid, err, "%zu", n));
    HN_TRY(hn_grid_add_number(grid, hn_mean(values, n), err));
    HN_TRY(hn_grid_add_number(grid, hn_sample_deviation(values, n), err));
    return hn_grid_add(grid, err, "%d", results->synthetic ? 1 : 0);
}

static HnStatus add_run(const char *folder, HnGrid *grid, HnError *err) {
    HnResults results;
    HN_TRY(hn_results_collect(folder, &results, err));
    double *values = hn_alloc(results.n_seeds, sizeof *values, "values of a cell", err);
    HnStatus status = values == NULL ? HN_MEMORY : HN_OK;
    if (status == HN_OK && results.experiment == NULL) {
        status = hn_fail(err, HN_INPUT, "%s does not say its data.train_share: %s", folder, results.note);
    }
    for (size_t i = 0; i < results.n_rows * results.n_metrics && status == HN_OK; i++) {
        status = add_line(&results, i / results.n_metrics, i % results.n_metrics, values, grid, err);
    }
    hn_free(values);
    hn_results_free(&results);
    return status;
}

HnStatus hn_report_shares(const char *const *folders, size_t n_folders, FILE *out, HnError *err) {
    HnGrid grid = {.n_columns = N_HEADINGS};
    HnStatus status = HN_OK;
    for (size_t c = 0; c < N_HEADINGS && status == HN_OK; c++) {
        status = hn_grid_add(&grid, err, "%s", headings[c]);
    }
    for (size_t f = 0; f < n_folders && status == HN_OK; f++) {
        status = add_run(folders[f], &grid, err);
    }
    status = status == HN_OK ? hn_grid_write(&grid, HN_REPORT_CSV, out, err) : status;
    if (status == HN_OK && (fflush(out) != 0 || ferror(out))) {
        status = hn_fail(err, HN_IO, "the shares could not be written in full; is the disk full?");
    }
    hn_grid_free(&grid);
    return status;
}
