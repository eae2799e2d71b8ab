/* The bodies of block_rows.h, compiled for each path; rows go to the threads in runs. */
#include "block_rows.h"
#include "cpu.h"
#include "exp.h"

enum { WORTH_THREADS = 1 << 15 }; /* elements */

typedef void RmsNorm(int64_t n, const float *x, const float *weight, float eps, float *out);
typedef void LayerNorm(int64_t n, const float *x, const float *weight, const float *bias, float eps, float *out);
typedef void Rope(int n_heads, int head_dim, int rotary, bool interleaved, const float *cosine, float *x);
typedef void Gate(HnGate act, int64_t n, const float *x, const float *factor, float *out, HnExp *exp_of);

typedef struct Rows {
    RmsNorm *rms_norm;
    LayerNorm *layer_norm;
    Rope *rope;
    Gate *gate;
} Rows;

/* The row operations of one path, as its table. */
#define ROWS_OF(path, target)                                                                                          \
    target static void rms_norm_##path(int64_t n, const float *x, const float *weight, float eps, float *out) {        \
        hn_block_rms_norm(n, x, weight, eps, out);                                                                     \
    }                                                                                                                  \
    target static void layer_norm_##path(int64_t n, const float *x, const float *weight, const float *bias, float eps, \
                                         float *out) {                                                                 \
        hn_block_layer_norm(n, x, weight, bias, eps, out);                                                             \
    }                                                                                                                  \
    target static void rope_##path(int n_heads, int head_dim, int rotary, bool interleaved, const float *cosine,       \
                                   float *x) {                                                                         \
        hn_block_rope(n_heads, head_dim, rotary, interleaved, cosine, x);                                              \
    }                                                                                                                  \
    target static void gate_##path(HnGate act, int64_t n, const float *x, const float *factor, float *out,             \
                                   HnExp *exp_of) {                                                                    \
        hn_block_gate_any(act, n, x, factor, out, exp_of);                                                             \
    }                                                                                                                  \
    static const Rows rows_##path = {rms_norm_##path, layer_norm_##path, rope_##path, gate_##path};

#define BASELINE
ROWS_OF(scalar, BASELINE)
#if HN_X86
ROWS_OF(avx2, HN_AVX2)
ROWS_OF(avx512, HN_AVX512)
#endif

static const Rows *rows_now(void) {
#if HN_X86
    if (hn_cpu_path() == HN_CPU_AVX512) {
        return &rows_avx512;
    }
    if (hn_cpu_path() == HN_CPU_AVX2) {
        return &rows_avx2;
    }
#endif
    return &rows_scalar;
}

void hn_rms_norm_cpu(int64_t m, int64_t n, const float *x, int64_t ldx, const float *weight, float eps, float *out,
                     int64_t ldo) {
    const Rows *rows = rows_now();
#pragma omp parallel for schedule(static) if (m * n > WORTH_THREADS)
    for (int64_t i = 0; i < m; i++) {
        rows->rms_norm(n, x + i * ldx, weight, eps, out + i * ldo);
    }
}

void hn_layer_norm_cpu(int64_t m, int64_t n, const float *x, int64_t ldx, const float *weight, const float *bias,
                       float eps, float *out, int64_t ldo) {
    const Rows *rows = rows_now();
#pragma omp parallel for schedule(static) if (m * n > WORTH_THREADS)
    for (int64_t i = 0; i < m; i++) {
        rows->layer_norm(n, x + i * ldx, weight, bias, eps, out + i * ldo);
    }
}

void hn_rope_cpu(int64_t m, int n_heads, int head_dim, int rotary, bool interleaved, const int32_t *positions,
                 const float *angles, float *x, int64_t ldx) {
    const Rows *rows = rows_now();
#pragma omp parallel for schedule(static) if (m * n_heads * rotary > WORTH_THREADS)
    for (int64_t i = 0; i < m; i++) {
        rows->rope(n_heads, head_dim, rotary, interleaved, angles + (int64_t)positions[i] * rotary, x + i * ldx);
    }
}

void hn_gate_cpu(HnGate act, bool gated, int64_t m, int64_t n, const float *x, int64_t ldx, float *out, int64_t ldo) {
    const Rows *rows = rows_now();
#pragma omp parallel for schedule(static) if (m * n > WORTH_THREADS)
    for (int64_t i = 0; i < m; i++) {
        rows->gate(act, n, x + i * ldx, gated ? x + i * ldx + n : NULL, out + i * ldo, hn_exp_cpu);
    }
}
