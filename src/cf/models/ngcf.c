/* NGCF (Wang et al., SIGIR 2019, eq. 7 and 8): from the vectors e of all nodes and their neighbours' sums s,
 *
 *     paper     e' = drop(leaky((s + e) W1 + (s * e) W2))                  s = D^-1/2 A D^-1/2 e
 *     author    e' = drop(leaky(s W1 + b1) + leaky((s * e) W2 + b2))       s = (D + I)^-1 (A + I) e
 *     mixgcf    e' = drop(leaky(s W1 + b1 + (s * e) W2 + b2))              s as in the paper
 *     recbole   e' = unit(drop(leaky((s + e) W1 + b1 + (s * e) W2 + b2)))  s as in the paper
 *
 * leaky has slope .2 and * is element by element. A final vector is e_0 and the L outputs side by side; those of author
 * and mixgcf are brought to length 1 for it (a row of zeros stays one, with no gradient), but enter the next layer as
 * they are. Sources: the formulas are the paper's and those of the codes that the variants are named after.
 *
 * The sums go over all ranks as LightGCN's do (cf/propagation.h); all else of a layer is the business of single rows
 * (kernels/interact.h). Only the batch's rows of the last layer are computed, and only they enter the backward pass.
 * The weights' gradients are sums over all rows: chains over runs of rows that do not depend on the ranks, joined as
 * 64-bit integers (ngcf_dense.c); every rank holds all items and takes its share of their runs.
 */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/alloc.h"
#include "cf/models/ngcf_private.h"
#include "cf/sampler.h"
#include "cf/sums.h"
#include "fixed.h"
#include "row.h"

enum { CHUNK_ROWS = 512 };    /* most rows of a run; part of the result */
enum { INIT_MATRICES = 256 }; /* where the weights' numbers begin among those of HN_STREAM_INIT_LAYER */
static const float SLOPE = 0.2f;

static NgcfRule rule_of(HnNgcfVariant variant) {
    static const NgcfRule rules[] = {
        [HN_NGCF_PAPER] = {.with_self = true},
        [HN_NGCF_AUTHOR] = {.apart = true, .averaged = true, .biased = true, .normalised = true},
        [HN_NGCF_MIXGCF] = {.biased = true, .normalised = true},
        [HN_NGCF_RECBOLE] = {.with_self = true, .biased = true, .normalised = true, .goes_on = true}};
    return rules[variant];
}

static uint64_t layer_parameters(const HnTrainConfig *config) {
    const uint64_t dim = (uint64_t)config->model.dim;
    return 2 * dim * (dim + (rule_of(config->ngcf.variant).biased ? 1 : 0));
}

static uint64_t ngcf_n_parameters(const HnTrainConfig *config) {
    return (uint64_t)config->model.layers * layer_parameters(config);
}

static int ngcf_width(const HnTrainConfig *config) {
    return (int)(config->model.dim * (config->model.layers + 1));
}

/* ---- memory ---- */

static void side_free(NgcfSide *side) {
    void *blocks[] = {side->inverse,      side->ones,       side->layers, side->sums,        side->marks,
                      side->lengths,      side->z,          side->direct, side->chunk_begin, side->last_e,
                      side->last_s,       side->last_out,   side->last_d, side->last_direct, side->last_marks,
                      side->last_lengths, side->batch_scale};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        hn_free(blocks[i]);
    }
    hn_subgraph_free(&side->sub);
}

static void ngcf_free(void *state) {
    Ngcf *model = state;
    if (model == NULL) {
        return;
    }
    for (int t = 0; model->threads != NULL && t < model->n_threads; t++) {
        hn_free(model->threads[t].total);
        hn_free(model->threads[t].partial);
        hn_free(model->threads[t].scratch);
    }
    void *blocks[] = {model->threads, model->turned,  model->totals, model->shifts,
                      model->window,  model->bound_e, model->bound_s};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        hn_free(blocks[i]);
    }
    side_free(&model->users);
    side_free(&model->items);
    hn_table_free(&model->parameters);
    hn_propagation_free(&model->propagation);
    hn_free(model);
}

