/* Propagation over a view. Layers may have graphs, hence degrees, of their own, so rows stay unscaled:
 *     E^(l) = D_l^-1/2 A_l D_l^-1/2 E^(l-1),   sum = E^(0) + ... + E^(L)
 * and back, each operator being symmetric, H_L = G, H_(l-1) = Ahat_l H_l + G, and H_0 is the gradient. The mean's
 * 1 / (L + 1) is missing on purpose: only the direction of a row is used. */
#include <string.h>

#include "cf/models/sgl_private.h"
#include "cf/rows.h"
#include "cf/sums.h"
#include "fixed.h"
#include "row.h"

static HnHalf half_of(const HnCsr *graph, const HnDegrees *own, const HnDegrees *other, const float *x, float *y) {
    HnHalf half = {.graph = *graph, .x = x, .scale = own->inv_root, .y = y};
    half.graph.column_scale = other->inv_root;
    return half;
}

/* One layer, from the rows x of both sides to y; sums may be NULL. */
typedef struct Layer {
    const float *user_x, *item_x;
    float *user_y, *item_y, *user_sum, *item_sum;
    const HnRowsDone *user_done, *item_done;
} Layer;

static HnStatus run(Sgl *sgl, const HnGraph *graph, const Layer *layer, HnError *err) {
    HnHalf users = half_of(&graph->users, &graph->user_degrees, &graph->item_degrees, layer->item_x, layer->user_y);
    HnHalf items = half_of(&graph->items, &graph->item_degrees, &graph->user_degrees, layer->user_x, layer->item_y);
    users.sum = layer->user_sum, users.done = layer->user_done;
    items.sum = layer->item_sum, items.done = layer->item_done;
    float bound = 0.0f;
    if (sgl->context.exact) {
        bound = hn_max_magnitude_cpu(layer->user_x, sgl->users.table->n_rows * (uint64_t)sgl->context.dim);
        HN_TRY(hn_agree_max(sgl->context.comm, &bound, 1, NULL, err));
    }
    return hn_propagation_layer(&sgl->propagation, &users, &items, bound, err);
}

static const HnGraph *graph_of(const Sgl *sgl, int view, int layer) {
    return &sgl->graphs[view][sgl->n_graphs > 1 ? layer - 1 : 0];
}

HnStatus hn_sgl_view_forward(Sgl *sgl, int view, HnError *err) {
    SglSide *users = &sgl->users, *items = &sgl->items;
    const size_t row = (size_t)sgl->context.dim * sizeof(float);
    memcpy(users->sum, users->table->value, users->table->n_rows * row);
    memcpy(items->sum, items->table->value, items->table->n_rows * row);
    for (int l = 1; l <= sgl->context.layers; l++) {
        const bool odd = (l & 1) != 0;
        const Layer layer = {.user_x = l == 1 ? users->table->value
                                       : odd  ? users->b
                                              : users->a,
                             .item_x = l == 1 ? items->table->value
                                       : odd  ? items->b
                                              : items->a,
                             .user_y = odd ? users->a : users->b,
                             .item_y = odd ? items->a : items->b,
                             .user_sum = users->sum,
                             .item_sum = items->sum};
        HN_TRY(run(sgl, graph_of(sgl, view, l), &layer, err));
    }
    return HN_OK;
}

/* rows += G */
typedef struct Added {
    const float *g;
    int dim;
} Added;

static void add_rows(void *context, uint64_t first, uint64_t last, float *values) {
    const Added *added = context;
    const uint64_t d = (uint64_t)added->dim;
    hn_row_ops_cpu()->axpy(values, 1.0f, added->g + first * d, (int)((last - first) * d));
}

HnStatus hn_sgl_view_backward(Sgl *sgl, int view, HnError *err) {
    SglSide *users = &sgl->users, *items = &sgl->items;
    Added of_users = {users->a, sgl->context.dim}, of_items = {items->a, sgl->context.dim};
    const HnRowsDone add_users = {add_rows, &of_users}, add_items = {add_rows, &of_items};
    const float *user_x = users->a, *item_x = items->a;
    for (int l = sgl->context.layers; l >= 1; l--) {
        const bool odd = (l & 1) != 0;
        Layer layer = {.user_x = user_x,
                       .item_x = item_x,
                       .user_y = odd ? users->b : users->sum,
                       .item_y = odd ? items->b : items->sum};
        if (l > 1) {
            layer.user_done = &add_users, layer.item_done = &add_items;
        } else {
            layer.user_sum = users->unit, layer.item_sum = items->unit;
        }
        HN_TRY(run(sgl, graph_of(sgl, view, l), &layer, err));
        user_x = layer.user_y, item_x = layer.item_y;
    }
    hn_rows_done_cpu(&add_users, users->unit, users->table->n_rows, sgl->context.dim);
    hn_rows_done_cpu(&add_items, items->unit, items->table->n_rows, sgl->context.dim);
    return HN_OK;
}
