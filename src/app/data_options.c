#include "app/data_options.h"

#include <stdio.h>
#include <string.h>

#include "app/command.h"
#include "base/alloc.h"
#include "base/text.h"

bool hn_parse_part(const char *text, int *part, int *n_parts) {
    char first[24];
    int64_t index, count;
    const char *slash = strchr(text, '/');
    if (slash == NULL || (size_t)(slash - text) >= sizeof first) {
        return false;
    }
    memcpy(first, text, (size_t)(slash - text));
    first[slash - text] = '\0';
    if (!hn_parse_i64(first, &index) || !hn_parse_i64(slash + 1, &count) || index < 0 || count > 99999 ||
        index >= count) {
        return false;
    }
    *part = (int)index;
    *n_parts = (int)count;
    return true;
}

bool hn_data_options_parse(int argc, char **argv, const char *usage, bool takes_part, HnDataOptions *options,
                           int *code) {
    memset(options, 0, sizeof *options);
    options->n_parts = 1;
    *code = HN_USAGE;
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            *code = 0;
            return false;
        }
        if (strcmp(argv[i], "--set") == 0 && more && options->n_sets < HN_MOST_SETS) {
            options->sets[options->n_sets++] = argv[++i];
        } else if (strcmp(argv[i], "--out") == 0 && more) {
            options->out = argv[++i];
        } else if (takes_part && strcmp(argv[i], "--part") == 0 && more &&
                   hn_parse_part(argv[i + 1], &options->part, &options->n_parts)) {
            i++;
        } else if (argv[i][0] != '-' && options->experiment == NULL) {
            options->experiment = argv[i];
        } else {
            fprintf(stderr, "hnlmrec %s: cannot use \"%s\"%s%s\n%s", argv[0], argv[i], more ? " " : "",
                    more && argv[i][0] == '-' ? argv[i + 1] : "", usage);
            return false;
        }
    }
    if (options->out == NULL) {
        fprintf(stderr, "hnlmrec %s: --out is missing\n%s", argv[0], usage);
        return false;
    }
    return true;
}

HnStatus hn_data_options_load(const HnDataOptions *options, HnExperiment **experiment, HnError *err) {
    char *path = NULL;
    if (options->experiment != NULL) {
        HN_TRY(hn_experiment_path(options->experiment, &path, err));
    }
    HnStatus status = hn_experiment_load_data(path, options->sets, options->n_sets, experiment, err);
    hn_free(path);
    return status;
}
