/* NGCF forward: each half of the graph hands its rows' sums to the dense part of the layer while they are in the cache.
 */
#include <string.h>

#include "base/alloc.h"
#include "cf/models/ngcf_private.h"
#include "cf/rows.h"
#include "cf/sums.h"
#include "fixed.h"
#include "keep.h"
#include "row.h"

/* Rows to length 1, and what they were multiplied by. */
static void to_length_1(float *rows, float *lengths, uint64_t n_rows, int dim) {
    for (uint64_t r = 0; r < n_rows; r++) {
        float *row = rows + r * (uint64_t)dim;
        lengths[r] = hn_ngcf_inverse_length(row, dim);
        hn_row_ops_cpu()->scale(row, lengths[r], row, dim);
    }
}

/* values: the sums of rows first .. last-1. */
static void forward_rows(void *context, uint64_t first, uint64_t last, float *values) {
    const NgcfPass *pass = context;
    const Ngcf *model = pass->model;
    const NgcfSide *side = pass->side;
    const int dim = side->table->dim;
    const uint64_t n_rows = last - first, at = first * (uint64_t)dim, n = n_rows * (uint64_t)dim;
    NgcfThread *thread = hn_ngcf_thread(model);
    for (uint64_t r = first; model->rule.averaged && r < last; r++) {
        const uint64_t row = pass->rows != NULL ? (uint64_t)pass->rows[r] : r;
        hn_row_ops_cpu()->axpy(values + (r - first) * (uint64_t)dim, side->inverse[row], pass->e + r * (uint64_t)dim,
                               dim);
    }
    const HnKeep keep = {model->context.seed, model->step, 2 * (uint32_t)pass->layer + side->part,
                         model->drops ? model->threshold : 0};
    hn_keep_cpu(&keep, side->table->first_row + (pass->rows != NULL ? 0 : first),
                pass->rows != NULL ? pass->rows + first : NULL, n_rows, dim, HN_INTERACT_KEPT, pass->marks + at);
    const HnInteract layer = hn_ngcf_layer(model, pass->layer);
    hn_interact_forward_cpu(&layer, n_rows, pass->e + at, values, pass->marks + at, pass->out + at, thread->scratch);
    if (model->rule.goes_on) {
        to_length_1(pass->out + at, pass->lengths + first, n_rows, dim);
    }
    hn_ngcf_note(thread, 0, pass->out + at, n);
    hn_ngcf_note(thread, 1, values, n);
}

static HnHalf forward_half(NgcfPass *pass, const HnRowsDone *done) {
    NgcfSide *side = pass->side;
    const bool averaged = pass->model->rule.averaged;
    HnHalf half = {.graph = *side->graph,
                   .x = hn_ngcf_e(pass->model, side->other, pass->layer),
                   .scale = averaged ? side->inverse : side->degrees->inv_root,
                   .y = pass->s,
                   .done = done,
                   .edges.known = true};
    half.graph.column_scale = averaged ? NULL : side->other->degrees->inv_root;
    if (pass->rows != NULL) {
        if (side == &pass->model->items) {
            hn_half_of_items(&pass->model->propagation, &half, &side->sub, side->rows, side->n_rows);
        } else {
            hn_subgraph_rows(&side->sub, &half.graph, side->rows, side->n_rows);
            half.graph = side->sub.csr;
        }
        half.scale = hn_ngcf_pick(side, half.scale);
    }
    return half;
}

static HnStatus forward_layer(Ngcf *model, int l, bool of_batch, HnError *err) {
    NgcfPass of_users = hn_ngcf_pass(model, &model->users, l, of_batch);
    NgcfPass of_items = hn_ngcf_pass(model, &model->items, l, of_batch);
    const HnRowsDone users_done = {forward_rows, &of_users}, items_done = {forward_rows, &of_items};
    const HnHalf users = forward_half(&of_users, &users_done), items = forward_half(&of_items, &items_done);
    HN_TRY(hn_propagation_layer(&model->propagation, &users, &items, model->bound_e[l], err));
    return hn_ngcf_most(model, &model->bound_e[l + 1], &model->bound_s[l], err);
}

