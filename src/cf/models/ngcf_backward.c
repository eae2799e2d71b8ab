/* NGCF backward, from the last layer to the first: the gradients of a layer's output go through its dense part
 * (ngcf_dense.c) to those of the sums, and from there along the edges to the rows that were summed up, where those that
 * come by other ways are added. The batch's rows alone enter the last layer. */
#include <string.h>

#include "cf/models/ngcf_private.h"
#include "cf/rows.h"
#include "row.h"

/* Gradients of e_l: the tables' in the end; two blocks serve in turn. */
static float *block(const NgcfSide *side, int l) {
    return (l & 1) != 0 ? side->z : side->table->gradient;
}

/* The gradient of e_l that comes from the final vector of the batch's row b. */
static float *of_vector(const NgcfSide *side, uint64_t b, int l, int layers) {
    return side->d_vectors + (b * (uint64_t)(layers + 1) + (uint64_t)l) * (uint64_t)side->table->dim;
}

static const float *vector_part(const NgcfSide *side, uint64_t b, int l, int layers) {
    return side->vectors + (b * (uint64_t)(layers + 1) + (uint64_t)l) * (uint64_t)side->table->dim;
}

/* d_vectors' last part, through the length, to last_d. */
static void begin(Ngcf *model, const NgcfSide *side) {
    const int dim = side->table->dim, layers = model->context.layers;
#pragma omp parallel for schedule(static) if (side->n_rows > 256)
    for (uint32_t b = 0; b < side->n_rows; b++) {
        float *d = side->last_d + b * (uint64_t)dim;
        memcpy(d, of_vector(side, b, layers, layers), (size_t)dim * sizeof *d);
        if (model->rule.normalised) {
            const float inverse = model->rule.goes_on ? side->last_lengths[b]
                                                      : hn_ngcf_inverse_length(side->last_out + b * (uint64_t)dim, dim);
            hn_ngcf_through_length(d, vector_part(side, b, layers, layers), inverse, dim);
        }
        hn_ngcf_note(hn_ngcf_thread(model), 0, d, (uint64_t)dim);
    }
}

/* A half of a layer on its way back. */
typedef struct Back {
    Ngcf *model;
    NgcfSide *side;
    int layer;
    const HnRowsDone *then; /* layer 0: what the caller wants done */
} Back;

static void add_batch_row(const Back *back, uint32_t b, float *value) {
    const Ngcf *model = back->model;
    const NgcfSide *side = back->side;
    const int l = back->layer, layers = model->context.layers, dim = side->table->dim;
    const HnRowOps *ops = hn_row_ops_cpu();
    float *d = of_vector(side, b, l, layers);
    if (l == layers - 1) {
        ops->axpy(value, 1.0f, side->last_direct + b * (uint64_t)dim, dim);
    }
    if (l > 0 && model->rule.normalised && !model->rule.goes_on) {
        const float *row = hn_ngcf_e(model, side, l) + (uint64_t)side->rows[b] * (uint64_t)dim;
        hn_ngcf_through_length(d, vector_part(side, b, l, layers), hn_ngcf_inverse_length(row, dim), dim);
    }
    ops->axpy(value, 1.0f, d, dim);
}

/* What else comes to the gradients of rows that a half of the graph has finished. */
static void back_rows(void *context, uint64_t first, uint64_t last, float *values) {
    const Back *back = context;
    const Ngcf *model = back->model;
    const NgcfSide *side = back->side;
    const int l = back->layer, dim = side->table->dim;
    const uint64_t d = (uint64_t)dim;
    if (l < model->context.layers - 1) {
        hn_row_ops_cpu()->axpy(values, 1.0f, side->direct + first * d, (int)((last - first) * d));
    }
    const HnPlaces in = hn_rows_within(side->rows, side->n_rows, first, last);
    for (uint32_t b = in.begin; b < in.end; b++) {
        add_batch_row(back, b, values + ((uint64_t)side->rows[b] - first) * d);
    }
    if (l == 0) {
        back->then->rows(back->then->context, first, last, values);
        return;
    }
    for (uint64_t r = first; model->rule.goes_on && r < last; r++) {
        hn_ngcf_through_length(values + (r - first) * d, hn_ngcf_e(model, side, l) + r * d, hn_ngcf_lengths(side, l)[r],
                               dim);
    }
    hn_ngcf_note(hn_ngcf_thread(model), 0, values, (last - first) * d);
}

