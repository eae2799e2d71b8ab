/* Matrix factorisation: a row is its own final vector. The same as LightGCN without layers, bit for bit. */
#include <string.h>

#include "base/alloc.h"
#include "cf/model.h"
#include "cf/rows.h"
#include "propagate.h"
#include "row.h"

typedef struct Mf {
    HnModelContext context;
    float *window; /* gradients on their way to who uses them at once */
} Mf;

static void mf_free(void *state) {
    Mf *mf = state;
    if (mf != NULL) {
        hn_free(mf->window);
        hn_free(mf);
    }
}

static HnStatus mf_create(const HnModelContext *context, const HnBatch *batch, void **state, HnError *err) {
    (void)batch;
    Mf *mf = hn_alloc(1, sizeof *mf, "MF", err);
    if (mf == NULL) {
        return HN_MEMORY;
    }
    mf->context = *context;
    mf->window = hn_alloc(hn_propagate_window(context->dim), sizeof *mf->window, "MF", err);
    if (mf->window == NULL) {
        mf_free(mf);
        return HN_MEMORY;
    }
    *state = mf;
    return HN_OK;
}

static uint64_t mf_bytes(const HnTrainConfig *config, uint64_t n_local_users, uint64_t n_items, uint64_t n_local_pairs,
                         uint64_t n_positions, bool exact) {
    (void)n_local_users, (void)n_items, (void)n_local_pairs, (void)n_positions, (void)exact;
    return sizeof(Mf) + hn_propagate_window((int)config->model.dim) * sizeof(float);
}

static HnStatus mf_forward(void *state, HnBatch *batch, HnError *err) {
    (void)err;
    const Mf *mf = state;
    hn_rows_gather(batch->user_vectors, mf->context.users->value, batch->users, batch->n_users, batch->dim);
    hn_rows_gather(batch->item_vectors, mf->context.items->value, batch->items, batch->n_items, batch->dim);
    if (batch->item_hops != NULL) {
        hn_rows_gather(batch->item_hops, mf->context.items->value, batch->items, batch->n_items, batch->dim);
    }
    return HN_OK;
}

static HnStatus mf_backward(void *state, HnBatch *batch, bool keep, const HnRowsDone *users_done,
                            const HnRowsDone *items_done, HnError *err) {
    (void)err;
    const Mf *mf = state;
    const HnTable *users = mf->context.users, *items = mf->context.items;
    if (batch->d_item_hops != NULL) { /* the one hop is the vector */
        for (uint64_t r = 0; r < batch->n_items; r++) {
            const uint64_t at = r * (uint64_t)batch->dim;
            hn_row_ops_cpu()->axpy(batch->d_item_vectors + at, 1.0f, batch->d_item_hops + at, batch->dim);
        }
    }
    const HnSpread of_users = {batch->users,  batch->d_user_vectors,         batch->n_users, batch->dim,
                               users->n_rows, keep ? users->gradient : NULL, mf->window};
    const HnSpread of_items = {batch->items,  batch->d_item_vectors,         batch->n_items, batch->dim,
                               items->n_rows, keep ? items->gradient : NULL, mf->window};
    hn_rows_spread(&of_users, users_done);
    hn_rows_spread(&of_items, items_done);
    return HN_OK;
}

static HnStatus mf_embed(void *state, float *users, float *items, float *item_hops, HnError *err) {
    (void)err;
    const HnModelContext *context = &((const Mf *)state)->context;
    size_t row = (size_t)context->dim * sizeof(float);
    memcpy(users, context->users->value, context->users->n_rows * row);
    memcpy(items, context->items->value, context->items->n_rows * row);
    if (item_hops != NULL) {
        memcpy(item_hops, context->items->value, context->items->n_rows * row);
    }
    return HN_OK;
}

const HnModelOps HN_MODEL_MF = {.name = "mf",
                                .width = hn_model_width_is_dim,
                                .create = mf_create,
                                .free = mf_free,
                                .bytes = mf_bytes,
                                .forward = mf_forward,
                                .backward = mf_backward,
                                .embed = mf_embed};
