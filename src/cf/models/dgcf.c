/* DGCF (Wang et al., SIGIR 2020, eq. 8 to 12): a row is F chunks, factors; every edge of both directions has a logit
 * for each, all 1 at first, which T turns of routing in each of L layers change:
 *
 *     share_f(h, t) = softmax over f of logit_f(h, t)                    h <- t, neighbours
 *     z_f(h) = sum over t of share_f(h, t) / sqrt(D_f(h) D_f(t)) e_f(t)  D_f(h) = the sum of h's shares, at least 1e-8
 *     logit_f(h, t) += < z_f(h) / |z_f(h)|, tanh(e_f(t) / |e_f(t)|) >
 *
 * e is the layer's input in all its turns, the last z its output; final vectors are means over layers 0 .. L
 * (model.pool). Logits go on from layer to layer, and gradients through all of it, as in the authors' code. The
 * distance correlation of neighbouring factors is a loss of its own (dgcf_correlation.c).
 *
 * A rank has the edges of its users, both directions of them. What crosses users (D and z of items, gradients that go
 * to items) is summed as integers over all ranks, with `reproducible` and without.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/sorted.h"
#include "cf/models/dgcf_private.h"
#include "cf/rows.h"
#include "row.h"

static uint64_t drawn_of(const HnTrainConfig *config, uint64_t n_users, uint64_t n_items, uint64_t n_pairs) {
    const uint64_t batches = n_pairs / (uint64_t)config->train.batch + 1;
    const uint64_t n = (n_users > n_items ? n_users : n_items) / batches, least = n_users < n_items ? n_users : n_items;
    return n < least ? n : least;
}

static void dgcf_free(void *state) {
    Dgcf *model = state;
    for (int i = 0; model != NULL && i < model->n_owned; i++) {
        hn_free(model->owned[i]);
    }
    if (model != NULL) {
        hn_free(model->owned);
    }
    hn_free(model);
}

/* A block that dgcf_free frees; *whole turns false for want of memory. */
static void *take(Dgcf *model, uint64_t n, size_t bytes, bool *whole, HnError *err) {
    void *block = *whole ? hn_alloc(n, bytes, "DGCF", err) : NULL;
    *whole = block != NULL;
    if (block != NULL) {
        model->owned[model->n_owned++] = block;
    }
    return block;
}

static DgcfRows take_rows(Dgcf *model, uint64_t columns, bool *whole, HnError *err) {
    DgcfRows rows;
    rows.users = take(model, model->n_users, columns * sizeof(float), whole, err);
    rows.items = take(model, model->n_items, columns * sizeof(float), whole, err);
    return rows;
}

static HnStatus take_layers(Dgcf *model, HnError *err) {
    const HnModelContext *context = &model->context;
    const uint64_t dim = (uint64_t)context->dim, factors = (uint64_t)model->factors;
    const uint64_t edges = 2 * model->n_edges * factors;
    bool whole = true;
    model->turns = take(model, (uint64_t)model->n_turns, sizeof *model->turns, &whole, err);
    for (int k = 0; k < model->n_turns && whole; k++) {
        model->turns[k].shares = take(model, edges, sizeof(float), &whole, err);
        model->turns[k].roots = take_rows(model, factors, &whole, err);
        model->turns[k].z = take_rows(model, dim, &whole, err);
    }
    for (int l = 1; l <= context->layers && whole; l++) {
        model->e[l] = model->turns[l * model->iterations - 1].z;
        model->d[l] = take_rows(model, dim, &whole, err);
    }
    model->item_edges = take(model, model->n_edges, sizeof(int64_t), &whole, err);
    model->logits = take(model, edges, sizeof(float), &whole, err);
    model->weights = take(model, edges, sizeof(float), &whole, err);
    model->asked = take(model, edges / 2, sizeof(float), &whole, err);
    DgcfRows *const wide[] = {&model->unit, &model->bent, &model->dz, &model->sum};
    DgcfRows *const narrow[] = {&model->lengths, &model->small};
    for (size_t i = 0; i < 4; i++) {
        *wide[i] = take_rows(model, dim, &whole, err);
    }
    for (size_t i = 0; i < 2; i++) {
        *narrow[i] = take_rows(model, factors, &whole, err);
    }
    model->totals = take(model, model->n_items * dim, sizeof(int64_t), &whole, err);
    return whole ? HN_OK : HN_MEMORY;
}

