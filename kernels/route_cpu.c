/* Rows dealt to threads a few at a time; a row's sum stays in the nearest cache while its edges' rows are fetched
 * ahead. Loops over a chunk are turned into vectors of each path by the compiler, with 16 columns as a constant. */
#include "route.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "cpu.h"
#include "cpu_target.h"
#include "row.h"

enum { ROWS = 32, AHEAD = 6, CHUNK = 16, WORTH_THREADS = 100000 };

HN_INLINE const float *weights_of(const HnRoute *route, const float *weights, uint64_t k) {
    return weights + (route->edges != NULL ? (uint64_t)route->edges[k] : k) * (uint64_t)route->factors;
}

HN_INLINE void fetch(const HnRoute *route, const float *x, uint64_t k) {
    const uint64_t last = route->graph.offsets[route->graph.n_rows] - 1, soon = k + AHEAD < last ? k + AHEAD : last;
    const float *row = x + (size_t)route->graph.columns[soon] * (size_t)route->dim;
    for (int c = 0; c < route->dim; c += CHUNK) {
        HN_PREFETCH(row + c);
    }
}

HN_INLINE void sum_rows(const HnRoute *route, size_t chunk, uint64_t first, uint64_t last, const float *weights,
                        const float *x, float *y) {
    const size_t dim = (size_t)route->dim;
    for (uint64_t r = first; r < last; r++) {
        float *restrict row = y + r * dim;
        memset(row, 0, dim * sizeof *row);
        for (uint64_t k = route->graph.offsets[r]; k < route->graph.offsets[r + 1]; k++) {
            const float *weight = weights_of(route, weights, k);
            const float *right = x + (size_t)route->graph.columns[k] * dim;
            fetch(route, x, k);
            for (size_t at = 0, f = 0; at < dim; at += chunk, f++) {
                for (size_t c = 0; c < chunk; c++) {
                    row[at + c] = fmaf(weight[f], right[at + c], row[at + c]);
                }
            }
        }
    }
}

HN_INLINE void fixed_rows(const HnRoute *route, size_t chunk, uint64_t first, uint64_t last, const float *weights,
                          const float *x, float factor, int64_t *y) {
    const size_t dim = (size_t)route->dim;
    for (uint64_t r = first; r < last; r++) {
        int64_t *restrict row = y + r * dim;
        memset(row, 0, dim * sizeof *row);
        for (uint64_t k = route->graph.offsets[r]; k < route->graph.offsets[r + 1]; k++) {
            const float *weight = weights_of(route, weights, k);
            const float *right = x + (size_t)route->graph.columns[k] * dim;
            fetch(route, x, k);
            for (size_t at = 0, f = 0; at < dim; at += chunk, f++) {
                for (size_t c = 0; c < chunk; c++) {
                    row[at + c] += (int64_t)(int32_t)(weight[f] * right[at + c] * factor);
                }
            }
        }
    }
}

typedef void SumRows(const HnRoute *route, uint64_t first, uint64_t last, const float *weights, const float *x,
                     float *y);
typedef void FixedRows(const HnRoute *route, uint64_t first, uint64_t last, const float *weights, const float *x,
                       float factor, int64_t *y);

#define ROWS_OF(path, TARGET)                                                                                  \
    TARGET static void sum_##path(const HnRoute *route, uint64_t first, uint64_t last, const float *weights,   \
                                  const float *x, float *y) {                                                  \
        const size_t chunk = (size_t)(route->dim / route->factors);                                            \
        if (chunk == CHUNK) {                                                                                  \
            sum_rows(route, CHUNK, first, last, weights, x, y);                                                \
        } else {                                                                                               \
            sum_rows(route, chunk, first, last, weights, x, y);                                                \
        }                                                                                                      \
    }                                                                                                          \
    TARGET static void fixed_##path(const HnRoute *route, uint64_t first, uint64_t last, const float *weights, \
                                    const float *x, float factor, int64_t *y) {                                \
        const size_t chunk = (size_t)(route->dim / route->factors);                                            \
        if (chunk == CHUNK) {                                                                                  \
            fixed_rows(route, CHUNK, first, last, weights, x, factor, y);                                      \
        } else {                                                                                               \
            fixed_rows(route, chunk, first, last, weights, x, factor, y);                                      \
        }                                                                                                      \
    }

ROWS_OF(scalar, )
#if HN_X86
ROWS_OF(avx512, HN_AVX512)
ROWS_OF(avx2, HN_AVX2)
#endif

static SumRows *sum_choose(void) {
#if HN_X86
    return hn_cpu_path() == HN_CPU_AVX512 ? sum_avx512 : hn_cpu_path() == HN_CPU_AVX2 ? sum_avx2 : sum_scalar;
#else
    return sum_scalar;
#endif
}

static FixedRows *fixed_choose(void) {
#if HN_X86
    return hn_cpu_path() == HN_CPU_AVX512 ? fixed_avx512 : hn_cpu_path() == HN_CPU_AVX2 ? fixed_avx2 : fixed_scalar;
#else
    return fixed_scalar;
#endif
}

static int64_t n_blocks(const HnRoute *route) {
    return (int64_t)((route->graph.n_rows + ROWS - 1) / ROWS);
}

static int worth_threads(const HnRoute *route) {
    return route->graph.offsets[route->graph.n_rows] * (uint64_t)route->dim > WORTH_THREADS;
}

static uint64_t block_end(const HnRoute *route, int64_t b) {
    const uint64_t end = ((uint64_t)b + 1) * ROWS;
    return end < route->graph.n_rows ? end : route->graph.n_rows;
}

void hn_route_sum_cpu(const HnRoute *route, const float *weights, const float *x, float *y) {
    SumRows *rows = sum_choose();
    const int64_t blocks = n_blocks(route);
#pragma omp parallel for schedule(dynamic, 4) if (worth_threads(route))
    for (int64_t b = 0; b < blocks; b++) {
        rows(route, (uint64_t)b * ROWS, block_end(route, b), weights, x, y);
    }
}

void hn_route_fixed_cpu(const HnRoute *route, const float *weights, const float *x, int shift, int64_t *y) {
    FixedRows *rows = fixed_choose();
    const int64_t blocks = n_blocks(route);
    const float factor = ldexpf(1.0f, shift);
#pragma omp parallel for schedule(dynamic, 4) if (worth_threads(route))
    for (int64_t b = 0; b < blocks; b++) {
        rows(route, (uint64_t)b * ROWS, block_end(route, b), weights, x, factor, y);
    }
}

static void dots_of_row(const HnRoute *route, uint64_t r, const float *rows, const float *x, int add, float *dots) {
    const HnRowOps *ops = hn_row_ops_cpu();
    const size_t dim = (size_t)route->dim, factors = (size_t)route->factors, chunk = dim / factors;
    for (uint64_t k = route->graph.offsets[r]; k < route->graph.offsets[r + 1]; k++) {
        const float *left = rows + r * dim, *right = x + (size_t)route->graph.columns[k] * dim;
        float *out = dots + k * factors;
        fetch(route, x, k);
        for (size_t f = 0; f < factors; f++, left += chunk, right += chunk) {
            const float dot = ops->dot(left, right, (int)chunk);
            out[f] = add ? out[f] + dot : dot;
        }
    }
}

void hn_route_dots_cpu(const HnRoute *route, const float *rows, const float *x, int add, float *dots) {
    const int64_t n = (int64_t)route->graph.n_rows;
#pragma omp parallel for schedule(dynamic, 128) if (worth_threads(route))
    for (int64_t r = 0; r < n; r++) {
        dots_of_row(route, (uint64_t)r, rows, x, add, dots);
    }
}
