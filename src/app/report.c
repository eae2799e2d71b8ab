/* `hnlmrec report`: prints the tables of a run folder again. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "app/command.h"
#include "base/alloc.h"
#include "report/report.h"

static const char usage[] =
    "usage: hnlmrec report DIR [--format table|csv|json|curves]\n"
    "       hnlmrec report DIR ... --format published\n\n"
    "Mean and sample standard deviation over seeds of every variant in the run folder DIR, with a paired\n"
    "test against the first row. Seeds that are not finished are named. curves: losses and validation\n"
    "metrics of every epoch, as CSV. published: the figures that others printed, as the experiments name\n"
    "them, beside ours. Never starts MPI.\n";

/* What prints a folder: the tables, or one of the two formats beside them. */
typedef struct Options {
    HnReportFormat format;
    HnStatus (*other)(const char *folder, FILE *out, HnError *err); /* NULL = the tables */
    const char **folders;
    int n_folders;
} Options;

static int parse_format(const char *word, Options *options) {
    const bool curves = strcmp(word, "curves") == 0, published = strcmp(word, "published") == 0;
    options->other = curves ? hn_report_curves : published ? hn_report_published : NULL;
    if (options->other != NULL) {
        return 0;
    }
    if (strcmp(word, "table") == 0) {
        options->format = HN_REPORT_TABLE;
    } else if (strcmp(word, "csv") == 0) {
        options->format = HN_REPORT_CSV;
    } else if (strcmp(word, "json") == 0) {
        options->format = HN_REPORT_JSON;
    } else {
        fprintf(stderr, "hnlmrec report: --format is table, csv, json, curves or published, not \"%s\"\n", word);
        return HN_USAGE;
    }
    return 0;
}

static int parse(int argc, char **argv, Options *options) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--format") == 0 && i + 1 < argc) {
            if (parse_format(argv[++i], options) != 0) {
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
    if (options->n_folders > 1 && options->other != hn_report_published) {
        fprintf(stderr, "hnlmrec report: several folders are for --format published only\n%s", usage);
        return HN_USAGE;
    }
    return 0;
}

static HnStatus print_all(const Options *options, HnError *err) {
    for (int f = 0; f < options->n_folders; f++) {
        if (f > 0) {
            (void)fputs("\n", stdout);
        }
        HN_TRY(options->other != NULL ? options->other(options->folders[f], stdout, err)
                                      : hn_report(options->folders[f], options->format, stdout, err));
    }
    return HN_OK;
}

int hn_command_report(int argc, char **argv) {
    HnError err = HN_ERROR_INIT;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            return 0;
        }
    }
    Options options = {.folders = hn_alloc((size_t)argc, sizeof *options.folders, "command line", &err)};
    if (options.folders == NULL) {
        return hn_command_fail(&err);
    }
    int code = parse(argc, argv, &options);
    if (code == 0 && print_all(&options, &err) != HN_OK) {
        code = hn_command_fail(&err);
    }
    hn_free(options.folders);
    return code;
}
