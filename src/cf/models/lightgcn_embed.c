/* Final vectors of all rows, layer by layer. A row is pooled while it is in the cache, in the order in which a batch's
 * rows are (pool_rows in lightgcn.c), so that both have the same bits: the second layer begins the sum in the output,
 * as the first one's rows are still needed where they are, and the last one ends it without being stored. Of three
 * layers, the usual number, the first one lives in the output itself: fewer blocks, which stay in the cache. */
#include <string.h>

#include "cf/models/lightgcn_private.h"
#include "row.h"

enum { THREE = 3 };

/* The layers so far, of two and more. */
static void sum_layers(const Work *work, uint64_t r, const float *z, float *out) {
    const HnRowOps *ops = hn_row_ops_cpu();
    const int d = work->side->table->dim;
    const float *before = work->before + r * (size_t)d;
    if (work->n_layers == THREE) {
        ops->axpy(out, 1.0f, before, d);
        ops->axpy(out, 1.0f, z, d);
    } else if (work->layer == 2) {
        ops->mix(out, 1.0f, before, 1.0f, z, d);
    } else {
        ops->axpy(out, 1.0f, z, d);
    }
}

/* out[r] = z_1 + ... + z_l, or the final row where l is the last layer. values: z_l. */
static void embed_rows(void *context, uint64_t first, uint64_t last, float *values) {
    const Work *work = context;
    const Side *side = work->side;
    const HnRowOps *ops = hn_row_ops_cpu();
    const int d = side->table->dim;
    const size_t dim = (size_t)d;
    const bool ends = work->layer == work->n_layers, alone = side->pool == HN_POOL_FINAL;
    if (work->item_hops != NULL) {
        hn_lightgcn_hop_rows(context, first, last, values);
    }
    for (uint64_t r = first; r < last; r++) {
        float *z = values + (r - first) * dim, *out = work->out + r * dim, *sum = z;
        if (!alone && work->layer > 1) {
            sum_layers(work, r, z, out);
            sum = out;
        }
        if (ends) {
            const float of_ego = hn_lightgcn_pools(side, 0, work->n_layers) ? work->share : 0.0f;
            ops->mix(out, work->share * side->degrees->root[r], sum, of_ego, side->table->value + r * dim, d);
        }
    }
}

static float *out_of(const Pass *pass, const Side *side) {
    return side == &pass->model->users ? pass->users_out : pass->items_out;
}

/* Where a layer lives. */
static float *block_of(const Pass *pass, const Side *side, int layer) {
    const int n_layers = pass->model->context.layers;
    return n_layers == THREE && layer == 1 ? out_of(pass, side) : hn_lightgcn_block(pass, side, n_layers - layer);
}

static void embed_half(Pass *pass, Side *side, int layer, Work *work) {
    const LightGcn *model = pass->model;
    const int left = model->context.layers - layer;
    const bool users = side == &model->users;
    const float *x = layer == 1 ? side->other->table->value : block_of(pass, side->other, layer - 1);
    hn_lightgcn_start(work, pass, side, layer, x, block_of(pass, side, layer), embed_rows);
    work->item_hops = users ? NULL : pass->item_hops;
    work->out = out_of(pass, side);
    work->before = layer > 1 ? block_of(pass, side, layer - 1) : NULL;
    work->share = 1.0f / hn_lightgcn_divisor(side, model->context.layers);
    if (left == 0 && (users || hn_comm_size(model->context.comm) == 1)) {
        work->half.window = model->window;
    }
    if (left > 0 && (layer == 1 || model->context.layers == THREE)) { /* nothing to add up yet */
        work->half.done = NULL;
        if (work->item_hops != NULL) {
            work->done.rows = hn_lightgcn_hop_rows;
            work->half.done = &work->done;
        }
    }
}

HnStatus hn_lightgcn_embed_over(LightGcn *model, float *users_out, float *items_out, float *item_hops, HnError *err) {
    const HnTable *users = model->users.table, *items = model->items.table;
    const size_t row = (size_t)model->context.dim * sizeof(float);
    if (model->context.layers == 0) {
        memcpy(users_out, users->value, users->n_rows * row);
        memcpy(items_out, items->value, items->n_rows * row);
        if (item_hops != NULL) {
            memcpy(item_hops, items->value, items->n_rows * row);
        }
        return HN_OK;
    }
    Pass pass = {
        .model = model, .half = embed_half, .users_out = users_out, .items_out = items_out, .item_hops = item_hops};
    HN_TRY(hn_lightgcn_bound(model, users->value, users->n_rows, &pass.first_bound, err));
    return hn_lightgcn_run_layers(&pass, err);
}

HnStatus hn_lightgcn_embed(void *state, float *users_out, float *items_out, float *item_hops, HnError *err) {
    LightGcn *model = state;
    if (model->context.layers > 0) {
        hn_lightgcn_edges_take(model, EDGES_ALL);
    }
    return hn_lightgcn_embed_over(model, users_out, items_out, item_hops, err);
}
