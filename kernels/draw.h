/* Uniform draws from 0 .. n_all-1 without the numbers of an ascending list. No draw is thrown back for the list's sake:
 * draw j is the r-th number that the list lacks, r = hn_rng_below64(rng, n_all - n_taken), one call after the other
 * (base/rng.h). Integers: the same everywhere.
 */
#ifndef HN_KERNEL_DRAW_H
#define HN_KERNEL_DRAW_H

#include "base/rng.h"

#ifdef __cplusplus
extern "C" {
#endif

/* taken [n_taken] ascending, each below n_all; n_taken < n_all < 2^31. drawn [n]. On the calling thread. */
void hn_draw_ref(HnRng *rng, const int32_t *taken, uint64_t n_taken, uint64_t n_all, int n, int32_t *drawn);
void hn_draw_cpu(HnRng *rng, const int32_t *taken, uint64_t n_taken, uint64_t n_all, int n, int32_t *drawn);

#ifdef __cplusplus
}
#endif
#endif
