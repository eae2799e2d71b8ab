/* A row's sum stays in registers over all its edges: the number of vectors of a strip is a constant in each instance of
 * the row loops. */
#include <stdbool.h>
#include <stddef.h>

#include "propagate_paths.h"

#if HN_X86

/* ---- AVX-512: n_vectors of 16 floats, the last one masked ---- */

HN_INLINE HN_AVX512 void float_rows_avx512(const HnPropagateRun *run, const float *x, const float *row_scale, float *y,
                                           float *sum, const int n_vectors, const bool weighted) {
    const uint64_t *offsets = run->graph->offsets;
    const int32_t *columns = run->graph->columns;
    const float *column_scale = run->graph->column_scale;
    const size_t dim = (size_t)run->dim;
    const __mmask16 tail = (__mmask16)(0xFFFFu >> (16 * n_vectors - run->width));
    const float *strip = x + run->from;
    const uint64_t n_edges = offsets[run->graph->n_rows];
    for (uint64_t r = run->first; r < run->last; r++) {
        __m512 total[8];
        for (int v = 0; v < n_vectors; v++) {
            total[v] = _mm512_setzero_ps();
        }
        const uint64_t row_end = offsets[r + 1];
        for (uint64_t e = offsets[r]; e < row_end; e++) {
            const float *row = strip + (size_t)columns[e] * dim;
            const float *coming =
                strip + (size_t)columns[e + HN_PROPAGATE_AHEAD < n_edges ? e + HN_PROPAGATE_AHEAD : e] * dim;
            for (int v = 0; v < n_vectors; v++) {
                HN_PREFETCH(coming + 16 * v);
            }
            const __m512 weight = _mm512_set1_ps(weighted ? column_scale[columns[e]] : 1.0f);
            for (int v = 0; v < n_vectors; v++) {
                const __m512 part =
                    v < n_vectors - 1 ? _mm512_loadu_ps(row + 16 * v) : _mm512_maskz_loadu_ps(tail, row + 16 * v);
                total[v] = weighted ? _mm512_fmadd_ps(weight, part, total[v]) : _mm512_add_ps(total[v], part);
            }
        }
        const __m512 scale = _mm512_set1_ps(row_scale != NULL ? row_scale[r] : 1.0f);
        float *into = y + (size_t)(r - run->y_first) * dim + run->from;
        for (int v = 0; v < n_vectors; v++) {
            const __mmask16 keep = v == n_vectors - 1 ? tail : (__mmask16)0xFFFF;
            const __m512 value = _mm512_mul_ps(scale, total[v]);
            _mm512_mask_storeu_ps(into + 16 * v, keep, value);
            if (sum != NULL) {
                float *also = sum + (size_t)r * dim + run->from + 16 * v;
                _mm512_mask_storeu_ps(also, keep, _mm512_add_ps(_mm512_maskz_loadu_ps(keep, also), value));
            }
        }
    }
}

HN_INLINE HN_AVX512 void float_strip_avx512(const HnPropagateRun *run, const float *x, const float *row_scale, float *y,
                                            float *sum, const bool weighted) {
    switch ((run->width + 15) / 16) {
    case 1:
        float_rows_avx512(run, x, row_scale, y, sum, 1, weighted);
        return;
    case 2:
        float_rows_avx512(run, x, row_scale, y, sum, 2, weighted);
        return;
    case 3:
        float_rows_avx512(run, x, row_scale, y, sum, 3, weighted);
        return;
    case 4:
        float_rows_avx512(run, x, row_scale, y, sum, 4, weighted);
        return;
    case 5:
        float_rows_avx512(run, x, row_scale, y, sum, 5, weighted);
        return;
    case 6:
        float_rows_avx512(run, x, row_scale, y, sum, 6, weighted);
        return;
    case 7:
        float_rows_avx512(run, x, row_scale, y, sum, 7, weighted);
        return;
    default:
        float_rows_avx512(run, x, row_scale, y, sum, 8, weighted);
        return;
    }
}

