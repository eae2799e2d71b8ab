/* Dense Adam (Kingma & Ba, 2015) in one fused pass over parameter, gradient and both moments.
 *
 *     m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g^2;  p -= lr * (m / (1-b1^t)) / (sqrt(v / (1-b2^t)) + eps)
 *
 * As PyTorch computes it: step_size = lr/(1-b1^t), denominator = sqrt(v)/sqrt(1-b2^t) + eps. b1 .9, b2 .999, eps 1e-8.
 * Element-wise: bits independent of threads and path.
 */
#ifndef HN_KERNEL_ADAM_H
#define HN_KERNEL_ADAM_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What one step multiplies by, rounded to float once. */
typedef struct HnAdamStep {
    float keep_m, new_m; /* b1, 1 - b1 */
    float keep_v, new_v; /* b2, 1 - b2 */
    float rate;          /* learning rate / (1 - b1^t) */
    float unbias_v;      /* 1 / sqrt(1 - b2^t) */
    float epsilon;
    bool past_cache; /* moments are written past the caches: where tables are too large to stay there until the next
                      * step, what is left of the caches belongs to the parameters. The same bits. */
} HnAdamStep;

/* step t counts from 1. */
HnAdamStep hn_adam_step(double learning_rate, uint64_t step);

/* p, g, m, v: [n]. */
void hn_adam_ref(float *p, const float *g, float *m, float *v, uint64_t n, double learning_rate, uint64_t step);
void hn_adam_cpu(float *p, const float *g, float *m, float *v, uint64_t n, double learning_rate, uint64_t step);
/* A part of the same, by the calling thread alone. */
void hn_adam_part_cpu(float *p, const float *g, float *m, float *v, uint64_t n, const HnAdamStep *step);

/* The n_steps steps that a part rested for, its gradients 0, in one go: the bits of that many calls of the above.
 * steps: of one training, one after the other. By the calling thread alone. */
void hn_adam_rest_ref(float *p, float *m, float *v, uint64_t n, const HnAdamStep *steps, uint64_t n_steps);
void hn_adam_rest_cpu(float *p, float *m, float *v, uint64_t n, const HnAdamStep *steps, uint64_t n_steps);

#ifdef __cplusplus
}
#endif
#endif
