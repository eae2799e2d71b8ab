/* A few vectors at a time stay in registers from step to step: a row that rests costs its divisions and roots, and goes
 * through memory once. Where a step moves no element, no later one does (what is taken off shrinks by a twentieth a
 * step at least), so only the moments are left to shrink. */
#include "adam.h"

#include "cpu.h"
#include "cpu_target.h"

#if HN_X86

enum { N_VECTORS = 4, LOOK_EVERY = 16 }; /* steps between looks at whether elements still move */
/* A moment that has sunk to the last bits of what a float can hold shrinks no further: elements so small that even that
 * could move them count as moving. */
static const float TINY = 1e-20f;

HN_INLINE HN_AVX512 void shrink_512(__m512 *m, __m512 *v, __m512 keep_m, __m512 keep_v) {
    *m = _mm512_add_ps(_mm512_mul_ps(keep_m, *m), _mm512_setzero_ps()); /* -0 becomes 0 */
    *v = _mm512_mul_ps(keep_v, *v);
}

/* One step; with look: whether an element moved. */
HN_INLINE HN_AVX512 bool step_512(__m512 *p, __m512 *m, __m512 *v, const HnAdamStep *s, const int n, const bool look) {
    const __m512 keep_m = _mm512_set1_ps(s->keep_m), keep_v = _mm512_set1_ps(s->keep_v);
    const __m512 rate = _mm512_set1_ps(s->rate), unbias = _mm512_set1_ps(s->unbias_v);
    const __m512 epsilon = _mm512_set1_ps(s->epsilon);
    __mmask16 moved = 0;
    for (int j = 0; j < n; j++) {
        const __m512 before = p[j];
        shrink_512(&m[j], &v[j], keep_m, keep_v);
        const __m512 below = _mm512_add_ps(_mm512_mul_ps(_mm512_sqrt_ps(v[j]), unbias), epsilon);
        p[j] = _mm512_sub_ps(before, _mm512_mul_ps(rate, _mm512_div_ps(m[j], below)));
        if (look) {
            const __mmask16 tiny = _mm512_cmp_ps_mask(_mm512_abs_ps(before), _mm512_set1_ps(TINY), _CMP_LT_OQ);
            moved |= _mm512_cmp_ps_mask(before, p[j], _CMP_NEQ_UQ) |
                     _mm512_mask_cmp_ps_mask(tiny, m[j], _mm512_setzero_ps(), _CMP_NEQ_UQ);
        }
    }
    return moved != 0;
}

HN_INLINE HN_AVX512 void rest_512(float *p, float *m, float *v, const HnAdamStep *steps, uint64_t n_steps,
                                  const int n) {
    __m512 ps[N_VECTORS], ms[N_VECTORS], vs[N_VECTORS];
    uint64_t k = 0;
    bool moves = true;
    for (int j = 0; j < n; j++) {
        ps[j] = _mm512_loadu_ps(p + 16 * j), ms[j] = _mm512_loadu_ps(m + 16 * j), vs[j] = _mm512_loadu_ps(v + 16 * j);
    }
    while (k < n_steps && moves) {
        moves = step_512(ps, ms, vs, &steps[k++], n, true);
        for (const uint64_t next = k - 1 + LOOK_EVERY; moves && k < n_steps && k < next; k++) {
            (void)step_512(ps, ms, vs, &steps[k], n, false);
        }
    }
    const __m512 keep_m = _mm512_set1_ps(steps->keep_m), keep_v = _mm512_set1_ps(steps->keep_v);
    for (; k < n_steps; k++) {
        for (int j = 0; j < n; j++) {
            shrink_512(&ms[j], &vs[j], keep_m, keep_v);
        }
    }
    for (int j = 0; j < n; j++) {
        _mm512_storeu_ps(p + 16 * j, ps[j]), _mm512_storeu_ps(m + 16 * j, ms[j]), _mm512_storeu_ps(v + 16 * j, vs[j]);
    }
}

HN_AVX512 static uint64_t rest_avx512(float *p, float *m, float *v, uint64_t n, const HnAdamStep *steps,
                                      uint64_t n_steps) {
    uint64_t i = 0;
    for (; i + 16 * N_VECTORS <= n; i += 16 * N_VECTORS) {
        rest_512(p + i, m + i, v + i, steps, n_steps, N_VECTORS);
    }
    for (; i + 16 <= n; i += 16) {
        rest_512(p + i, m + i, v + i, steps, n_steps, 1);
    }
    return i;
}

/* The same without looks. */
HN_AVX2 static uint64_t rest_avx2(float *p, float *m, float *v, uint64_t n, const HnAdamStep *steps, uint64_t n_steps) {
    uint64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m256 pi = _mm256_loadu_ps(p + i), mi = _mm256_loadu_ps(m + i), vi = _mm256_loadu_ps(v + i);
        for (uint64_t k = 0; k < n_steps; k++) {
            const HnAdamStep *s = &steps[k];
            mi = _mm256_add_ps(_mm256_mul_ps(_mm256_set1_ps(s->keep_m), mi), _mm256_setzero_ps());
            vi = _mm256_mul_ps(_mm256_set1_ps(s->keep_v), vi);
            const __m256 below = _mm256_add_ps(_mm256_mul_ps(_mm256_sqrt_ps(vi), _mm256_set1_ps(s->unbias_v)),
                                               _mm256_set1_ps(s->epsilon));
            pi = _mm256_sub_ps(pi, _mm256_mul_ps(_mm256_set1_ps(s->rate), _mm256_div_ps(mi, below)));
        }
        _mm256_storeu_ps(p + i, pi), _mm256_storeu_ps(m + i, mi), _mm256_storeu_ps(v + i, vi);
    }
    return i;
}
#endif

void hn_adam_rest_cpu(float *p, float *m, float *v, uint64_t n, const HnAdamStep *steps, uint64_t n_steps) {
    uint64_t done = 0;
    if (n_steps == 0) {
        return;
    }
#if HN_X86
    const HnCpuPath path = hn_cpu_path();
    if (path == HN_CPU_AVX512) {
        done = rest_avx512(p, m, v, n, steps, n_steps);
    } else if (path == HN_CPU_AVX2) {
        done = rest_avx2(p, m, v, n, steps, n_steps);
    }
#endif
    hn_adam_rest_ref(p + done, m + done, v + done, n - done, steps, n_steps);
}
