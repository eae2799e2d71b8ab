#include "route.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "row.h"

static const float *weights_of(const HnRoute *route, const float *weights, uint64_t k) {
    return weights + (route->edges != NULL ? (uint64_t)route->edges[k] : k) * (uint64_t)route->factors;
}

void hn_route_sum_ref(const HnRoute *route, const float *weights, const float *x, float *y) {
    const size_t dim = (size_t)route->dim, chunk = dim / (size_t)route->factors;
    for (uint64_t r = 0; r < route->graph.n_rows; r++) {
        float *row = y + r * dim;
        memset(row, 0, dim * sizeof *row);
        for (uint64_t k = route->graph.offsets[r]; k < route->graph.offsets[r + 1]; k++) {
            for (size_t c = 0; c < dim; c++) {
                const float weight = weights_of(route, weights, k)[c / chunk];
                row[c] = fmaf(weight, x[(size_t)route->graph.columns[k] * dim + c], row[c]);
            }
        }
    }
}

void hn_route_fixed_ref(const HnRoute *route, const float *weights, const float *x, int shift, int64_t *y) {
    const size_t dim = (size_t)route->dim, chunk = dim / (size_t)route->factors;
    const float factor = ldexpf(1.0f, shift);
    for (uint64_t r = 0; r < route->graph.n_rows; r++) {
        int64_t *row = y + r * dim;
        memset(row, 0, dim * sizeof *row);
        for (uint64_t k = route->graph.offsets[r]; k < route->graph.offsets[r + 1]; k++) {
            for (size_t c = 0; c < dim; c++) {
                const float term =
                    weights_of(route, weights, k)[c / chunk] * x[(size_t)route->graph.columns[k] * dim + c];
                row[c] += (int64_t)(int32_t)(term * factor);
            }
        }
    }
}

void hn_route_dots_ref(const HnRoute *route, const float *rows, const float *x, int add, float *dots) {
    const size_t dim = (size_t)route->dim, factors = (size_t)route->factors, chunk = dim / factors;
    for (uint64_t r = 0; r < route->graph.n_rows; r++) {
        for (uint64_t k = route->graph.offsets[r]; k < route->graph.offsets[r + 1]; k++) {
            for (size_t f = 0; f < factors; f++) {
                const float *right = x + (size_t)route->graph.columns[k] * dim + f * chunk;
                const float dot = hn_row_ops_ref()->dot(rows + r * dim + f * chunk, right, (int)chunk);
                dots[k * factors + f] = add ? dots[k * factors + f] + dot : dot;
            }
        }
    }
}
