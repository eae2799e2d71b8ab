#include "block_rows.h"
#include "exp.h"

void hn_rms_norm_ref(int64_t m, int64_t n, const float *x, int64_t ldx, const float *weight, float eps, float *out,
                     int64_t ldo) {
    for (int64_t i = 0; i < m; i++) {
        hn_block_rms_norm(n, x + i * ldx, weight, eps, out + i * ldo);
    }
}

void hn_layer_norm_ref(int64_t m, int64_t n, const float *x, int64_t ldx, const float *weight, const float *bias,
                       float eps, float *out, int64_t ldo) {
    for (int64_t i = 0; i < m; i++) {
        hn_block_layer_norm(n, x + i * ldx, weight, bias, eps, out + i * ldo);
    }
}

void hn_rope_ref(int64_t m, int n_heads, int head_dim, int rotary, bool interleaved, const int32_t *positions,
                 const float *angles, float *x, int64_t ldx) {
    for (int64_t i = 0; i < m; i++) {
        hn_block_rope(n_heads, head_dim, rotary, interleaved, angles + (int64_t)positions[i] * rotary, x + i * ldx);
    }
}

void hn_gate_ref(HnGate act, bool gated, int64_t m, int64_t n, const float *x, int64_t ldx, float *out, int64_t ldo) {
    for (int64_t i = 0; i < m; i++) {
        hn_block_gate_any(act, n, x + i * ldx, gated ? x + i * ldx + n : NULL, out + i * ldo, hn_exp_ref);
    }
}
