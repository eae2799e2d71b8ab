/* Private to `block`: each operation on one row, in plain C. The plain version calls it as it is; the fast ones compile
 * the same body for their instructions (elements are independent, sums run in 16 lanes), so that bits agree. */
#ifndef HN_KERNEL_BLOCK_ROWS_H
#define HN_KERNEL_BLOCK_ROWS_H

#include <math.h>

#include "block.h"
#include "cpu_target.h"

enum { HN_BLOCK_LANES = 16, HN_BLOCK_CHUNK = 512 };

typedef void HnExp(float *x, uint64_t n, float scale, float shift);

/* Adds lanes up by a fixed tree: 8, 4, 2, 1 apart. */
HN_INLINE float hn_block_tree(float *lane) {
#pragma GCC unroll 4
    for (int apart = HN_BLOCK_LANES / 2; apart >= 1; apart /= 2) {
        for (int i = 0; i < apart; i++) {
            lane[i] += lane[i + apart];
        }
    }
    return lane[0];
}

/* Sum of x - shift (power 1) or of its squares (power 2), element i in lane i mod 16. */
HN_INLINE float hn_block_sum(const float *x, int64_t n, float shift, const int power) {
    float lane[HN_BLOCK_LANES] = {0};
    int64_t first = 0;
    for (; first + HN_BLOCK_LANES <= n; first += HN_BLOCK_LANES) {
        for (int i = 0; i < HN_BLOCK_LANES; i++) {
            const float value = x[first + i] - shift;
            lane[i] = power == 1 ? lane[i] + value : fmaf(value, value, lane[i]);
        }
    }
    for (int i = 0; first + i < n; i++) {
        const float value = x[first + i] - shift;
        lane[i] = power == 1 ? lane[i] + value : fmaf(value, value, lane[i]);
    }
    return hn_block_tree(lane);
}

HN_INLINE void hn_block_rms_norm(int64_t n, const float *x, const float *weight, float eps, float *out) {
    const float factor = 1.0f / sqrtf(hn_block_sum(x, n, 0.0f, 2) / (float)n + eps);
    for (int64_t i = 0; i < n; i++) {
        out[i] = x[i] * factor * weight[i];
    }
}

HN_INLINE void hn_block_layer_norm(int64_t n, const float *x, const float *weight, const float *bias, float eps,
                                   float *out) {
    const float mean = hn_block_sum(x, n, 0.0f, 1) / (float)n;
    const float factor = 1.0f / sqrtf(hn_block_sum(x, n, mean, 2) / (float)n + eps);
    if (bias != NULL) {
        for (int64_t i = 0; i < n; i++) {
            out[i] = fmaf((x[i] - mean) * factor, weight[i], bias[i]);
        }
    } else {
        for (int64_t i = 0; i < n; i++) {
            out[i] = (x[i] - mean) * factor * weight[i];
        }
    }
}

/* One head: pair i is (x[i * step], x[i * step + apart]). */
HN_INLINE void hn_block_rotate(int64_t half, const int64_t step, int64_t apart, const float *cosine, float *x) {
    const float *sine = cosine + half;
    for (int64_t i = 0; i < half; i++) {
        const float a = x[i * step], b = x[i * step + apart];
        x[i * step] = fmaf(a, cosine[i], -(b * sine[i]));
        x[i * step + apart] = fmaf(b, cosine[i], a * sine[i]);
    }
}

HN_INLINE void hn_block_rope(int n_heads, int head_dim, int rotary, bool interleaved, const float *cosine, float *x) {
    const int64_t half = rotary / 2;
    for (int head = 0; head < n_heads; head++) {
        if (interleaved) {
            hn_block_rotate(half, 2, 1, cosine, x + (int64_t)head * head_dim);
        } else {
            hn_block_rotate(half, 1, half, cosine, x + (int64_t)head * head_dim);
        }
    }
}

/* What goes into the exponential. */
HN_INLINE float hn_gate_argument(const HnGate act, float x) {
    if (act == HN_GATE_GELU) {
        return -0.5f * x * x;
    }
    if (act == HN_GATE_GELU_TANH) { /* 0.5 (1 + tanh u) = 1 / (1 + exp(-2 u)) */
        return -2.0f * 0.7978845608028654f * x * fmaf(0.044715f * x, x, 1.0f);
    }
    return -x;
}

/* act(x), e the exponential of the argument. GELU by the error function (Abramowitz and Stegun 7.1.26, 1.5e-7 off). */
HN_INLINE float hn_gate_value(const HnGate act, float x, float e) {
    if (act == HN_GATE_RELU) {
        return x > 0.0f ? x : 0.0f;
    }
    if (act != HN_GATE_GELU) {
        return x / (1.0f + e);
    }
    const float t = 1.0f / fmaf(0.3275911f * 0.70710678118654752f, fabsf(x), 1.0f);
    float p = fmaf(1.061405429f, t, -1.453152027f);
    p = fmaf(p, t, 1.421413741f);
    p = fmaf(p, t, -0.284496736f);
    p = fmaf(p, t, 0.254829592f);
    const float tail = 0.5f * p * t * e; /* the normal distribution's, beyond |x| */
    return x * (x > 0.0f ? 1.0f - tail : tail);
}

HN_INLINE void hn_block_gate(const HnGate act, int64_t n, const float *x, const float *factor, float *out,
                             HnExp *exp_of) {
    for (int64_t first = 0; first < n; first += HN_BLOCK_CHUNK) {
        float e[HN_BLOCK_CHUNK];
        const int64_t count = n - first < HN_BLOCK_CHUNK ? n - first : HN_BLOCK_CHUNK;
        if (act != HN_GATE_RELU) {
            for (int64_t i = 0; i < count; i++) {
                e[i] = hn_gate_argument(act, x[first + i]);
            }
            exp_of(e, (uint64_t)count, 1.0f, 0.0f);
        }
        if (factor != NULL) {
            for (int64_t i = 0; i < count; i++) {
                out[first + i] =
                    hn_gate_value(act, x[first + i], act != HN_GATE_RELU ? e[i] : 0.0f) * factor[first + i];
            }
        } else {
            for (int64_t i = 0; i < count; i++) {
                out[first + i] = hn_gate_value(act, x[first + i], act != HN_GATE_RELU ? e[i] : 0.0f);
            }
        }
    }
}

HN_INLINE void hn_block_gate_any(HnGate act, int64_t n, const float *x, const float *factor, float *out,
                                 HnExp *exp_of) {
    switch (act) {
    case HN_GATE_SILU:
        hn_block_gate(HN_GATE_SILU, n, x, factor, out, exp_of);
        break;
    case HN_GATE_GELU:
        hn_block_gate(HN_GATE_GELU, n, x, factor, out, exp_of);
        break;
    case HN_GATE_GELU_TANH:
        hn_block_gate(HN_GATE_GELU_TANH, n, x, factor, out, exp_of);
        break;
    default:
        hn_block_gate(HN_GATE_RELU, n, x, factor, out, exp_of);
        break;
    }
}

#endif
