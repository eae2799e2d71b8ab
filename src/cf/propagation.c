#include "cf/propagation.h"

#include <math.h>

#include "base/alloc.h"
#include "fixed.h"

HnStatus hn_propagation_create(HnComm *comm, bool exact, int dim, uint64_t n_local_users, uint64_t n_items,
                               HnPropagation *propagation, HnError *err) {
    *propagation = (HnPropagation){.comm = comm, .exact = exact, .dim = dim};
    if (exact) {
        propagation->fixed = hn_alloc(n_local_users, (size_t)dim * sizeof(int32_t), "fixed-point user rows", err);
        propagation->totals = hn_alloc(n_items, (size_t)dim * sizeof(int64_t), "fixed-point item sums", err);
        if (!propagation->fixed || !propagation->totals) {
            hn_propagation_free(propagation);
            return HN_MEMORY;
        }
    }
    return HN_OK;
}

void hn_propagation_free(HnPropagation *propagation) {
    hn_free(propagation->totals);
    hn_free(propagation->fixed);
    *propagation = (HnPropagation){0};
}

uint64_t hn_propagation_bytes(uint64_t n_local_users, uint64_t n_items, int dim, bool exact) {
    return exact ? (n_local_users * 4 + n_items * 8) * (uint64_t)dim : 0;
}

/* Sums of this rank's users, on their way to the other ranks. */
static HnStatus items_start(HnPropagation *p, const HnHalf *half, int shift, HnError *err) {
    uint64_t n_elements = half->graph->n_rows * (uint64_t)p->dim;
    if (p->exact) {
        hn_fixed_from_float_cpu(half->x, half->graph->column_scale, shift, p->fixed, half->graph->n_cols, p->dim);
        hn_propagate_fixed_cpu(half->graph, p->fixed, p->totals, p->dim);
        return hn_comm_sum_i64_start(p->comm, p->totals, n_elements, err);
    }
    if (hn_comm_size(p->comm) == 1) {
        hn_propagate_cpu(half->graph, half->x, half->scale, half->y, half->sum, p->dim);
        return HN_OK;
    }
    hn_propagate_cpu(half->graph, half->x, NULL, half->y, NULL, p->dim);
    return hn_comm_sum_f32_start(p->comm, half->y, n_elements, err);
}

static void scale_rows(const HnHalf *half, int dim) {
#pragma omp parallel for schedule(static)
    for (uint64_t r = 0; r < half->graph->n_rows; r++) {
        float *row = half->y + r * (uint64_t)dim;
        for (int c = 0; c < dim; c++) {
            row[c] *= half->scale[r];
            if (half->sum != NULL) {
                half->sum[r * (uint64_t)dim + (uint64_t)c] += row[c];
            }
        }
    }
}

static HnStatus items_finish(HnPropagation *p, const HnHalf *half, int shift, HnError *err) {
    if (p->exact) {
        HN_TRY(hn_comm_wait(p->comm, err));
        hn_fixed_to_float_cpu(p->totals, shift, half->scale, half->y, half->sum, half->graph->n_rows, p->dim);
    } else if (hn_comm_size(p->comm) > 1) {
        HN_TRY(hn_comm_wait(p->comm, err));
        scale_rows(half, p->dim);
    }
    return HN_OK;
}

HnStatus hn_propagation_layer(HnPropagation *propagation, const HnHalf *users, const HnHalf *items, float bound,
                              HnError *err) {
    int shift = 0;
    if (propagation->exact) {
        if (!isfinite(bound)) {
            return hn_fail(err, HN_NUMERIC,
                           "user vectors are not finite: lower train.learning_rate (with another --out)");
        }
        shift = hn_fixed_shift(bound);
    }
    HN_TRY(items_start(propagation, items, shift, err));
    if (users->graph != NULL) {
        hn_propagate_cpu(users->graph, users->x, users->scale, users->y, users->sum, propagation->dim);
    }
    return items_finish(propagation, items, shift, err);
}
