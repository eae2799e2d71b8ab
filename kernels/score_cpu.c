#include "score.h"

#include <math.h>

#include "cpu.h"
#include "cpu_target.h"
#include "row.h"

static void scores_one_by_one(const HnScoreTable *table, const float *row, const int32_t *chosen, int n,
                              float *scores) {
    const HnRowOps *ops = hn_row_ops_cpu();
    for (int m = 0; m < n; m++) {
        scores[m] = ops->dot(row, table->rows + (size_t)chosen[m] * table->stride, table->n_columns);
    }
}

#if HN_X86

/* ---- scores: 16 rows' lanes are added by one tree, transposed on the way down ---- */

enum { ROWS = 16 };

HN_INLINE HN_AVX512 __m512 lanes_avx512(const float *a, const float *b, int n) {
    __m512 lanes = _mm512_setzero_ps();
    int i = 0;
    for (; i + 16 <= n; i += 16) {
        lanes = _mm512_fmadd_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i), lanes);
    }
    if (i < n) {
        const __mmask16 in = (__mmask16)((1u << (n - i)) - 1u);
        lanes = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(in, a + i), _mm512_maskz_loadu_ps(in, b + i), lanes);
    }
    return lanes;
}

/* Sums of lanes 8 apart, of two rows; 4 apart, of four; 2 apart, of eight; 1 apart, of sixteen. */
HN_INLINE HN_AVX512 __m512 add_8_apart(__m512 x, __m512 y) {
    return _mm512_add_ps(_mm512_shuffle_f32x4(x, y, 0x44), _mm512_shuffle_f32x4(x, y, 0xEE));
}

HN_INLINE HN_AVX512 __m512 add_4_apart(__m512 x, __m512 y) {
    return _mm512_add_ps(_mm512_shuffle_f32x4(x, y, 0x88), _mm512_shuffle_f32x4(x, y, 0xDD));
}

HN_INLINE HN_AVX512 __m512 add_2_apart(__m512 x, __m512 y) {
    return _mm512_add_ps(_mm512_shuffle_ps(x, y, 0x44), _mm512_shuffle_ps(x, y, 0xEE));
}

HN_INLINE HN_AVX512 __m512 add_1_apart(__m512 x, __m512 y) {
    return _mm512_add_ps(_mm512_shuffle_ps(x, y, 0x88), _mm512_shuffle_ps(x, y, 0xDD));
}

HN_INLINE HN_AVX512 __m512 four_rows(const HnScoreTable *table, const float *row, const int32_t *chosen, int n) {
    __m512 lanes[4];
    for (int m = 0; m < 4; m++) {
        lanes[m] = lanes_avx512(row, table->rows + (size_t)chosen[m] * table->stride, n);
    }
    return add_4_apart(add_8_apart(lanes[0], lanes[1]), add_8_apart(lanes[2], lanes[3]));
}

HN_INLINE HN_AVX512 void sixteen_rows(const HnScoreTable *table, const float *row, const int32_t *chosen, int n,
                                      float *scores) {
    const __m512 low = add_2_apart(four_rows(table, row, chosen, n), four_rows(table, row, chosen + 4, n));
    const __m512 high = add_2_apart(four_rows(table, row, chosen + 8, n), four_rows(table, row, chosen + 12, n));
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    _mm512_storeu_ps(scores, _mm512_permutexvar_ps(order, add_1_apart(low, high)));
}

HN_AVX512 static void scores_avx512(const HnScoreTable *table, const float *row, const int32_t *chosen, int n,
                                    float *scores) {
    int m = 0;
    for (; m + ROWS <= n; m += ROWS) {
        if (table->n_columns == 64) { /* the usual width: no loop, and the row stays in registers */
            sixteen_rows(table, row, chosen + m, 64, scores + m);
        } else {
            sixteen_rows(table, row, chosen + m, table->n_columns, scores + m);
        }
    }
    scores_one_by_one(table, row, chosen + m, n - m, scores + m);
}

/* ---- places ---- */

HN_AVX512 static int largest_avx512(const float *x, int n) {
    const __m512 least = _mm512_set1_ps(-INFINITY);
    __m512 most = least;
    for (int m = 0; m < n; m += 16) {
        const __mmask16 in = (__mmask16)(n - m < 16 ? (1u << (n - m)) - 1u : 0xFFFFu);
        most = _mm512_max_ps(_mm512_mask_loadu_ps(least, in, x + m), most); /* the second, where either is no number */
    }
    const __m512 largest = _mm512_set1_ps(_mm512_reduce_max_ps(most));
    for (int m = 0; m < n; m += 16) {
        const __mmask16 in = (__mmask16)(n - m < 16 ? (1u << (n - m)) - 1u : 0xFFFFu);
        const __mmask16 equal = _mm512_mask_cmp_ps_mask(in, _mm512_maskz_loadu_ps(in, x + m), largest, _CMP_EQ_OQ);
        if (equal != 0) {
            return m + __builtin_ctz(equal);
        }
    }
    return 0;
}

HN_INLINE HN_AVX512 __m512d distance_avx512(const float *x, int left, __m512d wanted, __mmask8 *in) {
    *in = (__mmask8)(left < 8 ? (1u << left) - 1u : 0xFFu);
    return _mm512_abs_pd(_mm512_sub_pd(_mm512_cvtps_pd(_mm256_maskz_loadu_ps(*in, x)), wanted));
}

HN_AVX512 static int nearest_avx512(const float *x, int n, double wanted) {
    const __m512d from = _mm512_set1_pd(wanted);
    __m512d least = _mm512_set1_pd(INFINITY);
    __mmask8 in;
    for (int m = 0; m < n; m += 8) {
        const __m512d apart = distance_avx512(x + m, n - m, from, &in);
        least = _mm512_mask_min_pd(least, in, apart, least);
    }
    const __m512d nearest = _mm512_set1_pd(_mm512_reduce_min_pd(least));
    for (int m = 0; m < n; m += 8) {
        const __m512d apart = distance_avx512(x + m, n - m, from, &in);
        const __mmask8 equal = _mm512_mask_cmp_pd_mask(in, apart, nearest, _CMP_EQ_OQ);
        if (equal != 0) {
            return m + __builtin_ctz(equal);
        }
    }
    return 0;
}
#endif

void hn_scores_cpu(const HnScoreTable *table, const float *row, const int32_t *chosen, int n, float *scores) {
#if HN_X86
    if (hn_cpu_path() == HN_CPU_AVX512) {
        scores_avx512(table, row, chosen, n, scores);
        return;
    }
#endif
    scores_one_by_one(table, row, chosen, n, scores);
}

int hn_score_largest_cpu(const float *scores, int n) {
#if HN_X86
    if (hn_cpu_path() == HN_CPU_AVX512 && !isnan(scores[0])) {
        return largest_avx512(scores, n);
    }
#endif
    return hn_score_largest_ref(scores, n);
}

int hn_score_nearest_cpu(const float *scores, int n, double wanted) {
#if HN_X86
    if (hn_cpu_path() == HN_CPU_AVX512 && !isnan((double)scores[0] - wanted)) {
        return nearest_avx512(scores, n, wanted);
    }
#endif
    return hn_score_nearest_ref(scores, n, wanted);
}
