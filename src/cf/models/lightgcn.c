/* LightGCN (He et al., SIGIR 2020): E^(l+1) = D^-1/2 A D^-1/2 E^(l), final E = mean over l = 0..L.
 *
 * In the scaled space z = D^-1/2 E a layer is z' = D^-1 A z: edges carry no weight, and the first layer scales as it
 * reads:
 *     final row = (E0 + root * (z_1 + ... + z_L)) / (L+1),      root = sqrt(degree)
 * The operator is symmetric, so the backward pass is the same one, in Horner form. With G = dLoss/dE and g = G / root:
 *     h_1 = D^-1 A g + g,  h_k = D^-1 A h_{k-1} + g,  dLoss/dE0 = root * (D^-1 A h_{L-1} + g) / (L+1)
 * Only the batch's rows of the last forward layer are computed, only the batch's rows enter the first backward one, and
 * the last backward one writes the gradient itself (its row scale carries root / (L+1)). All of these are exact. What
 * else a row needs is done while it is in the cache: see the functions named *_rows.
 *
 * model.pool sum leaves 1/(L+1) out; final is root * z_L alone, and no backward layer adds g; upper leaves E0 out, and
 * 1/L takes the place of 1/(L+1). With model.edge_dropout a step's passes go over some of the edges (lightgcn_edges.c).
 */
#include <string.h>

#include "base/alloc.h"
#include "cf/models/lightgcn_private.h"
#include "cf/rows.h"
#include "cf/sampler.h"
#include "row.h"

static void side_free(Side *side) {
    float *blocks[] = {side->own_z, side->last_scale, side->layers, side->batch_scale};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        hn_free(blocks[i]);
    }
    hn_subgraph_free(&side->sub);
}

static void lightgcn_free(void *state) {
    LightGcn *model = state;
    if (model == NULL) {
        return;
    }
    side_free(&model->users);
    side_free(&model->items);
    hn_lightgcn_edges_free(model);
    hn_propagation_free(&model->propagation);
    hn_free(model->window);
    hn_free(model);
}

static uint64_t lightgcn_bytes(const HnTrainConfig *config, uint64_t n_local_users, uint64_t n_items,
                               uint64_t n_local_pairs, uint64_t n_positions, bool exact) {
    if (config->model.layers == 0) {
        return sizeof(LightGcn);
    }
    const HnBatchShape shape = hn_batch_shape(config);
    const uint64_t row = (uint64_t)shape.dim * sizeof(float), layers = (uint64_t)config->model.layers;
    const uint64_t batch_rows = n_positions + hn_batch_most_items(&shape, n_positions, n_items);
    return (n_local_users + n_items) * (row + 4) + batch_rows * ((layers - 1) * row + 4) + 8 * n_local_pairs +
           16 * n_local_users + 20 * n_items + hn_propagation_bytes(n_items, shape.dim, exact) +
           hn_propagate_window(shape.dim) * sizeof(float) +
           hn_lightgcn_edges_bytes(config, n_local_users, n_items, n_local_pairs);
}

/* The items' half of every layer, forward and backward; the last one forward is of the batch's items alone, unless all
 * were embedded. */
static uint64_t lightgcn_moved(const HnTrainConfig *config, uint64_t n_items, uint64_t n_batch_items, bool exact) {
    const uint64_t layers = (uint64_t)config->model.layers, row = (uint64_t)config->model.dim * (exact ? 8 : 4);
    const bool all = hn_sampler_ops(config->sampler.name)->by_score;
    const uint64_t again = all && hn_batch_shape(config).row_hops > 0 ? (layers - 1) * n_items + n_batch_items : 0;
    return layers == 0 ? 0 : ((2 * layers - 1) * n_items + (all ? n_items : n_batch_items) + again) * row;
}

/* A block of rows, the host's or one of its own; the gradients, which are free until the end, serve as another. */
static HnStatus block_create(Side *side, float *of_host, HnError *err) {
    side->z = of_host;
    if (of_host == NULL) {
        side->own_z = hn_alloc(side->table->n_rows, (size_t)side->table->dim * sizeof(float), "LightGCN layers", err);
        side->z = side->own_z;
    }
    return side->z != NULL ? HN_OK : HN_MEMORY;
}

