#include "product_near.h"

#include <math.h>

#include "cpu.h"
#include "cpu_target.h"

#if HN_X86

/* ROWS x 16 COLUMNS of C, which stay in registers. */
HN_INLINE HN_AVX512 void tile_avx512(const HnNear *p, int64_t row, int64_t column, int rows, int columns) {
    const float *a = p->a + row * p->a_row, *b = p->b + column;
    const int64_t a_row = p->a_row, a_step = p->a_step, ldb = p->ldb, ldc = p->ldc;
    float *c = p->c + row * ldc + column;
    __m512 total[12][2];
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++) {
#pragma GCC unroll 2
        for (int v = 0; v < columns; v++) {
            total[i][v] = p->from_c ? _mm512_loadu_ps(c + i * ldc + 16 * v) : _mm512_setzero_ps();
        }
    }
    for (int64_t l = p->k; l > 0; l--) {
        __m512 right[2];
#pragma GCC unroll 2
        for (int v = 0; v < columns; v++) {
            right[v] = _mm512_loadu_ps(b + 16 * v);
        }
#pragma GCC unroll 12
        for (int i = 0; i < rows; i++) {
            const __m512 left = _mm512_set1_ps(a[i * a_row]);
#pragma GCC unroll 2
            for (int v = 0; v < columns; v++) {
                total[i][v] = _mm512_fmadd_ps(left, right[v], total[i][v]);
            }
        }
        a += a_step;
        b += ldb;
    }
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++) {
#pragma GCC unroll 2
        for (int v = 0; v < columns; v++) {
            _mm512_storeu_ps(c + i * ldc + 16 * v, total[i][v]);
        }
    }
}

HN_INLINE HN_AVX512 void column_avx512(const HnNear *p, int64_t column, int columns) {
    int64_t row = 0;
    for (; row + 12 <= p->m; row += 12) {
        tile_avx512(p, row, column, 12, columns);
    }
    for (; row + 8 <= p->m; row += 8) {
        tile_avx512(p, row, column, 8, columns);
    }
    for (; row + 4 <= p->m; row += 4) {
        tile_avx512(p, row, column, 4, columns);
    }
    for (; row < p->m; row++) {
        tile_avx512(p, row, column, 1, columns);
    }
}

HN_AVX512 static void near_avx512(const HnNear *p) {
    int64_t column = 0;
    for (; column + 32 <= p->n; column += 32) {
        column_avx512(p, column, 2);
    }
    if (column < p->n) {
        column_avx512(p, column, 1);
    }
}

/* ROWS x 16 of C. */
HN_INLINE HN_AVX2 void tile_avx2(const HnNear *p, int64_t row, int64_t column, int rows) {
    const float *a = p->a + row * p->a_row, *b = p->b + column;
    const int64_t a_row = p->a_row, a_step = p->a_step, ldb = p->ldb, ldc = p->ldc;
    float *c = p->c + row * ldc + column;
    __m256 total[6][2];
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) {
        total[i][0] = p->from_c ? _mm256_loadu_ps(c + i * ldc) : _mm256_setzero_ps();
        total[i][1] = p->from_c ? _mm256_loadu_ps(c + i * ldc + 8) : _mm256_setzero_ps();
    }
    for (int64_t l = p->k; l > 0; l--) {
        const __m256 low = _mm256_loadu_ps(b), high = _mm256_loadu_ps(b + 8);
#pragma GCC unroll 6
        for (int i = 0; i < rows; i++) {
            const __m256 left = _mm256_broadcast_ss(a + i * a_row);
            total[i][0] = _mm256_fmadd_ps(left, low, total[i][0]);
            total[i][1] = _mm256_fmadd_ps(left, high, total[i][1]);
        }
        a += a_step;
        b += ldb;
    }
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) {
        _mm256_storeu_ps(c + i * ldc, total[i][0]);
        _mm256_storeu_ps(c + i * ldc + 8, total[i][1]);
    }
}

HN_AVX2 static void near_avx2(const HnNear *p) {
    for (int64_t column = 0; column < p->n; column += 16) {
        int64_t row = 0;
        for (; row + 6 <= p->m; row += 6) {
            tile_avx2(p, row, column, 6);
        }
        for (; row < p->m; row++) {
            tile_avx2(p, row, column, 1);
        }
    }
}
#endif

static void near_scalar(const HnNear *p) {
    for (int64_t i = 0; i < p->m; i++) {
        for (int64_t j = 0; j < p->n; j++) {
            float total = p->from_c ? p->c[i * p->ldc + j] : 0.0f;
            for (int64_t l = 0; l < p->k; l++) {
                total = fmaf(p->a[i * p->a_row + l * p->a_step], p->b[l * p->ldb + j], total);
            }
            p->c[i * p->ldc + j] = total;
        }
    }
}

void hn_product_near_cpu(const HnNear *product) {
#if HN_X86
    if (hn_cpu_path() == HN_CPU_AVX512) {
        near_avx512(product);
        return;
    }
    if (hn_cpu_path() == HN_CPU_AVX2) {
        near_avx2(product);
        return;
    }
#endif
    near_scalar(product);
}
