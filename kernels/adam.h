/* Dense Adam (Kingma & Ba, 2015) in one fused pass over parameter, gradient and both moments.
 *
 *     m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g^2;  p -= lr * (m / (1-b1^t)) / (sqrt(v / (1-b2^t)) + eps)
 *
 * As PyTorch computes it: step_size = lr/(1-b1^t), denominator = sqrt(v)/sqrt(1-b2^t) + eps. b1 .9, b2 .999, eps 1e-8.
 * Element-wise: bits independent of threads and path. The gradient may be cleared on the way (it is read here last).
 */
#ifndef HN_KERNEL_ADAM_H
#define HN_KERNEL_ADAM_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* step t counts from 1. p, g, m, v: [n]. */
void hn_adam_ref(float *p, float *g, float *m, float *v, uint64_t n, double learning_rate, uint64_t step,
                 bool clear_gradient);
void hn_adam_cpu(float *p, float *g, float *m, float *v, uint64_t n, double learning_rate, uint64_t step,
                 bool clear_gradient);

#ifdef __cplusplus
}
#endif
#endif
