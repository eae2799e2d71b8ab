#include <math.h>

#include "cpu.h"
#include "cpu_target.h"
#include "row.h"

#if HN_X86

/* ---- AVX-512: the 16 lanes are one register; what is left over is a masked load ---- */

HN_INLINE HN_AVX512 __mmask16 tail_avx512(int n_left) {
    return (__mmask16)((1u << n_left) - 1u);
}

HN_INLINE HN_AVX2 float tree_of_8(__m256 lanes) {
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(lanes), _mm256_extractf128_ps(lanes, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

HN_AVX512 static float dot_avx512(const float *a, const float *b, int n) {
    __m512 lanes = _mm512_setzero_ps();
    int i = 0;
    for (; i + 16 <= n; i += 16) {
        lanes = _mm512_fmadd_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i), lanes);
    }
    if (i < n) {
        const __mmask16 in = tail_avx512(n - i);
        lanes = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(in, a + i), _mm512_maskz_loadu_ps(in, b + i), lanes);
    }
    return tree_of_8(_mm256_add_ps(_mm512_castps512_ps256(lanes), _mm512_extractf32x8_ps(lanes, 1)));
}

HN_AVX512 static void axpy_avx512(float *y, float alpha, const float *x, int n) {
    const __m512 factor = _mm512_set1_ps(alpha);
    int i = 0;
    for (; i + 16 <= n; i += 16) {
        _mm512_storeu_ps(y + i, _mm512_fmadd_ps(factor, _mm512_loadu_ps(x + i), _mm512_loadu_ps(y + i)));
    }
    if (i < n) {
        const __mmask16 in = tail_avx512(n - i);
        const __m512 old = _mm512_maskz_loadu_ps(in, y + i);
        _mm512_mask_storeu_ps(y + i, in, _mm512_fmadd_ps(factor, _mm512_maskz_loadu_ps(in, x + i), old));
    }
}

HN_AVX512 static void scale_avx512(float *y, float alpha, const float *x, int n) {
    const __m512 factor = _mm512_set1_ps(alpha);
    int i = 0;
    for (; i + 16 <= n; i += 16) {
        _mm512_storeu_ps(y + i, _mm512_mul_ps(factor, _mm512_loadu_ps(x + i)));
    }
    if (i < n) {
        const __mmask16 in = tail_avx512(n - i);
        _mm512_mask_storeu_ps(y + i, in, _mm512_mul_ps(factor, _mm512_maskz_loadu_ps(in, x + i)));
    }
}

HN_AVX512 static void mix_avx512(float *y, float alpha, const float *a, float beta, const float *b, int n) {
    const __m512 of_a = _mm512_set1_ps(alpha), of_b = _mm512_set1_ps(beta);
    int i = 0;
    for (; i + 16 <= n; i += 16) {
        const __m512 second = _mm512_mul_ps(of_b, _mm512_loadu_ps(b + i));
        _mm512_storeu_ps(y + i, _mm512_fmadd_ps(of_a, _mm512_loadu_ps(a + i), second));
    }
    if (i < n) {
        const __mmask16 in = tail_avx512(n - i);
        const __m512 second = _mm512_mul_ps(of_b, _mm512_maskz_loadu_ps(in, b + i));
        _mm512_mask_storeu_ps(y + i, in, _mm512_fmadd_ps(of_a, _mm512_maskz_loadu_ps(in, a + i), second));
    }
}

/* ---- AVX2: lanes 0-7 and 8-15 in two registers ---- */

HN_INLINE HN_AVX2 __m256i tail_avx2(int n, int i) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n - i), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

HN_AVX2 static float dot_avx2(const float *a, const float *b, int n) {
    __m256 low = _mm256_setzero_ps(), high = _mm256_setzero_ps();
    int i = 0;
    for (; i + 16 <= n; i += 16) {
        low = _mm256_fmadd_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i), low);
        high = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + 8), _mm256_loadu_ps(b + i + 8), high);
    }
    if (i < n) {
        const __m256i in_low = tail_avx2(n, i), in_high = tail_avx2(n, i + 8);
        low = _mm256_fmadd_ps(_mm256_maskload_ps(a + i, in_low), _mm256_maskload_ps(b + i, in_low), low);
        high = _mm256_fmadd_ps(_mm256_maskload_ps(a + i + 8, in_high), _mm256_maskload_ps(b + i + 8, in_high), high);
    }
    return tree_of_8(_mm256_add_ps(low, high));
}

HN_AVX2 static void axpy_avx2(float *y, float alpha, const float *x, int n) {
    const __m256 factor = _mm256_set1_ps(alpha);
    int i = 0;
    for (; i + 8 <= n; i += 8) {
        _mm256_storeu_ps(y + i, _mm256_fmadd_ps(factor, _mm256_loadu_ps(x + i), _mm256_loadu_ps(y + i)));
    }
    if (i < n) {
        const __m256i in = tail_avx2(n, i);
        const __m256 old = _mm256_maskload_ps(y + i, in);
        _mm256_maskstore_ps(y + i, in, _mm256_fmadd_ps(factor, _mm256_maskload_ps(x + i, in), old));
    }
}

HN_AVX2 static void scale_avx2(float *y, float alpha, const float *x, int n) {
    const __m256 factor = _mm256_set1_ps(alpha);
    int i = 0;
    for (; i + 8 <= n; i += 8) {
        _mm256_storeu_ps(y + i, _mm256_mul_ps(factor, _mm256_loadu_ps(x + i)));
    }
    if (i < n) {
        const __m256i in = tail_avx2(n, i);
        _mm256_maskstore_ps(y + i, in, _mm256_mul_ps(factor, _mm256_maskload_ps(x + i, in)));
    }
}

HN_AVX2 static void mix_avx2(float *y, float alpha, const float *a, float beta, const float *b, int n) {
    const __m256 of_a = _mm256_set1_ps(alpha), of_b = _mm256_set1_ps(beta);
    int i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256 second = _mm256_mul_ps(of_b, _mm256_loadu_ps(b + i));
        _mm256_storeu_ps(y + i, _mm256_fmadd_ps(of_a, _mm256_loadu_ps(a + i), second));
    }
    if (i < n) {
        const __m256i in = tail_avx2(n, i);
        const __m256 second = _mm256_mul_ps(of_b, _mm256_maskload_ps(b + i, in));
        _mm256_maskstore_ps(y + i, in, _mm256_fmadd_ps(of_a, _mm256_maskload_ps(a + i, in), second));
    }
}
#endif

const HnRowOps *hn_row_ops_cpu(void) {
#if HN_X86
    static const HnRowOps avx512 = {dot_avx512, axpy_avx512, scale_avx512, mix_avx512};
    static const HnRowOps avx2 = {dot_avx2, axpy_avx2, scale_avx2, mix_avx2};
    if (hn_cpu_path() == HN_CPU_AVX512) {
        return &avx512;
    }
    if (hn_cpu_path() == HN_CPU_AVX2) {
        return &avx2;
    }
#endif
    return hn_row_ops_ref();
}
