/* `hnlmrec synthesize`: the synthetic world as raw review and metadata files. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "app/command.h"
#include "base/log.h"
#include "base/text.h"
#include "config/experiment.h"
#include "data/prepare.h"

enum { MOST_SETS = 256 };

static const char usage[] =
    "usage: hnlmrec synthesize [EXPERIMENT.yaml] [--set KEY=VALUE ...] --out DIR [--part I/N]\n\n"
    "Writes the synthetic world of the data.synthetic.* keys as DIR/reviews.json.gz and DIR/meta.json.gz in the field\n"
    "names of the Amazon 2018 dumps, for `prepare` with data.format: amazon. With --part I/N (I from 0 to N-1) only\n"
    "that part, in files of its own: N processes can write at once, and the parts put together are the same bytes for\n"
    "every N. The data are synthetic and say so. Never starts MPI.\n";

typedef struct Options {
    const char *experiment, *out;
    const char *sets[MOST_SETS];
    size_t n_sets;
    int64_t part, n_parts;
} Options;

static bool parse_part(const char *text, Options *options) {
    char part[24];
    const char *slash = strchr(text, '/');
    if (slash == NULL || (size_t)(slash - text) >= sizeof part) {
        return false;
    }
    memcpy(part, text, (size_t)(slash - text));
    part[slash - text] = '\0';
    return hn_parse_i64(part, &options->part) && hn_parse_i64(slash + 1, &options->n_parts) && options->part >= 0 &&
           options->n_parts <= 99999 && options->part < options->n_parts;
}

/* 0 = go on; -1 = help was printed; else the exit code. */
static int parse(int argc, char **argv, Options *options) {
    memset(options, 0, sizeof *options);
    options->n_parts = 1;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            return -1;
        }
        if (strcmp(argv[i], "--set") == 0 && i + 1 < argc && options->n_sets < MOST_SETS) {
            options->sets[options->n_sets++] = argv[++i];
        } else if (strcmp(argv[i], "--out") == 0 && i + 1 < argc) {
            options->out = argv[++i];
        } else if (strcmp(argv[i], "--part") == 0 && i + 1 < argc && parse_part(argv[i + 1], options)) {
            i++;
        } else if (argv[i][0] != '-' && options->experiment == NULL) {
            options->experiment = argv[i];
        } else {
            fprintf(stderr, "hnlmrec synthesize: cannot use \"%s\"\n%s", argv[i], usage);
            return HN_USAGE;
        }
    }
    if (options->out == NULL) {
        fputs(usage, stderr);
        return HN_USAGE;
    }
    return 0;
}

int hn_command_synthesize(int argc, char **argv) {
    Options options;
    int code = parse(argc, argv, &options);
    if (code != 0) {
        return code < 0 ? 0 : code;
    }
    HnError err = HN_ERROR_INIT;
    HnExperiment *experiment = NULL;
    hn_stop_install();
    HnStatus status = hn_experiment_load(options.experiment, options.sets, options.n_sets, &experiment, &err);
    if (status == HN_OK) {
        status = hn_synthesize(&experiment->data, options.out, (int)options.part, (int)options.n_parts, &err);
    }
    if (status == HN_OK) {
        char users[32], items[32], pairs[32];
        printf("SYNTHETIC world in %s: %s users, %s items, %s interactions", options.out,
               hn_format_count((uint64_t)experiment->data.synthetic.users, users, sizeof users),
               hn_format_count((uint64_t)experiment->data.synthetic.items, items, sizeof items),
               hn_format_count((uint64_t)experiment->data.synthetic.interactions, pairs, sizeof pairs));
        if (options.n_parts > 1) {
            printf("; part %lld of %lld", (long long)options.part, (long long)options.n_parts);
        }
        printf("\n");
    }
    hn_experiment_free(&experiment);
    return status == HN_OK ? 0 : hn_command_fail(&err);
}
