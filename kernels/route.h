/* Sums over edges whose weights differ by factor (DGCF: Wang et al., SIGIR 2020, eq. 8 to 10): a row of `dim` columns
 * is `factors` chunks of dim / factors, each with its own weight of every edge.
 *
 * Edge number k of the graph's columns has the weights weights[edges != NULL ? edges[k] : k][factors], so that both
 * halves of a bipartite graph share one array. Twins give the same bits on every path and thread count: an element is
 * one chain in graph order; `dots` adds as `row`'s dot does; the fixed form is a sum of integers, the same in any
 * order.
 */
#ifndef HN_KERNEL_ROUTE_H
#define HN_KERNEL_ROUTE_H

#include <stdint.h>

#include "propagate.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct HnRoute {
    HnCsr graph;          /* column_scale is not looked at */
    const int64_t *edges; /* [offsets[n_rows]] or NULL */
    int factors, dim;     /* dim a multiple of factors */
} HnRoute;

/* y[r][f] = the sum over row r's edges of weight[f] * x[column][f];  x [n_cols][dim], y [n_rows][dim], overwritten. */
void hn_route_sum_ref(const HnRoute *route, const float *weights, const float *x, float *y);
void hn_route_sum_cpu(const HnRoute *route, const float *weights, const float *x, float *y);
/* The same sums of weight * x * 2^shift, each cut to an integer; it must lie below 2^31. |shift| <= 120. */
void hn_route_fixed_ref(const HnRoute *route, const float *weights, const float *x, int shift, int64_t *y);
void hn_route_fixed_cpu(const HnRoute *route, const float *weights, const float *x, int shift, int64_t *y);
/* dots[edge][f] = <rows[r][f], x[column][f]>, added to what is there where `add`; edges NULL. */
void hn_route_dots_ref(const HnRoute *route, const float *rows, const float *x, int add, float *dots);
void hn_route_dots_cpu(const HnRoute *route, const float *rows, const float *x, int add, float *dots);

#ifdef __cplusplus
}
#endif
#endif
