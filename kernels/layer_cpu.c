#include "layer.h"

#include <string.h>

#include "cpu.h"
#include "cpu_target.h"

enum { BLOCK = 16384, STRIP = 128, WORTH_THREADS = 100000 };

/* Without `bend` the slope is 1: multiplying by it changes nothing. */
static void finish_scalar(float *row, const float *bias, uint64_t n, float slope) {
    for (uint64_t c = 0; c < n; c++) {
        const float x = row[c] + bias[c];
        row[c] = x > 0.0f ? x : slope * x;
    }
}

static void unbend_scalar(float *d, const float *y, uint64_t n, float slope) {
    for (uint64_t i = 0; i < n; i++) {
        d[i] = y[i] > 0.0f ? d[i] : slope * d[i];
    }
}

/* At most STRIP columns. */
static void sums_scalar(const float *d, uint64_t n_rows, uint64_t width, uint64_t n, float *sums) {
    float total[STRIP] = {0};
    for (uint64_t r = 0; r < n_rows; r++) {
        for (uint64_t c = 0; c < n; c++) {
            total[c] += d[r * width + c];
        }
    }
    memcpy(sums, total, n * sizeof *sums);
}

#if HN_X86

HN_AVX512 static void finish_avx512(float *row, const float *bias, uint64_t n, float slope) {
    const __m512 factor = _mm512_set1_ps(slope), zero = _mm512_setzero_ps();
    for (uint64_t c = 0; c < n; c += 16) {
        const __mmask16 in = (__mmask16)(n - c >= 16 ? 0xFFFFu : (1u << (n - c)) - 1u);
        const __m512 x = _mm512_add_ps(_mm512_maskz_loadu_ps(in, row + c), _mm512_maskz_loadu_ps(in, bias + c));
        const __mmask16 positive = _mm512_cmp_ps_mask(x, zero, _CMP_GT_OQ);
        _mm512_mask_storeu_ps(row + c, in, _mm512_mask_mov_ps(_mm512_mul_ps(factor, x), positive, x));
    }
}

HN_AVX512 static void unbend_avx512(float *d, const float *y, uint64_t n, float slope) {
    const __m512 factor = _mm512_set1_ps(slope), zero = _mm512_setzero_ps();
    for (uint64_t i = 0; i < n; i += 16) {
        const __mmask16 in = (__mmask16)(n - i >= 16 ? 0xFFFFu : (1u << (n - i)) - 1u);
        const __m512 old = _mm512_maskz_loadu_ps(in, d + i);
        const __mmask16 positive = _mm512_cmp_ps_mask(_mm512_maskz_loadu_ps(in, y + i), zero, _CMP_GT_OQ);
        _mm512_mask_storeu_ps(d + i, in, _mm512_mask_mov_ps(_mm512_mul_ps(factor, old), positive, old));
    }
}

HN_AVX512 static void sums_avx512(const float *d, uint64_t n_rows, uint64_t width, uint64_t n, float *sums) {
    if (n != STRIP) {
        sums_scalar(d, n_rows, width, n, sums);
        return;
    }
    __m512 total[8];
#pragma GCC unroll 8
    for (int v = 0; v < 8; v++) {
        total[v] = _mm512_setzero_ps();
    }
    for (uint64_t r = 0; r < n_rows; r++) {
#pragma GCC unroll 8
        for (int v = 0; v < 8; v++) {
            total[v] = _mm512_add_ps(total[v], _mm512_loadu_ps(d + r * width + 16 * v));
        }
    }
#pragma GCC unroll 8
    for (int v = 0; v < 8; v++) {
        _mm512_storeu_ps(sums + 16 * v, total[v]);
    }
}

HN_AVX2 static void finish_avx2(float *row, const float *bias, uint64_t n, float slope) {
    const __m256 factor = _mm256_set1_ps(slope), zero = _mm256_setzero_ps();
    uint64_t c = 0;
    for (; c + 8 <= n; c += 8) {
        const __m256 x = _mm256_add_ps(_mm256_loadu_ps(row + c), _mm256_loadu_ps(bias + c));
        const __m256 positive = _mm256_cmp_ps(x, zero, _CMP_GT_OQ);
        _mm256_storeu_ps(row + c, _mm256_blendv_ps(_mm256_mul_ps(factor, x), x, positive));
    }
    finish_scalar(row + c, bias + c, n - c, slope);
}

HN_AVX2 static void unbend_avx2(float *d, const float *y, uint64_t n, float slope) {
    const __m256 factor = _mm256_set1_ps(slope), zero = _mm256_setzero_ps();
    uint64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256 old = _mm256_loadu_ps(d + i);
        const __m256 positive = _mm256_cmp_ps(_mm256_loadu_ps(y + i), zero, _CMP_GT_OQ);
        _mm256_storeu_ps(d + i, _mm256_blendv_ps(_mm256_mul_ps(factor, old), old, positive));
    }
    unbend_scalar(d + i, y + i, n - i, slope);
}
#endif

/* The functions of one path; sums wants at most STRIP columns. */
typedef struct Paths {
    void (*finish)(float *row, const float *bias, uint64_t n, float slope);
    void (*unbend)(float *d, const float *y, uint64_t n, float slope);
    void (*sums)(const float *d, uint64_t n_rows, uint64_t width, uint64_t n, float *sums);
} Paths;

static Paths paths_choose(void) {
#if HN_X86
    if (hn_cpu_path() == HN_CPU_AVX512) {
        return (Paths){finish_avx512, unbend_avx512, sums_avx512};
    }
    if (hn_cpu_path() == HN_CPU_AVX2) {
        return (Paths){finish_avx2, unbend_avx2, sums_scalar};
    }
#endif
    return (Paths){finish_scalar, unbend_scalar, sums_scalar};
}

void hn_layer_finish_cpu(float *rows, const float *bias, uint64_t n_rows, uint64_t width, bool bend, float slope) {
    const Paths paths = paths_choose();
#pragma omp parallel for schedule(static) if (n_rows * width > WORTH_THREADS)
    for (int64_t r = 0; r < (int64_t)n_rows; r++) {
        paths.finish(rows + (uint64_t)r * width, bias, width, bend ? slope : 1.0f);
    }
}

void hn_layer_unbend_cpu(float *d, const float *y, uint64_t n, float slope) {
    const Paths paths = paths_choose();
    const int64_t n_blocks = (int64_t)((n + BLOCK - 1) / BLOCK);
#pragma omp parallel for schedule(static) if (n > WORTH_THREADS)
    for (int64_t b = 0; b < n_blocks; b++) {
        const uint64_t at = (uint64_t)b * BLOCK, count = n - at < BLOCK ? n - at : BLOCK;
        paths.unbend(d + at, y + at, count, slope);
    }
}

void hn_layer_column_sums_cpu(const float *d, uint64_t n_rows, uint64_t width, uint64_t begin, uint64_t end,
                              float *sums) {
    const Paths paths = paths_choose();
#pragma omp parallel for schedule(static) if (n_rows * (end - begin) > WORTH_THREADS)
    for (int64_t c = (int64_t)begin; c < (int64_t)end; c += STRIP) {
        const uint64_t at = (uint64_t)c, count = end - at < STRIP ? end - at : STRIP;
        paths.sums(d + at, n_rows, width, count, sums + at);
    }
}
