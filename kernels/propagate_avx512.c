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

/* 16 floats at a time become two vectors of 8 integers. */
HN_INLINE HN_AVX512 void fixed_rows_avx512(const HnPropagateRun *run, const float *x, int64_t *y, const int n_vectors) {
    const uint64_t *offsets = run->graph->offsets;
    const int32_t *columns = run->graph->columns;
    const float *column_scale = run->graph->column_scale;
    const size_t dim = (size_t)run->dim;
    const __mmask16 tail = (__mmask16)(0xFFFFu >> (16 * n_vectors - run->width));
    const float *strip = x + run->from;
    const uint64_t n_edges = offsets[run->graph->n_rows];
    for (uint64_t r = run->first; r < run->last; r++) {
        __m512i total[16];
        for (int v = 0; v < 2 * n_vectors; v++) {
            total[v] = _mm512_setzero_si512();
        }
        const uint64_t row_end = offsets[r + 1];
        for (uint64_t e = offsets[r]; e < row_end; e++) {
            const float *row = strip + (size_t)columns[e] * dim;
            const float *coming =
                strip + (size_t)columns[e + HN_PROPAGATE_AHEAD < n_edges ? e + HN_PROPAGATE_AHEAD : e] * dim;
            for (int v = 0; v < n_vectors; v++) {
                HN_PREFETCH(coming + 16 * v);
            }
            const __m512 weight =
                _mm512_set1_ps(column_scale != NULL ? column_scale[columns[e]] * run->factor : run->factor);
            for (int v = 0; v < n_vectors; v++) {
                const __m512 part =
                    v < n_vectors - 1 ? _mm512_loadu_ps(row + 16 * v) : _mm512_maskz_loadu_ps(tail, row + 16 * v);
                const __m512i whole = _mm512_cvtps_epi32(_mm512_mul_ps(weight, part));
                const __m256i low = _mm512_castsi512_si256(whole), high = _mm512_extracti64x4_epi64(whole, 1);
                total[2 * v] = _mm512_add_epi64(total[2 * v], _mm512_cvtepi32_epi64(low));
                total[2 * v + 1] = _mm512_add_epi64(total[2 * v + 1], _mm512_cvtepi32_epi64(high));
            }
        }
        int64_t *into = y + (size_t)(r - run->first) * (size_t)run->width;
        for (int v = 0; v < n_vectors; v++) {
            const __mmask16 keep = v < n_vectors - 1 ? (__mmask16)0xFFFF : tail;
            _mm512_mask_storeu_epi64(into + 16 * v, (__mmask8)keep, total[2 * v]);
            _mm512_mask_storeu_epi64(into + 16 * v + 8, (__mmask8)(keep >> 8), total[2 * v + 1]);
        }
    }
}

HN_AVX512 void hn_propagate_fixed_avx512(const HnPropagateRun *run, const float *x, int64_t *y) {
    switch ((run->width + 15) / 16) {
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
    default:
        fixed_rows_avx512(run, x, y, 8);
        return;
    }
}
#endif