static HnStatus side_create(Side *side, HnTable *table, const HnDegrees *degrees, uint64_t n_batch, int layers,
                            HnPoolRule pool, HnError *err) {
    const char *what = "LightGCN layers";
    const size_t row = (size_t)table->dim * sizeof(float);
    side->table = table;
    side->pool = pool;
    side->degrees = degrees;
    side->last_scale = hn_alloc(table->n_rows, sizeof(float), what, err);
    side->layers = hn_alloc((uint64_t)(layers - 1) * n_batch, row, what, err);
    side->batch_scale = hn_alloc(n_batch, sizeof(float), what, err);
    if (!side->last_scale || !side->layers || !side->batch_scale) {
        return HN_MEMORY;
    }
    for (uint64_t r = 0; r < degrees->n; r++) {
        side->last_scale[r] = degrees->scale[r] * degrees->root[r] / hn_lightgcn_divisor(side, layers);
    }
    return HN_OK;
}

static HnStatus allocate(LightGcn *model, const HnBatch *batch, HnError *err) {
    const HnModelContext *context = &model->context;
    const HnGraph *graph = context->graph;
    const uint64_t n_items = context->items->n_rows;
    const uint64_t n_pairs = context->shards->n_local_pairs, some_users = batch->capacity;
    const uint64_t some_items = batch->most_items;
    HN_TRY(side_create(&model->users, context->users, &graph->user_degrees, some_users, context->layers,
                       context->config->model.pool, err));
    HN_TRY(side_create(&model->items, context->items, &graph->item_degrees, some_items, context->layers,
                       context->config->model.pool, err));
    const HnHostItems *host = context->host_items;
    HN_TRY(block_create(&model->users, host != NULL ? hn_host_items_of_users(host, 0) : NULL, err));
    HN_TRY(block_create(&model->items, host != NULL ? hn_host_items_of_items(host, 0) : NULL, err));
    model->window = hn_alloc(hn_propagate_window(context->dim), sizeof(float), "LightGCN layers", err);
    if (model->window == NULL) {
        return HN_MEMORY;
    }
    HN_TRY(hn_subgraph_create(model->users.table->n_rows, n_pairs, n_items, &model->users.sub, err));
    HN_TRY(hn_subgraph_create(n_items, n_pairs, 0, &model->items.sub, err));
    HN_TRY(hn_lightgcn_edges_create(model, err));
    return hn_propagation_create(context->comm, context->exact, context->dim, n_items, context->host_items,
                                 &model->propagation, err);
}

static HnStatus lightgcn_create(const HnModelContext *context, const HnBatch *batch, void **state, HnError *err) {
    LightGcn *model = hn_alloc(1, sizeof *model, "LightGCN", err);
    if (model == NULL) {
        return HN_MEMORY;
    }
    model->context = *context;
    if (context->layers > 0) {
        HnStatus status = allocate(model, batch, err);
        if (status != HN_OK) {
            lightgcn_free(model);
            return status;
        }
    }
    model->users.table = context->users, model->users.other = &model->items;
    model->items.table = context->items, model->items.other = &model->users;
    *state = model;
    return HN_OK;
}

void hn_lightgcn_take(LightGcn *model, HnBatch *batch) {
    hn_lightgcn_edges_draw(model, batch->step);
    model->users.rows = batch->users, model->users.n_rows = batch->n_users;
    model->users.vectors = batch->user_vectors, model->users.d_vectors = batch->d_user_vectors;
    model->users.hops = batch->user_hops, model->users.d_hops = batch->d_user_hops;
    model->items.rows = batch->items, model->items.n_rows = batch->n_items;
    model->items.vectors = batch->item_vectors, model->items.d_vectors = batch->d_item_vectors;
    model->items.hops = batch->item_hops, model->items.d_hops = batch->d_item_hops;
}

/* ---- forward ---- */

/* The batch's rows among those that a layer finished. */
static void keep_rows(void *context, uint64_t first, uint64_t last, float *values) {
    const Work *work = context;
    const Side *side = work->side;
    const size_t dim = (size_t)side->table->dim;
    float *layer = side->layers + (size_t)(work->layer - 1) * side->n_rows * dim;
    const HnPlaces in = hn_rows_within(side->rows, side->n_rows, first, last);
    for (uint32_t b = in.begin; b < in.end; b++) {
        memcpy(layer + b * dim, values + ((uint64_t)side->rows[b] - first) * dim, dim * sizeof(float));
    }
}

