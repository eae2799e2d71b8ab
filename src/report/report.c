#include "report/report.h"

#include "base/alloc.h"
#include "report/results.h"

static HnStatus write_as(HnReportFormat format, const HnResults *results, const HnCell *cells, const char *folder,
                         FILE *out, HnError *err) {
    switch (format) {
    case HN_REPORT_TABLE:
        return hn_table_write(results, cells, folder, out, err);
    case HN_REPORT_CSV:
        return hn_csv_write(results, cells, out, err);
    case HN_REPORT_JSON:
        return hn_json_write(results, cells, folder, out, err);
    case HN_REPORT_MARKDOWN:
    case HN_REPORT_LATEX:
        return hn_page_write(results, cells, format, out, err);
    }
    return hn_fail(err, HN_INTERNAL, "no such report format");
}

HnStatus hn_report(const char *folder, HnReportFormat format, FILE *out, HnError *err) {
    HnResults results;
    HnCell *cells = NULL;
    HN_TRY(hn_results_collect(folder, &results, err));
    HnStatus status = hn_results_summarise(&results, &cells, err);
    if (status == HN_OK) {
        status = write_as(format, &results, cells, folder, out, err);
    }
    if (status == HN_OK && (fflush(out) != 0 || ferror(out))) {
        status = hn_fail(err, HN_IO, "the report could not be written in full; is the disk full?");
    }
    hn_free(cells);
    hn_results_free(&results);
    return status;
}
