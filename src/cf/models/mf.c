/* Matrix factorisation: a row is its own final vector. The same as LightGCN without layers, bit for bit. */
#include <string.h>

#include "base/alloc.h"
#include "cf/deferred.h"
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
    (void)n_local_pairs, (void)n_positions, (void)exact;
    return sizeof(Mf) + hn_propagate_window((int)config->model.dim) * sizeof(float) +
           hn_deferred_bytes(n_local_users + n_items);
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

/* Gradients [n][dim] of a table's rows, told of: all rows, or where the others can wait, these. */
static void tell(const Mf *mf, HnTable *table, const int32_t *rows, uint32_t n, float *gradients, bool keep,
                 const HnRowsDone *then) {
    const size_t dim = (size_t)table->dim;
    if (keep || !table->waits) {
        hn_rows_spread(
            &(HnSpread){rows, gradients, n, table->dim, table->n_rows, keep ? table->gradient : NULL, mf->window},
            then);
        return;
    }
#pragma omp parallel for schedule(static) if (n > HN_ROWS_AT_ONCE)
    for (uint32_t r = 0; r < n; r++) {
        hn_table_fetch(table, (uint64_t)rows[r + HN_FETCH_AHEAD < n ? r + HN_FETCH_AHEAD : r]);
        then->rows(then->context, (uint64_t)rows[r], (uint64_t)rows[r] + 1, gradients + r * dim);
    }
}

static HnStatus mf_backward(void *state, HnBatch *batch, bool keep, const HnRowsDone *users_done,
                            const HnRowsDone *items_done, HnError *err) {
    (void)err;
    const Mf *mf = state;
    if (batch->d_item_hops != NULL) { /* the one hop is the vector */
        for (uint64_t r = 0; r < batch->n_items; r++) {
            const uint64_t at = r * (uint64_t)batch->dim;
            hn_row_ops_cpu()->axpy(batch->d_item_vectors + at, 1.0f, batch->d_item_hops + at, batch->dim);
        }
    }
    tell(mf, mf->context.users, batch->users, batch->n_users, batch->d_user_vectors, keep, users_done);
    tell(mf, mf->context.items, batch->items, batch->n_items, batch->d_item_vectors, keep, items_done);
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
                                .of_batch = true,
                                .width = hn_model_width_is_dim,
                                .create = mf_create,
                                .free = mf_free,
                                .bytes = mf_bytes,
                                .forward = mf_forward,
                                .backward = mf_backward,
                                .embed = mf_embed};
