#include <math.h>
#include <string.h>

#include "exp.h"
#include "exp_private.h"

const float HN_EXP_P[HN_EXP_TERMS] = {1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f,
                                      4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f};

static float one(float x) {
    x = x > HN_EXP_LEAST ? x : HN_EXP_LEAST;
    x = x < HN_EXP_MOST ? x : HN_EXP_MOST;
    const float whole = fmaf(x, HN_EXP_LOG2E, HN_EXP_MAGIC), k = whole - HN_EXP_MAGIC;
    const float r = fmaf(k, -HN_EXP_LN2_LOW, fmaf(k, -HN_EXP_LN2_HIGH, x));
    float p = HN_EXP_P[0];
    for (int i = 1; i < HN_EXP_TERMS; i++) {
        p = fmaf(p, r, HN_EXP_P[i]);
    }
    const float y = fmaf(p, r * r, r) + 1.0f;
    uint32_t power, bits;
    memcpy(&power, &whole, sizeof power);
    memcpy(&bits, &y, sizeof bits);
    bits += power << 23;
    float result;
    memcpy(&result, &bits, sizeof result);
    return result;
}

void hn_exp_ref(float *x, uint64_t n, float scale, float shift) {
    for (uint64_t i = 0; i < n; i++) {
        x[i] = one(fmaf(scale, x[i], shift));
    }
}
