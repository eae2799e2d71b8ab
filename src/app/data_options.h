/* The command line that `prepare` and `synthesize` share: [EXPERIMENT] [--set KEY=VALUE ...] --out PATH [--part I/N].
 */
#ifndef HN_APP_DATA_OPTIONS_H
#define HN_APP_DATA_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "config/experiment.h"

enum { HN_MOST_SETS = 256 };

typedef struct HnDataOptions {
    const char *experiment, *out; /* NULL = not given */
    const char *sets[HN_MOST_SETS];
    size_t n_sets;
    int part, n_parts; /* 0, 1 without --part */
} HnDataOptions;

/* True: go on. False: *code is the exit code; help was printed, or what is wrong. */
bool hn_data_options_parse(int argc, char **argv, const char *usage, bool takes_part, HnDataOptions *options,
                           int *code);
/* "I/N" with 0 <= I < N; false if it is none. */
bool hn_parse_part(const char *text, int *part, int *n_parts);
/* The named file, or the shipped experiment of that name, or the defaults; then the --set strings. */
HnStatus hn_data_options_load(const HnDataOptions *options, HnExperiment **experiment, HnError *err);

#endif
