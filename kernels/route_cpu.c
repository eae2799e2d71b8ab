/* Rows dealt to threads a few at a time; a row's sum stays in the nearest cache while its edges' rows are fetched
 * ahead. Loops over a chunk are turned into vectors of each path by the compiler, with 16 columns as a constant. */
#include "route.h"

#include <math.h>
#include <stdbool.h>
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

#if HN_X86

enum { STRIP = 4 }; /* vectors of 16 columns at a time */

/* Vectors from .. from + count - 1 of the rows first .. last-1. */
typedef struct Strip {
    uint64_t first, last;
    size_t from, chunk;
} Strip;

HN_INLINE HN_AVX512 void sum_strip(const HnRoute *route, const Strip *strip, const int count, const float *weights,
                                   const float *x, float *y) {
    const size_t dim = (size_t)route->dim, at = strip->from * CHUNK;
    for (uint64_t r = strip->first; r < strip->last; r++) {
        __m512 total[STRIP] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps()};
        for (uint64_t k = route->graph.offsets[r]; k < route->graph.offsets[r + 1]; k++) {
            const float *weight = weights_of(route, weights, k);
            const float *right = x + (size_t)route->graph.columns[k] * dim + at;
            fetch(route, x, k);
#pragma GCC unroll 4
            for (int v = 0; v < count; v++) {
                const __m512 factor = _mm512_set1_ps(weight[(at + (size_t)v * CHUNK) / strip->chunk]);
                total[v] = _mm512_fmadd_ps(factor, _mm512_loadu_ps(right + v * CHUNK), total[v]);
            }
        }
#pragma GCC unroll 4
        for (int v = 0; v < count; v++) {
            _mm512_storeu_ps(y + r * dim + at + (size_t)v * CHUNK, total[v]);
        }
    }
}

HN_INLINE HN_AVX512 void fixed_strip(const HnRoute *route, const Strip *strip, const int count, const float *weights,
                                     const float *x, float factor, int64_t *y) {
    const size_t dim = (size_t)route->dim, at = strip->from * CHUNK;
    const __m512 unit = _mm512_set1_ps(factor);
    for (uint64_t r = strip->first; r < strip->last; r++) {
        __m512i total[2 * STRIP];
#pragma GCC unroll 8
        for (int v = 0; v < 2 * STRIP; v++) {
            total[v] = _mm512_setzero_si512();
        }
        for (uint64_t k = route->graph.offsets[r]; k < route->graph.offsets[r + 1]; k++) {
            const float *weight = weights_of(route, weights, k);
            const float *right = x + (size_t)route->graph.columns[k] * dim + at;
            fetch(route, x, k);
#pragma GCC unroll 4
            for (int v = 0; v < count; v++) {
                const __m512 by = _mm512_set1_ps(weight[(at + (size_t)v * CHUNK) / strip->chunk]);
                const __m512 term = _mm512_mul_ps(_mm512_mul_ps(by, _mm512_loadu_ps(right + v * CHUNK)), unit);
                const __m512i whole = _mm512_cvttps_epi32(term);
                total[2 * v] = _mm512_add_epi64(total[2 * v], _mm512_cvtepi32_epi64(_mm512_castsi512_si256(whole)));
                total[2 * v + 1] =
                    _mm512_add_epi64(total[2 * v + 1], _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(whole, 1)));
            }
        }
#pragma GCC unroll 8
        for (int v = 0; v < 2 * count; v++) {
            _mm512_storeu_si512(y + r * dim + at + (size_t)v * 8, total[v]);
        }
    }
}

HN_AVX512 static void sum_strips(const HnRoute *route, uint64_t first, uint64_t last, const float *weights,
                                 const float *x, float *y) {
    const size_t vectors = (size_t)route->dim / CHUNK;
    Strip strip = {first, last, 0, (size_t)(route->dim / route->factors)};
    for (; strip.from + STRIP <= vectors; strip.from += STRIP) {
        sum_strip(route, &strip, STRIP, weights, x, y);
    }
    for (; strip.from < vectors; strip.from++) {
        sum_strip(route, &strip, 1, weights, x, y);
    }
}

HN_AVX512 static void fixed_strips(const HnRoute *route, uint64_t first, uint64_t last, const float *weights,
                                   const float *x, float factor, int64_t *y) {
    const size_t vectors = (size_t)route->dim / CHUNK;
    Strip strip = {first, last, 0, (size_t)(route->dim / route->factors)};
    for (; strip.from + STRIP <= vectors; strip.from += STRIP) {
        fixed_strip(route, &strip, STRIP, weights, x, factor, y);
    }
    for (; strip.from < vectors; strip.from++) {
        fixed_strip(route, &strip, 1, weights, x, factor, y);
    }
}

static bool in_vectors(const HnRoute *route) {
    return route->dim / route->factors % CHUNK == 0;
}
#endif

static SumRows *sum_choose(const HnRoute *route) {
#if HN_X86
    if (hn_cpu_path() == HN_CPU_AVX512) {
        return in_vectors(route) ? sum_strips : sum_avx512;
    }
    if (hn_cpu_path() == HN_CPU_AVX2) {
        return sum_avx2;
    }
#endif
    (void)route;
    return sum_scalar;
}

static FixedRows *fixed_choose(const HnRoute *route) {
#if HN_X86
    if (hn_cpu_path() == HN_CPU_AVX512) {
        return in_vectors(route) ? fixed_strips : fixed_avx512;
    }
    if (hn_cpu_path() == HN_CPU_AVX2) {
        return fixed_avx2;
    }
#endif
    (void)route;
    return fixed_scalar;
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
    SumRows *rows = sum_choose(route);
    const int64_t blocks = n_blocks(route);
#pragma omp parallel for schedule(dynamic, 4) if (worth_threads(route))
    for (int64_t b = 0; b < blocks; b++) {
        rows(route, (uint64_t)b * ROWS, block_end(route, b), weights, x, y);
    }
}

void hn_route_fixed_cpu(const HnRoute *route, const float *weights, const float *x, int shift, int64_t *y) {
    FixedRows *rows = fixed_choose(route);
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
