/* LightGCN (He et al., SIGIR 2020): E^(l+1) = D^-1/2 A D^-1/2 E^(l), final E = mean over l = 0..L.
 *
 * In the scaled space z = D^-1/2 E a layer is z' = D^-1 A z, so edges carry no weight; the first one scales as it
 * reads: final row = (E0 + root * (z_1 + ... + z_L)) / (L+1),      root = sqrt(degree) The operator is symmetric, so
 * the backward pass is the same one, in Horner form. With G = dLoss/dE and g = G / root: h_1 = D^-1 A g + g,  h_k =
 * D^-1 A h_{k-1} + g,  dLoss/dE0 = root * (D^-1 A h_{L-1} + g) / (L+1) Only the batch's rows of the last forward layer
 * are computed, only the batch's rows enter the first backward one, and the last backward one writes the gradient
 * itself (its row scale carries root / (L+1)). All of these are exact. What else a row needs is done while it is in the
 * cache: see the functions named *_rows.
 *
 * Two blocks of rows serve as layers in turn: the tables' gradients, free until the last backward layer, and z.
 */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "cf/model.h"
#include "cf/propagation.h"
#include "cf/rows.h"
#include "cf/sums.h"
#include "fixed.h"
#include "row.h"

/* What the model knows of the users, or of the items. */
typedef struct Side {
    HnTable *table;
    const HnDegrees *degrees;
    const HnCsr *graph;
    HnSubgraph sub;      /* edges of the batch's rows (forward), or from the batch's users (backward, items) */
    float *z;            /* a layer, all rows */
    float *last_scale;   /* row scales of the last backward layer */
    float *sums;         /* z_1 + ... of the batch's rows */
    float *batch_scale;  /* a number for each of the batch's rows */
    const int32_t *rows; /* the batch's rows, their vectors and gradients; borrowed, set at every step */
    uint32_t n_rows;
    float *vectors, *d_vectors;
} Side;

typedef struct LightGcn {
    HnModelContext context;
    HnPropagation propagation;
    Side users, items;
    float *window; /* see HnHalf */
} LightGcn;

/* What a HnRowsDone needs to know. */
typedef struct Visit {
    const Side *side;
    int layer;   /* 1 = the first */
    float share; /* 1 / (L + 1) */
    const HnRowsDone *then;
} Visit;

static void side_free(Side *side) {
    float *blocks[] = {side->z, side->last_scale, side->sums, side->batch_scale};
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
    hn_propagation_free(&model->propagation);
    hn_free(model->window);
    hn_free(model);
}

static uint64_t lightgcn_bytes(uint64_t n_local_users, uint64_t n_items, uint64_t n_local_pairs, uint64_t batch,
                               int dim, int layers, bool exact) {
    if (layers == 0) {
        return sizeof(LightGcn);
    }
    uint64_t row = (uint64_t)dim * sizeof(float);
    return (n_local_users + n_items) * (row + 4) + 3 * batch * (row + 4) + 8 * n_local_pairs +
           32 * (n_items + 3 * batch) + hn_propagation_bytes(n_local_users, n_items, dim, exact);
}

static HnStatus side_create(Side *side, HnTable *table, const HnCsr *graph, const HnDegrees *degrees, uint64_t n_batch,
                            int layers, HnError *err) {
    const char *what = "LightGCN layers";
    const size_t row = (size_t)table->dim * sizeof(float);
    side->table = table;
    side->graph = graph;
    side->degrees = degrees;
    side->z = hn_alloc(table->n_rows, row, what, err);
    side->last_scale = hn_alloc(table->n_rows, sizeof(float), what, err);
    side->sums = hn_alloc(n_batch, row, what, err);
    side->batch_scale = hn_alloc(n_batch, sizeof(float), what, err);
    if (!side->z || !side->last_scale || !side->sums || !side->batch_scale) {
        return HN_MEMORY;
    }
    for (uint64_t r = 0; r < degrees->n; r++) {
        side->last_scale[r] = degrees->scale[r] * degrees->root[r] / (float)(layers + 1);
    }
    return HN_OK;
}

static HnStatus allocate(LightGcn *model, const HnBatch *batch, HnError *err) {
    const HnModelContext *context = &model->context;
    const HnGraph *graph = context->graph;
    const uint64_t n_users = context->users->n_rows, n_items = context->items->n_rows;
    const uint64_t n_pairs = context->shards->n_local_pairs, some_users = batch->capacity;
    const uint64_t some_items = 2 * batch->max_positions < n_items ? 2 * batch->max_positions : n_items;
    HN_TRY(side_create(&model->users, context->users, &graph->users, &graph->user_degrees, some_users, context->layers,
                       err));
    HN_TRY(side_create(&model->items, context->items, &graph->items, &graph->item_degrees, some_items, context->layers,
                       err));
    model->window = hn_alloc(hn_propagate_window(context->dim), sizeof(float), "LightGCN layers", err);
    if (model->window == NULL) {
        return HN_MEMORY;
    }
    HN_TRY(hn_subgraph_create(some_users, n_pairs, &model->users.sub, err));
    HN_TRY(hn_subgraph_create(n_items, n_pairs, &model->items.sub, err));
    return hn_propagation_create(context->comm, context->exact, context->dim, n_users, n_items, &model->propagation,
                                 err);
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
    model->users.table = context->users;
    model->items.table = context->items;
    *state = model;
    return HN_OK;
}

