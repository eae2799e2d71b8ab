/* A backbone: how final vectors come from the trainable rows, and how gradients go back. One model is one file in
 * models/, a fixed set of functions below; README.md says how to add the next. A model knows no MPI: what crosses users
 * goes through the context's comm.
 */
#ifndef HN_CF_MODEL_H
#define HN_CF_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "cf/batch.h"
#include "cf/graph.h"
#include "cf/table.h"
#include "comm.h"
#include "config/experiment.h"
#include "propagate.h"

/* What every model works on; borrowed. */
typedef struct HnModelContext {
    HnComm *comm;
    bool exact; /* `reproducible`: sums over users as integers */
    int dim, layers;
    const HnUserShards *shards;
    const HnGraph *graph;
    HnTable *users; /* this rank's users */
    HnTable *items; /* all items, the same on every rank */
} HnModelContext;

typedef struct HnModelOps {
    const char *name;
    /* True: backward leaves untouched rows of the tables' gradients alone, so they must be zero before it and are
     * cleared by the optimiser. False: backward writes every row. */
    bool sparse_gradient;
    HnStatus (*create)(const HnModelContext *context, const HnBatch *batch, void **state, HnError *err);
    void (*free)(void *state); /* NULL is fine */
    /* Bytes of state on one rank, for plans. */
    uint64_t (*bytes)(uint64_t n_local_users, uint64_t n_items, uint64_t n_local_pairs, uint64_t batch, int dim,
                      int layers, bool exact);
    /* Fills batch->user_vectors and batch->item_vectors. Forward and embed may use the tables' gradients as scratch,
     * unless sparse_gradient. Collective. */
    HnStatus (*forward)(void *state, HnBatch *batch, HnError *err);
    /* batch->d_user_vectors, batch->d_item_vectors (the latter summed over ranks) to the tables' gradients. Tells
     * users_done and items_done of every row once, when the model has no further use for its gradient and its value:
     * they may change both. keep false: only they need the gradients, which may not reach the tables. An error
     * ends the training: some rows may have been told of by then. Collective. */
    HnStatus (*backward)(void *state, HnBatch *batch, bool keep, const HnRowsDone *users_done,
                         const HnRowsDone *items_done, HnError *err);
    /* Final vectors of all rows: users [n_local_users][dim], items [n_items][dim]. Collective. */
    HnStatus (*embed)(void *state, float *users, float *items, HnError *err);
} HnModelOps;

extern const HnModelOps HN_MODEL_MF, HN_MODEL_LIGHTGCN;
const HnModelOps *hn_model_ops(HnBackboneName backbone);
/* Propagation layers; with none, the final vectors are the tables' rows. */
uint64_t hn_model_layers(const HnTrainConfig *config);

#endif
