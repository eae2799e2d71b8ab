/* The items' half of a layer where several ranks share a host's memory. Partial sums of every item on every rank would
 * all have to be added up; here each rank lays its users' rows where the host's other ranks see them, and makes the
 * rows of a slice of the items from all of them. Between hosts, sums of a slice are added up by the ranks that have it.
 *
 * Exact sums are the same bits either way; sums in floats are those of the host's users in one chain, in rank order.
 * A slice has about as many edges as any other. Holds the edges of the rank's slice, both ways, in place of none.
 */
#ifndef HN_CF_HOST_ITEMS_H
#define HN_CF_HOST_ITEMS_H

#include "base/error.h"
#include "cf/graph.h"
#include "comm.h"

/* Which of the whole graph's edges a half goes over. */
typedef struct HnItemEdges {
    bool known;           /* false: others, or unknown */
    const int32_t *items; /* rows are these items, ascending, the same on every rank; NULL: all */
    uint32_t n_items;
    const int32_t *users; /* columns are these users of the rank, ascending; NULL: all. Not both. */
    uint32_t n_users;
} HnItemEdges;

/* One such half. Graph, as in HnHalf, is for its column_scale alone. */
typedef struct HnHostHalf {
    HnItemEdges edges;
    const float *x;            /* [users][dim] of this rank */
    const float *column_scale; /* [users] or NULL */
    const float *scale;        /* [items] */
    int shift;                 /* exact: of the integers that users' rows become (fixed.h) */
    uint64_t payload;          /* see hn_comm_host_arrive */
} HnHostHalf;

typedef struct HnHostItems HnHostItems;

/* Collective. *out is NULL where no two ranks share memory, or there is no room for it, which is said. */
HnStatus hn_host_items_create(HnComm *comm, const HnGraph *graph, int dim, bool exact, HnHostItems **out, HnError *err);
void hn_host_items_free(HnHostItems **items); /* local */
/* Bytes on each of several ranks. */
uint64_t hn_host_items_bytes(uint64_t n_users, uint64_t n_local_users, uint64_t n_items, uint64_t n_local_pairs,
                             int dim);

/* Collective, one after the other on all ranks. Between them half->x may not change and no other half be started; what
 * else a rank has to do then, it does while it waits for others. */
HnStatus hn_host_items_start(HnHostItems *items, const HnHostHalf *half, HnError *err);
/* Rows [items][dim], scaled, of all ranks; theirs to read until the next start. */
const float *hn_host_items_finish(HnHostItems *items);

#endif
