/* Tables over the sealed results of a run folder: mean ± sample standard deviation over seeds, paired significance.
 *
 * Results are <folder>/train/<variant>/seed-<n>/result.h5. Rows, their order and the seeds that belong there come from
 * <folder>/experiment.yaml; where that cannot be read, rows are what is found, in the order of their names, and the
 * table says so. Seeds that are missing are named; synthetic data is labelled. A result that cannot be read is an
 * error, not a gap.
 */
#ifndef HN_REPORT_REPORT_H
#define HN_REPORT_REPORT_H

#include <stddef.h>
#include <stdio.h>

#include "base/error.h"

/* TABLE is for people, MARKDOWN and LATEX for pages and papers. CSV has a line for each row and metric, JSON the single
 * results too; both in full precision. */
typedef enum HnReportFormat {
    HN_REPORT_TABLE,
    HN_REPORT_CSV,
    HN_REPORT_JSON,
    HN_REPORT_MARKDOWN,
    HN_REPORT_LATEX
} HnReportFormat;

HnStatus hn_report(const char *folder, HnReportFormat format, FILE *out, HnError *err);

/* The test by groups of users (activity) and items (popularity). No JSON. */
HnStatus hn_report_groups(const char *folder, HnReportFormat format, FILE *out, HnError *err);

/* The test of runs that differ in data.train_share, as CSV: row, share, metric, seeds, mean, deviation. */
HnStatus hn_report_shares(const char *const *folders, size_t n_folders, FILE *out, HnError *err);

/* The trials of a tuning, best first. No JSON. */
HnStatus hn_report_trials(const char *folder, HnReportFormat format, FILE *out, HnError *err);

/* How training went, as CSV: variant, seed, epoch, part (loss, valid), name, value. */
HnStatus hn_report_curves(const char *folder, FILE *out, HnError *err);

/* Figures that others printed, as the experiment file names them, beside ours; HN_INPUT where it names none. */
HnStatus hn_report_published(const char *folder, FILE *out, HnError *err);

#endif
