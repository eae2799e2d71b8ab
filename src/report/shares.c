/* What the share of training data does: the test of several runs that differ in data.train_share, line by line. */
#include "base/alloc.h"
#include "report/grid.h"
#include "report/report.h"
#include "report/results.h"

static const char *const headings[] = {"row",  "train_share",      "metric",    "n_seeds",
                                       "mean", "sample_deviation", "synthetic", "selected_on_test"};
enum { N_HEADINGS = sizeof headings / sizeof headings[0] };

/* One row and metric of one run. */
static HnStatus add_line(const HnResults *results, size_t row, size_t metric, const HnCell *cell, HnGrid *grid,
                         HnError *err) {
    HN_TRY(hn_grid_add(grid, err, "%s", results->rows[row].name));
    HN_TRY(hn_grid_add(grid, err, "%g", results->train_share));
    HN_TRY(hn_grid_add(grid, err, "%s", results->metrics[metric]));
    HN_TRY(hn_grid_add(grid, err, "%zu", cell->n));
    HN_TRY(hn_grid_add_number(grid, cell->mean, err));
    HN_TRY(hn_grid_add_number(grid, cell->deviation, err));
    HN_TRY(hn_grid_add(grid, err, "%d", results->synthetic ? 1 : 0));
    return hn_grid_add(grid, err, "%d", results->rows[row].on_test ? 1 : 0);
}

static HnStatus add_run(const char *folder, HnGrid *grid, HnError *err) {
    HnResults results;
    HN_TRY(hn_results_collect(folder, &results, err));
    HnCell *cells = NULL;
    HnStatus status = HN_OK;
    if (results.experiment == NULL) {
        status = hn_fail(err, HN_INPUT, "%s does not say its data.train_share: %s", folder, results.note);
    }
    status = status == HN_OK ? hn_results_summarise(&results, &cells, err) : status;
    for (size_t i = 0; i < results.n_rows * results.n_metrics && status == HN_OK; i++) {
        status = add_line(&results, i / results.n_metrics, i % results.n_metrics, &cells[i], grid, err);
    }
    hn_free(cells);
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