static uint64_t ngcf_bytes(const HnTrainConfig *config, uint64_t n_local_users, uint64_t n_items,
                           uint64_t n_local_pairs, uint64_t n_positions, bool exact) {
    if (config->model.layers == 0) {
        return sizeof(Ngcf);
    }
    const HnBatchShape shape = hn_batch_shape(config);
    const uint64_t dim = (uint64_t)config->model.dim, layers = (uint64_t)config->model.layers, row = 4 * dim;
    const uint64_t batch_rows = n_positions + hn_batch_most_items(&shape, n_positions, n_items);
    const uint64_t threads = (uint64_t)omp_get_max_threads(), n_layer = layer_parameters(config);
    return (n_local_users + n_items) * (2 * layers * row + layers * (dim + 4) + 8) + batch_rows * (5 * row + dim + 8) +
           layers * (24 * n_layer + 8 * dim * dim) + threads * (12 * n_layer + 4 * hn_interact_scratch(shape.dim)) +
           4 * n_local_pairs + 20 * (n_items + batch_rows) + hn_propagation_bytes(n_items, shape.dim, exact) +
           4 * hn_propagate_window(shape.dim);
}

/* The items' sums of every layer, forward (the last one of the batch's items; of all before that, where those are
 * looked at) and backward; the weights' gradients. */
static uint64_t ngcf_moved(const HnTrainConfig *config, uint64_t n_items, uint64_t n_batch_items, bool exact) {
    const uint64_t layers = (uint64_t)config->model.layers, row = (uint64_t)config->model.dim * (exact ? 8 : 4);
    const uint64_t looked_at = hn_sampler_ops(config->sampler.name)->by_score ? n_items : 0;
    return layers == 0 ? 0
                       : ((2 * layers - 1) * n_items + looked_at + n_batch_items) * row + 8 * ngcf_n_parameters(config);
}

/* Runs of at most CHUNK_ROWS rows between `n` fences, of which chunk_begin may be NULL: only counted. */
static uint64_t cut(const uint64_t *fences, uint64_t n, uint64_t *chunk_begin) {
    uint64_t chunks = 0;
    for (uint64_t f = 0; f + 1 < n; f++) {
        for (uint64_t begin = fences[f]; begin < fences[f + 1]; begin += CHUNK_ROWS) {
            if (chunk_begin != NULL) {
                chunk_begin[chunks] = begin - fences[0];
                chunk_begin[chunks + 1] = fences[f + 1] - fences[0];
            }
            chunks++;
        }
    }
    return chunks;
}

static HnStatus side_create(NgcfSide *side, const Ngcf *model, const uint64_t *fences, uint64_t n_fences,
                            uint64_t n_batch, HnError *err) {
    const char *what = "NGCF layers";
    const uint64_t n = side->table->n_rows, layers = (uint64_t)model->context.layers;
    const size_t dim = (size_t)side->table->dim, row = dim * sizeof(float);
    side->n_chunks = cut(fences, n_fences, NULL);
    const struct {
        void **block;
        uint64_t count;
        size_t bytes;
    } blocks[] = {{(void **)&side->inverse, n, sizeof(float)},
                  {(void **)&side->ones, n, sizeof(float)},
                  {(void **)&side->layers, (layers - 1) * n, row},
                  {(void **)&side->sums, (layers - 1) * n, row},
                  {(void **)&side->marks, layers * n, dim},
                  {(void **)&side->lengths, layers * n, sizeof(float)},
                  {(void **)&side->z, n, row},
                  {(void **)&side->direct, n, row},
                  {(void **)&side->chunk_begin, side->n_chunks + 1, sizeof(uint64_t)},
                  {(void **)&side->last_e, n_batch, row},
                  {(void **)&side->last_s, n_batch, row},
                  {(void **)&side->last_out, n_batch, row},
                  {(void **)&side->last_d, n_batch, row},
                  {(void **)&side->last_direct, n_batch, row},
                  {(void **)&side->last_marks, n_batch, dim},
                  {(void **)&side->last_lengths, n_batch, sizeof(float)},
                  {(void **)&side->batch_scale, n_batch, sizeof(float)}};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        *blocks[i].block = hn_alloc(blocks[i].count, blocks[i].bytes, what, err);
        if (*blocks[i].block == NULL) {
            return HN_MEMORY;
        }
    }
    (void)cut(fences, n_fences, side->chunk_begin);
    for (uint64_t r = 0; r < n; r++) {
        const float root = side->degrees->root[r];
        const float degree = side->degrees->scale[r] > 0.0f ? rintf(root * root) : 0.0f;
        side->inverse[r] = 1.0f / (degree + 1.0f);
        side->ones[r] = 1.0f;
    }
    return HN_OK;
}