HN_AVX512 void hn_propagate_float_avx512(const HnPropagateRun *run, const float *x, const float *row_scale, float *y,
                                         float *sum) {
    if (run->graph->column_scale != NULL) {
        float_strip_avx512(run, x, row_scale, y, sum, true);
    } else {
        float_strip_avx512(run, x, row_scale, y, sum, false);
    }
}

/* Vectors of 8 integers, widened as they are loaded. */
HN_INLINE HN_AVX512 void fixed_rows_avx512(const HnPropagateRun *run, const int32_t *x, int64_t *y,
                                           const int n_vectors) {
    const uint64_t *offsets = run->graph->offsets;
    const int32_t *columns = run->graph->columns;
    const size_t dim = (size_t)run->dim;
    const __mmask8 tail = (__mmask8)(0xFFu >> (8 * n_vectors - run->width));
    const int32_t *strip = x + run->from;
    const uint64_t n_edges = offsets[run->graph->n_rows];
    for (uint64_t r = run->first; r < run->last; r++) {
        __m512i total[16];
        for (int v = 0; v < n_vectors; v++) {
            total[v] = _mm512_setzero_si512();
        }
        const uint64_t row_end = offsets[r + 1];
        for (uint64_t e = offsets[r]; e < row_end; e++) {
            const int32_t *row = strip + (size_t)columns[e] * dim;
            const int32_t *coming =
                strip + (size_t)columns[e + HN_PROPAGATE_AHEAD < n_edges ? e + HN_PROPAGATE_AHEAD : e] * dim;
            for (int v = 0; v < n_vectors; v += 2) {
                HN_PREFETCH(coming + 8 * v);
            }
            for (int v = 0; v < n_vectors - 1; v++) {
                const __m256i part = _mm256_loadu_si256((const __m256i *)(const void *)(row + 8 * v));
                total[v] = _mm512_add_epi64(total[v], _mm512_cvtepi32_epi64(part));
            }
            const int v = n_vectors - 1;
            total[v] = _mm512_add_epi64(total[v], _mm512_cvtepi32_epi64(_mm256_maskz_loadu_epi32(tail, row + 8 * v)));
        }
        const size_t at = (size_t)r * dim + (size_t)run->from;
        for (int v = 0; v < n_vectors; v++) {
            _mm512_mask_storeu_epi64(y + at + 8 * v, v == n_vectors - 1 ? tail : (__mmask8)0xFF, total[v]);
        }
    }
}

HN_AVX512 void hn_propagate_fixed_avx512(const HnPropagateRun *run, const int32_t *x, int64_t *y) {
    switch ((run->width + 7) / 8) {
    case 1:
        fixed_rows_avx512(run, x, y, 1);
        return;
    case 2:
        fixed_rows_avx512(run, x, y, 2);
        return;
    case 3:
        fixed_rows_avx512(run, x, y, 3);
        return;
    case 4:
        fixed_rows_avx512(run, x, y, 4);
        return;
    case 5:
        fixed_rows_avx512(run, x, y, 5);
        return;
    case 6:
        fixed_rows_avx512(run, x, y, 6);
        return;
    case 7:
        fixed_rows_avx512(run, x, y, 7);
        return;
    case 8:
        fixed_rows_avx512(run, x, y, 8);
        return;
    case 9:
        fixed_rows_avx512(run, x, y, 9);
        return;
    case 10:
        fixed_rows_avx512(run, x, y, 10);
        return;
    case 11:
        fixed_rows_avx512(run, x, y, 11);
        return;
    case 12:
        fixed_rows_avx512(run, x, y, 12);
        return;
    case 13:
        fixed_rows_avx512(run, x, y, 13);
        return;
    case 14:
        fixed_rows_avx512(run, x, y, 14);
        return;
    case 15:
        fixed_rows_avx512(run, x, y, 15);
        return;
    default:
        fixed_rows_avx512(run, x, y, 16);
        return;
    }
}
#endif
