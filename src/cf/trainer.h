/* One training, step by step: what hn_train drives, and what tests and benches drive themselves.
 *
 * The struct is open: its parts are plain data that checkpoint.c, digest.c and tests read. All calls but free and the
 * accessors are collective over the trainer's group.
 */
#ifndef HN_CF_TRAINER_H
#define HN_CF_TRAINER_H

#include "base/log.h"
#include "cf/batch.h"
#include "cf/deferred.h"
#include "cf/evaluate.h"
#include "cf/l2.h"
#include "cf/loss.h"
#include "cf/loss_sums.h"
#include "cf/model.h"
#include "cf/order.h"
#include "cf/sampler.h"
#include "cf/train.h"

/* Bytes that a large last cache keeps from one step to the next. */
#define HN_LAST_CACHE ((uint64_t)32 << 20)

/* Loss of the steps of an epoch so far; sums of step means, in step order. */
typedef struct HnEpochLoss {
    double sums[HN_N_LOSSES];
    uint64_t n_steps;
} HnEpochLoss;

typedef struct HnTrainer {
    const HnTrainJob *job; /* borrowed, with everything it points to */
    const HnTrainConfig *config;
    HnComm *comm;
    bool exact;
    int dim, width; /* of a table's row, of a final vector */

    HnUserShards shards;
    HnGraph graph;
    HnHostItems *host_items; /* or NULL */
    HnTable users, items;
    HnDeferred later_users, later_items; /* rows that wait for their steps, within hn_trainer_steps */
    HnOrder order;
    HnBatch batch;
    HnLossAdder adder;
    HnInBatch in_batch;
    const HnModelOps *model;
    void *model_state;
    const HnSamplerOps *sampler;
    void *sampler_state;

    /* Where training stands. */
    uint64_t epoch;         /* epochs done; the one under way has this number */
    uint64_t step_in_epoch; /* steps done of it */
    uint64_t steps;         /* optimiser steps done */
    HnEpochLoss running;    /* of the epoch under way */
    bool order_ready;       /* order holds the epoch under way */
    bool warned_skips;
    bool stop;            /* a rank was asked to stop */
    HnProgress *progress; /* borrowed, or NULL: kept up to date in pairs of all epochs */

    float *final_users, *final_items; /* hn_trainer_embed's output, [..][width] */
    float *item_hops;                 /* [n_items][hops][dim] where the sampler works by hop; else NULL */
    HnFinals finals;                  /* of the step under way, where its sampler looks at scores; else NULL */
    uint64_t pairs_done;              /* over all ranks, skipped ones left out */
} HnTrainer;

HnStatus hn_trainer_create(const HnTrainJob *job, HnComm *comm, HnTrainer **trainer, HnError *err);
void hn_trainer_free(HnTrainer **trainer);

/* Means over the batch's pairs. */
typedef struct HnStepReport {
    double loss[HN_N_LOSSES];
    uint64_t n_pairs; /* over all ranks */
} HnStepReport;

/* A batch given from outside instead of the next one of the epoch: train pair numbers and, unless NULL, negatives. The
 * same on every rank. */
typedef struct HnGivenBatch {
    const uint64_t *pairs;    /* [n] */
    const int32_t *negatives; /* [n][batch draws] items, or NULL = drawn */
    uint64_t n;
} HnGivenBatch;

/* Loss and gradients of the next batch (given NULL), or of a given one; parameters stay. The gradients are there until
 * the next call of any kind but hn_trainer_update. */
HnStatus hn_trainer_gradients(HnTrainer *trainer, const HnGivenBatch *given, HnStepReport *report, HnError *err);
/* The optimiser's step on the gradients that are there. */
void hn_trainer_update(HnTrainer *trainer);
/* Both in one pass over the rows (the same bits), and the books: step_in_epoch, running loss; on the last step of an
 * epoch, the next epoch begins. */
HnStatus hn_trainer_step(HnTrainer *trainer, HnStepReport *report, HnError *err);
/* As many of those, but not more than the epoch under way has left; fewer where a rank was asked to stop. Faster than
 * one by one where rows can wait (deferred.h). */
HnStatus hn_trainer_steps(HnTrainer *trainer, uint64_t n, HnError *err);
/* How far training is, for people: an epoch counts as many pairs as there are, whatever its batches draw or leave out,
 * and a step its share of them. So never more than epochs times pairs. */
uint64_t hn_trainer_pairs_passed(const HnTrainer *trainer);
/* All steps that the epoch under way has left. loss: means of the epoch. Ends early, with trainer->stop set, where a
 * rank was asked to stop. */
HnStatus hn_trainer_epoch(HnTrainer *trainer, double loss[HN_N_LOSSES], HnError *err);

/* The negatives (batch.negatives) that the draws of an epoch give to n train pairs (at most batch.max_positions, the
 * same on every rank), with the vectors as they are; those are in `finals`. Nothing is learnt. */
HnStatus hn_trainer_look(HnTrainer *trainer, const uint64_t *pairs, uint64_t n, uint64_t epoch, HnError *err);

/* HN_NUMERIC on all ranks, naming the step, where a parameter or a moment is not finite: a step whose loss is finite
 * can make it so. */
HnStatus hn_trainer_check(const HnTrainer *trainer, HnError *err);
/* Final vectors of all rows to final_users, final_items. */
HnStatus hn_trainer_embed(HnTrainer *trainer, HnError *err);
/* SHA-256 over all parameters in global row order, per virtual shard: the same for any number of ranks. */
HnStatus hn_trainer_digest(const HnTrainer *trainer, char hex[65], HnError *err);

uint64_t hn_trainer_memory_bytes(const HnTrainer *trainer);

#endif
