/* This rank's part of the user-item graph: rows of its users over all items, and the same pairs transposed: rows of all
 * items over its users. Degrees are those of the whole data set.
 *
 * LightGCN runs in the scaled space z = D^-1/2 E, where a layer is z' = D^-1 A z. A row without edges keeps root 1 and
 * scale 0: it is not propagated. */
#ifndef HN_CF_GRAPH_H
#define HN_CF_GRAPH_H

#include "base/error.h"
#include "cf/shards.h"
#include "comm.h"
#include "propagate.h"

typedef struct HnDegrees {
    uint64_t n;
    float *root;     /* [n] sqrt(degree), 1 for degree 0 */
    float *inv_root; /* [n] 1 / root */
    float *scale;    /* [n] 1 / degree, 0 for degree 0 */
} HnDegrees;

typedef struct HnGraph {
    HnCsr users, items;                    /* over the arrays below */
    uint64_t *user_offsets, *item_offsets; /* [n_local_users + 1], [n_items + 1] */
    int32_t *item_users;                   /* [n_local_pairs] local user rows */
    int32_t *user_items;                   /* [n_local_pairs] of a part; NULL: borrowed */
    HnDegrees user_degrees, item_degrees;
} HnGraph;

/* Borrows shards->train.items. Collective (item degrees are summed over ranks). */
HnStatus hn_graph_create(const HnUserShards *shards, HnComm *comm, HnGraph *graph, HnError *err);
void hn_graph_free(HnGraph *graph);

/* Room for a graph over some of the pairs of another, and that graph: pair p of the whole, by user in order, where
 * keep[p] is not 0. Degrees are those of the part; keep_pairs leaves them unset. keep is collective, the others are
 * local. */
HnStatus hn_graph_create_part(const HnGraph *whole, HnGraph *part, HnError *err);
void hn_graph_keep_pairs(const HnGraph *whole, const uint8_t *keep, HnGraph *part);
HnStatus hn_graph_keep(const HnGraph *whole, const uint8_t *keep, HnComm *comm, HnGraph *part, HnError *err);
uint64_t hn_graph_part_bytes(uint64_t n_local_users, uint64_t n_items, uint64_t n_local_pairs);

/* Storage of one small graph that is made anew for every batch. */
typedef struct HnSubgraph {
    HnCsr csr;
    uint64_t *offsets; /* [max_rows + 1] */
    int32_t *columns;  /* [max_edges] */
    uint64_t *cursor;  /* [max_rows] */
    int32_t *place;    /* [n_columns] -1 between calls */
} HnSubgraph;
/* n_columns: of the graph whose columns are chosen; 0 where none are. */
HnStatus hn_subgraph_create(uint64_t max_rows, uint64_t max_edges, uint64_t n_columns, HnSubgraph *sub, HnError *err);
void hn_subgraph_free(HnSubgraph *sub);
/* The chosen rows of a graph, columns and their scale unchanged. */
void hn_subgraph_rows(HnSubgraph *sub, const HnCsr *graph, const int32_t *rows, uint64_t n_rows);
/* The transpose of the chosen rows: one row per column of `graph`, whose columns are places 0 .. n_rows-1 in `rows`. */
void hn_subgraph_transpose(HnSubgraph *sub, const HnCsr *graph, const int32_t *rows, uint64_t n_rows);
/* All rows of a graph, with their edges to the chosen columns alone: these are places 0 .. n-1 in `columns` then. */
void hn_subgraph_columns(HnSubgraph *sub, const HnCsr *graph, const int32_t *columns, uint64_t n);

#endif
