/* The AVX2 twins of propagate_avx512.c. */
#include <stdbool.h>
#include <stddef.h>

#include "propagate_paths.h"

#if HN_X86

/* ---- AVX2: n_vectors of 8 floats, the last one masked ---- */

/* The first n of 8 lanes on. */
HN_INLINE HN_AVX2 __m256i lanes_avx2(int n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

HN_INLINE HN_AVX2 void float_rows_avx2(const HnPropagateRun *run, const float *x, const float *row_scale, float *y,
                                       float *sum, const int n_vectors, const bool weighted) {
    const uint64_t *offsets = run->graph->offsets;
    const int32_t *columns = run->graph->columns;
    const float *column_scale = run->graph->column_scale;
    const size_t dim = (size_t)run->dim;
    const __m256i tail = lanes_avx2(run->width - 8 * (n_vectors - 1));
    const float *strip = x + run->from;
    const uint64_t n_edges = offsets[run->graph->n_rows];
    for (uint64_t r = run->first; r < run->last; r++) {
        __m256 total[8];
        for (int v = 0; v < n_vectors; v++) {
            total[v] = _mm256_setzero_ps();
        }
        const uint64_t row_end = offsets[r + 1];
        for (uint64_t e = offsets[r]; e < row_end; e++) {
            const float *row = strip + (size_t)columns[e] * dim;
            const float *coming =
                strip + (size_t)columns[e + HN_PROPAGATE_AHEAD < n_edges ? e + HN_PROPAGATE_AHEAD : e] * dim;
            for (int v = 0; v < n_vectors; v += 2) {
                HN_PREFETCH(coming + 8 * v);
            }
            const __m256 weight = _mm256_set1_ps(weighted ? column_scale[columns[e]] : 1.0f);
            for (int v = 0; v < n_vectors; v++) {
                const __m256 part =
                    v < n_vectors - 1 ? _mm256_loadu_ps(row + 8 * v) : _mm256_maskload_ps(row + 8 * v, tail);
                total[v] = weighted ? _mm256_fmadd_ps(weight, part, total[v]) : _mm256_add_ps(total[v], part);
            }
        }
        const __m256 scale = _mm256_set1_ps(row_scale != NULL ? row_scale[r] : 1.0f);
        float *into = y + (size_t)(r - run->y_first) * dim + run->from;
        for (int v = 0; v < n_vectors; v++) {
            const __m256i keep = v == n_vectors - 1 ? tail : _mm256_set1_epi32(-1);
            const __m256 value = _mm256_mul_ps(scale, total[v]);
            _mm256_maskstore_ps(into + 8 * v, keep, value);
            if (sum != NULL) {
                float *also = sum + (size_t)r * dim + run->from + 8 * v;
                _mm256_maskstore_ps(also, keep, _mm256_add_ps(_mm256_maskload_ps(also, keep), value));
            }
        }
    }
}

HN_INLINE HN_AVX2 void float_strip_avx2(const HnPropagateRun *run, const float *x, const float *row_scale, float *y,
                                        float *sum, const bool weighted) {
    switch ((run->width + 7) / 8) {
    case 1:
        float_rows_avx2(run, x, row_scale, y, sum, 1, weighted);
        return;
    case 2:
        float_rows_avx2(run, x, row_scale, y, sum, 2, weighted);
        return;
    case 3:
        float_rows_avx2(run, x, row_scale, y, sum, 3, weighted);
        return;
    case 4:
        float_rows_avx2(run, x, row_scale, y, sum, 4, weighted);
        return;
    case 5:
        float_rows_avx2(run, x, row_scale, y, sum, 5, weighted);
        return;
    case 6:
        float_rows_avx2(run, x, row_scale, y, sum, 6, weighted);
        return;
    case 7:
        float_rows_avx2(run, x, row_scale, y, sum, 7, weighted);
        return;
    default:
        float_rows_avx2(run, x, row_scale, y, sum, 8, weighted);
        return;
    }
}

HN_AVX2 void hn_propagate_float_avx2(const HnPropagateRun *run, const float *x, const float *row_scale, float *y,
                                     float *sum) {
    if (run->graph->column_scale != NULL) {
        float_strip_avx2(run, x, row_scale, y, sum, true);
    } else {
        float_strip_avx2(run, x, row_scale, y, sum, false);
    }
}

/* 8 floats at a time become two vectors of 4 integers. */
HN_INLINE HN_AVX2 void fixed_rows_avx2(const HnPropagateRun *run, const float *x, int64_t *y, const int n_vectors) {
    const uint64_t *offsets = run->graph->offsets;
    const int32_t *columns = run->graph->columns;
    const float *column_scale = run->graph->column_scale;
    const size_t dim = (size_t)run->dim;
    const int n_tail = run->width - 8 * (n_vectors - 1);
    const __m256i tail = lanes_avx2(n_tail);
    const float *strip = x + run->from;
    const uint64_t n_edges = offsets[run->graph->n_rows];
    for (uint64_t r = run->first; r < run->last; r++) {
        __m256i total[8];
        for (int v = 0; v < 2 * n_vectors; v++) {
            total[v] = _mm256_setzero_si256();
        }
        const uint64_t row_end = offsets[r + 1];
        for (uint64_t e = offsets[r]; e < row_end; e++) {
            const float *row = strip + (size_t)columns[e] * dim;
            const float *coming =
                strip + (size_t)columns[e + HN_PROPAGATE_AHEAD < n_edges ? e + HN_PROPAGATE_AHEAD : e] * dim;
            for (int v = 0; v < n_vectors; v += 2) {
                HN_PREFETCH(coming + 8 * v);
            }
            const __m256 weight =
                _mm256_set1_ps(column_scale != NULL ? column_scale[columns[e]] * run->factor : run->factor);
            for (int v = 0; v < n_vectors; v++) {
                const __m256 part =
                    v < n_vectors - 1 ? _mm256_loadu_ps(row + 8 * v) : _mm256_maskload_ps(row + 8 * v, tail);
                const __m256i whole = _mm256_cvtps_epi32(_mm256_mul_ps(weight, part));
                const __m128i low = _mm256_castsi256_si128(whole), high = _mm256_extracti128_si256(whole, 1);
                total[2 * v] = _mm256_add_epi64(total[2 * v], _mm256_cvtepi32_epi64(low));
                total[2 * v + 1] = _mm256_add_epi64(total[2 * v + 1], _mm256_cvtepi32_epi64(high));
            }
        }
        int64_t *into = y + (size_t)(r - run->first) * (size_t)run->width;
        for (int v = 0; v < n_vectors; v++) {
            const int n_low = v < n_vectors - 1 ? 4 : n_tail, n_high = v < n_vectors - 1 ? 4 : n_tail - 4;
            const __m256i lane = _mm256_setr_epi64x(0, 1, 2, 3);
            _mm256_maskstore_epi64((long long *)(into + 8 * v), _mm256_cmpgt_epi64(_mm256_set1_epi64x(n_low), lane),
                                   total[2 * v]);
            _mm256_maskstore_epi64((long long *)(into + 8 * v + 4),
                                   _mm256_cmpgt_epi64(_mm256_set1_epi64x(n_high), lane), total[2 * v + 1]);
        }
    }
}

HN_AVX2 void hn_propagate_fixed_avx2(const HnPropagateRun *run, const float *x, int64_t *y) {
    switch ((run->width + 7) / 8) {
    case 1:
        fixed_rows_avx2(run, x, y, 1);
        return;
    case 2:
        fixed_rows_avx2(run, x, y, 2);
        return;
    case 3:
        fixed_rows_avx2(run, x, y, 3);
        return;
    default:
        fixed_rows_avx2(run, x, y, 4);
        return;
    }
}
#endif
