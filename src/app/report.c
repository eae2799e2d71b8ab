/* `hnlmrec report`: prints the tables of a run folder again. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "app/command.h"
#include "report/report.h"

static const char usage[] =
    "usage: hnlmrec report DIR [--format table|csv|json|curves]\n\n"
    "Mean and sample standard deviation over seeds of every variant in the run folder DIR, with a paired\n"
    "test against the first row. Seeds that are not finished are named. curves: losses and validation\n"
    "metrics of every epoch, as CSV. Never starts MPI.\n";

static int parse_format(const char *word, HnReportFormat *format, bool *curves) {
    *curves = strcmp(word, "curves") == 0;
    if (*curves) {
        return 0;
    }
    if (strcmp(word, "table") == 0) {
        *format = HN_REPORT_TABLE;
    } else if (strcmp(word, "csv") == 0) {
        *format = HN_REPORT_CSV;
    } else if (strcmp(word, "json") == 0) {
        *format = HN_REPORT_JSON;
    } else {
        fprintf(stderr, "hnlmrec report: --format is table, csv, json or curves, not \"%s\"\n", word);
        return HN_USAGE;
    }
    return 0;
}

int hn_command_report(int argc, char **argv) {
    const char *folder = NULL;
    HnReportFormat format = HN_REPORT_TABLE;
    bool curves = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            return 0;
        }
        if (strcmp(argv[i], "--format") == 0 && i + 1 < argc) {
            if (parse_format(argv[++i], &format, &curves) != 0) {
                return HN_USAGE;
            }
        } else if (argv[i][0] != '-' && folder == NULL) {
            folder = argv[i];
        } else {
            fprintf(stderr, "hnlmrec report: cannot use \"%s\"\n%s", argv[i], usage);
            return HN_USAGE;
        }
    }
    if (folder == NULL) {
        fputs(usage, stderr);
        return HN_USAGE;
    }
    HnError err = HN_ERROR_INIT;
    HnStatus status = curves ? hn_report_curves(folder, stdout, &err) : hn_report(folder, format, stdout, &err);
    return status == HN_OK ? 0 : hn_command_fail(&err);
}