static HnStatus threads_create(Ngcf *model, HnError *err) {
    model->n_threads = omp_get_max_threads();
    model->threads = hn_alloc((uint64_t)model->n_threads, sizeof *model->threads, "NGCF threads", err);
    if (model->threads == NULL) {
        return HN_MEMORY;
    }
    for (int t = 0; t < model->n_threads; t++) {
        NgcfThread *thread = &model->threads[t];
        thread->scratch = hn_alloc(hn_interact_scratch(model->context.dim), sizeof(float), "NGCF scratch", err);
        thread->partial = hn_alloc(model->n_layer, sizeof(float), "NGCF gradients", err);
        thread->total = hn_alloc(model->n_layer, sizeof(int64_t), "NGCF gradients", err);
        if (!thread->scratch || !thread->partial || !thread->total) {
            return HN_MEMORY;
        }
    }
    return HN_OK;
}

static HnStatus allocate(Ngcf *model, const HnBatch *batch, HnError *err) {
    const HnModelContext *context = &model->context;
    const HnUserShards *shards = context->shards;
    const uint64_t layers = (uint64_t)context->layers, square = (uint64_t)context->dim * (uint64_t)context->dim;
    const uint64_t all_items[] = {0, shards->n_items};
    HN_TRY(side_create(&model->users, model, shards->begin + shards->first,
                       (uint64_t)(shards->last - shards->first) + 1, batch->capacity, err));
    HN_TRY(side_create(&model->items, model, all_items, 2, batch->most_items, err));
    HN_TRY(hn_subgraph_create(batch->capacity, shards->n_local_pairs, &model->users.sub, err));
    HN_TRY(hn_subgraph_create(shards->n_items, shards->n_local_pairs, &model->items.sub, err));
    HN_TRY(threads_create(model, err));
    model->turned = hn_alloc(2 * layers * square, sizeof(float), "NGCF weights", err);
    model->totals = hn_alloc(layers * model->n_layer, sizeof(int64_t), "NGCF gradients", err);
    model->shifts = hn_alloc(3 * layers, sizeof(int), "NGCF gradients", err);
    model->window = hn_alloc(hn_propagate_window(context->dim), sizeof(float), "NGCF layers", err);
    model->bound_e = hn_alloc(layers + 1, sizeof(float), "NGCF bounds", err);
    model->bound_s = hn_alloc(layers + 1, sizeof(float), "NGCF bounds", err);
    if (!model->turned || !model->totals || !model->shifts || !model->window || !model->bound_e || !model->bound_s) {
        return HN_MEMORY;
    }
    HN_TRY(
        hn_propagation_create(context->comm, context->exact, context->dim, shards->n_items, &model->propagation, err));
    return hn_table_create(&model->parameters, layers * model->n_layer, 0, 1, "NGCF weights", err);
}

/* Xavier uniform, a bias as a matrix of one row; RecBole's biases begin at 0. */
static void init_weights(Ngcf *model) {
    const uint64_t dim = (uint64_t)model->context.dim;
    const bool no_bias = !model->rule.biased || model->rule.goes_on;
    for (int l = 0; l < model->context.layers; l++) {
        uint64_t at = (uint64_t)l * model->n_layer;
        for (int k = 0; k < (no_bias ? 2 : 4); k++) {
            const uint64_t rows = k < 2 ? dim : 1;
            hn_table_init_layer(&model->parameters, at, at + rows * dim, sqrt(6.0 / (double)(rows + dim)),
                                model->context.seed, (uint32_t)(INIT_MATRICES + 4 * l + k));
            at += rows * dim;
        }
    }
}

static HnStatus ngcf_create(const HnModelContext *context, const HnBatch *batch, void **state, HnError *err) {
    Ngcf *model = hn_alloc(1, sizeof *model, "NGCF", err);
    if (model == NULL) {
        return HN_MEMORY;
    }
    model->context = *context;
    model->rule = rule_of(context->config->ngcf.variant);
    model->n_layer = layer_parameters(context->config);
    model->threshold = (uint32_t)lrint(context->config->ngcf.dropout * 65536.0);
    model->kept_scale = (float)(65536.0 / (65536.0 - (double)model->threshold));
    model->users = (NgcfSide){.table = context->users,
                              .degrees = &context->graph->user_degrees,
                              .graph = &context->graph->users,
                              .part = 0,
                              .other = &model->items};
    model->items = (NgcfSide){.table = context->items,
                              .degrees = &context->graph->item_degrees,
                              .graph = &context->graph->items,
                              .part = 1,
                              .other = &model->users};
    if (context->layers > 0) {
        HnStatus status = allocate(model, batch, err);
        if (status != HN_OK) {
            ngcf_free(model);
            return status;
        }
        init_weights(model);
    }
    *state = model;
    return HN_OK;
}

static HnTable *ngcf_parameters(void *state) {
    Ngcf *model = state;
    return model->context.layers > 0 ? &model->parameters : NULL;
}

/* ---- what both passes share ---- */

