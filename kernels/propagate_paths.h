/* Private to `propagate`: what its instruction paths share. */
#ifndef HN_KERNEL_PROPAGATE_PATHS_H
#define HN_KERNEL_PROPAGATE_PATHS_H

#include "cpu_target.h"
#include "propagate.h"

/* Edges between a prefetch (to the second-level cache) and its use. Far enough for rows that come from memory: in a
 * training step the tables together exceed every cache. */
enum { HN_PROPAGATE_AHEAD = 32 };
enum { HN_FIXED_STRIP = 128 }; /* the widest of any path */

/* One strip of the columns of one run of rows. */
typedef struct HnPropagateRun {
    const HnCsr *graph;
    uint64_t first, last; /* rows first .. last-1 */
    uint64_t y_first;     /* the row that y begins with */
    float factor;         /* fixed point: 2^shift, */
    float factor_after;   /* or the product of both; not 1 for the plain version alone */
    int dim, from, width; /* columns from .. from+width-1 of dim */
} HnPropagateRun;

typedef void HnFloatRun(const HnPropagateRun *run, const float *x, const float *row_scale, float *y, float *sum);
/* y [last - first][width] */
typedef void HnFixedRun(const HnPropagateRun *run, const float *x, int64_t *y);

/* The widest strips that the functions below take. */
enum { HN_FLOAT_STRIP_AVX512 = 128, HN_FIXED_STRIP_AVX512 = 128, HN_FLOAT_STRIP_AVX2 = 64, HN_FIXED_STRIP_AVX2 = 32 };

#if HN_X86
HnFloatRun hn_propagate_float_avx512, hn_propagate_float_avx2;
HnFixedRun hn_propagate_fixed_avx512, hn_propagate_fixed_avx2;
#endif

#endif