/* Only the batch's rows of x are not zero. */
static void spread(const NgcfSide *side, float *x, const float *rows, const HnRowsDone *then) {
    const HnSpread all = {side->rows, rows, side->n_rows, side->table->dim, side->table->n_rows, x, NULL};
    hn_rows_spread(&all, then);
}

static HnHalf back_half(const Back *back, const HnRowsDone *done, bool keep) {
    const Ngcf *model = back->model;
    NgcfSide *side = back->side;
    const NgcfSide *other = side->other;
    const bool averaged = model->rule.averaged, of_items = side == &model->items;
    const bool first = back->layer == model->context.layers - 1;
    const bool alone = hn_comm_size(model->context.comm) == 1;
    const float *sent = averaged ? other->inverse : other->degrees->inv_root;
    HnHalf half = {.graph = *side->graph,
                   .x = block(other, back->layer + 1),
                   .scale = averaged ? side->ones : side->degrees->inv_root,
                   .y = block(side, back->layer),
                   .done = done,
                   .edges.known = true,
                   .window = back->layer > 0 || keep || (of_items && !alone) ? NULL : model->window};
    half.graph.column_scale = sent;
    if (first && of_items) {
        hn_half_from_users(&model->propagation, &half, &side->sub, other->graph, other->rows, other->n_rows);
    } else if (first) {
        hn_half_from_items(&half, &side->sub, other->rows, other->n_rows);
    }
    if (first) { /* of the batch's rows alone */
        half.graph.column_scale = hn_ngcf_pick(other, sent);
        half.x = other->last_d;
    }
    return half;
}

static HnStatus back_layer(Ngcf *model, int l, bool keep, const HnRowsDone *users_then, const HnRowsDone *items_then,
                           HnError *err) {
    const bool of_batch = l == model->context.layers - 1;
    const NgcfSide *sides[2] = {&model->users, &model->items};
    const NgcfPass passes[2] = {hn_ngcf_pass(model, &model->users, l, of_batch),
                                hn_ngcf_pass(model, &model->items, l, of_batch)};
    float *d[2], *direct[2], bounds[3] = {model->bound_e[l], model->bound_s[l], 0.0f}, unused, sent;
    for (int k = 0; k < 2; k++) {
        d[k] = of_batch ? sides[k]->last_d : block(sides[k], l + 1);
        direct[k] = of_batch ? sides[k]->last_direct : sides[k]->direct;
    }
    HN_TRY(hn_ngcf_most(model, &bounds[2], &unused, err));
    HN_TRY(hn_ngcf_dense(model, passes, d, direct, bounds,
                         model->context.shards->n_users + model->context.shards->n_items, err));
    HN_TRY(hn_ngcf_most(model, &unused, &sent, err));
    Back of_users = {model, &model->users, l, users_then}, of_items = {model, &model->items, l, items_then};
    const HnRowsDone users_done = {back_rows, &of_users}, items_done = {back_rows, &of_items};
    const HnHalf users = back_half(&of_users, &users_done, keep), items = back_half(&of_items, &items_done, keep);
    return hn_propagation_layer(&model->propagation, &users, &items, sent, err);
}

static void turn_weights(Ngcf *model) {
    const uint64_t dim = (uint64_t)model->context.dim, square = dim * dim;
    for (uint64_t m = 0; m < 2 * (uint64_t)model->context.layers; m++) {
        const float *w = model->parameters.value + m / 2 * model->n_layer + m % 2 * square;
        for (uint64_t k = 0; k < square; k++) {
            model->turned[m * square + k] = w[k % dim * dim + k / dim];
        }
    }
}

HnStatus hn_ngcf_backward(void *state, HnBatch *batch, bool keep, const HnRowsDone *users_done,
                          const HnRowsDone *items_done, HnError *err) {
    Ngcf *model = state;
    NgcfSide *users = &model->users, *items = &model->items;
    const int layers = model->context.layers;
    for (uint64_t r = 0; batch->d_item_hops != NULL && r < batch->n_items; r++) { /* hops side by side are the vector */
        const uint64_t at = r * (uint64_t)batch->width;
        hn_row_ops_cpu()->axpy(batch->d_item_vectors + at, 1.0f, batch->d_item_hops + at, batch->width);
    }
    if (layers == 0) {
        spread(users, users->table->gradient, users->d_vectors, users_done);
        spread(items, items->table->gradient, items->d_vectors, items_done);
        return HN_OK;
    }
    turn_weights(model);
    begin(model, users);
    begin(model, items);
    for (int l = layers - 1; l >= 0; l--) {
        HN_TRY(back_layer(model, l, keep, users_done, items_done, err));
    }
    return hn_ngcf_gather_sums(model, err);
}
