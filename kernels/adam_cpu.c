#include "adam.h"

#include <math.h>
#include <stdint.h>

#include "cpu.h"
#include "cpu_target.h"

enum { BLOCK = 4096, WORTH_THREADS = 50000 };

static void adam_scalar(float *p, const float *g, float *m, float *v, uint64_t n, const HnAdamStep *s) {
    for (uint64_t i = 0; i < n; i++) {
        m[i] = s->keep_m * m[i] + s->new_m * g[i];
        v[i] = s->keep_v * v[i] + s->new_v * (g[i] * g[i]);
        p[i] -= s->rate * (m[i] / (sqrtf(v[i]) * s->unbias_v + s->epsilon));
    }
}

#if HN_X86

/* Whoever updates a part goes on with the one behind it, often after other work: fetched while this one is divided and
 * rooted, which takes as long as memory needs. */
HN_INLINE void fetch_next(const float *p, const float *m, const float *v, uint64_t i, uint64_t n) {
    HN_PREFETCH(p + i + n);
    HN_PREFETCH(m + i + n);
    HN_PREFETCH(v + i + n);
}

HN_INLINE HN_AVX512 void run_avx512(float *p, const float *g, float *m, float *v, uint64_t n, const HnAdamStep *s,
                                    const bool past_cache) {
    const __m512 keep_m = _mm512_set1_ps(s->keep_m), new_m = _mm512_set1_ps(s->new_m);
    const __m512 keep_v = _mm512_set1_ps(s->keep_v), new_v = _mm512_set1_ps(s->new_v);
    const __m512 rate = _mm512_set1_ps(s->rate), unbias = _mm512_set1_ps(s->unbias_v);
    const __m512 epsilon = _mm512_set1_ps(s->epsilon);
    uint64_t i = 0;
    for (; i + 16 <= n; i += 16) {
        fetch_next(p, m, v, i, n);
        const __m512 gi = _mm512_loadu_ps(g + i);
        const __m512 mi = _mm512_add_ps(_mm512_mul_ps(keep_m, _mm512_loadu_ps(m + i)), _mm512_mul_ps(new_m, gi));
        const __m512 vi =
            _mm512_add_ps(_mm512_mul_ps(keep_v, _mm512_loadu_ps(v + i)), _mm512_mul_ps(new_v, _mm512_mul_ps(gi, gi)));
        const __m512 below = _mm512_add_ps(_mm512_mul_ps(_mm512_sqrt_ps(vi), unbias), epsilon);
        if (past_cache) {
            _mm512_stream_ps(m + i, mi);
            _mm512_stream_ps(v + i, vi);
        } else {
            _mm512_storeu_ps(m + i, mi);
            _mm512_storeu_ps(v + i, vi);
        }
        _mm512_storeu_ps(p + i, _mm512_sub_ps(_mm512_loadu_ps(p + i), _mm512_mul_ps(rate, _mm512_div_ps(mi, below))));
    }
    adam_scalar(p + i, g + i, m + i, v + i, n - i, s);
}

HN_INLINE HN_AVX2 void run_avx2(float *p, const float *g, float *m, float *v, uint64_t n, const HnAdamStep *s,
                                const bool past_cache) {
    const __m256 keep_m = _mm256_set1_ps(s->keep_m), new_m = _mm256_set1_ps(s->new_m);
    const __m256 keep_v = _mm256_set1_ps(s->keep_v), new_v = _mm256_set1_ps(s->new_v);
    const __m256 rate = _mm256_set1_ps(s->rate), unbias = _mm256_set1_ps(s->unbias_v);
    const __m256 epsilon = _mm256_set1_ps(s->epsilon);
    uint64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        fetch_next(p, m, v, i, n);
        const __m256 gi = _mm256_loadu_ps(g + i);
        const __m256 mi = _mm256_add_ps(_mm256_mul_ps(keep_m, _mm256_loadu_ps(m + i)), _mm256_mul_ps(new_m, gi));
        const __m256 vi =
            _mm256_add_ps(_mm256_mul_ps(keep_v, _mm256_loadu_ps(v + i)), _mm256_mul_ps(new_v, _mm256_mul_ps(gi, gi)));
        const __m256 below = _mm256_add_ps(_mm256_mul_ps(_mm256_sqrt_ps(vi), unbias), epsilon);
        if (past_cache) {
            _mm256_stream_ps(m + i, mi);
            _mm256_stream_ps(v + i, vi);
        } else {
            _mm256_storeu_ps(m + i, mi);
            _mm256_storeu_ps(v + i, vi);
        }
        _mm256_storeu_ps(p + i, _mm256_sub_ps(_mm256_loadu_ps(p + i), _mm256_mul_ps(rate, _mm256_div_ps(mi, below))));
    }
    adam_scalar(p + i, g + i, m + i, v + i, n - i, s);
}
/* Streaming wants whole lines. No fence: whoever else reads the moments comes after a barrier, whose locked
 * instructions wait for streamed lines too; a fence for each part would take longer than the streaming gains. */
static bool lines_fit(const float *m, const float *v) {
    return (uintptr_t)m % 64 == 0 && (uintptr_t)v % 64 == 0;
}

HN_AVX512 static void adam_avx512(float *p, const float *g, float *m, float *v, uint64_t n, const HnAdamStep *s) {
    if (s->past_cache && lines_fit(m, v)) {
        run_avx512(p, g, m, v, n, s, true);
    } else {
        run_avx512(p, g, m, v, n, s, false);
    }
}

HN_AVX2 static void adam_avx2(float *p, const float *g, float *m, float *v, uint64_t n, const HnAdamStep *s) {
    if (s->past_cache && lines_fit(m, v)) {
        run_avx2(p, g, m, v, n, s, true);
    } else {
        run_avx2(p, g, m, v, n, s, false);
    }
}
#endif

void hn_adam_part_cpu(float *p, const float *g, float *m, float *v, uint64_t n, const HnAdamStep *step) {
#if HN_X86
    const HnCpuPath path = hn_cpu_path();
    if (path == HN_CPU_AVX512) {
        adam_avx512(p, g, m, v, n, step);
        return;
    }
    if (path == HN_CPU_AVX2) {
        adam_avx2(p, g, m, v, n, step);
        return;
    }
#endif
    adam_scalar(p, g, m, v, n, step);
}

void hn_adam_cpu(float *p, const float *g, float *m, float *v, uint64_t n, double learning_rate, uint64_t step) {
    const HnAdamStep s = hn_adam_step(learning_rate, step);
    const int64_t n_blocks = (int64_t)((n + BLOCK - 1) / BLOCK);
#pragma omp parallel for schedule(static) if (n > WORTH_THREADS)
    for (int64_t b = 0; b < n_blocks; b++) {
        const uint64_t at = (uint64_t)b * BLOCK, count = n - at < BLOCK ? n - at : BLOCK;
        hn_adam_part_cpu(p + at, g + at, m + at, v + at, count, &s);
    }
}
