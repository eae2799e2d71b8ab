/* A register tile of rows x two vectors of columns; A's elements are broadcast from where they lie, B's rows are read
 * as they lie. Rows go by the tile's height, then by 4, then one by one; columns behind the last whole vector are
 * masked. */
#include "dense.h"

#include "cpu.h"
#include "cpu_target.h"

#if HN_X86

enum { ROWS_AVX512 = 12, COLUMNS_AVX512 = 32, ROWS_AVX2 = 6, COLUMNS_AVX2 = 16 };

/* One call's operands, at the tile's corner. */
typedef struct Corner {
    const float *a, *b;
    float *c;
    int64_t row_step, k_step, ldb, ldc, k;
    bool accumulate;
} Corner;

HN_INLINE HN_AVX512 void tile_avx512(Corner at, const int rows, __mmask16 low, __mmask16 high) {
    __m512 total[ROWS_AVX512][2];
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++) {
        total[i][0] = at.accumulate ? _mm512_maskz_loadu_ps(low, at.c + i * at.ldc) : _mm512_setzero_ps();
        total[i][1] = at.accumulate ? _mm512_maskz_loadu_ps(high, at.c + i * at.ldc + 16) : _mm512_setzero_ps();
    }
    for (int64_t l = 0; l < at.k; l++) {
        const __m512 first = _mm512_maskz_loadu_ps(low, at.b), second = _mm512_maskz_loadu_ps(high, at.b + 16);
#pragma GCC unroll 12
        for (int i = 0; i < rows; i++) {
            const __m512 left = _mm512_set1_ps(at.a[i * at.row_step]);
            total[i][0] = _mm512_fmadd_ps(left, first, total[i][0]);
            total[i][1] = _mm512_fmadd_ps(left, second, total[i][1]);
        }
        at.a += at.k_step;
        at.b += at.ldb;
    }
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++) {
        _mm512_mask_storeu_ps(at.c + i * at.ldc, low, total[i][0]);
        _mm512_mask_storeu_ps(at.c + i * at.ldc + 16, high, total[i][1]);
    }
}

HN_INLINE HN_AVX512 __mmask16 columns_avx512(int64_t left) {
    return (__mmask16)(left >= 16 ? 0xFFFFu : left > 0 ? (1u << left) - 1u : 0u);
}

HN_AVX512 static void dense_avx512(int64_t m, int64_t n, Corner whole) {
    for (int64_t j = 0; j < n; j += COLUMNS_AVX512) {
        const __mmask16 low = columns_avx512(n - j), high = columns_avx512(n - j - 16);
        Corner at = whole;
        int64_t i = 0;
        at.b += j;
        at.c += j;
        for (; i + ROWS_AVX512 <= m; i += ROWS_AVX512) {
            tile_avx512(at, ROWS_AVX512, low, high);
            at.a += ROWS_AVX512 * at.row_step, at.c += ROWS_AVX512 * at.ldc;
        }
        for (; i + 4 <= m; i += 4) {
            tile_avx512(at, 4, low, high);
            at.a += 4 * at.row_step, at.c += 4 * at.ldc;
        }
        for (; i < m; i++) {
            tile_avx512(at, 1, low, high);
            at.a += at.row_step, at.c += at.ldc;
        }
    }
}

HN_INLINE HN_AVX2 void tile_avx2(Corner at, const int rows, __m256i low, __m256i high) {
    __m256 total[ROWS_AVX2][2];
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) {
        total[i][0] = at.accumulate ? _mm256_maskload_ps(at.c + i * at.ldc, low) : _mm256_setzero_ps();
        total[i][1] = at.accumulate ? _mm256_maskload_ps(at.c + i * at.ldc + 8, high) : _mm256_setzero_ps();
    }
    for (int64_t l = 0; l < at.k; l++) {
        const __m256 first = _mm256_maskload_ps(at.b, low), second = _mm256_maskload_ps(at.b + 8, high);
#pragma GCC unroll 6
        for (int i = 0; i < rows; i++) {
            const __m256 left = _mm256_broadcast_ss(at.a + i * at.row_step);
            total[i][0] = _mm256_fmadd_ps(left, first, total[i][0]);
            total[i][1] = _mm256_fmadd_ps(left, second, total[i][1]);
        }
        at.a += at.k_step;
        at.b += at.ldb;
    }
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) {
        _mm256_maskstore_ps(at.c + i * at.ldc, low, total[i][0]);
        _mm256_maskstore_ps(at.c + i * at.ldc + 8, high, total[i][1]);
    }
}

HN_INLINE HN_AVX2 __m256i columns_avx2(int64_t left) {
    const int n = left > 8 ? 8 : (int)left;
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

HN_AVX2 static void dense_avx2(int64_t m, int64_t n, Corner whole) {
    for (int64_t j = 0; j < n; j += COLUMNS_AVX2) {
        const __m256i low = columns_avx2(n - j), high = columns_avx2(n - j - 8);
        Corner at = whole;
        int64_t i = 0;
        at.b += j;
        at.c += j;
        for (; i + ROWS_AVX2 <= m; i += ROWS_AVX2) {
            tile_avx2(at, ROWS_AVX2, low, high);
            at.a += ROWS_AVX2 * at.row_step, at.c += ROWS_AVX2 * at.ldc;
        }
        for (; i < m; i++) {
            tile_avx2(at, 1, low, high);
            at.a += at.row_step, at.c += at.ldc;
        }
    }
}
#endif

void hn_dense_cpu(int64_t m, int64_t n, int64_t k, HnDenseLeft left, const float *b, int64_t ldb, bool accumulate,
                  float *c, int64_t ldc) {
#if HN_X86
    const Corner whole = {left.a, b, c, left.row_step, left.k_step, ldb, ldc, k, accumulate};
    if (hn_cpu_path() == HN_CPU_AVX512) {
        dense_avx512(m, n, whole);
        return;
    }
    if (hn_cpu_path() == HN_CPU_AVX2) {
        dense_avx2(m, n, whole);
        return;
    }
#endif
    hn_dense_ref(m, n, k, left, b, ldb, accumulate, c, ldc);
}
