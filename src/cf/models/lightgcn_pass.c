/* Running LightGCN's layers.
 *
 * Users' and items' rows of a layer depend on different halves of the layer before, so a pass is two chains: u1 i2 u3
 * .. and i1 u2 i3 ... One rank, and ranks that share a host's memory, run one chain after the other: every half reads
 * what the half before it wrote, one block of rows a side is enough, and it stays in the cache. Where items' sums
 * travel, ranks run layer by layer, so that they do so while the users' half is computed; two blocks serve in turn, z
 * and the gradients, which are free until the end. Both orders give the same bits.
 */
#include "cf/models/lightgcn_private.h"
#include "cf/sums.h"
#include "fixed.h"

/* Where layer `left` before the last one of a pass lives. */
float *hn_lightgcn_block(const Pass *pass, const Side *side, int left) {
    return pass->chained || (left & 1) != 0 ? side->z : side->table->gradient;
}

/* out[r] = values[rows[r]] for the batch's rows */
const float *hn_lightgcn_pick(const Side *side, const float *values) {
    for (uint32_t r = 0; r < side->n_rows; r++) {
        side->batch_scale[r] = values[side->rows[r]];
    }
    return side->batch_scale;
}

/* side's rows from the other side's rows x; x is not scaled yet where it enters the first layer. */
void hn_lightgcn_start(Work *work, const Pass *pass, const Side *side, int layer, const float *x, float *y,
                       void (*rows)(void *, uint64_t, uint64_t, float *)) {
    *work = (Work){.half = {.graph = *hn_lightgcn_edges_of(pass->model, side, layer),
                            .x = x,
                            .scale = side->scale,
                            .y = y,
                            .edges.known = true},
                   .done = {rows, work},
                   .side = side,
                   .layer = layer,
                   .n_layers = pass->model->context.layers};
    work->half.graph.column_scale = layer == 1 ? side->other->degrees->inv_root : NULL;
    work->half.done = rows != NULL ? &work->done : NULL;
}

/* A bound on the elements of the users' rows that enter a layer, which all ranks share without asking: after a layer a
 * user row is a mean of item rows, which are the same everywhere, and scaling makes none larger; so their largest
 * element bounds it but for rounding, or for what edges count that dropout leaves. before: the users' half of the layer
 * before. */
static float bound_of(const Pass *pass, int layer, const HnHalf *before) {
    const HnModelContext *context = &pass->model->context;
    if (!context->exact || layer == 1) {
        return pass->first_bound;
    }
    const float largest = hn_max_magnitude_cpu(before->x, before->graph.n_cols * (uint64_t)context->dim);
    return 1.125f * pass->model->gain * largest + pass->added_bound;
}

HnStatus hn_lightgcn_bound(const LightGcn *model, const float *rows, uint64_t n_rows, float *bound, HnError *err) {
    *bound = 0.0f;
    if (model->context.exact) {
        *bound = hn_max_magnitude_cpu(rows, n_rows * (uint64_t)model->context.dim);
        HN_TRY(hn_agree_max(model->context.comm, bound, 1, NULL, err));
    }
    return HN_OK;
}

/* One chain: the halves that make first's rows in layer 1, the other side's in layer 2, and so on. */
static HnStatus run_chain(Pass *pass, Side *first, HnError *err) {
    LightGcn *model = pass->model;
    HnHalf before = {0};
    for (int layer = 1; layer <= model->context.layers; layer++) {
        Work work;
        Side *side = (layer & 1) != 0 ? first : first->other;
        pass->half(pass, side, layer, &work);
        if (side == &model->users) {
            before = work.half;
            hn_propagation_users(&model->propagation, &work.half);
        } else {
            HN_TRY(hn_propagation_items(&model->propagation, &work.half, bound_of(pass, layer, &before), err));
        }
    }
    return HN_OK;
}

HnStatus hn_lightgcn_run_layers(Pass *pass, HnError *err) {
    LightGcn *model = pass->model;
    HnHalf before = {0};
    for (int layer = 1; layer <= model->context.layers; layer++) {
        Work users, items;
        const float bound = bound_of(pass, layer, &before);
        pass->half(pass, &model->users, layer, &users);
        pass->half(pass, &model->items, layer, &items);
        HN_TRY(hn_propagation_layer(&model->propagation, &users.half, &items.half, bound, err));
        before = users.half;
    }
    return HN_OK;
}

HnStatus hn_lightgcn_run(Pass *pass, HnError *err) {
    const HnModelContext *context = &pass->model->context;
    pass->chained = hn_comm_size(context->comm) == 1 || context->host_items != NULL;
    if (!pass->chained) {
        return hn_lightgcn_run_layers(pass, err);
    }
    HN_TRY(run_chain(pass, &pass->model->items, err));
    return run_chain(pass, &pass->model->users, err); /* ends with the users, whom the next pass reads first */
}