/* final = (E0 + root * (z_1 + ... + z_L)) / (L+1), in this order; values hold z_L and become final. */
static void pool_rows(void *context, uint64_t first, uint64_t last, float *values) {
    const Work *work = context;
    const Side *side = work->side;
    const HnRowOps *ops = hn_row_ops_cpu();
    const size_t dim = (size_t)side->table->dim, layer = side->n_rows * dim;
    for (uint64_t b = first; b < last; b++) {
        const size_t row = (size_t)side->rows[b];
        const size_t soon = (size_t)side->rows[b + HN_FETCH_AHEAD < side->n_rows ? b + HN_FETCH_AHEAD : b];
        hn_row_fetch(side->table->value + soon * dim, (int)dim);
        float *vector = values + (b - first) * dim, *sum = work->layer > 1 ? side->layers + b * dim : vector;
        if (side->hops != NULL) {
            hn_lightgcn_write_hops(work, b, vector);
        }
        if (side->pool == HN_POOL_FINAL) {
            ops->scale(vector, side->degrees->root[row], vector, (int)dim);
            continue;
        }
        for (int l = 1; l < work->layer - 1; l++) {
            ops->axpy(sum, 1.0f, side->layers + (size_t)l * layer + b * dim, (int)dim);
        }
        if (work->layer > 1) {
            ops->axpy(sum, 1.0f, vector, (int)dim);
        }
        const float of_ego = hn_lightgcn_pools(side, 0, work->layer) ? work->share : 0.0f;
        ops->mix(vector, work->share * side->degrees->root[row], sum, of_ego, side->table->value + row * dim, (int)dim);
    }
}

void hn_lightgcn_pool(const Side *side, int layers) {
    Work work = {.side = side, .layer = layers, .share = 1.0f / hn_lightgcn_divisor(side, layers)};
    hn_rows_done_cpu(&(HnRowsDone){pool_rows, &work}, side->vectors, side->n_rows, side->table->dim);
}

void hn_lightgcn_forward_half(Pass *pass, Side *side, int layer, Work *work) {
    const int left = pass->model->context.layers - layer;
    const float *x = layer == 1 ? side->other->table->value : hn_lightgcn_block(pass, side->other, left + 1);
    hn_lightgcn_start(work, pass, side, layer, x, left > 0 ? hn_lightgcn_block(pass, side, left) : side->vectors,
                      left > 0 ? keep_rows : NULL);
    if (left == 0) { /* of the batch's rows alone */
        if (side == &pass->model->items) {
            hn_half_of_items(&pass->model->propagation, &work->half, &side->sub, side->rows, side->n_rows);
        } else {
            hn_subgraph_rows(&side->sub, &work->half.graph, side->rows, side->n_rows);
            work->half.graph = side->sub.csr;
        }
        work->half.scale = hn_lightgcn_pick(side, side->scale);
    }
}

static HnStatus lightgcn_forward(void *state, HnBatch *batch, HnError *err) {
    LightGcn *model = state;
    Side *users = &model->users, *items = &model->items;
    hn_lightgcn_take(model, batch);
    if (model->context.layers == 0) {
        hn_rows_gather(users->vectors, users->table->value, users->rows, users->n_rows, model->context.dim);
        hn_rows_gather(items->vectors, items->table->value, items->rows, items->n_rows, model->context.dim);
        if (items->hops != NULL) {
            hn_rows_gather(items->hops, items->table->value, items->rows, items->n_rows, model->context.dim);
        }
        return HN_OK;
    }
    hn_lightgcn_edges_take(model, EDGES_STEP);
    Pass pass = {.model = model, .half = hn_lightgcn_forward_half};
    HN_TRY(hn_lightgcn_bound(model, users->table->value, users->table->n_rows, &pass.first_bound, err));
    HN_TRY(hn_lightgcn_run(&pass, err));
    hn_lightgcn_pool(users, model->context.layers);
    hn_lightgcn_pool(items, model->context.layers);
    return HN_OK;
}

/* ---- backward ----
 *
 * With gradients K_l of the items' hops, the layer that adds g to them adds g + (L + 1) K_l / root instead: l = L
 * enters the first one, l = 0 is added last. */

/* Without layers: rows of G, zero but for the batch's. */
static void spread(Side *side, const HnRowsDone *then) {
    const HnSpread rows = {side->rows,          side->d_vectors,       side->n_rows, side->table->dim,
                           side->table->n_rows, side->table->gradient, NULL};
    hn_rows_spread(&rows, then);
}

