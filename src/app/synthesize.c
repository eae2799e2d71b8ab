/* `hnlmrec synthesize`: the synthetic world as raw review and metadata files. */
#include <stdio.h>

#include "app/command.h"
#include "app/data_options.h"
#include "base/log.h"
#include "base/text.h"
#include "config/experiment.h"
#include "data/prepare.h"

static const char usage[] =
    "usage: hnlmrec synthesize [EXPERIMENT.yaml] [--set KEY=VALUE ...] --out DIR [--part I/N]\n\n"
    "Writes the synthetic world of the data.synthetic.* keys as DIR/reviews.json.gz and DIR/meta.json.gz in the field\n"
    "names of the Amazon 2018 dumps, for `prepare` with data.format: amazon. With --part I/N (I from 0 to N-1) only\n"
    "that part, in files of its own: N processes can write at once, and the parts put together are the same bytes for\n"
    "every N. The data are synthetic and say so. Never starts MPI.\n";

int hn_command_synthesize(int argc, char **argv) {
    HnDataOptions options;
    int code;
    if (!hn_data_options_parse(argc, argv, usage, true, &options, &code)) {
        return code;
    }
    HnError err = HN_ERROR_INIT;
    HnExperiment *experiment = NULL;
    hn_stop_install();
    HnStatus status = hn_data_options_load(&options, &experiment, &err);
    if (status == HN_OK) {
        status = hn_synthesize(&experiment->data, options.out, options.part, options.n_parts, &err);
    }
    if (status == HN_OK) {
        char users[32], items[32], pairs[32];
        printf("SYNTHETIC world in %s: %s users, %s items, %s interactions", options.out,
               hn_format_count((uint64_t)experiment->data.synthetic.users, users, sizeof users),
               hn_format_count((uint64_t)experiment->data.synthetic.items, items, sizeof items),
               hn_format_count((uint64_t)experiment->data.synthetic.interactions, pairs, sizeof pairs));
        if (options.n_parts > 1) {
            printf("; part %d of %d", options.part, options.n_parts);
        }
        printf("\n");
    }
    hn_experiment_free(&experiment);
    return status == HN_OK ? 0 : hn_command_fail(&err);
}
