#include <math.h>
#include <stddef.h>
#include <string.h>

#include "fixed.h"

float hn_max_magnitude_ref(const float *x, uint64_t n) {
    uint32_t largest = 0; /* without its sign a float orders as its bits do, NaN above infinity */
    for (uint64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        bits &= 0x7FFFFFFFu;
        largest = bits > largest ? bits : largest;
    }
    float value;
    memcpy(&value, &largest, sizeof value);
    return value;
}

/* max = f * 2^e with f < 1 and 24 bits, so max * 2^(31 - e) is an integer below 2^31 and nothing rounds up to 2^31. */
int hn_fixed_shift(float max) {
    int exponent = 0;
    if (max == 0.0f) {
        return 0;
    }
    (void)frexpf(max, &exponent);
    return 31 - exponent;
}

/* 2^shift as a product of two floats, since it may exceed what one holds (max may be denormal). Multiplying by both
 * in turn rounds at most once more than multiplying by 2^shift would. */
void hn_fixed_factors(int shift, float factors[2]) {
    int half = shift / 2;
    factors[0] = ldexpf(1.0f, half);
    factors[1] = ldexpf(1.0f, shift - half);
}

void hn_fixed_from_float_ref(const float *x, int shift, int32_t *q, uint64_t n) {
    float factors[2];
    hn_fixed_factors(shift, factors);
    for (uint64_t i = 0; i < n; i++) {
        q[i] = (int32_t)lrintf(x[i] * factors[0] * factors[1]);
    }
}

void hn_fixed_to_float_ref(const int64_t *s, int shift, const float *row_scale, float *y, float *sum, uint64_t n_rows,
                           int dim) {
    float factors[2];
    hn_fixed_factors(-shift, factors);
    for (uint64_t r = 0; r < n_rows; r++) {
        float scale = row_scale != NULL ? row_scale[r] : 1.0f;
        for (uint64_t i = r * (uint64_t)dim; i < (r + 1) * (uint64_t)dim; i++) {
            float value = scale * ((float)s[i] * factors[0] * factors[1]);
            y[i] = value;
            if (sum != NULL) {
                sum[i] += value;
            }
        }
    }
}

void hn_fixed_add_ref(const float *x, int shift, int64_t *totals, uint64_t n) {
    const float factor = ldexpf(1.0f, shift);
    for (uint64_t i = 0; i < n; i++) {
        totals[i] += llrintf(x[i] * factor);
    }
}