static HnStatus take_drawn(Dgcf *model, HnError *err) {
    const uint64_t n = 2 * model->n_drawn, dim = (uint64_t)model->context.dim;
    bool whole = true;
    model->drawn = take(model, n, sizeof(int32_t), &whole, err);
    model->drawn_rows = take(model, n * dim, sizeof(float), &whole, err);
    model->d_drawn = take(model, n * dim, sizeof(float), &whole, err);
    for (int i = 0; i < 2; i++) {
        model->distances[i] = take(model, n * n, sizeof(double), &whole, err);
        model->centred[i] = take(model, n * n, sizeof(double), &whole, err);
    }
    model->means = take(model, n, sizeof(double), &whole, err);
    model->d_row = take(model, n * dim, sizeof(double), &whole, err);
    return whole ? HN_OK : HN_MEMORY;
}

/* The edges by item, as numbers of those by user: users are met in order, as when the graph was made. */
static void number_edges(Dgcf *model) {
    const HnCsr *users = &model->user_rows.graph, *items = &model->item_rows.graph;
    for (uint64_t i = 0; i < items->n_rows; i++) {
        for (uint64_t k = items->offsets[i]; k < items->offsets[i + 1]; k++) {
            const uint64_t u = (uint64_t)items->columns[k];
            const uint64_t first = users->offsets[u], n = users->offsets[u + 1] - first;
            model->item_edges[k] = (int64_t)(first + hn_sorted_place(users->columns + first, n, (int64_t)i));
        }
    }
}

static HnStatus allocate(Dgcf *model, HnError *err) {
    const HnGraph *graph = model->context.graph;
    const int most = 40 + 6 * model->n_turns + 2 * model->context.layers;
    model->owned = hn_alloc((uint64_t)most, sizeof(void *), "DGCF", err);
    HN_TRY(model->owned == NULL ? HN_MEMORY : HN_OK);
    HN_TRY(take_layers(model, err));
    if (model->n_drawn > 0) {
        HN_TRY(take_drawn(model, err));
    }
    model->user_rows = (HnRoute){graph->users, NULL, model->factors, model->context.dim};
    model->item_rows = (HnRoute){graph->items, model->item_edges, model->factors, model->context.dim};
    number_edges(model);
    return HN_OK;
}

static HnStatus dgcf_create(const HnModelContext *context, const HnBatch *batch, void **state, HnError *err) {
    (void)batch;
    const HnTrainConfig *config = context->config;
    const HnUserShards *shards = context->shards;
    Dgcf *model = hn_alloc(1, sizeof *model, "DGCF", err);
    if (model == NULL) {
        return HN_MEMORY;
    }
    model->context = *context;
    model->factors = (int)config->dgcf.factors;
    model->iterations = (int)config->dgcf.iterations;
    model->n_turns = context->layers * model->iterations;
    model->n_users = context->users->n_rows;
    model->n_items = context->items->n_rows;
    model->n_edges = shards->n_local_pairs;
    model->e[0] = (DgcfRows){context->users->value, context->items->value};
    model->d[0] = (DgcfRows){context->users->gradient, context->items->gradient};
    if (config->dgcf.correlation > 0.0 && model->factors > 1) {
        model->n_drawn = drawn_of(config, shards->n_users, shards->n_items, shards->n_pairs);
    }
    HnStatus status = allocate(model, err);
    if (status != HN_OK) {
        dgcf_free(model);
        return status;
    }
    *state = model;
    return HN_OK;
}

static uint64_t dgcf_bytes(const HnTrainConfig *config, uint64_t n_local_users, uint64_t n_items,
                           uint64_t n_local_pairs, uint64_t n_positions, bool exact) {
    (void)n_positions, (void)exact;
    const uint64_t layers = (uint64_t)config->model.layers, turns = layers * (uint64_t)config->dgcf.iterations;
    const uint64_t row = 4 * (uint64_t)config->model.dim, few = 4 * (uint64_t)config->dgcf.factors;
    uint64_t drawn = 0;
    if (config->dgcf.correlation > 0.0 && config->dgcf.factors > 1) {
        drawn = 2 * drawn_of(config, n_local_users, n_items, n_local_pairs);
    }
    return (n_local_users + n_items) * ((turns + layers + 4) * row + (turns + 2) * few) +
           n_local_pairs * (2 * few * (turns + 2) + few + 8) + n_items * 2 * row + drawn * (4 * row + 32 * drawn);
}