float *hn_ngcf_e(const Ngcf *model, const NgcfSide *side, int l) {
    const uint64_t layer = side->table->n_rows * (uint64_t)side->table->dim;
    return l == 0                      ? side->table->value
           : l < model->context.layers ? side->layers + (uint64_t)(l - 1) * layer
                                       : side->direct;
}

float *hn_ngcf_s(const Ngcf *model, const NgcfSide *side, int l) {
    const uint64_t layer = side->table->n_rows * (uint64_t)side->table->dim;
    return l + 1 < model->context.layers ? side->sums + (uint64_t)l * layer : side->z;
}

float *hn_ngcf_lengths(const NgcfSide *side, int l) {
    return side->lengths + (uint64_t)(l - 1) * side->table->n_rows;
}

NgcfPass hn_ngcf_pass(Ngcf *model, NgcfSide *side, int layer, bool of_batch) {
    const uint64_t size = side->table->n_rows * (uint64_t)side->table->dim;
    if (of_batch) {
        return (NgcfPass){model,           side,         layer,          side->rows,
                          side->last_e,    side->last_s, side->last_out, side->last_lengths,
                          side->last_marks};
    }
    return (NgcfPass){model,
                      side,
                      layer,
                      NULL,
                      hn_ngcf_e(model, side, layer),
                      hn_ngcf_s(model, side, layer),
                      hn_ngcf_e(model, side, layer + 1),
                      hn_ngcf_lengths(side, layer + 1),
                      side->marks + (uint64_t)layer * size};
}

HnInteract hn_ngcf_layer(const Ngcf *model, int l) {
    const uint64_t square = (uint64_t)model->context.dim * (uint64_t)model->context.dim;
    const float *w = model->parameters.value + (uint64_t)l * model->n_layer;
    const float *turned = model->turned + 2 * (uint64_t)l * square;
    return (HnInteract){.dim = model->context.dim,
                        .with_self = model->rule.with_self,
                        .apart = model->rule.apart,
                        .slope = SLOPE,
                        .kept_scale = model->drops ? model->kept_scale : 1.0f,
                        .w1 = w,
                        .w2 = w + square,
                        .w1t = turned,
                        .w2t = turned + square,
                        .b1 = model->rule.biased ? w + 2 * square : NULL,
                        .b2 = model->rule.biased ? w + 2 * square + model->context.dim : NULL};
}

NgcfThread *hn_ngcf_thread(const Ngcf *model) {
    return &model->threads[omp_get_thread_num()];
}

void hn_ngcf_note(NgcfThread *thread, int which, const float *x, uint64_t n) {
    const float most = hn_max_magnitude_cpu(x, n);
    if (!isnan(thread->most[which]) && !(most <= thread->most[which])) {
        thread->most[which] = most;
    }
}

HnStatus hn_ngcf_most(Ngcf *model, float *first, float *second, HnError *err) {
    float most[2] = {0.0f, 0.0f};
    for (int t = 0; t < model->n_threads; t++) {
        for (int k = 0; k < 2; k++) {
            const float one = model->threads[t].most[k];
            most[k] = !isnan(most[k]) && !(one <= most[k]) ? one : most[k];
            model->threads[t].most[k] = 0.0f;
        }
    }
    HN_TRY(hn_agree_max(model->context.comm, most, 2, NULL, err));
    *first = most[0];
    *second = most[1];
    return HN_OK;
}

float hn_ngcf_inverse_length(const float *row, int dim) {
    const float length = sqrtf(hn_row_ops_cpu()->dot(row, row, dim));
    return length > 1e-12f ? 1.0f / length : 0.0f;
}

void hn_ngcf_through_length(float *d, const float *z, float inverse, int dim) {
    const HnRowOps *ops = hn_row_ops_cpu();
    ops->mix(d, inverse, d, -inverse * ops->dot(z, d, dim), z, dim);
}

const float *hn_ngcf_pick(const NgcfSide *side, const float *values) {
    for (uint32_t r = 0; values != NULL && r < side->n_rows; r++) {
        side->batch_scale[r] = values[side->rows[r]];
    }
    return values != NULL ? side->batch_scale : NULL;
}

const HnModelOps HN_MODEL_NGCF = {.name = "ngcf",
                                  .width = ngcf_width,
                                  .n_parameters = ngcf_n_parameters,
                                  .create = ngcf_create,
                                  .free = ngcf_free,
                                  .bytes = ngcf_bytes,
                                  .moved = ngcf_moved,
                                  .forward = hn_ngcf_forward,
                                  .look = hn_ngcf_look,
                                  .backward = hn_ngcf_backward,
                                  .embed = hn_ngcf_embed,
                                  .parameters = ngcf_parameters};
