/* One layer of the bipartite graph over all ranks, in the scaled space z = D^-1/2 E (LightGCN, He et al. 2020, eq. 3):
 *
 *     users:  y_u = scale_u * sum of x_i over u's items            local: u's items are all here
 *     items:  y_i = scale_i * sum of x_u over the users of ALL ranks
 *
 * The item sum crosses ranks. Exact: user rows become 31-bit integers on a scale that every rank knows, their sums are
 * 64-bit integers, and one all-reduce joins them: the same bits for any number of ranks and threads. Otherwise floats.
 * The all-reduce runs while the user half is computed. Where ranks share a host, host_items.h does better for the edges
 * of the whole graph.
 */
#ifndef HN_CF_PROPAGATION_H
#define HN_CF_PROPAGATION_H

#include <stdbool.h>

#include "base/error.h"
#include "cf/host_items.h"
#include "comm.h"
#include "propagate.h"

typedef struct HnHalf {
    HnCsr graph;            /* its column_scale says how x is scaled, if it is not z */
    const float *x;         /* [graph.n_cols][dim] */
    const float *scale;     /* [graph.n_rows] */
    float *y;               /* [graph.n_rows][dim] */
    float *sum;             /* [graph.n_rows][dim] or NULL: sum += y */
    const HnRowsDone *done; /* or NULL */
    float *window;          /* NULL, or where `done` sees the rows instead of y (hn_propagate_rows_cpu); for items
                             * of several ranks only where they share a host's memory */
    HnItemEdges edges;      /* items: those of the graph, where they are some of the whole graph's */
    bool changes;           /* items: `done` changes the rows, and does nothing else. Where y is a block of the host's
                             * (host_items.h), one rank is told of each row then, else all of all */
} HnHalf;

typedef struct HnPropagation {
    HnComm *comm;
    bool exact;
    int dim;
    int64_t *totals;   /* [n_items][dim]; exact sums of several ranks */
    HnHostItems *host; /* or NULL; borrowed */
} HnPropagation;

/* host: of the whole graph and this dim, or NULL; may serve several, whose halves come one after the other. */
HnStatus hn_propagation_create(HnComm *comm, bool exact, int dim, uint64_t n_items, HnHostItems *host,
                               HnPropagation *propagation, HnError *err);
void hn_propagation_free(HnPropagation *propagation);
uint64_t hn_propagation_bytes(uint64_t n_items, int dim, bool exact); /* several ranks */

/* Makes an items' half that of the whole graph's edges of some items; or from some users, whose graph that of all rows
 * is: x is then [n_users][dim], column_scale is to be set. Edges go to sub where the rank itself adds them up. */
void hn_half_of_items(const HnPropagation *propagation, HnHalf *half, HnSubgraph *sub, const int32_t *items,
                      uint32_t n_items);
void hn_half_from_users(const HnPropagation *propagation, HnHalf *half, HnSubgraph *sub, const HnCsr *users_graph,
                        const int32_t *users, uint32_t n_users);
/* A users' half, of the edges from some items: x is [n_items][dim], column_scale is to be set. */
void hn_half_from_items(HnHalf *half, HnSubgraph *sub, const int32_t *items, uint32_t n_items);

/* The users' half alone: local. */
void hn_propagation_users(HnPropagation *propagation, const HnHalf *half);
/* The items' half alone. Collective; bound as below. */
HnStatus hn_propagation_items(HnPropagation *propagation, const HnHalf *half, float bound, HnError *err);
/* Both. Collective. bound: no |element| of items->x, scaled, exceeds it on any rank (all ranks pass the same; used when
 * exact; not finite = HN_NUMERIC on all ranks). items->y must not alias any x. */
HnStatus hn_propagation_layer(HnPropagation *propagation, const HnHalf *users, const HnHalf *items, float bound,
                              HnError *err);

#endif
