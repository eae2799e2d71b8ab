/* LightGCN (He et al., SIGIR 2020): E^(l+1) = D^-1/2 A D^-1/2 E^(l), final E = mean over l = 0..L.
 *
 * In the scaled space z = D^-1/2 E a layer is z' = D^-1 A z, so edges carry no weight:
 *     final row = (E0 + root * (z_1 + ... + z_L)) / (L+1),      root = sqrt(degree)
 * The operator is symmetric, so the backward pass is the same one, in Horner form. With G = dLoss/dE and g = G / root:
 *     h_1 = D^-1 A g + g,  h_k = D^-1 A h_{k-1} + g,  dLoss/dE0 = root * h_L / (L+1)
 * Only the batch's rows of the last forward layer are computed, only the batch's rows enter the first backward one, and
 * the last backward one writes the gradient itself (its row scale carries root / (L+1)). All of these are exact.
 */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "cf/model.h"
#include "cf/propagation.h"
#include "cf/rows.h"
#include "cf/sums.h"
#include "fixed.h"

typedef struct LightGcn {
    HnModelContext context;
    HnPropagation propagation;
    HnSubgraph sub_users, sub_items;
    float *user_z[2], *item_z[2];   /* layers in turn */
    float *user_last, *item_last;   /* row scales of the last backward layer */
    float *user_sums, *item_sums;   /* z_1 + ... of the batch's rows */
    float *user_part, *item_part;   /* the batch's rows of the last layer; g in the backward pass */
    float *user_scale, *item_scale; /* row scales of the batch's rows */
} LightGcn;

static void lightgcn_free(void *state) {
    LightGcn *model = state;
    if (model == NULL) {
        return;
    }
    float *blocks[] = {model->user_z[0], model->user_z[1], model->item_z[0],  model->item_z[1],
                       model->user_last, model->item_last, model->user_sums,  model->item_sums,
                       model->user_part, model->item_part, model->user_scale, model->item_scale};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        hn_free(blocks[i]);
    }
    hn_subgraph_free(&model->sub_items);
    hn_subgraph_free(&model->sub_users);
    hn_propagation_free(&model->propagation);
    hn_free(model);
}

static uint64_t lightgcn_bytes(uint64_t n_local_users, uint64_t n_items, uint64_t n_local_pairs, uint64_t batch,
                               int dim, int layers, bool exact) {
    if (layers == 0) {
        return sizeof(LightGcn);
    }
    uint64_t row = (uint64_t)dim * sizeof(float);
    return (n_local_users + n_items) * (2 * row + 4) + 6 * batch * row + 8 * n_local_pairs +
           32 * (n_items + 3 * batch) + hn_propagation_bytes(n_local_users, n_items, dim, exact);
}

static HnStatus allocate(LightGcn *model, const HnBatch *batch, HnError *err) {
    const HnModelContext *context = &model->context;
    uint64_t n_users = context->users->n_rows, n_items = context->items->n_rows,
             n_pairs = context->shards->n_local_pairs;
    uint64_t some_users = batch->capacity;
    uint64_t some_items = 2 * batch->max_positions < n_items ? 2 * batch->max_positions : n_items;
    size_t row = (size_t)context->dim * sizeof(float);
    struct {
        float **block;
        uint64_t n;
        size_t bytes;
    } blocks[] = {{&model->user_z[0], n_users, row},
                  {&model->user_z[1], n_users, row},
                  {&model->item_z[0], n_items, row},
                  {&model->item_z[1], n_items, row},
                  {&model->user_last, n_users, sizeof(float)},
                  {&model->item_last, n_items, sizeof(float)},
                  {&model->user_sums, some_users, row},
                  {&model->item_sums, some_items, row},
                  {&model->user_part, some_users, row},
                  {&model->item_part, some_items, row},
                  {&model->user_scale, some_users, sizeof(float)},
                  {&model->item_scale, some_items, sizeof(float)}};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        *blocks[i].block = hn_alloc(blocks[i].n, blocks[i].bytes, "LightGCN layers", err);
        if (*blocks[i].block == NULL) {
            return HN_MEMORY;
        }
    }
    HN_TRY(hn_subgraph_create(some_users, n_pairs, &model->sub_users, err));
    HN_TRY(hn_subgraph_create(n_items, n_pairs, &model->sub_items, err));
    return hn_propagation_create(context->comm, context->exact, context->dim, n_users, n_items, &model->propagation,
                                 err);
}

static void last_scales(float *out, const HnDegrees *degrees, int layers) {
    for (uint64_t r = 0; r < degrees->n; r++) {
        out[r] = degrees->scale[r] * degrees->root[r] / (float)(layers + 1);
    }
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
        last_scales(model->user_last, &context->graph->user_degrees, context->layers);
        last_scales(model->item_last, &context->graph->item_degrees, context->layers);
    }
    *state = model;
    return HN_OK;
}

