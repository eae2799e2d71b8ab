/* Agreeing over ranks, in ways whose result depends on neither the number of ranks nor their order. */
#ifndef HN_CF_SUMS_H
#define HN_CF_SUMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "comm.h"

enum { HN_AGREE_LIMIT = 8 };

/* In place, collective: the largest of each of n non-negative values over all ranks, and whether any rank raised the
 * flag (NULL = no flag). NaN and infinity come out as infinity, everywhere. Travels as integers: the bits of
 * non-negative floats are ordered as the floats are, and one collective carries the flag too. */
HnStatus hn_agree_max(HnComm *comm, float *values, int n, bool *flag, HnError *err);

/* Losses as exact integers in units of 2^-28. A pair's loss beyond the limit (or NaN) is divergence: false. */
static inline double hn_loss_limit(uint64_t n_pairs) {
    return 8589934592.0 / (double)(n_pairs > 0 ? n_pairs : 1); /* 2^33: the sum stays below 2^61 */
}
int64_t hn_loss_to_fixed(double value);
double hn_loss_from_fixed(int64_t sum);

/* y[e] += rows q (int32, one common shift), as 64-bit sums. */
void hn_sum_add_row(int64_t *y, const int32_t *q, int n);

#endif
