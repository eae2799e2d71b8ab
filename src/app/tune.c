/* `hnlmrec tune`: a run whose rows are trials. Each is a row of the experiment with other settings, trained with the
 * first seed and judged on validation, in a folder of its own:
 *
 *   tune/trial-<n>/     checkpoints, then trial.h5
 *
 * run.c walks the same stages as ever; here stand what differs, and `tune --best`.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app/command.h"
#include "app/run.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/text.h"
#include "config/tune.h"
#include "report/trials.h"

const char hn_tune_usage[] =
    "usage: hnlmrec tune EXPERIMENT [--out DIR] [--set KEY=VALUE ...] [--part I/N]\n"
    "       hnlmrec tune --best DIR > BEST.yaml\n\n"
    "Trains the trials that the tune block of the experiment describes (`hnlmrec help config tune`), judges each on\n"
    "validation, never on the test part, and prints them, best first. tune.ranges maps keys to a list of values, or "
    "to\n"
    "{from: A, to: B, log: true, steps: N}; without steps that is an interval, for tune.method random to draw from.\n\n"
    "Groups of ranks (roles.seed_groups) take trials side by side. Run again, it goes on where it stopped; more\n"
    "tune.trials keep those that are done. They are in DIR/tune; `hnlmrec report DIR --format trials` prints them.\n\n"
    "  --best DIR         prints the experiment with the best trial's settings, and the trial's name in it\n"
    "  --part I/N         only every N-th trial, from the I-th on, counted from 0 (for job arrays)\n"
    "  --out DIR          run folder (default: hnlmrec-<name of the experiment>)\n"
    "  --set, --plan, --artefacts, --quiet: as in `hnlmrec run --help`\n";

/* ---- trials as rows ---- */

static HnStatus fill_trial(HnVariant *variant, const HnExperiment *experiment, uint64_t t, HnError *err) {
    variant->name = hn_path_printf(err, "trial-%04" PRIu64, t + 1);
    return variant->name == NULL ? HN_MEMORY : hn_tune_config(experiment, t, &variant->train, err);
}

static HnStatus make_variants(const HnExperiment *experiment, HnVariant *variants, uint64_t n, HnError *err) {
    for (uint64_t t = 0; t < n; t++) {
        HN_TRY(fill_trial(&variants[t], experiment, t, err));
    }
    return HN_OK;
}

HnStatus hn_run_expand_trials(HnRun *run, HnError *err) {
    HnExperiment *experiment = run->experiment;
    uint64_t n = 0;
    size_t row = 0;
    HN_TRY(hn_tune_count(experiment, &n, err));
    HN_TRY(hn_tune_row(experiment, &row, err));
    HnVariant *trials = hn_alloc(n, sizeof *trials, "trials", err);
    HnStatus status = trials == NULL ? HN_MEMORY : make_variants(experiment, trials, n, err);
    if (status == HN_OK) {
        run->tuned_row = hn_strdup(experiment->variants[row].name, err);
        status = run->tuned_row == NULL ? HN_MEMORY : HN_OK;
    }
    if (status != HN_OK) {
        hn_variants_free(trials, n);
        return status;
    }
    hn_variants_free(experiment->variants, experiment->n_variants);
    experiment->variants = trials;
    experiment->n_variants = n;
    return HN_OK;
}

bool hn_run_takes_trial(const HnRun *run, size_t trial) {
    return !run->tune || trial % (size_t)run->n_parts == (size_t)run->part;
}

HnStatus hn_run_check_validation(const HnRun *run, HnError *err) {
    return !run->tune || hn_dataset_count(run->dataset, HN_PART_VALID) > 0
               ? HN_OK
               : hn_fail(err, HN_INPUT,
                         "the data set has no validation pairs, and trials are judged on nothing else: prepare it with "
                         "some (data.split_ratio, data.valid, data.valid_share)");
}

/* ---- one trial's settings ---- */

static HnStatus fill_settings(const HnExperiment *experiment, uint64_t trial, char **values, HnError *err) {
    for (size_t r = 0; r < experiment->tune.n_ranges; r++) {
        HnText text = {0};
        HnStatus status = hn_tune_setting(experiment, trial, r, &text, err);
        values[r] = text.data; /* freed with the trial, whatever the status */
        HN_TRY(status);
    }
    return HN_OK;
}

