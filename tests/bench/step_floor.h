/* What a training step cannot do without, measured alone. */
#ifndef HN_BENCH_STEP_FLOOR_H
#define HN_BENCH_STEP_FLOOR_H

#include "cf/trainer.h"

typedef struct BenchStepFloor {
    double seconds; /* 0: there is none */
    double share;   /* of a step */
    const char *what;
} BenchStepFloor;

/* Adam over both tables and, in front of it, LightGCN's propagation, or NGCF's and its products: the last layer forward
 * of the last batch's rows alone (of all items, where a sampler looks at them), the first one backward from those
 * alone. Rows that wait for their steps (cf/deferred.h) have many at once. In rounds with n_steps steps a call, best
 * beside best, since a machine's speed can change by the second. Writes over the trainer's tables. None for other
 * backbones. */
BenchStepFloor bench_step_floor(HnTrainer *trainer, void (*steps)(void *context), void *context, int n_steps);

#endif
