#include "exp.h"

#include "cpu.h"
#include "cpu_target.h"
#include "exp_private.h"

#if HN_X86

/* The second operand of max and min is the result where one of them is NaN. */
HN_INLINE HN_AVX512 __m512 exp_of_16(__m512 x) {
    x = _mm512_min_ps(_mm512_max_ps(x, _mm512_set1_ps(HN_EXP_LEAST)), _mm512_set1_ps(HN_EXP_MOST));
    const __m512 magic = _mm512_set1_ps(HN_EXP_MAGIC);
    const __m512 whole = _mm512_fmadd_ps(x, _mm512_set1_ps(HN_EXP_LOG2E), magic), k = _mm512_sub_ps(whole, magic);
    const __m512 r =
        _mm512_fmadd_ps(k, _mm512_set1_ps(-HN_EXP_LN2_LOW), _mm512_fmadd_ps(k, _mm512_set1_ps(-HN_EXP_LN2_HIGH), x));
    __m512 p = _mm512_set1_ps(HN_EXP_P[0]);
#pragma GCC unroll 6
    for (int i = 1; i < HN_EXP_TERMS; i++) {
        p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(HN_EXP_P[i]));
    }
    const __m512 y = _mm512_add_ps(_mm512_fmadd_ps(p, _mm512_mul_ps(r, r), r), _mm512_set1_ps(1.0f));
    const __m512i power = _mm512_slli_epi32(_mm512_castps_si512(whole), 23);
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(y), power));
}

HN_AVX512 static void run_avx512(float *x, uint64_t n, float scale, float shift) {
    const __m512 factor = _mm512_set1_ps(scale), plus = _mm512_set1_ps(shift);
    uint64_t i = 0;
    for (; i + 32 <= n; i += 32) { /* two at a time: a chain waits for each of its steps */
        const __m512 low = exp_of_16(_mm512_fmadd_ps(factor, _mm512_loadu_ps(x + i), plus));
        const __m512 high = exp_of_16(_mm512_fmadd_ps(factor, _mm512_loadu_ps(x + i + 16), plus));
        _mm512_storeu_ps(x + i, low);
        _mm512_storeu_ps(x + i + 16, high);
    }
    for (; i < n; i += 16) {
        const __mmask16 in = (__mmask16)(n - i >= 16 ? 0xFFFFu : (1u << (n - i)) - 1u);
        _mm512_mask_storeu_ps(x + i, in, exp_of_16(_mm512_fmadd_ps(factor, _mm512_maskz_loadu_ps(in, x + i), plus)));
    }
}

HN_INLINE HN_AVX2 __m256 exp_of_8(__m256 x) {
    x = _mm256_min_ps(_mm256_max_ps(x, _mm256_set1_ps(HN_EXP_LEAST)), _mm256_set1_ps(HN_EXP_MOST));
    const __m256 magic = _mm256_set1_ps(HN_EXP_MAGIC);
    const __m256 whole = _mm256_fmadd_ps(x, _mm256_set1_ps(HN_EXP_LOG2E), magic), k = _mm256_sub_ps(whole, magic);
    const __m256 r =
        _mm256_fmadd_ps(k, _mm256_set1_ps(-HN_EXP_LN2_LOW), _mm256_fmadd_ps(k, _mm256_set1_ps(-HN_EXP_LN2_HIGH), x));
    __m256 p = _mm256_set1_ps(HN_EXP_P[0]);
#pragma GCC unroll 6
    for (int i = 1; i < HN_EXP_TERMS; i++) {
        p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(HN_EXP_P[i]));
    }
    const __m256 y = _mm256_add_ps(_mm256_fmadd_ps(p, _mm256_mul_ps(r, r), r), _mm256_set1_ps(1.0f));
    const __m256i power = _mm256_slli_epi32(_mm256_castps_si256(whole), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(y), power));
}

HN_AVX2 static uint64_t run_avx2(float *x, uint64_t n, float scale, float shift) {
    const __m256 factor = _mm256_set1_ps(scale), plus = _mm256_set1_ps(shift);
    uint64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        _mm256_storeu_ps(x + i, exp_of_8(_mm256_fmadd_ps(factor, _mm256_loadu_ps(x + i), plus)));
    }
    return i;
}
#endif

void hn_exp_cpu(float *x, uint64_t n, float scale, float shift) {
    uint64_t done = 0;
#if HN_X86
    if (hn_cpu_path() == HN_CPU_AVX512) {
        run_avx512(x, n, scale, shift);
        return;
    }
    if (hn_cpu_path() == HN_CPU_AVX2) {
        done = run_avx2(x, n, scale, shift);
    }
#endif
    hn_exp_ref(x + done, n - done, scale, shift);
}
