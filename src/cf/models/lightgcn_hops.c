/* Vectors of every layer ("hops"), for samplers that compare candidates hop by hop, and the way back of their
 * gradients.
 *
 * Hop l of a row is root * z_l. With gradients K_l of hops (of items where the sampler works by hop, of both sides'
 * where L2 takes them), beside G of the final vectors, the backward pass (lightgcn.c) adds G + (L + 1) K_l over root
 * wherever it added g: l = L enters the first layer, l = 0 is added by the last. (L + 1 is the divisor of pooling; G
 * belongs to layers that are pooled only.)
 */
#include <string.h>

#include "cf/models/lightgcn_private.h"
#include "row.h"

void hn_lightgcn_write_hops(const Work *work, uint64_t b, const float *last) {
    const Side *side = work->side;
    const HnRowOps *ops = hn_row_ops_cpu();
    const size_t dim = (size_t)side->table->dim, layer = side->n_rows * dim, row = (size_t)side->rows[b];
    const float root = side->degrees->root[row];
    float *hops = side->hops + b * (size_t)(work->layer + 1) * dim;
    memcpy(hops, side->table->value + row * dim, dim * sizeof(float));
    for (int l = 1; l <= work->layer; l++) {
        const float *z = l == work->layer ? last : side->layers + (size_t)(l - 1) * layer + b * dim;
        ops->scale(hops + (size_t)l * dim, root, z, (int)dim);
    }
}

void hn_lightgcn_hop_rows(void *context, uint64_t first, uint64_t last, float *values) {
    const Work *work = context;
    const HnRowOps *ops = hn_row_ops_cpu();
    const size_t dim = (size_t)work->side->table->dim, n_hops = (size_t)work->n_layers + 1;
    for (uint64_t r = first; r < last; r++) {
        float *hops = work->item_hops + r * n_hops * dim;
        if (work->layer == 1) {
            memcpy(hops, work->side->table->value + r * dim, dim * sizeof(float));
        }
        ops->scale(hops + (size_t)work->layer * dim, work->side->degrees->root[r], values + (r - first) * dim,
                   (int)dim);
    }
}

void hn_lightgcn_fold_hops(const Side *side, int layers) {
    const HnRowOps *ops = hn_row_ops_cpu();
    const int dim = side->table->dim;
#pragma omp parallel for schedule(static) if (side->n_rows > 64)
    for (uint32_t b = 0; b < side->n_rows; b++) {
        float *gradient = side->d_vectors + (size_t)b * (size_t)dim;
        float *hops = side->d_hops + (size_t)b * (size_t)(layers + 1) * (size_t)dim;
        for (int l = 0; l <= layers; l++) {
            const float share = hn_lightgcn_pools(side, l, layers) ? 1.0f : 0.0f;
            ops->mix(hops + l * dim, hn_lightgcn_divisor(side, layers), hops + l * dim, share, gradient, dim);
        }
        memcpy(gradient, hops + layers * dim, (size_t)dim * sizeof(float));
    }
}

const float *hn_lightgcn_added_row(const Work *work, uint32_t b) {
    const Side *side = work->side;
    const size_t dim = (size_t)side->table->dim, left = (size_t)(work->n_layers - work->layer);
    return side->d_hops == NULL ? side->d_vectors + b * dim
                                : side->d_hops + (b * (size_t)(work->n_layers + 1) + left) * dim;
}
