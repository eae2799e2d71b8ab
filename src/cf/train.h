/* Training one variant with one seed on a group of trainer ranks, to result.h5 and model.h5.
 *
 * Paper eq. 6-10 on LightGCN and MF; formulas and defaults in cf-methods' terms stand at each operation. Users are
 * sharded over the ranks (rows, optimiser state, graph part); item rows are replicated; sums that cross users are
 * joined by allreduce: as exact 64-bit integers when `reproducible`, as floats otherwise.
 */
#ifndef HN_CF_TRAIN_H
#define HN_CF_TRAIN_H

#include "base/error.h"
#include "comm.h"
#include "config/experiment.h"
#include "data/dataset.h"

/* A trial of a tuning: trained and validated, but never tested. Its end is trial.h5, without a model. */
typedef struct HnTrial {
    int64_t number, n_trials; /* from 1 */
    const char *row;          /* of compare, that is tuned */
    size_t n_settings;
    const char *const *keys, *const *values; /* [n_settings] */
} HnTrial;

typedef struct HnTrainJob {
    const HnTrainConfig *config;
    const char *variant; /* name, for messages and the result */
    int64_t seed;
    bool reproducible;
    int threads;
    const HnDataset *dataset;
    const char *vectors_path; /* sealed vector store; NULL where the sampler needs none */
    const char *folder;       /* checkpoints, result.h5 and model.h5 go here; made if absent */
    const char *config_yaml;  /* provenance */
    const HnTrial *trial;     /* NULL = trained for its result */
} HnTrainJob;

/* Collective over comm. Resumes from the newest whole checkpoint in folder; returns at once where result.h5 (a trial's
 * trial.h5) is sealed. A trial whose numbers stop being finite is recorded as failed, and no error.
 * HN_INTERRUPTED: a stop was asked for and a checkpoint is on disk. HN_CONFLICT: what stands there was trained on
 * another data set or other vectors. */
HnStatus hn_train(const HnTrainJob *job, HnComm *comm, HnError *err);

/* Bytes that hn_train will need: memory a rank, checkpoint on disk, over `ranks` ranks (for run --plan). Pure. */
typedef struct HnTrainPlan {
    uint64_t memory_per_rank, checkpoint_bytes, model_bytes, n_files, bytes_moved_per_step;
} HnTrainPlan;
HnStatus hn_train_plan(const HnTrainConfig *config, bool reproducible, uint64_t n_users, uint64_t n_items,
                       uint64_t n_train, uint64_t text_dim, int ranks, HnTrainPlan *plan, HnError *err);

#endif
