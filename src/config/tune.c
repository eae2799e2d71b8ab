#include "config/tune.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "config/load.h"

enum { MOST_TRIALS = 100000 };

/* Combinations of the listed values; 0 where a range is an interval. Stops growing at 2^62. */
static uint64_t combinations(const HnExperiment *experiment) {
    const uint64_t most = (uint64_t)1 << 62;
    uint64_t n = 1;
    for (size_t r = 0; r < experiment->tune.n_ranges; r++) {
        uint64_t values = experiment->tune.ranges[r].values.n;
        n = values != 0 && n > most / values ? most : n * values;
    }
    return n;
}

HnStatus hn_tune_row(const HnExperiment *experiment, size_t *row, HnError *err) {
    const char *name = experiment->tune.row;
    if (name[0] == '\0' && experiment->n_variants > 1) {
        return hn_fail(err, HN_CONFIG,
                       "compare has %zu rows: name the one to tune, e.g. `tune: {row: \"%s\"}`; each row is tuned by "
                       "itself",
                       experiment->n_variants, experiment->variants[0].name);
    }
    for (*row = 0; *row < experiment->n_variants; (*row)++) {
        if (name[0] == '\0' || strcmp(experiment->variants[*row].name, name) == 0) {
            return HN_OK;
        }
    }
    return hn_fail(err, HN_CONFIG, "tune.row is \"%s\", but no row of compare has this name", name);
}

/* The part that trials are judged on must be validation, and there. */
static HnStatus check_part(const HnExperiment *experiment, HnError *err) {
    size_t row = 0;
    HN_TRY(hn_tune_row(experiment, &row, err));
    if (experiment->variants[row].train.eval.select_on == HN_SELECT_TEST) {
        return hn_fail(err, HN_CONFIG,
                       "eval.select_on is test, and tuning on the test part is refused: its metrics would mean nothing "
                       "any more. Set eval.select_on: valid, with a validation part (data.split_ratio or data.valid)");
    }
    return HN_OK;
}

HnStatus hn_tune_count(const HnExperiment *experiment, uint64_t *n_trials, HnError *err) {
    const uint64_t all = combinations(experiment);
    if (experiment->tune.n_ranges == 0) {
        return hn_fail(err, HN_CONFIG,
                       "there is nothing to tune: give tune.ranges, e.g. `tune: {ranges: {train.learning_rate: [0.001, "
                       "0.003]}}`");
    }
    HN_TRY(check_part(experiment, err));
    if (experiment->tune.method == HN_TUNE_RANDOM) {
        *n_trials = (uint64_t)experiment->tune.trials;
        return all == 0 || *n_trials <= all ? HN_OK
                                            : hn_fail(err, HN_CONFIG,
                                                      "tune.trials is %" PRIu64 ", but the ranges have only %" PRIu64
                                                      " combinations: lower it, or take tune.method: grid",
                                                      *n_trials, all);
    }
    for (size_t r = 0; r < experiment->tune.n_ranges; r++) {
        if (experiment->tune.ranges[r].values.n == 0) {
            return hn_fail(err, HN_CONFIG,
                           "tune.method is grid, and %s is an interval: give it steps, e.g. {from: %g, to: %g, steps: "
                           "4}, list its values, or take tune.method: random",
                           experiment->tune.ranges[r].key, experiment->tune.ranges[r].from,
                           experiment->tune.ranges[r].to);
        }
    }
    *n_trials = all;
    return all <= MOST_TRIALS ? HN_OK
                              : hn_fail(err, HN_CONFIG,
                                        "the grid has %" PRIu64
                                        " combinations, and %d is the most: list fewer values, or take tune.method: "
                                        "random",
                                        all, (int)MOST_TRIALS);
}

/* One draw from an interval. Whole numbers: each as likely as the other, or by the logarithm. */
static void draw(const HnExperiment *experiment, uint64_t trial, size_t r, char text[32]) {
    const HnRange *range = &experiment->tune.ranges[r];
    HnRange wide = *range;
    HnRng rng;
    hn_rng_start(&rng, (uint64_t)experiment->tune.seed, HN_STREAM_TUNE, (uint32_t)trial, r);
    double share = hn_rng_double(&rng);
    if (range->whole && !range->log) { /* ends as likely as the rest: rounding halves what lies outside */
        wide.from -= 0.5;
        wide.to += 0.5;
    }
    double value = hn_range_at(&wide, share);
    value = value < range->from ? range->from : value > range->to ? range->to : value;
    hn_range_text(range->whole, value, text);
}