/* "+ g" of the batch's rows; of the last layer, share * G, and what the caller wants done with the gradient. */
static void add_own_rows(void *context, uint64_t first, uint64_t last, float *values) {
    const Work *work = context;
    const Side *side = work->side;
    const HnRowOps *ops = hn_row_ops_cpu();
    const size_t dim = (size_t)side->table->dim;
    const bool none = side->d_hops == NULL && !hn_lightgcn_pools(side, work->n_layers - work->layer, work->n_layers);
    const HnPlaces in = none ? (HnPlaces){0, 0} : hn_rows_within(side->rows, side->n_rows, first, last);
    for (uint32_t b = in.begin; b < in.end; b++) {
        const size_t row = (size_t)side->rows[b];
        ops->axpy(values + (row - first) * dim, work->then != NULL ? work->share : side->degrees->inv_root[row],
                  hn_lightgcn_added_row(work, b), (int)dim);
    }
    if (work->then != NULL) {
        work->then->rows(work->then->context, first, last, values);
    }
}

/* In the first layer only the batch's rows send. */
static void backward_half(Pass *pass, Side *side, int layer, Work *work) {
    LightGcn *model = pass->model;
    Side *users = &model->users, *other = side->other;
    const bool of_users = side == users, last = layer == model->context.layers;
    const int left = model->context.layers - layer;
    const bool of_slice = last && !of_users && !pass->keep && side->table->shared; /* others finish other rows */
    hn_lightgcn_start(work, pass, side, layer, layer == 1 ? other->d_vectors : hn_lightgcn_block(pass, other, left + 1),
                      last && !of_slice ? side->table->gradient : hn_lightgcn_block(pass, side, left), add_own_rows);
    work->half.changes = true;
    if (layer == 1 && of_users) {
        hn_half_from_items(&work->half, &side->sub, other->rows, other->n_rows);
    } else if (layer == 1) {
        hn_half_from_users(&model->propagation, &work->half, &side->sub, hn_lightgcn_senders(model, layer), users->rows,
                           users->n_rows);
    }
    if (layer == 1) {
        work->half.graph.column_scale = hn_lightgcn_pick(other, other->degrees->inv_root);
    }
    if (last) {
        work->share = 1.0f / hn_lightgcn_divisor(side, layer);
        work->half.changes = of_slice;
        work->then = of_users ? pass->users_then : pass->items_then;
        work->half.scale = side->last_scale;
        const bool through_y = !of_users && !pass->chained;
        work->half.window = pass->keep || through_y ? NULL : model->window;
    }
}

static HnStatus lightgcn_backward(void *state, HnBatch *batch, bool keep, const HnRowsDone *users_done,
                                  const HnRowsDone *items_done, HnError *err) {
    LightGcn *model = state;
    Side *users = &model->users, *items = &model->items;
    hn_lightgcn_take(model, batch);
    if (items->d_hops != NULL) {
        hn_lightgcn_fold_hops(items, model->context.layers);
    }
    if (users->d_hops != NULL) {
        hn_lightgcn_fold_hops(users, model->context.layers);
    }
    if (model->context.layers == 0) {
        spread(users, users_done);
        spread(items, items_done);
        return HN_OK;
    }
    hn_lightgcn_edges_take(model, EDGES_BACK);
    Pass pass = {
        .model = model, .half = backward_half, .keep = keep, .users_then = users_done, .items_then = items_done};
    const bool hops = users->d_hops != NULL;
    const uint64_t n_sent = users->n_rows * (hops ? (uint64_t)model->context.layers + 1 : 1);
    HN_TRY(hn_lightgcn_bound(model, hops ? users->d_hops : users->d_vectors, n_sent, &pass.first_bound, err));
    pass.added_bound = pass.first_bound;
    return hn_lightgcn_run(&pass, err);
}

const HnModelOps HN_MODEL_LIGHTGCN = {.name = "lightgcn",
                                      .width = hn_model_width_is_dim,
                                      .on_host = true,
                                      .n_blocks = 1,
                                      .create = lightgcn_create,
                                      .free = lightgcn_free,
                                      .bytes = lightgcn_bytes,
                                      .moved = lightgcn_moved,
                                      .forward = lightgcn_forward,
                                      .backward = lightgcn_backward,
                                      .embed = hn_lightgcn_embed,
                                      .look = hn_lightgcn_look};
