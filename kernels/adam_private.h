#ifndef HN_KERNEL_ADAM_PRIVATE_H
#define HN_KERNEL_ADAM_PRIVATE_H

#include <stdint.h>

/* What one step multiplies by, rounded to float once. */
typedef struct HnAdamStep {
    float keep_m, new_m; /* b1, 1 - b1 */
    float keep_v, new_v; /* b2, 1 - b2 */
    float rate;          /* learning rate / (1 - b1^t) */
    float unbias_v;      /* 1 / sqrt(1 - b2^t) */
    float epsilon;
} HnAdamStep;

HnAdamStep hn_adam_step(double learning_rate, uint64_t step);

#endif
