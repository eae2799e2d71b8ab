/* Bound by memory traffic, so one pass each, split evenly over the threads in blocks of fixed size. */
#include "fixed.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "cpu.h"
#include "cpu_target.h"
#include "fixed_private.h"

enum { BLOCK = 8192, WORTH_THREADS = 100000 };

static uint32_t max_bits_scalar(const float *x, uint64_t n) {
    uint32_t largest = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        bits &= 0x7FFFFFFFu;
        largest = bits > largest ? bits : largest;
    }
    return largest;
}

static void from_float_scalar(const float *x, const float factors[2], int32_t *q, uint64_t n) {
    for (uint64_t i = 0; i < n; i++) {
        q[i] = (int32_t)lrintf(x[i] * factors[0] * factors[1]);
    }
}

static void to_float_scalar(const int64_t *s, const float factors[2], float scale, float *y, float *sum, uint64_t n) {
    for (uint64_t i = 0; i < n; i++) {
        float value = scale * ((float)s[i] * factors[0] * factors[1]);
        y[i] = value;
        if (sum != NULL) {
            sum[i] += value;
        }
    }
}

#if HN_X86

HN_AVX2 static uint32_t max_bits_avx2(const float *x, uint64_t n) {
    const __m256i no_sign = _mm256_set1_epi32(0x7FFFFFFF);
    __m256i largest[4] = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(),
                          _mm256_setzero_si256()};
    uint64_t i = 0;
    for (; i + 32 <= n; i += 32) {
        for (int v = 0; v < 4; v++) {
            const __m256i bits = _mm256_loadu_si256((const __m256i *)(const void *)(x + i + 8 * v));
            largest[v] = _mm256_max_epu32(largest[v], _mm256_and_si256(bits, no_sign));
        }
    }
    uint32_t lanes[8];
    largest[0] = _mm256_max_epu32(_mm256_max_epu32(largest[0], largest[1]), _mm256_max_epu32(largest[2], largest[3]));
    _mm256_storeu_si256((__m256i *)(void *)lanes, largest[0]);
    uint32_t result = max_bits_scalar(x + i, n - i);
    for (int lane = 0; lane < 8; lane++) {
        result = lanes[lane] > result ? lanes[lane] : result;
    }
    return result;
}

HN_AVX2 static void from_float_avx2(const float *x, const float factors[2], int32_t *q, uint64_t n) {
    const __m256 first = _mm256_set1_ps(factors[0]), second = _mm256_set1_ps(factors[1]);
    uint64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256 scaled = _mm256_mul_ps(_mm256_mul_ps(_mm256_loadu_ps(x + i), first), second);
        _mm256_storeu_si256((__m256i *)(void *)(q + i), _mm256_cvtps_epi32(scaled));
    }
    from_float_scalar(x + i, factors, q + i, n - i);
}

HN_AVX512 static void to_float_avx512(const int64_t *s, const float factors[2], float scale, float *y, float *sum,
                                      uint64_t n) {
    const __m256 first = _mm256_set1_ps(factors[0]), second = _mm256_set1_ps(factors[1]);
    const __m256 row_scale = _mm256_set1_ps(scale);
    uint64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256 whole = _mm512_cvtepi64_ps(_mm512_loadu_si512(s + i));
        const __m256 value = _mm256_mul_ps(row_scale, _mm256_mul_ps(_mm256_mul_ps(whole, first), second));
        _mm256_storeu_ps(y + i, value);
        if (sum != NULL) {
            _mm256_storeu_ps(sum + i, _mm256_add_ps(_mm256_loadu_ps(sum + i), value));
        }
    }
    to_float_scalar(s + i, factors, scale, y + i, sum != NULL ? sum + i : NULL, n - i);
}

/* AVX2 converts no 64-bit integers. Below 2^51 in magnitude a double holds them exactly (put into the mantissa of
 * 1.5 * 2^52, which is then subtracted), and the one rounding is double to float; larger ones go one by one. */
HN_AVX2 static void to_float_avx2(const int64_t *s, const float factors[2], float scale, float *y, float *sum,
                                  uint64_t n) {
    const __m128 first = _mm_set1_ps(factors[0]), second = _mm_set1_ps(factors[1]), row_scale = _mm_set1_ps(scale);
    const __m256d magic = _mm256_set1_pd(6755399441055744.0);
    const __m256i bound = _mm256_set1_epi64x(INT64_C(1) << 51), low = _mm256_set1_epi64x(-(INT64_C(1) << 51));
    uint64_t i = 0;
    for (; i + 4 <= n; i += 4) {
        const __m256i whole = _mm256_loadu_si256((const __m256i *)(const void *)(s + i));
        const __m256i inside = _mm256_and_si256(_mm256_cmpgt_epi64(bound, whole), _mm256_cmpgt_epi64(whole, low));
        if (_mm256_movemask_epi8(inside) != -1) {
            to_float_scalar(s + i, factors, scale, y + i, sum != NULL ? sum + i : NULL, 4);
            continue;
        }
        const __m256i biased = _mm256_add_epi64(whole, _mm256_castpd_si256(magic));
        const __m128 rounded = _mm256_cvtpd_ps(_mm256_sub_pd(_mm256_castsi256_pd(biased), magic));
        const __m128 value = _mm_mul_ps(row_scale, _mm_mul_ps(_mm_mul_ps(rounded, first), second));
        _mm_storeu_ps(y + i, value);
        if (sum != NULL) {
            _mm_storeu_ps(sum + i, _mm_add_ps(_mm_loadu_ps(sum + i), value));
        }
    }
    to_float_scalar(s + i, factors, scale, y + i, sum != NULL ? sum + i : NULL, n - i);
}

