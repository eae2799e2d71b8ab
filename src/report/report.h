/* Tables over the sealed results of a run folder: mean ± sample standard deviation over seeds, paired significance.
 *
 * Results are <folder>/train/<variant>/seed-<n>/result.h5. Rows, their order and the seeds that belong there come from
 * <folder>/experiment.yaml; where that cannot be read, rows are what is found, in the order of their names, and the
 * table says so. Seeds that are missing are named; synthetic data is labelled. A result that cannot be read is an
 * error, not a gap.
 */
#ifndef HN_REPORT_REPORT_H
#define HN_REPORT_REPORT_H

#include <stdio.h>

#include "base/error.h"

/* TABLE is for people. CSV has a line for each row and metric, JSON the single results too; both in full precision. */
typedef enum HnReportFormat { HN_REPORT_TABLE, HN_REPORT_CSV, HN_REPORT_JSON } HnReportFormat;

HnStatus hn_report(const char *folder, HnReportFormat format, FILE *out, HnError *err);

/* How training went, as CSV: variant, seed, epoch, part (loss, valid), name, value. */
HnStatus hn_report_curves(const char *folder, FILE *out, HnError *err);

/* Figures that others printed, as the experiment file names them, beside ours; HN_INPUT where it names none. */
HnStatus hn_report_published(const char *folder, FILE *out, HnError *err);

#endif
