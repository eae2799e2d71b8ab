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
#include "cf/sums.h"
#include "fixed.h"
#include "row.h"

enum { INIT_MATRICES = 256 }; /* where the weights' numbers begin among those of HN_STREAM_INIT_LAYER */
static const float SLOPE = 0.2f;

NgcfRule hn_ngcf_rule(HnNgcfVariant variant) {
    static const NgcfRule rules[] = {
        [HN_NGCF_PAPER] = {.with_self = true},
        [HN_NGCF_AUTHOR] = {.apart = true, .averaged = true, .biased = true, .normalised = true},
        [HN_NGCF_MIXGCF] = {.biased = true, .normalised = true},
        [HN_NGCF_RECBOLE] = {.with_self = true, .biased = true, .normalised = true, .goes_on = true}};
    return rules[variant];
}

uint64_t hn_ngcf_layer_parameters(const HnTrainConfig *config) {
    const uint64_t dim = (uint64_t)config->model.dim;
    return 2 * dim * (dim + (hn_ngcf_rule(config->ngcf.variant).biased ? 1 : 0));
}

uint64_t hn_ngcf_parameters(const HnTrainConfig *config) {
    return (uint64_t)config->model.layers * hn_ngcf_layer_parameters(config);
}

static int ngcf_width(const HnTrainConfig *config) {
    return (int)(config->model.dim * (config->model.layers + 1));
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
    model->rule = hn_ngcf_rule(context->config->ngcf.variant);
    model->n_layer = hn_ngcf_layer_parameters(context->config);
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
        HnStatus status = hn_ngcf_allocate(model, batch, err);
        if (status != HN_OK) {
            hn_ngcf_free(model);
            return status;
        }
        init_weights(model);
    }
    *state = model;
    return HN_OK;
}

static HnTable *ngcf_table(void *state) {
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
    for (uint32_t r = 0; r < side->n_rows; r++) {
        side->batch_scale[r] = values[side->rows[r]];
    }
    return side->batch_scale;
}

const HnModelOps HN_MODEL_NGCF = {.name = "ngcf",
                                  .width = ngcf_width,
                                  .on_host = true,
                                  .n_parameters = hn_ngcf_parameters,
                                  .create = ngcf_create,
                                  .free = hn_ngcf_free,
                                  .bytes = hn_ngcf_bytes,
                                  .moved = hn_ngcf_moved,
                                  .forward = hn_ngcf_forward,
                                  .look = hn_ngcf_look,
                                  .forward_after_look = true,
                                  .backward = hn_ngcf_backward,
                                  .embed = hn_ngcf_embed,
                                  .parameters = ngcf_table};
