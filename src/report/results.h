/* The results of a run folder in memory, and what the tables say about them. Private to this room. */
#ifndef HN_REPORT_RESULTS_H
#define HN_REPORT_RESULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "base/text.h"
#include "report/report.h"

typedef struct HnResult { /* one row, one seed */
    bool present;
    char *path; /* of its result.h5 */
    int64_t best_epoch, epochs_run, n_test_users;
    double *test; /* [n_metrics] NaN where this row does not have the metric */
} HnResult;

typedef struct HnResultRow {
    char *name;
    bool on_test;      /* some epoch of it was selected on the test part */
    HnResult *results; /* [n_seeds] */
} HnResultRow;

typedef struct HnResults {
    char *experiment; /* its name; NULL where experiment.yaml could not be read */
    char *note;       /* why not */
    bool synthetic;
    bool untested;      /* some result is of data in which no user has a test item: its metrics are NaN */
    bool on_test;       /* of any row */
    double train_share; /* data.train_share; 0 where the experiment could not be read */
    int64_t *seeds;     /* those of the experiment, then others that were found, ascending */
    size_t n_seeds;
    char **metrics; /* in the order of the first result */
    size_t n_metrics;
    HnResultRow *rows;
    size_t n_rows;
} HnResults;

/* HN_INPUT where the folder holds no result at all. */
HnStatus hn_results_collect(const char *folder, HnResults *results, HnError *err);
void hn_results_free(HnResults *results);
size_t hn_results_n_seeds(const HnResults *results, const HnResultRow *row); /* that are finished */
/* A line for each row that lacks some: "missing: NAME 3, 4 (seeds; ...)". */
HnStatus hn_results_put_missing(const HnResults *results, HnText *out, HnError *err);

/* What one cell of the table says. */
typedef struct HnCell {
    size_t n; /* seeds that have a value */
    double mean, deviation, least, most;
    bool best; /* highest mean of its column, among rows with all the seeds that any row has */
    /* Against the first row, over the seeds that both have; NaN for the first row itself. */
    size_t n_pairs;
    double difference, t_p, wilcoxon_p;
} HnCell;

/* cells: [n_rows][n_metrics], freed by hn_free. */
HnStatus hn_results_summarise(const HnResults *results, HnCell **cells, HnError *err);

#define HN_ON_TEST_NOTE \
    "SELECTED ON TEST: the epoch was chosen by the test part (eval.select_on); these figures are too good"
#define HN_UNTESTED_NOTE \
    "NOT TESTED: no user has a test item; take data with more interactions a user, or another data.split"
#define HN_SYNTHETIC_NOTE "SYNTHETIC DATA: made by a generator; these figures say nothing about real people"

extern const double hn_significance_level;
bool hn_cell_is_significant(const HnCell *cell);

HnStatus hn_table_write(const HnResults *results, const HnCell *cells, const char *folder, FILE *out, HnError *err);
/* MARKDOWN and LATEX. */
HnStatus hn_page_write(const HnResults *results, const HnCell *cells, HnReportFormat format, FILE *out, HnError *err);
HnStatus hn_csv_write(const HnResults *results, const HnCell *cells, FILE *out, HnError *err);
HnStatus hn_json_write(const HnResults *results, const HnCell *cells, const char *folder, FILE *out, HnError *err);
void hn_csv_field(const char *text, FILE *out); /* quoted where it must be */

#endif