/* z_0 of all rows, and a bound on the users' elements that all ranks share. */
static HnStatus start_forward(LightGcn *model, float *bound, HnError *err) {
    const HnModelContext *context = &model->context;
    const HnGraph *graph = context->graph;
    int dim = context->dim;
    hn_rows_scale(model->user_z[0], context->users->value, graph->user_degrees.inv_root, NULL, context->users->n_rows,
                  dim);
    hn_rows_scale(model->item_z[0], context->items->value, graph->item_degrees.inv_root, NULL, context->items->n_rows,
                  dim);
    *bound = 0.0f;
    if (context->exact) {
        *bound = hn_max_magnitude_cpu(model->user_z[0], context->users->n_rows * (uint64_t)dim);
        HN_TRY(hn_agree_max(context->comm, bound, 1, NULL, err));
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

static void pick(float *out, const float *values, const int32_t *rows, uint32_t n) {
    for (uint32_t r = 0; r < n; r++) {
        out[r] = values[rows[r]];
    }
}

/* Layers 1 .. L of the batch's rows, summed into user_sums and item_sums. */
static HnStatus sum_layers(LightGcn *model, const HnBatch *batch, HnError *err) {
    const HnModelContext *context = &model->context;
    const HnGraph *graph = context->graph;
    int dim = context->dim, last = context->layers, now = 0;
    float bound = 0.0f;
    HN_TRY(start_forward(model, &bound, err));
    for (int layer = 1; layer < last; layer++, now ^= 1) {
        float next_bound = bound_of_mean(model, model->item_z[now]);
        HnHalf users = {&graph->users, model->item_z[now], graph->user_degrees.scale, model->user_z[now ^ 1], NULL};
        HnHalf items = {&graph->items, model->user_z[now], graph->item_degrees.scale, model->item_z[now ^ 1], NULL};
        HN_TRY(hn_propagation_layer(&model->propagation, &users, &items, bound, err));
        hn_rows_sum(model->user_sums, model->user_z[now ^ 1], batch->users, batch->n_users, dim);
        hn_rows_sum(model->item_sums, model->item_z[now ^ 1], batch->items, batch->n_items, dim);
        bound = next_bound;
    }
    hn_subgraph_rows(&model->sub_users, &graph->users, batch->users, batch->n_users);
    hn_subgraph_rows(&model->sub_items, &graph->items, batch->items, batch->n_items);
    pick(model->user_scale, graph->user_degrees.scale, batch->users, batch->n_users);
    pick(model->item_scale, graph->item_degrees.scale, batch->items, batch->n_items);
    HnHalf users = {&model->sub_users.csr, model->item_z[now], model->user_scale, model->user_part, model->user_sums};
    HnHalf items = {&model->sub_items.csr, model->user_z[now], model->item_scale, model->item_part, model->item_sums};
    return hn_propagation_layer(&model->propagation, &users, &items, bound, err);
}

/* final = (E0 + root * sums) / (L+1); sums NULL = 0. rows NULL = all rows in order. */
static void pool(float *out, const HnTable *table, const float *root, const float *sums, const int32_t *rows,
                 uint64_t n, int layers) {
    const float share = 1.0f / (float)(layers + 1);
    const uint64_t dim = (uint64_t)table->dim;
#pragma omp parallel for schedule(static) if (n > 256)
    for (uint64_t r = 0; r < n; r++) {
        uint64_t row = rows == NULL ? r : (uint64_t)rows[r];
        const float *e = table->value + row * dim;
        for (uint64_t c = 0; c < dim; c++) {
            out[r * dim + c] = share * (sums == NULL ? e[c] : e[c] + root[row] * sums[r * dim + c]);
        }
    }
}

static HnStatus lightgcn_forward(void *state, HnBatch *batch, HnError *err) {
    LightGcn *model = state;
    const HnModelContext *context = &model->context;
    int layers = context->layers;
    size_t row = (size_t)context->dim * sizeof(float);
    if (layers > 0) {
        memset(model->user_sums, 0, batch->n_users * row);
        memset(model->item_sums, 0, batch->n_items * row);
        HN_TRY(sum_layers(model, batch, err));
    }
    pool(batch->user_vectors, context->users, context->graph->user_degrees.root, model->user_sums, batch->users,
         batch->n_users, layers);
    pool(batch->item_vectors, context->items, context->graph->item_degrees.root, model->item_sums, batch->items,
         batch->n_items, layers);
    return HN_OK;
}

/* g of the batch's rows; the items' also as a whole table, zero elsewhere. */
static HnStatus start_backward(LightGcn *model, const HnBatch *batch, float *item_g, float *bound, HnError *err) {
    const HnModelContext *context = &model->context;
    int dim = context->dim;
    hn_rows_scale(model->user_part, batch->d_user_vectors, context->graph->user_degrees.inv_root, batch->users,
                  batch->n_users, dim);
    hn_rows_scale(model->item_part, batch->d_item_vectors, context->graph->item_degrees.inv_root, batch->items,
                  batch->n_items, dim);
    memset(item_g, 0, context->items->n_rows * (size_t)dim * sizeof(float));
    hn_rows_scatter_add(item_g, 1.0f, model->item_part, batch->items, batch->n_items, dim);
    *bound = 0.0f;
    if (context->exact) {
        *bound = hn_max_magnitude_cpu(model->user_part, batch->n_users * (uint64_t)dim);
        HN_TRY(hn_agree_max(context->comm, bound, 1, NULL, err));
    }
    return HN_OK;
}

/* One Horner step from (user_x over graph `item_graph`, item_x): rows without the "+ g". */
static HnStatus backward_layer(LightGcn *model, const HnCsr *item_graph, const float *user_x, const float *item_x,
                               float *user_y, float *item_y, bool last, float bound, HnError *err) {
    const HnGraph *graph = model->context.graph;
    HnHalf users = {&graph->users, item_x, last ? model->user_last : graph->user_degrees.scale, user_y, NULL};
    HnHalf items = {item_graph, user_x, last ? model->item_last : graph->item_degrees.scale, item_y, NULL};
    return hn_propagation_layer(&model->propagation, &users, &items, bound, err);
}

static HnStatus lightgcn_backward_layers(LightGcn *model, const HnBatch *batch, HnError *err) {
    const HnModelContext *context = &model->context;
    int dim = context->dim, layers = context->layers, now = 0;
    float g_bound = 0.0f, *item_x = model->item_z[1];
    HN_TRY(start_backward(model, batch, item_x, &g_bound, err));
    hn_subgraph_transpose(&model->sub_items, &context->graph->users, batch->users, batch->n_users);
    const HnCsr *item_graph = &model->sub_items.csr;
    const float *user_x = model->user_part;
    float bound = g_bound;
    for (int layer = 1; layer <= layers; layer++, now ^= 1) {
        bool last = layer == layers;
        float next_bound = last ? 0.0f : bound_of_mean(model, item_x) + g_bound;
        float *user_y = last ? context->users->gradient : model->user_z[now];
        float *item_y = last ? context->items->gradient : model->item_z[now];
        HN_TRY(backward_layer(model, item_graph, user_x, item_x, user_y, item_y, last, bound, err));
        if (!last) {
            hn_rows_scatter_add(user_y, 1.0f, model->user_part, batch->users, batch->n_users, dim);
            hn_rows_scatter_add(item_y, 1.0f, model->item_part, batch->items, batch->n_items, dim);
        }
        item_graph = &context->graph->items, user_x = user_y, item_x = item_y, bound = next_bound;
    }
    return HN_OK;
}

static HnStatus lightgcn_backward(void *state, HnBatch *batch, HnError *err) {
    LightGcn *model = state;
    const HnModelContext *context = &model->context;
    float share = 1.0f / (float)(context->layers + 1);
    size_t row = (size_t)context->dim * sizeof(float);
    if (context->layers > 0) {
        HN_TRY(lightgcn_backward_layers(model, batch, err));
    } else {
        memset(context->users->gradient, 0, context->users->n_rows * row);
        memset(context->items->gradient, 0, context->items->n_rows * row);
    }
    hn_rows_scatter_add(context->users->gradient, share, batch->d_user_vectors, batch->users, batch->n_users,
                        context->dim);
    hn_rows_scatter_add(context->items->gradient, share, batch->d_item_vectors, batch->items, batch->n_items,
                        context->dim);
    return HN_OK;
}

static HnStatus lightgcn_embed(void *state, float *users, float *items, HnError *err) {
    LightGcn *model = state;
    const HnModelContext *context = &model->context;
    const HnGraph *graph = context->graph;
    size_t row = (size_t)context->dim * sizeof(float);
    bool sums = context->layers > 0;
    int now = 0;
    float bound = 0.0f;
    memset(users, 0, context->users->n_rows * row);
    memset(items, 0, context->items->n_rows * row);
    if (sums) {
        HN_TRY(start_forward(model, &bound, err));
    }
    for (int layer = 1; layer <= context->layers; layer++, now ^= 1) {
        float next_bound = bound_of_mean(model, model->item_z[now]);
        HnHalf user_half = {&graph->users, model->item_z[now], graph->user_degrees.scale, model->user_z[now ^ 1],
                            users};
        HnHalf item_half = {&graph->items, model->user_z[now], graph->item_degrees.scale, model->item_z[now ^ 1],
                            items};
        HN_TRY(hn_propagation_layer(&model->propagation, &user_half, &item_half, bound, err));
        bound = next_bound;
    }
    pool(users, context->users, graph->user_degrees.root, sums ? users : NULL, NULL, context->users->n_rows,
         context->layers);
    pool(items, context->items, graph->item_degrees.root, sums ? items : NULL, NULL, context->items->n_rows,
         context->layers);
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
