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

static void pack_plain(const float *x, int64_t row_step, int64_t k_step, int64_t n_rows, int width, int64_t k_begin,
                       int64_t k, float *out) {
    for (int64_t l = k_begin; l < k; l++) {
        for (int i = 0; i < width; i++) {
            out[l * width + i] = i < n_rows ? x[i * row_step + l * k_step] : 0.0f;
        }
    }
}

/* Rows of the strip lie along k: 4 x 4 blocks are turned in registers. */
static void pack_turned(const float *x, int64_t ld, int width, int64_t k, float *out) {
    int64_t l = 0;
#if HN_X86
    for (; l + 4 <= k; l += 4) {
        for (int i = 0; i < width; i += 4) {
            __m128 row0 = _mm_loadu_ps(x + i * ld + l), row1 = _mm_loadu_ps(x + (i + 1) * ld + l);
            __m128 row2 = _mm_loadu_ps(x + (i + 2) * ld + l), row3 = _mm_loadu_ps(x + (i + 3) * ld + l);
            _MM_TRANSPOSE4_PS(row0, row1, row2, row3);
            _mm_storeu_ps(out + l * width + i, row0);
            _mm_storeu_ps(out + (l + 1) * width + i, row1);
            _mm_storeu_ps(out + (l + 2) * width + i, row2);
            _mm_storeu_ps(out + (l + 3) * width + i, row3);
        }
    }
#endif
    pack_plain(x, ld, 1, width, width, l, k, out);
}

void hn_product_pack(const float *x, int64_t ld, bool across, int64_t n_rows, int width, int64_t k, float *out) {
    if (n_rows < width) {
        pack_plain(x, across ? 1 : ld, across ? ld : 1, n_rows, width, 0, k, out);
    } else if (!across) {
        pack_turned(x, ld, width, k, out);
    } else {
        for (int64_t l = 0; l < k; l++) {
            memcpy(out + l * width, x + l * ld, (size_t)width * sizeof *out);
        }
    }
}
