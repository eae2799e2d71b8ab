/* `hnlmrec report`: prints the tables of a run folder again. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "app/command.h"
#include "base/text.h"
#include "report/report.h"

static const char usage[] =
    "usage: hnlmrec report DIR [--format FORMAT]\n\n"
    "Mean and sample standard deviation over seeds of every variant in the run folder DIR, with a paired\n"
    "test against the first row. Seeds that are not finished are named. Never starts MPI.\n\n"
    "  table (the default), csv, json, markdown, latex\n"
    "  groups   the test by groups: users by activity, items by popularity (eval.*)\n"
    "  trials   the trials of `hnlmrec tune`, best first\n"
    "  curves   losses and validation metrics of every epoch, as CSV\n\n"
    "groups-csv, -markdown and -latex, and trials- with the same endings, are for programs, pages and papers.\n";

typedef HnStatus ReportFn(const char *folder, HnReportFormat format, FILE *out, HnError *err);

static HnStatus curves(const char *folder, HnReportFormat format, FILE *out, HnError *err) {
    (void)format;
    return hn_report_curves(folder, out, err);
}

static const struct Format {
    const char *word;
    ReportFn *report;
    HnReportFormat format;
} formats[] = {
    {"table", hn_report, HN_REPORT_TABLE},
    {"csv", hn_report, HN_REPORT_CSV},
    {"json", hn_report, HN_REPORT_JSON},
    {"markdown", hn_report, HN_REPORT_MARKDOWN},
    {"latex", hn_report, HN_REPORT_LATEX},
    {"groups", hn_report_groups, HN_REPORT_TABLE},
    {"groups-csv", hn_report_groups, HN_REPORT_CSV},
    {"groups-markdown", hn_report_groups, HN_REPORT_MARKDOWN},
    {"groups-latex", hn_report_groups, HN_REPORT_LATEX},
    {"trials", hn_report_trials, HN_REPORT_TABLE},
    {"trials-csv", hn_report_trials, HN_REPORT_CSV},
    {"trials-markdown", hn_report_trials, HN_REPORT_MARKDOWN},
    {"trials-latex", hn_report_trials, HN_REPORT_LATEX},
    {"curves", curves, HN_REPORT_CSV},
};
enum { N_FORMATS = sizeof formats / sizeof formats[0] };

static const struct Format *find_format(const char *word) {
    const char *words[N_FORMATS];
    for (size_t f = 0; f < N_FORMATS; f++) {
        words[f] = formats[f].word;
        if (strcmp(word, words[f]) == 0) {
            return &formats[f];
        }
    }
    const char *near = hn_nearest_word(word, words, N_FORMATS);
    fprintf(stderr, "hnlmrec report: no format \"%s\"%s%s%s; `hnlmrec report --help` lists them\n", word,
            near == NULL ? "" : " (did you mean ", near == NULL ? "" : near, near == NULL ? "" : "?)");
    return NULL;
}

int hn_command_report(int argc, char **argv) {
    const char *folder = NULL;
    const struct Format *format = &formats[0];
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            return 0;
        }
        if (strcmp(argv[i], "--format") == 0 && i + 1 < argc) {
            format = find_format(argv[++i]);
            if (format == NULL) {
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
    HnStatus status = format->report(folder, format->format, stdout, &err);
    return status == HN_OK ? 0 : hn_command_fail(&err);
}
