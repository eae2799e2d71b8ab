/* Angles of the rotary embedding. In f32 step by step, as the reference computes them: at a position of some ten
 * thousands the rounding of position * frequency moves an angle by more than 1e-3, and models were trained with it. */
#include <math.h>

#include "lm_private.h"

/* Llama 3.1: long waves are stretched by `factor`, short ones stay, those between are mixed (Grattafiori et al. 2024;
 * constants from the configuration). */
static float llama3(const HnLmConfig *config, float frequency) {
    const float original = (float)config->rope.original_positions, factor = (float)config->rope.factor;
    const float low = (float)config->rope.low_freq_factor, high = (float)config->rope.high_freq_factor;
    const float wavelength = (float)(2.0 * 3.14159265358979323846) / frequency;
    if (wavelength > original / low) {
        return frequency / factor;
    }
    if (wavelength < original / high) {
        return frequency;
    }
    const float smooth = (original / wavelength - low) / (high - low);
    return (1.0f - smooth) * (frequency / factor) + smooth * frequency;
}

void hn_lm_rope_frequencies(const HnLmConfig *config, float *inv_freq) {
    const uint32_t rotary = config->rope.rotary;
    for (uint32_t i = 0; i < rotary / 2; i++) {
        const float exponent = (float)(2 * i) / (float)rotary;
        float frequency = 1.0f / (float)pow(config->rope.theta, (double)exponent);
        if (config->rope.scaling == HN_ROPE_LINEAR) {
            frequency /= (float)config->rope.factor;
        } else if (config->rope.scaling == HN_ROPE_LLAMA3) {
            frequency = llama3(config, frequency);
        }
        inv_freq[i] = frequency;
    }
}

void hn_lm_rope_angles(int64_t m, int rotary, const float *inv_freq, const int32_t *positions, float *angles) {
    const int half = rotary / 2;
#pragma omp parallel for schedule(static) if (m > 16)
    for (int64_t r = 0; r < m; r++) {
        float *row = angles + r * rotary;
        for (int i = 0; i < half; i++) {
            const float angle = (float)positions[r] * inv_freq[i];
            row[i] = (float)cos((double)angle);
            row[half + i] = (float)sin((double)angle);
        }
    }
}
