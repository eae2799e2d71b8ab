/* A negative sampler: which negative each pair is compared with. One sampler is one file in samplers/; README.md says
 * how to add the next. Calls of a step come in this order: draw, forward, align, backward, and then the optimiser on
 * parameters().
 */
#ifndef HN_CF_SAMPLER_H
#define HN_CF_SAMPLER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "cf/batch.h"
#include "cf/graph.h"
#include "cf/loss.h"
#include "cf/shards.h"
#include "cf/table.h"
#include "comm.h"
#include "config/experiment.h"

typedef struct HnSamplerContext {
    HnComm *comm;
    bool exact;
    uint64_t seed;
    const HnTrainConfig *config;
    const HnUserShards *shards;
    const HnGraph *graph;     /* item degrees over all ranks */
    const char *vectors_path; /* NULL where there is none */
} HnSamplerContext;

/* Vectors of this rank's users and of all items, as they are before the step. */
typedef struct HnFinals {
    const float *users, *items; /* [n][width] final ones */
    const float *item_hops;     /* [n_items][hops][dim] where the sampler works by hop; else NULL */
} HnFinals;

/* What a sampler tells the result file; sums over ranks. */
typedef struct HnSamplerFacts {
    uint64_t pairs_with_vector, pairs_without_vector;
    double product_flops, product_seconds; /* the adapter's dense products on this rank so far */
} HnSamplerFacts;

typedef struct HnSamplerOps {
    const char *name;
    bool by_score; /* draw looks at final vectors */
    bool by_hop;   /* and at the hops' ones; it draws an item for each hop, and batch->negatives is pooled from hops */
    HnStatus (*create)(const HnSamplerContext *context, const HnBatch *batch, void **state, HnError *err);
    void (*free)(void *state); /* NULL is fine */
    /* Bytes of state on one rank, for plans. */
    uint64_t (*bytes)(const HnTrainConfig *config, uint64_t n_local_pairs, uint64_t n_positions, uint64_t text_dim,
                      bool exact, int ranks);
    /* Fills batch->negative: an item per draw, -1 where the user took every item. finals: NULL unless by_score. Local.
     */
    void (*draw)(void *state, HnBatch *batch, const HnFinals *finals);
    /* Fills batch->negative_vectors from item_vectors at negative_row; by hop from item_hops, and negative_ego too. */
    HnStatus (*forward)(void *state, HnBatch *batch, HnError *err);
    /* Adds the alignment loss (eq. 9), if the sampler has hard negatives. Collective. */
    HnStatus (*align)(void *state, HnBatch *batch, HnLossSums *sums, HnError *err);
    /* Turns batch->d_negative into the gradient of the drawn ITEM's row, and keeps the rest: the gradient of the
     * sampler's own parameters. By hop: into d_positive_hops and d_negative_hops, L2 of negative_ego with it, and adds
     * to d_user. Collective. */
    HnStatus (*backward)(void *state, HnBatch *batch, HnError *err);
    uint64_t (*text_dim)(void *state);   /* width of its text vectors; 0 = none */
    HnTable *(*parameters)(void *state); /* the same on every rank; NULL = none */
    double (*l2)(void *state);           /* squared length of them, for the loss; 0 where frozen or none */
    HnStatus (*facts)(void *state, HnSamplerFacts *facts, HnError *err); /* collective */
} HnSamplerOps;

extern const HnSamplerOps HN_SAMPLER_OPS_RNS, HN_SAMPLER_OPS_SEMANTIC, HN_SAMPLER_OPS_POPULARITY, HN_SAMPLER_OPS_DNS,
    HN_SAMPLER_OPS_AHNS, HN_SAMPLER_OPS_MIXGCF, HN_SAMPLER_OPS_DINS, HN_SAMPLER_OPS_IN_BATCH;
const HnSamplerOps *hn_sampler_ops(HnSamplerName name);
/* Negatives that a pair is compared with. */
int hn_sampler_negatives(const HnTrainConfig *config);
/* What batches are made for: the backbone's widths, and hops where the sampler wants them. */
HnBatchShape hn_batch_shape(const HnTrainConfig *config);

/* One item uniform over those that a sorted list lacks, by (seed, epoch, pair); -1 where the list has all. */
int32_t hn_sample_outside(const int32_t *taken, uint64_t n_taken, uint64_t n_items, uint64_t seed, uint32_t epoch,
                          uint64_t pair);
/* The same for every pair of a batch. */
void hn_sample_negatives(HnBatch *batch, const HnUserShards *shards, uint64_t seed);

#endif