static void sides_take(LightGcn *model, HnBatch *batch) {
    model->users.rows = batch->users, model->users.n_rows = batch->n_users;
    model->users.vectors = batch->user_vectors, model->users.d_vectors = batch->d_user_vectors;
    model->items.rows = batch->items, model->items.n_rows = batch->n_items;
    model->items.vectors = batch->item_vectors, model->items.d_vectors = batch->d_item_vectors;
}

/* The two blocks of layers. */
static float *block_of(const Side *side, int which) {
    return (which & 1) != 0 ? side->z : side->table->gradient;
}

/* out[r] = values[rows[r]] for the batch's rows */
static const float *pick(const Side *side, const float *values) {
    for (uint32_t r = 0; r < side->n_rows; r++) {
        side->batch_scale[r] = values[side->rows[r]];
    }
    return side->batch_scale;
}

/* The half of a layer that fills side's rows from the other side's rows x; x is E itself where unscaled. */
static HnHalf half_of(const Side *side, const Side *other, const float *x, bool unscaled, float *y) {
    HnHalf half = {.graph = *side->graph, .x = x, .scale = side->degrees->scale, .y = y};
    half.graph.column_scale = unscaled ? other->degrees->inv_root : NULL;
    return half;
}

/* A bound on the users' elements that all ranks share; scaling makes none larger. */
static HnStatus bound_of_users(const LightGcn *model, const float *rows, uint64_t n_rows, float *bound, HnError *err) {
    *bound = 0.0f;
    if (model->context.exact) {
        *bound = hn_max_magnitude_cpu(rows, n_rows * (uint64_t)model->context.dim);
        HN_TRY(hn_agree_max(model->context.comm, bound, 1, NULL, err));
    }
    return HN_OK;
}

/* A user row after a layer is a mean of item rows, so it cannot exceed their largest element but for rounding: every
 * rank knows the bound without asking, because item rows are the same everywhere. */
static float bound_of_mean(const LightGcn *model, const float *item_rows) {
    if (!model->context.exact) {
        return 0.0f;
    }
    return 1.125f * hn_max_magnitude_cpu(item_rows, model->context.items->n_rows * (uint64_t)model->context.dim);
}

/* ---- forward ---- */

/* The batch's rows among those that a layer finished, into their sums. */
static void sum_rows(void *context, uint64_t first, uint64_t last, float *values) {
    const Visit *visit = context;
    const Side *side = visit->side;
    const HnRowOps *ops = hn_row_ops_cpu();
    const size_t dim = (size_t)side->table->dim;
    for (uint32_t b = hn_batch_place(side->rows, side->n_rows, first);
         b < side->n_rows && (uint64_t)side->rows[b] < last; b++) {
        const float *z = values + ((uint64_t)side->rows[b] - first) * dim;
        if (visit->layer == 1) {
            memcpy(side->sums + b * dim, z, dim * sizeof(float));
        } else {
            ops->axpy(side->sums + b * dim, 1.0f, z, (int)dim);
        }
    }
}

/* final = (E0 + root * (sums + last layer)) / (L+1), of the batch's rows first .. last-1: in place of the last layer.
 */
static void pool_rows(void *context, uint64_t first, uint64_t last, float *values) {
    const Visit *visit = context;
    const Side *side = visit->side;
    const HnRowOps *ops = hn_row_ops_cpu();
    const size_t dim = (size_t)side->table->dim;
    for (uint64_t b = first; b < last; b++) {
        const size_t row = (size_t)side->rows[b];
        float *vector = values + (b - first) * dim;
        if (visit->layer > 1) {
            ops->axpy(vector, 1.0f, side->sums + b * dim, (int)dim);
        }
        ops->mix(vector, visit->share * side->degrees->root[row], vector, visit->share, side->table->value + row * dim,
                 (int)dim);
    }
}

