#include <math.h>
#include <string.h>

#include "cpu.h"
#include "cpu_target.h"
#include "product_private.h"

enum { SCALAR_ROWS = 4, SCALAR_COLUMNS = 8 };

static void tile_scalar(const float *a, const float *b, int64_t k, bool from_c, float *c, int64_t ldc) {
    float total[SCALAR_ROWS][SCALAR_COLUMNS] = {{0}};
    for (int i = 0; from_c && i < SCALAR_ROWS; i++) {
        memcpy(total[i], c + i * ldc, sizeof total[i]);
    }
    for (int64_t l = 0; l < k; l++) {
        for (int i = 0; i < SCALAR_ROWS; i++) {
            for (int j = 0; j < SCALAR_COLUMNS; j++) {
                total[i][j] = fmaf(a[l * SCALAR_ROWS + i], b[l * SCALAR_COLUMNS + j], total[i][j]);
            }
        }
    }
    for (int i = 0; i < SCALAR_ROWS; i++) {
        memcpy(c + i * ldc, total[i], sizeof total[i]);
    }
}

#if HN_X86

/* 12 rows x 32 columns: 24 of 32 registers accumulate. */
HN_AVX512 static void tile_avx512(const float *a, const float *b, int64_t k, bool from_c, float *c, int64_t ldc) {
    __m512 total[12][2];
#pragma GCC unroll 12
    for (int i = 0; i < 12; i++) {
        total[i][0] = from_c ? _mm512_loadu_ps(c + i * ldc) : _mm512_setzero_ps();
        total[i][1] = from_c ? _mm512_loadu_ps(c + i * ldc + 16) : _mm512_setzero_ps();
    }
    for (int64_t l = 0; l < k; l++) {
        const __m512 low = _mm512_load_ps(b), high = _mm512_load_ps(b + 16);
#pragma GCC unroll 12
        for (int i = 0; i < 12; i++) {
            const __m512 left = _mm512_set1_ps(a[i]);
            total[i][0] = _mm512_fmadd_ps(left, low, total[i][0]);
            total[i][1] = _mm512_fmadd_ps(left, high, total[i][1]);
        }
        a += 12;
        b += 32;
    }
#pragma GCC unroll 12
    for (int i = 0; i < 12; i++) {
        _mm512_storeu_ps(c + i * ldc, total[i][0]);
        _mm512_storeu_ps(c + i * ldc + 16, total[i][1]);
    }
}

/* 4 rows x 24 columns: 12 of 16 registers accumulate. */
HN_AVX2 static void tile_avx2(const float *a, const float *b, int64_t k, bool from_c, float *c, int64_t ldc) {
    __m256 total[4][3];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
#pragma GCC unroll 3
        for (int v = 0; v < 3; v++) {
            total[i][v] = from_c ? _mm256_loadu_ps(c + i * ldc + 8 * v) : _mm256_setzero_ps();
        }
    }
    for (int64_t l = 0; l < k; l++) {
        const __m256 right[3] = {_mm256_load_ps(b), _mm256_load_ps(b + 8), _mm256_load_ps(b + 16)};
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
            const __m256 left = _mm256_broadcast_ss(a + i);
            total[i][0] = _mm256_fmadd_ps(left, right[0], total[i][0]);
            total[i][1] = _mm256_fmadd_ps(left, right[1], total[i][1]);
            total[i][2] = _mm256_fmadd_ps(left, right[2], total[i][2]);
        }
        a += 4;
        b += 24;
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
#pragma GCC unroll 3
        for (int v = 0; v < 3; v++) {
            _mm256_storeu_ps(c + i * ldc + 8 * v, total[i][v]);
        }
    }
}
#endif

HnProductTile hn_product_tile(void) {
#if HN_X86
    if (hn_cpu_path() == HN_CPU_AVX512) {
        return (HnProductTile){12, 32, tile_avx512};
    }
    if (hn_cpu_path() == HN_CPU_AVX2) {
        return (HnProductTile){4, 24, tile_avx2};
    }
#endif
    return (HnProductTile){SCALAR_ROWS, SCALAR_COLUMNS, tile_scalar};
}
