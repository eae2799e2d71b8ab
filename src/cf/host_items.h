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
#include "cf/table.h"
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
    float *y;                  /* one of hn_host_items_of_items, whose rows are made where they lie; else not used */
    const HnRowsDone *done;    /* where y is used: told of the rank's slice, which it may change; or NULL */
    int shift;                 /* exact: of the integers that users' rows become (fixed.h) */
    uint64_t payload;          /* see hn_comm_host_arrive */
} HnHostHalf;

typedef struct HnHostItems HnHostItems;

/* Collective. *out is NULL where no two ranks share memory, or there is no room for it, which is said. n_blocks: see
 * below. */
HnStatus hn_host_items_create(HnComm *comm, const HnGraph *graph, int dim, bool exact, int n_blocks, HnHostItems **out,
                              HnError *err);
void hn_host_items_free(HnHostItems **items); /* local */
/* Bytes on each of several ranks. */
uint64_t hn_host_items_bytes(uint64_t n_users, uint64_t n_local_users, uint64_t n_items, uint64_t n_local_pairs,
                             int dim, int n_blocks);

/* Blocks k = 0 .. n_blocks-1 that the host's ranks see already, so that nothing is copied: this rank's users [..][dim],
 * which others read as x between start and finish; all items [n_items][dim], one block for the whole host, of which a
 * rank writes its slice alone, and between start and finish. NULL for another k. */
float *hn_host_items_of_users(const HnHostItems *items, int k);
float *hn_host_items_of_items(const HnHostItems *items, int k);
/* Where the host has its one table of all items (hn_table_create_in), in which a rank changes its slice alone: while a
 * half is under way, or between two meetings. NULL without blocks. */
float *hn_host_items_table(const HnHostItems *items);
/* The slice of that table; and a meeting of the host's ranks. */
HnTable hn_host_items_slice(const HnHostItems *items, const HnTable *table);
void hn_host_items_meet(HnHostItems *items);
/* Collective, one after the other on all ranks. Between them half->x may not change and no other half be started; what
 * else a rank has to do then, it does while it waits for others. */
HnStatus hn_host_items_start(HnHostItems *items, const HnHostHalf *half, HnError *err);
/* Rows [items][dim], scaled, of all ranks, y where that is used: theirs to read until the next start. */
const float *hn_host_items_finish(HnHostItems *items);

#endif
