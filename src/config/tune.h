/* Tuning: the trials that `tune:` of an experiment describes. Everything here is a pure function of the experiment.
 *
 * A trial is one row of the experiment (tune.row, or the only one) with a value for each key of tune.ranges:
 *   grid    every combination of the listed values; the last range changes fastest
 *   random  lists only: that many different combinations, in an order drawn by tune.seed; with an interval among the
 *           ranges: independent draws by (tune.seed, trial, range), uniform or, with log, uniform in the logarithm
 * So fewer trials are always the first ones of more. A trial's value of a key is a text ("0.00316228"), and that text
 * is the truth: what is drawn is rounded to six digits first.
 */
#ifndef HN_CONFIG_TUNE_H
#define HN_CONFIG_TUNE_H

#include "base/text.h"
#include "config/experiment.h"

/* How many trials; HN_CONFIG, naming key and remedy, where the block cannot be tuned: no ranges, an interval in a grid,
 * more trials than combinations, several rows and none named, a metric that is none, no validation part, selection on
 * test. */
HnStatus hn_tune_count(const HnExperiment *experiment, uint64_t *n_trials, HnError *err);
/* Which row of `compare` is tuned. */
HnStatus hn_tune_row(const HnExperiment *experiment, size_t *row, HnError *err);
/* Value of range r in trial t; appends to value. */
HnStatus hn_tune_setting(const HnExperiment *experiment, uint64_t trial, size_t range, HnText *value, HnError *err);
/* The row with the trial's values, tune.metric as its stop metric, and all checks across keys. Into zeroed memory; free
 * with hn_train_config_free. */
HnStatus hn_tune_config(const HnExperiment *experiment, uint64_t trial, HnTrainConfig *config, HnError *err);
/* Puts values into the tuned row, says from where (tuned_from), and forgets the ranges: the winner's experiment. */
HnStatus hn_tune_apply(HnExperiment *experiment, const char *const *keys, const char *const *values, size_t n,
                       const char *from, HnError *err);

#endif