/* e_1 .. e_(L-1) of all rows. */
static HnStatus forward_all(Ngcf *model, HnError *err) {
    const HnTable *users = model->users.table, *items = model->items.table;
    float most[2] = {hn_max_magnitude_cpu(users->value, users->n_rows * (uint64_t)users->dim),
                     hn_max_magnitude_cpu(items->value, items->n_rows * (uint64_t)items->dim)};
    HN_TRY(hn_agree_max(model->context.comm, most, 2, NULL, err));
    model->bound_e[0] = most[0] > most[1] ? most[0] : most[1];
    for (int l = 0; l + 1 < model->context.layers; l++) {
        HN_TRY(forward_layer(model, l, false, err));
    }
    return HN_OK;
}

/* Final vectors of n rows (rows NULL: all), of which `last` is e_L, one after the other. */
static void write_vectors(const Ngcf *model, const NgcfSide *side, const int32_t *rows, uint64_t n, const float *last,
                          float *vectors) {
    const int dim = side->table->dim, layers = model->context.layers;
    const bool normalise = model->rule.normalised && !model->rule.goes_on;
#pragma omp parallel for schedule(static) if (n > 256)
    for (uint64_t r = 0; r < n; r++) {
        const uint64_t row = rows != NULL ? (uint64_t)rows[r] : r;
        float *out = vectors + r * (uint64_t)(layers + 1) * (uint64_t)dim;
        for (int l = 0; l <= layers; l++, out += dim) {
            const bool is_last = l > 0 && l == layers;
            const float *e = is_last ? last + r * (uint64_t)dim : hn_ngcf_e(model, side, l) + row * (uint64_t)dim;
            if (normalise && l > 0) {
                hn_row_ops_cpu()->scale(out, hn_ngcf_inverse_length(e, dim), e, dim);
            } else {
                memcpy(out, e, (size_t)dim * sizeof *out);
            }
        }
    }
}

HnStatus hn_ngcf_forward(void *state, HnBatch *batch, HnError *err) {
    Ngcf *model = state;
    NgcfSide *users = &model->users, *items = &model->items;
    const int dim = model->context.dim, layers = model->context.layers;
    users->rows = batch->users, users->n_rows = batch->n_users;
    users->vectors = batch->user_vectors, users->d_vectors = batch->d_user_vectors;
    items->rows = batch->items, items->n_rows = batch->n_items;
    items->vectors = batch->item_vectors, items->d_vectors = batch->d_item_vectors;
    if (layers > 0) {
        model->drops = model->threshold > 0;
        model->step = (uint32_t)batch->step;
        if (!model->ready) {
            HN_TRY(forward_all(model, err));
        }
        model->ready = false;
        hn_rows_gather(users->last_e, hn_ngcf_e(model, users, layers - 1), users->rows, users->n_rows, dim);
        hn_rows_gather(items->last_e, hn_ngcf_e(model, items, layers - 1), items->rows, items->n_rows, dim);
        HN_TRY(forward_layer(model, layers - 1, true, err));
    }
    write_vectors(model, users, users->rows, users->n_rows, users->last_out, users->vectors);
    write_vectors(model, items, items->rows, items->n_rows, items->last_out, items->vectors);
    if (batch->item_hops != NULL && batch->all_item_hops == NULL) { /* hops side by side are the final vector */
        memcpy(batch->item_hops, items->vectors, items->n_rows * (size_t)batch->width * sizeof(float));
    }
    return HN_OK;
}

static HnStatus embed(Ngcf *model, float *users_out, float *items_out, float *item_hops, HnError *err) {
    const NgcfSide *users = &model->users, *items = &model->items;
    const int layers = model->context.layers;
    if (layers > 0) {
        HN_TRY(forward_all(model, err));
        HN_TRY(forward_layer(model, layers - 1, false, err));
    }
    write_vectors(model, users, NULL, users->table->n_rows, users->direct, users_out);
    write_vectors(model, items, NULL, items->table->n_rows, items->direct, items_out);
    if (item_hops != NULL) {
        memcpy(item_hops, items_out,
               items->table->n_rows * (size_t)(layers + 1) * (size_t)model->context.dim * sizeof(float));
    }
    return HN_OK;
}

HnStatus hn_ngcf_embed(void *state, float *users, float *items, float *item_hops, HnError *err) {
    Ngcf *model = state;
    model->drops = false;
    model->ready = false;
    return embed(model, users, items, item_hops, err);
}

HnStatus hn_ngcf_look(void *state, HnBatch *batch, float *users, float *items, float *item_hops, HnError *err) {
    Ngcf *model = state;
    model->drops = model->threshold > 0;
    model->step = (uint32_t)batch->step;
    model->ready = true;
    return embed(model, users, items, item_hops, err);
}
