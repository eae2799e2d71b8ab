/* The element-wise and row-wise parts of a transformer block. A row's bits depend on that row alone. All threads;
 * inside a parallel region the calling thread alone. The same bits on every path: elements are formulas of fused
 * multiply-adds, sums run in 16 lanes as in row.h, exponentials are exp.h's. Rows are [m][ld]; in and out may be the
 * same block unless said otherwise.
 */
#ifndef HN_KERNEL_BLOCK_H
#define HN_KERNEL_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* out = x / sqrt(mean(x^2) + eps) * weight (Zhang & Sennrich 2019); weight [n]. */
void hn_rms_norm_ref(int64_t m, int64_t n, const float *x, int64_t ldx, const float *weight, float eps, float *out,
                     int64_t ldo);
void hn_rms_norm_cpu(int64_t m, int64_t n, const float *x, int64_t ldx, const float *weight, float eps, float *out,
                     int64_t ldo);
/* out = (x - mean) / sqrt(var + eps) * weight + bias; bias [n] or NULL. */
void hn_layer_norm_ref(int64_t m, int64_t n, const float *x, int64_t ldx, const float *weight, const float *bias,
                       float eps, float *out, int64_t ldo);
void hn_layer_norm_cpu(int64_t m, int64_t n, const float *x, int64_t ldx, const float *weight, const float *bias,
                       float eps, float *out, int64_t ldo);

/* Rotates the first `rotary` elements of each head (Su et al. 2021). angles [n_positions][rotary]: the cosines of the
 * rotary / 2 pairs, then their sines. Pairs are (i, i + rotary/2), or (2i, 2i + 1) where interleaved.
 * positions [m]. x is changed in place. */
void hn_rope_ref(int64_t m, int n_heads, int head_dim, int rotary, bool interleaved, const int32_t *positions,
                 const float *angles, float *x, int64_t ldx);
void hn_rope_cpu(int64_t m, int n_heads, int head_dim, int rotary, bool interleaved, const int32_t *positions,
                 const float *angles, float *x, int64_t ldx);

typedef enum HnGate { HN_GATE_SILU, HN_GATE_GELU, HN_GATE_GELU_TANH, HN_GATE_RELU } HnGate;
/* out[i][j] = act(x[i][j]); gated: out[i][j] = act(x[i][j]) * x[i][n + j]  (x is [m][2n] then). Absolute error of act
 * at most 1e-6 * max(1, |x|). */
void hn_gate_ref(HnGate act, bool gated, int64_t m, int64_t n, const float *x, int64_t ldx, float *out, int64_t ldo);
void hn_gate_cpu(HnGate act, bool gated, int64_t m, int64_t n, const float *x, int64_t ldx, float *out, int64_t ldo);

#ifdef __cplusplus
}
#endif
#endif
