/* Private to `linear`: what its 512-bit paths do around their inner loops. */
#ifndef HN_KERNEL_LINEAR_512_H
#define HN_KERNEL_LINEAR_512_H

#include "cpu_target.h"
#include "linear_private.h"

#if HN_X86

enum { HN_VECTORS = HN_STRIP / 16 };

/* Sums of a block with a scale begin at zero, others go on from y; vectors first .. first+vectors-1 of the strip's. */
HN_INLINE HN_AVX512 void hn_totals_begin(const HnLinearTile *t, const int rows, const int first, const int vectors,
                                         const float *scale, __m512 (*total)[HN_VECTORS]) {
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++) {
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            total[i][v] = scale != NULL ? _mm512_setzero_ps() : _mm512_loadu_ps(t->y + i * t->ldy + 16 * (first + v));
        }
    }
}

HN_INLINE HN_AVX512 void hn_totals_end(const HnLinearTile *t, const int rows, const int first, const int vectors,
                                       const float *scale, __m512 (*total)[HN_VECTORS]) {
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++) {
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            float *y = t->y + i * t->ldy + 16 * (first + v);
            const __m512 result = total[i][v];
            _mm512_storeu_ps(y, scale != NULL ? _mm512_fmadd_ps(result, _mm512_loadu_ps(scale + 16 * (first + v)),
                                                                _mm512_loadu_ps(y))
                                              : result);
        }
    }
}

/* HnLinearOps.scales, in linear_avx512.c. */
void hn_linear_scales_512(const unsigned char *code, const float *step, float *scale);
/* HnLinearOps.widen and .round_x where pairs of bf16 are multiplied, in linear_bf16.c. */
void hn_linear_widen_pairs(HnWeightType type, const unsigned char *w, int64_t k, void *panel);
void hn_linear_round_pairs(const float *x, int64_t k, int64_t k_padded, uint16_t *out);

#endif
#endif
