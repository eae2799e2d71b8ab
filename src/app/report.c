/* `hnlmrec report`: prints the tables of a run folder again. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "app/command.h"
#include "base/alloc.h"
#include "base/text.h"
#include "report/report.h"

static const char usage[] =
    "usage: hnlmrec report DIR [--format FORMAT]\n"
    "       hnlmrec report DIR ... --format published|shares\n\n"
    "Mean and sample standard deviation over seeds of every variant in the run folder DIR, with a paired\n"
    "test against the first row. Seeds that are not finished are named. Never starts MPI.\n\n"
    "  table (the default), csv, json, markdown, latex\n"
    "  groups     the test by groups: users by activity, items by popularity (eval.*)\n"
    "  trials     the trials of `hnlmrec tune`, best first\n"
    "  curves     losses and validation metrics of every epoch, as CSV\n"
    "  shares     the test of several runs that differ in data.train_share, as CSV\n"
    "  published  the figures that others printed, as the experiments name them, beside ours\n\n"
    "groups-csv, -markdown and -latex, and trials- with the same endings, are for programs, pages and papers.\n";

typedef HnStatus ReportFn(const char *folder, HnReportFormat format, FILE *out, HnError *err);

static HnStatus curves(const char *folder, HnReportFormat format, FILE *out, HnError *err) {
    (void)format;
    return hn_report_curves(folder, out, err);
}

static HnStatus published(const char *folder, HnReportFormat format, FILE *out, HnError *err) {
    (void)format;
    return hn_report_published(folder, out, err);
}

typedef struct Format {
    const char *word;
    ReportFn *report;
    HnReportFormat format;
    bool many; /* takes several folders */
} Format;

static const Format formats[] = {
    {"table", hn_report, HN_REPORT_TABLE, false},
    {"csv", hn_report, HN_REPORT_CSV, false},
    {"json", hn_report, HN_REPORT_JSON, false},
    {"markdown", hn_report, HN_REPORT_MARKDOWN, false},
    {"latex", hn_report, HN_REPORT_LATEX, false},
    {"groups", hn_report_groups, HN_REPORT_TABLE, false},
    {"groups-csv", hn_report_groups, HN_REPORT_CSV, false},
    {"groups-markdown", hn_report_groups, HN_REPORT_MARKDOWN, false},
    {"groups-latex", hn_report_groups, HN_REPORT_LATEX, false},
    {"trials", hn_report_trials, HN_REPORT_TABLE, false},
    {"trials-csv", hn_report_trials, HN_REPORT_CSV, false},
    {"trials-markdown", hn_report_trials, HN_REPORT_MARKDOWN, false},
    {"trials-latex", hn_report_trials, HN_REPORT_LATEX, false},
    {"curves", curves, HN_REPORT_CSV, false},
    {"published", published, HN_REPORT_TABLE, true},
    {"shares", NULL, HN_REPORT_CSV, true}, /* all folders at once */
};
enum { N_FORMATS = sizeof formats / sizeof formats[0] };

typedef struct Options {
    const Format *format;
    const char **folders;
    int n_folders;
} Options;

static const Format *find_format(const char *word) {
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

static int parse(int argc, char **argv, Options *options) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--format") == 0 && i + 1 < argc) {
            options->format = find_format(argv[++i]);
            if (options->format == NULL) {
                return HN_USAGE;
            }
        } else if (argv[i][0] != '-') {
            options->folders[options->n_folders++] = argv[i];
        } else {
            fprintf(stderr, "hnlmrec report: cannot use \"%s\"\n%s", argv[i], usage);
            return HN_USAGE;
        }
    }
    if (options->n_folders == 0) {
        fputs(usage, stderr);
        return HN_USAGE;
    }
    if (options->n_folders > 1 && !options->format->many) {
        fprintf(stderr, "hnlmrec report: several folders are for --format published and shares only\n%s", usage);
        return HN_USAGE;
    }
    return 0;
}

/* A folder that has no report is said so, and the others follow. The exit code of the first that failed. */
static int print_all(const Options *options) {
    int code = 0;
    HnError err = HN_ERROR_INIT;
    if (options->format->report == NULL) {
        return hn_report_shares(options->folders, (size_t)options->n_folders, stdout, &err) == HN_OK
                   ? 0
                   : hn_command_fail(&err);
    }
    for (int f = 0; f < options->n_folders; f++) {
        if (f > 0) {
            (void)fputs("\n", stdout);
            (void)fflush(stdout);
        }
        hn_error_clear(&err);
        if (options->format->report(options->folders[f], options->format->format, stdout, &err) != HN_OK) {
            const int failed = hn_command_fail(&err);
            code = code == 0 ? failed : code;
        }
    }
    return code;
}

int hn_command_report(int argc, char **argv) {
    HnError err = HN_ERROR_INIT;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            return 0;
        }
    }
    Options options = {.format = &formats[0],
                       .folders = hn_alloc((size_t)argc, sizeof *options.folders, "command line", &err)};
    if (options.folders == NULL) {
        return hn_command_fail(&err);
    }
    int code = parse(argc, argv, &options);
    code = code == 0 ? print_all(&options) : code;
    hn_free(options.folders);
    return code;
}