void hn_run_trial_free(HnTrial *trial) {
    for (size_t r = 0; trial->values != NULL && r < trial->n_settings; r++) {
        hn_free((char *)trial->values[r]);
    }
    hn_free((void *)trial->values);
    hn_free((void *)trial->keys);
    *trial = (HnTrial){0};
}

HnStatus hn_run_trial_make(const HnRun *run, size_t number, HnTrial *trial, HnError *err) {
    const HnExperiment *experiment = run->experiment;
    const size_t n = experiment->tune.n_ranges;
    const char **keys = hn_alloc(n, sizeof *keys, "settings", err);
    char **values = hn_alloc(n, sizeof *values, "settings", err);
    *trial = (HnTrial){.number = (int64_t)number + 1,
                       .n_trials = (int64_t)experiment->n_variants,
                       .row = run->tuned_row,
                       .n_settings = n,
                       .keys = keys,
                       .values = (const char *const *)values};
    for (size_t r = 0; keys != NULL && r < n; r++) {
        keys[r] = experiment->tune.ranges[r].key;
    }
    HnStatus status = keys == NULL || values == NULL ? HN_MEMORY : fill_settings(experiment, number, values, err);
    if (status != HN_OK) {
        hn_run_trial_free(trial);
    }
    return status;
}

/* ---- tune --best ---- */

static HnStatus print_winner(const HnTrials *trials, HnExperiment *experiment, const char *folder, HnError *err) {
    const HnTrialRow *best = &trials->rows[0];
    char *yaml = NULL;
    char from[1024];
    (void)snprintf(from, sizeof from,
                   "trial %" PRId64 " of %" PRId64 " of experiment %s (row %s): %s %.6f on validation at epoch %" PRId64
                   ", seed %" PRId64 ", hnlmrec %s (%s)",
                   best->number, best->n_trials, experiment->name, best->row, best->metric, best->value,
                   best->best_epoch, best->seed, best->version, best->commit);
    HnStatus status = hn_tune_apply(experiment, (const char *const *)trials->keys, (const char *const *)best->settings,
                                    trials->n_keys, from, err);
    status = status == HN_OK ? hn_experiment_dump(experiment, &yaml, err) : status;
    if (status == HN_OK) {
        printf("# The best of %zu trials in %s, by `hnlmrec tune --best`.\n# %s\n", trials->n_rows, folder, from);
        for (size_t k = 0; k < trials->n_keys; k++) {
            printf("#   %s: %s\n", trials->keys[k], best->settings[k]);
        }
        printf("%s%s", (int64_t)trials->n_rows < best->n_trials ? "# Not all trials are done.\n" : "", yaml);
    }
    hn_free(yaml);
    return status;
}

static HnStatus best(const char *folder, HnError *err) {
    HnTrials trials;
    HnExperiment *experiment = NULL;
    HN_TRY(hn_trials_collect(folder, &trials, err));
    char *path = hn_path_join(folder, "experiment.yaml", err);
    HnStatus status = path == NULL ? HN_MEMORY : hn_experiment_load(path, NULL, 0, &experiment, err);
    if (status == HN_OK && trials.rows[0].failed) {
        status = hn_fail(err, HN_NUMERIC, "all trials of %s failed: `hnlmrec report %s --format trials-csv` says why",
                         folder, folder);
    }
    status = status == HN_OK ? print_winner(&trials, experiment, folder, err) : status;
    hn_experiment_free(&experiment);
    hn_free(path);
    hn_trials_free(&trials);
    return status;
}

int hn_command_tune(int argc, char **argv) {
    HnError err = HN_ERROR_INIT;
    if (argc < 2 || strcmp(argv[1], "--best") != 0) {
        return hn_command_run(argc, argv);
    }
    if (argc != 3) {
        fputs(hn_tune_usage, stderr);
        return HN_USAGE;
    }
    return best(argv[2], &err) == HN_OK ? 0 : hn_command_fail(&err);
}
