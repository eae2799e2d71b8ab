/* The vectors that a sampler compares before it chooses: all items, and the users of the batch. For three layers, the
 * usual number, the users' last layer is made for these alone; what there is of it serves the step's forward pass too.
 * Items' layers are kept apart, in the output, z and the gradient's table: on one rank the second is the last to be
 * made (lightgcn_pass.c), and whichever comes last adds them up, in the order of the layers. */
#include "cf/models/lightgcn_private.h"
#include "cf/rows.h"
#include "row.h"

enum { LAYERS = 3 };

/* values: the layer that came last, work->layer. */
static void sum_rows(void *context, uint64_t first, uint64_t last, float *values) {
    const Work *work = context;
    const Side *side = work->side;
    const HnRowOps *ops = hn_row_ops_cpu();
    const int dim = side->table->dim;
    const bool second = work->layer == 2, alone = side->pool == HN_POOL_FINAL;
    const float of_ego = hn_lightgcn_pools(side, 0, LAYERS) ? work->share : 0.0f;
    const float *z_2 = second ? values : side->z + first * (size_t)dim;
    const float *z_3 = second ? side->table->gradient + first * (size_t)dim : values;
    if (work->item_hops != NULL) {
        hn_lightgcn_hop_rows(context, first, last, values);
    }
    for (uint64_t r = first; r < last; r++) {
        const size_t at = (r - first) * (size_t)dim;
        float *out = work->out + r * (size_t)dim;
        const float *sum = alone ? z_3 + at : out;
        if (!alone) {
            ops->axpy(out, 1.0f, z_2 + at, dim);
            ops->axpy(out, 1.0f, z_3 + at, dim);
        }
        ops->mix(out, work->share * side->degrees->root[r], sum, of_ego, side->table->value + r * (size_t)dim, dim);
    }
}

static float *item_layer(const Pass *pass, int layer) {
    Side *items = &pass->model->items;
    return layer == 1 ? pass->items_out : layer == 2 ? items->z : items->table->gradient;
}

static void look_half(Pass *pass, Side *side, int layer, Work *work) {
    LightGcn *model = pass->model;
    const bool comes_last = layer == (pass->chained ? 2 : LAYERS);
    if (side == &model->users) {
        hn_lightgcn_forward_half(pass, side, layer, work);
        if (layer > 1) {
            work->half.x = item_layer(pass, layer - 1);
        }
        return;
    }
    const float *x =
        layer == 1 ? model->users.table->value : hn_lightgcn_block(pass, &model->users, LAYERS - layer + 1);
    hn_lightgcn_start(work, pass, side, layer, x, item_layer(pass, layer),
                      comes_last                ? sum_rows
                      : pass->item_hops != NULL ? hn_lightgcn_hop_rows
                                                : NULL);
    work->item_hops = pass->item_hops;
    work->out = pass->items_out;
    work->share = 1.0f / hn_lightgcn_divisor(side, LAYERS);
}

HnStatus hn_lightgcn_look(void *state, HnBatch *batch, float *users_out, float *items_out, float *item_hops,
                          HnError *err) {
    LightGcn *model = state;
    Side *users = &model->users;
    hn_lightgcn_take(model, batch);
    if (model->context.layers > 0) {
        hn_lightgcn_edges_take(model, EDGES_STEP);
    }
    if (model->context.layers != LAYERS) {
        return hn_lightgcn_embed_over(model, users_out, items_out, item_hops, err);
    }
    Pass pass = {.model = model, .half = look_half, .items_out = items_out, .item_hops = item_hops};
    HN_TRY(hn_lightgcn_bound(model, users->table->value, users->table->n_rows, &pass.first_bound, err));
    HN_TRY(hn_lightgcn_run(&pass, err));
    hn_lightgcn_pool(users, LAYERS);
    hn_rows_scatter(users_out, users->vectors, users->rows, users->n_rows, model->context.dim);
    return HN_OK;
}
