/* One run of an experiment: what its files share. run.c says the order; artefact.c, run_llm.c, run_train.c, run_plan.c
 * do the parts; run_folder.c keeps the run folder; run_log.c records how it was made.
 *
 * Run folder:
 *   experiment.yaml               the effective configuration; another one is refused
 *   run-log.jsonl                 one line a start: version, command, ranks, threads, seconds of every stage
 *   artefacts/<stage>-<key>.h5    dataset, profiles, negatives, vectors: sealed, named after what they were made from
 *   train/<variant>/seed-<n>/     checkpoints, then model.h5 and result.h5
 *   tune/trial-<n>/               checkpoints, then trial.h5
 */
#ifndef HN_APP_RUN_H
#define HN_APP_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "cf/train.h"
#include "comm.h"
#include "config/experiment.h"
#include "data/dataset.h"
#include "world.h"

#include "app/run_log.h"

typedef enum HnUntil { HN_UNTIL_DATA, HN_UNTIL_PROFILES, HN_UNTIL_NEGATIVES, HN_UNTIL_VECTORS, HN_UNTIL_END } HnUntil;

typedef struct HnRun {
    /* from the command line */
    const char *experiment_name; /* a path, or the name of a shipped experiment */
    const char *out;
    const char *artefacts_option; /* --artefacts, or NULL */
    const char **sets;
    size_t n_sets;
    int64_t seed_index; /* -1 = all seeds */
    bool plan;
    HnUntil until;
    bool tune;         /* the rows are trials (tune.c) */
    int part, n_parts; /* of the trials: every n_parts-th */

    HnExperiment *experiment;
    char *config_yaml;
    char *tuned_row; /* name of the row that trials come from */
    char *artefacts; /* folder of the shared artefacts */
    HnRunLog log;

    HnComm *world, *workers, *trainers;         /* NULL where this rank is not of the group */
    int n_workers, n_trainers, workers_on_host; /* the last: at most, on any host */
    bool disjoint;                              /* no rank is both */
    int threads;

    char *dataset_path;
    HnDataset *dataset;
    char writer_id[65], embedder_id[65];                       /* of native models; "" where there are none */
    char *item_profiles, *user_profiles, *negatives, *vectors; /* sealed artefacts, once they stand */
} HnRun;

/* ---- run_folder.c ---- */
/* Makes the folder, or checks that it was made by the same configuration. Rank 0 acts, all ranks agree. */
HnStatus hn_run_folder_open(HnRun *run, HnError *err);

/* ---- run_roles.c ---- */
HnStatus hn_run_roles(HnRun *run, HnError *err); /* groups and threads */
int hn_cores_for(int ranks_on_host);             /* OpenMP threads for a rank */

/* ---- run_llm.c ---- */
HnStatus hn_run_dataset(HnRun *run, HnError *err); /* collective over the world */
/* HN_INPUT, naming the key, where path is neither empty nor a file. Local. */
HnStatus hn_run_check_file(const char *key, const char *path, HnError *err);
HnStatus hn_run_llm(HnRun *run, HnError *err);           /* collective over the workers */
bool hn_run_needs_vectors(const HnRun *run);             /* some variant trains on stored vectors */
HnStatus hn_run_share_vectors(HnRun *run, HnError *err); /* collective over the world: all learn the vectors' path */

/* ---- run_train.c ---- */
/* Trains variants × seeds, those that need the vectors or those that do not. Collective over the trainers. */
HnStatus hn_run_train(HnRun *run, bool with_vectors, HnError *err);
/* Folder of one variant and seed; hn_free it. */
char *hn_run_train_folder(const HnRun *run, const HnVariant *variant, int64_t seed, HnError *err);
bool hn_variant_needs_vectors(const HnVariant *variant);

/* ---- tune.c ---- */
extern const char hn_tune_usage[];
/* Puts the trials in place of the experiment's rows, once the run folder is known to be of this experiment. Local. */
HnStatus hn_run_expand_trials(HnRun *run, HnError *err);
bool hn_run_takes_trial(const HnRun *run, size_t trial); /* this job's part */
HnStatus hn_run_check_validation(const HnRun *run, HnError *err);
/* What trial `number` (from 0) is; borrows from run. hn_run_trial_free. */
HnStatus hn_run_trial_make(const HnRun *run, size_t number, HnTrial *trial, HnError *err);
void hn_run_trial_free(HnTrial *trial);

/* ---- run_plan.c ---- */
/* What the run will take; prints it where print is true; HN_SPACE where the disk is too small. Rank 0 only. */
HnStatus hn_run_plan(const HnRun *run, bool print, HnError *err);
/* Opens what the native models need but their weights: files, tokenizer, chat template, memory. A model that cannot fit
 * is a warning, with print HN_MEMORY. Rank 0 only. */
HnStatus hn_run_check_models(const HnRun *run, bool print, HnError *err);

#endif