/* Layer L, of the batch's rows alone, and the final vectors. */
static HnStatus last_layer(LightGcn *model, const float *user_x, const float *item_x, float bound, HnError *err) {
    Side *users = &model->users, *items = &model->items;
    const int layers = model->context.layers;
    const float share = 1.0f / (float)(layers + 1);
    Visit of_users = {users, layers, share, NULL}, of_items = {items, layers, share, NULL};
    const HnRowsDone users_done = {pool_rows, &of_users}, items_done = {pool_rows, &of_items};
    HnHalf user_half = half_of(users, items, item_x, layers == 1, users->vectors);
    HnHalf item_half = half_of(items, users, user_x, layers == 1, items->vectors);
    hn_subgraph_rows(&users->sub, &user_half.graph, users->rows, users->n_rows);
    hn_subgraph_rows(&items->sub, &item_half.graph, items->rows, items->n_rows);
    user_half.graph = users->sub.csr, user_half.done = &users_done;
    item_half.graph = items->sub.csr, item_half.done = &items_done;
    user_half.scale = pick(users, users->degrees->scale);
    item_half.scale = pick(items, items->degrees->scale);
    return hn_propagation_layer(&model->propagation, &user_half, &item_half, bound, err);
}

static HnStatus lightgcn_forward(void *state, HnBatch *batch, HnError *err) {
    LightGcn *model = state;
    Side *users = &model->users, *items = &model->items;
    sides_take(model, batch);
    if (model->context.layers == 0) {
        hn_rows_gather(users->vectors, users->table->value, users->rows, users->n_rows, model->context.dim);
        hn_rows_gather(items->vectors, items->table->value, items->rows, items->n_rows, model->context.dim);
        return HN_OK;
    }
    const float *user_x = users->table->value, *item_x = items->table->value;
    float bound;
    HN_TRY(bound_of_users(model, user_x, users->table->n_rows, &bound, err));
    for (int layer = 1; layer < model->context.layers; layer++) {
        const float next_bound = bound_of_mean(model, item_x);
        float *user_y = block_of(users, layer), *item_y = block_of(items, layer);
        Visit of_users = {users, layer, 0.0f, NULL}, of_items = {items, layer, 0.0f, NULL};
        const HnRowsDone users_done = {sum_rows, &of_users}, items_done = {sum_rows, &of_items};
        HnHalf user_half = half_of(users, items, item_x, layer == 1, user_y);
        HnHalf item_half = half_of(items, users, user_x, layer == 1, item_y);
        user_half.done = &users_done;
        item_half.done = &items_done;
        HN_TRY(hn_propagation_layer(&model->propagation, &user_half, &item_half, bound, err));
        user_x = user_y, item_x = item_y, bound = next_bound;
    }
    return last_layer(model, user_x, item_x, bound, err);
}

/* ---- backward ---- */

/* Rows of G, zero but for the batch's. */
static void spread_rows(void *context, uint64_t first, uint64_t last, float *values) {
    const Visit *visit = context;
    const Side *side = visit->side;
    const size_t dim = (size_t)side->table->dim;
    memset(values, 0, (last - first) * dim * sizeof(float));
    for (uint32_t b = hn_batch_place(side->rows, side->n_rows, first);
         b < side->n_rows && (uint64_t)side->rows[b] < last; b++) {
        memcpy(values + ((uint64_t)side->rows[b] - first) * dim, side->d_vectors + b * dim, dim * sizeof(float));
    }
}

static void spread(const Side *side, float *out) {
    Visit visit = {side, 0, 0.0f, NULL};
    hn_rows_done_cpu(&(HnRowsDone){spread_rows, &visit}, out, side->table->n_rows, side->table->dim);
}

/* "+ g" of the batch's rows; of the last layer, share * G, and what the caller wants done with the gradient. */
static void add_own_rows(void *context, uint64_t first, uint64_t last, float *values) {
    const Visit *visit = context;
    const Side *side = visit->side;
    const HnRowOps *ops = hn_row_ops_cpu();
    const size_t dim = (size_t)side->table->dim;
    for (uint32_t b = hn_batch_place(side->rows, side->n_rows, first);
         b < side->n_rows && (uint64_t)side->rows[b] < last; b++) {
        const size_t row = (size_t)side->rows[b];
        ops->axpy(values + (row - first) * dim, visit->share > 0.0f ? visit->share : side->degrees->inv_root[row],
                  side->d_vectors + b * dim, (int)dim);
    }
    if (visit->then != NULL) {
        visit->then->rows(visit->then->context, first, last, values);
    }
}

/* The first layer: only the batch's users send, and the items' G is spread over all items. */
static HnHalf first_item_half(LightGcn *model, float *y) {
    Side *users = &model->users, *items = &model->items;
    HnHalf half = half_of(items, users, users->d_vectors, true, y);
    hn_subgraph_transpose(&items->sub, users->graph, users->rows, users->n_rows);
    half.graph = items->sub.csr;
    half.graph.column_scale = pick(users, users->degrees->inv_root);
    return half;
}

