/* Tiles of scores held in registers: each score is one chain of fused multiply-adds over the dimensions in order. */
#include <math.h>

#include "cpu.h"
#include "cpu_target.h"
#include "rank_private.h"

enum { SCALAR_USERS = 4, SCALAR_ITEMS = 16 };

static void tile_scalar(const float *users, const float *items, int dim, const float *threshold, float *scores,
                        uint32_t *passing) {
    for (int i = 0; i < SCALAR_USERS * SCALAR_ITEMS; i++) {
        scores[i] = 0.0f;
    }
    for (int d = 0; d < dim; d++) {
        for (int u = 0; u < SCALAR_USERS; u++) {
            for (int i = 0; i < SCALAR_ITEMS; i++) {
                float *score = &scores[u * SCALAR_ITEMS + i];
                *score = fmaf(users[d * SCALAR_USERS + u], items[d * SCALAR_ITEMS + i], *score);
            }
        }
    }
    for (int u = 0; u < SCALAR_USERS; u++) {
        passing[u] = 0;
        for (int i = 0; i < SCALAR_ITEMS; i++) {
            passing[u] |= (uint32_t) !(scores[u * SCALAR_ITEMS + i] <= threshold[u]) << i;
        }
    }
}

#if HN_X86

/* 12 users x 32 items: 24 of 32 registers accumulate. */
HN_AVX512 static void tile_avx512(const float *users, const float *items, int dim, const float *threshold,
                                  float *scores, uint32_t *passing) {
    __m512 total[12][2];
#pragma GCC unroll 12
    for (int u = 0; u < 12; u++) {
        total[u][0] = _mm512_setzero_ps();
        total[u][1] = _mm512_setzero_ps();
    }
    for (int d = 0; d < dim; d++) {
        const __m512 low = _mm512_loadu_ps(items), high = _mm512_loadu_ps(items + 16);
#pragma GCC unroll 12
        for (int u = 0; u < 12; u++) {
            const __m512 user = _mm512_set1_ps(users[u]);
            total[u][0] = _mm512_fmadd_ps(user, low, total[u][0]);
            total[u][1] = _mm512_fmadd_ps(user, high, total[u][1]);
        }
        users += 12;
        items += 32;
    }
#pragma GCC unroll 12
    for (int u = 0; u < 12; u++) {
        const __m512 bound = _mm512_set1_ps(threshold[u]);
        const uint32_t low = _mm512_cmp_ps_mask(total[u][0], bound, _CMP_NLE_UQ);
        const uint32_t high = _mm512_cmp_ps_mask(total[u][1], bound, _CMP_NLE_UQ);
        passing[u] = low | high << 16;
        _mm512_storeu_ps(scores + 32 * u, total[u][0]);
        _mm512_storeu_ps(scores + 32 * u + 16, total[u][1]);
    }
}

/* 6 users x 16 items: 12 of 16 registers accumulate. */
HN_AVX2 static void tile_avx2(const float *users, const float *items, int dim, const float *threshold, float *scores,
                              uint32_t *passing) {
    __m256 total[6][2];
#pragma GCC unroll 6
    for (int u = 0; u < 6; u++) {
        total[u][0] = _mm256_setzero_ps();
        total[u][1] = _mm256_setzero_ps();
    }
    for (int d = 0; d < dim; d++) {
        const __m256 low = _mm256_loadu_ps(items), high = _mm256_loadu_ps(items + 8);
#pragma GCC unroll 6
        for (int u = 0; u < 6; u++) {
            const __m256 user = _mm256_broadcast_ss(users + u);
            total[u][0] = _mm256_fmadd_ps(user, low, total[u][0]);
            total[u][1] = _mm256_fmadd_ps(user, high, total[u][1]);
        }
        users += 6;
        items += 16;
    }
#pragma GCC unroll 6
    for (int u = 0; u < 6; u++) {
        const __m256 bound = _mm256_broadcast_ss(threshold + u);
        const int low = _mm256_movemask_ps(_mm256_cmp_ps(total[u][0], bound, _CMP_NLE_UQ));
        const int high = _mm256_movemask_ps(_mm256_cmp_ps(total[u][1], bound, _CMP_NLE_UQ));
        passing[u] = (uint32_t)(low | high << 8);
        _mm256_storeu_ps(scores + 16 * u, total[u][0]);
        _mm256_storeu_ps(scores + 16 * u + 8, total[u][1]);
    }
}
#endif

HnRankTile hn_rank_tile(void) {
#if HN_X86
    if (hn_cpu_path() == HN_CPU_AVX512) {
        return (HnRankTile){12, 32, tile_avx512};
    }
    if (hn_cpu_path() == HN_CPU_AVX2) {
        return (HnRankTile){6, 16, tile_avx2};
    }
#endif
    return (HnRankTile){SCALAR_USERS, SCALAR_ITEMS, tile_scalar};
}
