/* The trials of a tuning in memory, best first: <folder>/tune/trial-<n>/trial.h5. */
#ifndef HN_REPORT_TRIALS_H
#define HN_REPORT_TRIALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct HnTrialRow {
    int64_t number, n_trials, seed, best_epoch, epochs_run;
    bool failed, synthetic;
    double value, seconds;                          /* of the metric; wall time of epochs and validations */
    char *row, *metric, *reason, *version, *commit; /* reason: why it failed */
    char **settings;                                /* [n_keys] */
} HnTrialRow;

typedef struct HnTrials {
    HnTrialRow *rows; /* by value, highest first, then by number; failed ones last */
    size_t n_rows;
    char **keys; /* that were varied */
    size_t n_keys;
} HnTrials;

/* HN_INPUT where the folder holds none; HN_CONFLICT where trials differ in keys or metric. hn_trials_free after
 * success.
 */
HnStatus hn_trials_collect(const char *folder, HnTrials *trials, HnError *err);
void hn_trials_free(HnTrials *trials);

#endif