static HnStatus lightgcn_backward_layers(LightGcn *model, bool keep, const HnRowsDone *users_then,
                                         const HnRowsDone *items_then, HnError *err) {
    Side *users = &model->users, *items = &model->items;
    const int layers = model->context.layers;
    const float *user_x = NULL, *item_x = block_of(items, layers);
    float bound, g_bound;
    spread(items, block_of(items, layers));
    HN_TRY(bound_of_users(model, users->d_vectors, users->n_rows, &g_bound, err));
    bound = g_bound;
    for (int layer = 1; layer <= layers; layer++) {
        const bool last = layer == layers;
        const float share = last ? 1.0f / (float)(layers + 1) : 0.0f;
        const float next_bound = last ? 0.0f : bound_of_mean(model, item_x) + g_bound;
        float *user_y = block_of(users, layers - layer), *item_y = block_of(items, layers - layer);
        Visit of_users = {users, layer, share, last ? users_then : NULL};
        Visit of_items = {items, layer, share, last ? items_then : NULL};
        const HnRowsDone users_done = {add_own_rows, &of_users}, items_done = {add_own_rows, &of_items};
        HnHalf user_half = half_of(users, items, item_x, layer == 1, user_y);
        HnHalf item_half = layer == 1 ? first_item_half(model, item_y) : half_of(items, users, user_x, false, item_y);
        user_half.done = &users_done;
        item_half.done = &items_done;
        if (last) {
            user_half.scale = users->last_scale;
            user_half.window = keep ? NULL : model->window;
            item_half.scale = items->last_scale;
        }
        HN_TRY(hn_propagation_layer(&model->propagation, &user_half, &item_half, bound, err));
        user_x = user_y, item_x = item_y, bound = next_bound;
    }
    return HN_OK;
}

static HnStatus lightgcn_backward(void *state, HnBatch *batch, bool keep, const HnRowsDone *users_done,
                                  const HnRowsDone *items_done, HnError *err) {
    LightGcn *model = state;
    sides_take(model, batch);
    if (model->context.layers > 0) {
        return lightgcn_backward_layers(model, keep, users_done, items_done, err);
    }
    HnTable *users = model->users.table, *items = model->items.table;
    spread(&model->users, users->gradient);
    spread(&model->items, items->gradient);
    hn_rows_done_cpu(users_done, users->gradient, users->n_rows, users->dim);
    hn_rows_done_cpu(items_done, items->gradient, items->n_rows, items->dim);
    return HN_OK;
}

/* ---- all rows ---- */

static void pool_all(const Side *side, float *out, int layers) {
    const float share = 1.0f / (float)(layers + 1);
    const HnRowOps *ops = hn_row_ops_cpu();
    const size_t dim = (size_t)side->table->dim;
#pragma omp parallel for schedule(static)
    for (uint64_t r = 0; r < side->table->n_rows; r++) {
        const float *e = side->table->value + r * dim;
        ops->mix(out + r * dim, share * side->degrees->root[r], out + r * dim, share, e, (int)dim);
    }
}

static HnStatus lightgcn_embed(void *state, float *users_out, float *items_out, HnError *err) {
    LightGcn *model = state;
    Side *users = &model->users, *items = &model->items;
    const size_t row = (size_t)model->context.dim * sizeof(float);
    const float *user_x = users->table->value, *item_x = items->table->value;
    if (model->context.layers == 0) {
        memcpy(users_out, user_x, users->table->n_rows * row);
        memcpy(items_out, item_x, items->table->n_rows * row);
        return HN_OK;
    }
    float bound;
    memset(users_out, 0, users->table->n_rows * row);
    memset(items_out, 0, items->table->n_rows * row);
    HN_TRY(bound_of_users(model, user_x, users->table->n_rows, &bound, err));
    for (int layer = 1; layer <= model->context.layers; layer++) {
        const float next_bound = bound_of_mean(model, item_x);
        float *user_y = block_of(users, layer), *item_y = block_of(items, layer);
        HnHalf user_half = half_of(users, items, item_x, layer == 1, user_y);
        HnHalf item_half = half_of(items, users, user_x, layer == 1, item_y);
        user_half.sum = users_out;
        item_half.sum = items_out;
        HN_TRY(hn_propagation_layer(&model->propagation, &user_half, &item_half, bound, err));
        user_x = user_y, item_x = item_y, bound = next_bound;
    }
    pool_all(users, users_out, model->context.layers);
    pool_all(items, items_out, model->context.layers);
    return HN_OK;
}

const HnModelOps HN_MODEL_LIGHTGCN = {.name = "lightgcn",
                                      .sparse_gradient = false,
                                      .create = lightgcn_create,
                                      .free = lightgcn_free,
                                      .bytes = lightgcn_bytes,
                                      .forward = lightgcn_forward,
                                      .backward = lightgcn_backward,
                                      .embed = lightgcn_embed};
