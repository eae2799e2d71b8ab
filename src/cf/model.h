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
#include "cf/host_items.h"
#include "cf/loss.h"
#include "cf/table.h"
#include "comm.h"
#include "config/experiment.h"
#include "propagate.h"

/* What every model works on; borrowed. */
typedef struct HnModelContext {
    HnComm *comm;
    bool exact; /* `reproducible`: sums over users as integers */
    uint64_t seed;
    const HnTrainConfig *config;
    int dim, layers;
    const HnUserShards *shards;
    const HnGraph *graph;
    HnHostItems *host_items; /* of graph, or NULL */
    HnTable *users;          /* this rank's users */
    HnTable *items;          /* all items, the same on every rank */
} HnModelContext;

typedef struct HnModelOps {
    const char *name;
    /* Columns of a final vector: model.dim, or as many for each hop where those stand side by side. */
    int (*width)(const HnTrainConfig *config);
    bool on_host;  /* items' halves go through the context's host_items, where there are layers */
    bool of_batch; /* rows that are not in the batch have no gradient, but for L2 */
    int n_blocks;  /* of rows of all users and items that it wants seen by all ranks of a host (host_items.h) */
    /* Parameters beside the two tables; NULL = none. */
    uint64_t (*n_parameters)(const HnTrainConfig *config);
    HnStatus (*create)(const HnModelContext *context, const HnBatch *batch, void **state, HnError *err);
    void (*free)(void *state); /* NULL is fine */
    /* Bytes of state on one rank, for plans. */
    uint64_t (*bytes)(const HnTrainConfig *config, uint64_t n_local_users, uint64_t n_items, uint64_t n_local_pairs,
                      uint64_t n_positions, bool exact);
    /* Bytes that forward (or embed, where the sampler chooses by score) and backward hand to collectives on each of
     * several ranks, in a step whose batch touches n_batch_items; NULL = none. */
    uint64_t (*moved)(const HnTrainConfig *config, uint64_t n_items, uint64_t n_batch_items, bool exact);
    /* Before the first step of an epoch, and before the first after resuming inside one; NULL = nothing to do.
     * Collective. */
    HnStatus (*start_epoch)(void *state, uint64_t epoch, HnError *err);
    /* Fills batch->user_vectors, batch->item_vectors and, unless NULL, batch->item_hops. Forward and embed may use the
     * tables' gradients as scratch. Collective. */
    HnStatus (*forward)(void *state, HnBatch *batch, HnError *err);
    /* A loss of the model's own, after forward and before backward: adds it to sums->own; its gradient is backward's
     * business. NULL = none. Collective. */
    HnStatus (*own_loss)(void *state, HnBatch *batch, HnLossSums *sums, HnError *err);
    /* batch->d_user_vectors, batch->d_item_vectors and, unless NULL, in addition d_item_hops (both summed over ranks)
     * to the tables' gradients; may change all three. The gradient of parameters() is complete afterwards. Tells
     * users_done and items_done of every row once, when the model has no further use for its gradient and its value:
     * they may change both; of a table whose rows wait, where keep is false, of the batch's rows alone. keep false:
     * only they need the gradients, which may not reach the tables; and where the items' table is the host's,
     * items_done is told of the rank's slice alone. An error ends the training: some rows may have been told of by
     * then. Collective. */
    HnStatus (*backward)(void *state, HnBatch *batch, bool keep, const HnRowsDone *users_done,
                         const HnRowsDone *items_done, HnError *err);
    /* Final vectors of all rows: users [n_local_users][width], items [n_items][width]; item_hops [n_items][hops][dim]
     * the items' vectors after 0, 1 .. layers, or NULL. Collective. */
    HnStatus (*embed)(void *state, float *users, float *items, float *item_hops, HnError *err);
    /* The same as this step's forward will see them (dropout), for samplers that choose by score; of the users' rows,
     * those of the batch will do (batch->users; distinct users are known by then). NULL: embed's vectors are the
     * step's. Collective. */
    HnStatus (*look)(void *state, HnBatch *batch, float *users, float *items, float *item_hops, HnError *err);
    /* True: forward is called after look too, and may go on from there. False: what was looked at stands in for it. */
    bool forward_after_look;
    /* Parameters beside the two tables, the same on every rank: trained, digested and kept in checkpoints with them.
     * NULL, or a NULL table = none. */
    HnTable *(*parameters)(void *state);
} HnModelOps;

extern const HnModelOps HN_MODEL_MF, HN_MODEL_LIGHTGCN, HN_MODEL_NGCF, HN_MODEL_SGL, HN_MODEL_DGCF;
const HnModelOps *hn_model_ops(HnBackboneName backbone);
/* Propagation layers; with none, the final vectors are the tables' rows. */
uint64_t hn_model_layers(const HnTrainConfig *config);
bool hn_model_on_host(const HnTrainConfig *config);
/* Columns of a final vector. A final vector is the mean of its hops, one more than layers, or has them side by side. */
int hn_model_width(const HnTrainConfig *config);
int hn_model_hops(const HnTrainConfig *config);
float hn_model_hop_share(const HnTrainConfig *config, int hop); /* weight of a hop in such a mean */
int hn_model_width_is_dim(const HnTrainConfig *config);         /* width() of models that take the mean */
/* The model's own parameters, or NULL. */
HnTable *hn_model_parameters(const HnModelOps *model, void *state);

#endif
