/* Tables over the sealed results of a run folder: mean ± sample standard deviation over seeds, paired significance. */
#ifndef HN_REPORT_REPORT_H
#define HN_REPORT_REPORT_H

#include <stdio.h>

#include "base/error.h"

typedef enum HnReportFormat { HN_REPORT_TABLE, HN_REPORT_CSV, HN_REPORT_JSON } HnReportFormat;

/* Finds <folder>/train/<variant>/seed-<n>/result.h5. Names the seeds that are missing; synthetic data is labelled. */
HnStatus hn_report(const char *folder, HnReportFormat format, FILE *out, HnError *err);

#endif
