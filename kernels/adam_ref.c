#include "adam.h"

#include <math.h>

HnAdamStep hn_adam_step(double learning_rate, uint64_t step) {
    const double beta1 = 0.9, beta2 = 0.999;
    HnAdamStep result = {
        .keep_m = (float)beta1,
        .new_m = (float)(1.0 - beta1),
        .keep_v = (float)beta2,
        .new_v = (float)(1.0 - beta2),
        .rate = (float)(learning_rate / (1.0 - pow(beta1, (double)step))),
        .unbias_v = (float)(1.0 / sqrt(1.0 - pow(beta2, (double)step))),
        .epsilon = 1e-8f,
    };
    return result;
}

/* No fused multiply-add anywhere: every product, sum, root and quotient is rounded by itself, on every path. */
void hn_adam_ref(float *p, const float *g, float *m, float *v, uint64_t n, double learning_rate, uint64_t step) {
    const HnAdamStep s = hn_adam_step(learning_rate, step);
    for (uint64_t i = 0; i < n; i++) {
        m[i] = s.keep_m * m[i] + s.new_m * g[i];
        v[i] = s.keep_v * v[i] + s.new_v * (g[i] * g[i]);
        p[i] -= s.rate * (m[i] / (sqrtf(v[i]) * s.unbias_v + s.epsilon));
    }
}

void hn_adam_rest_ref(float *p, float *m, float *v, uint64_t n, const HnAdamStep *steps, uint64_t n_steps) {
    for (uint64_t k = 0; k < n_steps; k++) {
        const HnAdamStep *s = &steps[k];
        for (uint64_t i = 0; i < n; i++) {
            m[i] = s->keep_m * m[i] + 0.0f; /* -0 becomes 0, as it does with a gradient of 0 */
            v[i] = s->keep_v * v[i];
            p[i] -= s->rate * (m[i] / (sqrtf(v[i]) * s->unbias_v + s->epsilon));
        }
    }
}