/* Item sums of a turn: D and z, forward; backward those of z, of what the logits' change passes on twice, of D. */
static uint64_t dgcf_moved(const HnTrainConfig *config, uint64_t n_items, uint64_t n_batch_items, bool exact) {
    (void)n_batch_items, (void)exact;
    const uint64_t turns = (uint64_t)(config->model.layers * config->dgcf.iterations);
    const uint64_t row = 8 * (uint64_t)config->model.dim, few = 8 * (uint64_t)config->dgcf.factors;
    return turns == 0 ? 0 : n_items * (turns * (2 * row + few) + (turns - 1) * (2 * row + few));
}

/* ---- final vectors ---- */

void hn_dgcf_pool(const Dgcf *model, bool of_users, uint64_t row, float *out) {
    const int dim = model->context.dim;
    const HnRowOps *ops = hn_row_ops_cpu();
    for (int l = 0; l <= model->context.layers; l++) {
        const float *e = (of_users ? model->e[l].users : model->e[l].items) + row * (uint64_t)dim;
        const float share = hn_model_hop_share(model->context.config, l);
        if (l == 0) {
            ops->scale(out, share, e, dim);
        } else {
            ops->axpy(out, share, e, dim);
        }
    }
}

static void pool(const Dgcf *model, bool of_users, const int32_t *rows, uint64_t n, float *out) {
#pragma omp parallel for schedule(static) if (n > 256)
    for (uint64_t r = 0; r < n; r++) {
        hn_dgcf_pool(model, of_users, rows != NULL ? (uint64_t)rows[r] : r, out + r * (uint64_t)model->context.dim);
    }
}

/* Vectors after 0, 1 .. L layers, side by side. */
static void write_hops(const Dgcf *model, const int32_t *rows, uint64_t n, float *hops) {
    const size_t dim = (size_t)model->context.dim, layers = (size_t)model->context.layers;
#pragma omp parallel for schedule(static) if (n > 256)
    for (uint64_t r = 0; r < n; r++) {
        const size_t at = (rows != NULL ? (size_t)rows[r] : r) * dim;
        for (size_t l = 0; l <= layers; l++) {
            memcpy(hops + (r * (layers + 1) + l) * dim, model->e[l].items + at, dim * sizeof *hops);
        }
    }
}

static HnStatus dgcf_forward(void *state, HnBatch *batch, HnError *err) {
    Dgcf *model = state;
    HN_TRY(hn_dgcf_layers(model, err));
    pool(model, true, batch->users, batch->n_users, batch->user_vectors);
    pool(model, false, batch->items, batch->n_items, batch->item_vectors);
    if (batch->item_hops != NULL) {
        write_hops(model, batch->items, batch->n_items, batch->item_hops);
    }
    return HN_OK;
}

/* All layers stay as forward would leave them, so that a step can go on from here. */
static HnStatus dgcf_embed(void *state, float *users, float *items, float *item_hops, HnError *err) {
    Dgcf *model = state;
    HN_TRY(hn_dgcf_layers(model, err));
    pool(model, true, NULL, model->n_users, users);
    pool(model, false, NULL, model->n_items, items);
    if (item_hops != NULL) {
        write_hops(model, NULL, model->n_items, item_hops);
    }
    return HN_OK;
}

const HnModelOps HN_MODEL_DGCF = {.name = "dgcf",
                                  .width = hn_model_width_is_dim,
                                  .create = dgcf_create,
                                  .free = dgcf_free,
                                  .bytes = dgcf_bytes,
                                  .moved = dgcf_moved,
                                  .forward = dgcf_forward,
                                  .own_loss = hn_dgcf_own_loss,
                                  .backward = hn_dgcf_backward,
                                  .embed = dgcf_embed};