HN_AVX512 static uint64_t add_avx512(const float *x, float factor, int64_t *totals, uint64_t n) {
    const __m256 scale = _mm256_set1_ps(factor);
    uint64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m512i whole = _mm512_cvtps_epi64(_mm256_mul_ps(_mm256_loadu_ps(x + i), scale));
        _mm512_storeu_si512(totals + i, _mm512_add_epi64(_mm512_loadu_si512(totals + i), whole));
    }
    return i;
}
#endif

static uint32_t max_bits(HnCpuPath path, const float *x, uint64_t n) {
#if HN_X86
    if (path != HN_CPU_SCALAR) {
        return max_bits_avx2(x, n);
    }
#endif
    (void)path;
    return max_bits_scalar(x, n);
}

static uint32_t max_bits_of_all(HnCpuPath path, const float *x, uint64_t n) {
    const int64_t n_blocks = (int64_t)((n + BLOCK - 1) / BLOCK);
    uint32_t largest = 0;
#pragma omp parallel for schedule(static) reduction(max : largest)
    for (int64_t b = 0; b < n_blocks; b++) {
        const uint64_t first = (uint64_t)b * BLOCK, count = n - first < BLOCK ? n - first : BLOCK;
        const uint32_t bits = max_bits(path, x + first, count);
        largest = bits > largest ? bits : largest;
    }
    return largest;
}

/* Callers ask about single rows from their own threads, where even a parallel region of one costs more than the row. */
float hn_max_magnitude_cpu(const float *x, uint64_t n) {
    const HnCpuPath path = hn_cpu_path();
    const uint32_t largest = n > WORTH_THREADS ? max_bits_of_all(path, x, n) : max_bits(path, x, n);
    float value;
    memcpy(&value, &largest, sizeof value);
    return value;
}

void hn_fixed_from_float_cpu(const float *x, int shift, int32_t *q, uint64_t n) {
    const HnCpuPath path = hn_cpu_path();
    const int64_t n_blocks = (int64_t)((n + BLOCK - 1) / BLOCK);
    float factors[2];
    hn_fixed_factors(shift, factors);
#pragma omp parallel for schedule(static) if (n > WORTH_THREADS)
    for (int64_t b = 0; b < n_blocks; b++) {
        const uint64_t first = (uint64_t)b * BLOCK, count = n - first < BLOCK ? n - first : BLOCK;
#if HN_X86
        if (path != HN_CPU_SCALAR) {
            from_float_avx2(x + first, factors, q + first, count);
            continue;
        }
#endif
        from_float_scalar(x + first, factors, q + first, count);
    }
    (void)path;
}

void hn_fixed_row_to_float(const int64_t *s, const float factors[2], float scale, float *y, float *sum, uint64_t n) {
#if HN_X86
    const HnCpuPath path = hn_cpu_path();
    if (path == HN_CPU_AVX512) {
        to_float_avx512(s, factors, scale, y, sum, n);
        return;
    }
    if (path == HN_CPU_AVX2) {
        to_float_avx2(s, factors, scale, y, sum, n);
        return;
    }
#endif
    to_float_scalar(s, factors, scale, y, sum, n);
}

void hn_fixed_to_float_cpu(const int64_t *s, int shift, const float *row_scale, float *y, float *sum, uint64_t n_rows,
                           int dim) {
    const uint64_t width = (uint64_t)dim;
    float factors[2];
    hn_fixed_factors(-shift, factors);
#pragma omp parallel for schedule(static) if (n_rows * width > WORTH_THREADS)
    for (int64_t r = 0; r < (int64_t)n_rows; r++) {
        const uint64_t at = (uint64_t)r * width;
        hn_fixed_row_to_float(s + at, factors, row_scale != NULL ? row_scale[r] : 1.0f, y + at,
                              sum != NULL ? sum + at : NULL, width);
    }
}

void hn_fixed_add_cpu(const float *x, int shift, int64_t *totals, uint64_t n) {
    uint64_t done = 0;
#if HN_X86
    if (hn_cpu_path() == HN_CPU_AVX512) {
        done = add_avx512(x, ldexpf(1.0f, shift), totals, n);
    }
#endif
    hn_fixed_add_ref(x + done, shift, totals + done, n - done);
}