HnStatus hn_tune_setting(const HnExperiment *experiment, uint64_t trial, size_t r, HnText *value, HnError *err) {
    const uint64_t all = combinations(experiment);
    const HnRange *range = &experiment->tune.ranges[r];
    uint64_t place = trial;
    if (all == 0) {
        if (range->values.n == 0) {
            char text[32];
            draw(experiment, trial, r, text);
            return hn_text_puts(value, text, err);
        }
        HnRng rng;
        hn_rng_start(&rng, (uint64_t)experiment->tune.seed, HN_STREAM_TUNE, (uint32_t)trial, r);
        return hn_text_puts(value, range->values.items[hn_rng_below64(&rng, range->values.n)], err);
    }
    if (experiment->tune.method == HN_TUNE_RANDOM) {
        HnPermutation order;
        hn_permutation_start(&order, all, (uint64_t)experiment->tune.seed, HN_STREAM_TUNE, UINT32_MAX);
        place = hn_permute(&order, trial);
    }
    for (size_t k = experiment->tune.n_ranges; k-- > r + 1;) {
        place /= experiment->tune.ranges[k].values.n;
    }
    return hn_text_puts(value, range->values.items[place % range->values.n], err);
}

static HnStatus assign(const char *name, const char *text, HnTrainConfig *config, const char *where, HnError *err) {
    const HnKey *key = hn_key_find(name);
    HnGiven given = {.texts = &text, .n = 1, .where = where, .folder = "."};
    if (key == NULL || !hn_key_is_for_variants(key)) {
        return hn_fail(err, HN_CONFIG, "%s: there is no key \"%s\" that a row may set", where, name);
    }
    return hn_value_assign(key, hn_key_train_member(key, config), &given, err);
}

/* Fills config; settings gets "train.learning_rate: 0.1, model.dim: 8" for messages. */
static HnStatus fill(const HnExperiment *experiment, uint64_t trial, HnTrainConfig *config, HnText *settings,
                     HnError *err) {
    size_t row = 0;
    HN_TRY(hn_tune_row(experiment, &row, err));
    HN_TRY(hn_train_config_copy(&experiment->variants[row].train, config, err));
    if (experiment->tune.metric[0] != '\0') {
        HN_TRY(assign("train.stop_metric", experiment->tune.metric, config, "tune.metric", err));
    }
    for (size_t r = 0; r < experiment->tune.n_ranges; r++) {
        HN_TRY(hn_text_printf(settings, err, "%s%s: ", r > 0 ? ", " : "", experiment->tune.ranges[r].key));
        size_t begin = settings->length;
        HN_TRY(hn_tune_setting(experiment, trial, r, settings, err));
        HN_TRY(assign(experiment->tune.ranges[r].key, settings->data + begin, config, "tune.ranges", err));
    }
    return HN_OK;
}

HnStatus hn_tune_config(const HnExperiment *experiment, uint64_t trial, HnTrainConfig *config, HnError *err) {
    HnText settings = {0};
    HnError why = HN_ERROR_INIT;
    HnStatus status = fill(experiment, trial, config, &settings, err);
    if (status == HN_OK) {
        status = hn_train_config_check(experiment, config, &why);
        if (status != HN_OK) {
            hn_fail(err, status, "trial %" PRIu64 " of tune.ranges (%s) cannot be trained: %s", trial + 1,
                    hn_text_get(&settings), why.message);
        }
    }
    hn_text_free(&settings);
    return status;
}

/* The block goes: what is left is an experiment like any other. */
static HnStatus forget_tuning(HnExperiment *experiment, const char *from, HnError *err) {
    for (size_t k = 0; k < hn_n_keys; k++) {
        if (strncmp(hn_keys[k].name, "tune.", 5) == 0) {
            HN_TRY(hn_value_assign_default(&hn_keys[k], hn_key_member(&hn_keys[k], experiment), err));
        }
    }
    hn_ranges_free(experiment);
    hn_free(experiment->tuned_from);
    experiment->tuned_from = hn_strdup(from, err);
    return experiment->tuned_from == NULL ? HN_MEMORY : HN_OK;
}

/* Into the tuned row; where it is the only one, its keys are the experiment's own. */
static HnStatus put(HnExperiment *experiment, size_t row, const char *key, const char *value, HnError *err) {
    HN_TRY(assign(key, value, &experiment->variants[row].train, "the best trial", err));
    return experiment->n_variants == 1 ? assign(key, value, &experiment->train, "the best trial", err) : HN_OK;
}

HnStatus hn_tune_apply(HnExperiment *experiment, const char *const *keys, const char *const *values, size_t n,
                       const char *from, HnError *err) {
    size_t row = 0;
    HN_TRY(hn_tune_row(experiment, &row, err));
    if (experiment->tune.metric[0] != '\0') {
        HN_TRY(put(experiment, row, "train.stop_metric", experiment->tune.metric, err));
    }
    for (size_t i = 0; i < n; i++) {
        HN_TRY(put(experiment, row, keys[i], values[i], err));
    }
    return forget_tuning(experiment, from, err);
}
