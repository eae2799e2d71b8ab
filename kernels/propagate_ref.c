#include <math.h>
#include <stddef.h>

#include "fixed_private.h"
#include "propagate.h"

void hn_propagate_ref(const HnCsr *graph, const float *x, const float *row_scale, float *y, float *sum, int dim) {
    for (uint64_t r = 0; r < graph->n_rows; r++) {
        for (int d = 0; d < dim; d++) {
            float total = 0.0f;
            for (uint64_t e = graph->offsets[r]; e < graph->offsets[r + 1]; e++) {
                const float value = x[(uint64_t)graph->columns[e] * (uint64_t)dim + (uint64_t)d];
                total = fmaf(graph->column_scale != NULL ? graph->column_scale[graph->columns[e]] : 1.0f, value, total);
            }
            float value = row_scale != NULL ? row_scale[r] * total : total;
            y[r * (uint64_t)dim + (uint64_t)d] = value;
            if (sum != NULL) {
                sum[r * (uint64_t)dim + (uint64_t)d] += value;
            }
        }
    }
}

void hn_propagate_fixed_ref(const HnCsr *graph, const float *x, int shift, int64_t *y, int dim) {
    float factors[2];
    hn_fixed_factors(shift, factors);
    for (uint64_t r = 0; r < graph->n_rows; r++) {
        for (int d = 0; d < dim; d++) {
            int64_t total = 0;
            for (uint64_t e = graph->offsets[r]; e < graph->offsets[r + 1]; e++) {
                const float weight = graph->column_scale != NULL ? graph->column_scale[graph->columns[e]] : 1.0f;
                const float value = weight * x[(uint64_t)graph->columns[e] * (uint64_t)dim + (uint64_t)d];
                total += lrintf(value * factors[0] * factors[1]);
            }
            y[r * (uint64_t)dim + (uint64_t)d] = total;
        }
    }
}
