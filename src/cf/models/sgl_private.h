/* Private to SGL: its state, and what its files do: sgl_graph.c what the views leave out, sgl_view.c the propagation
 * over them, sgl_rows.c unit rows and who has which, sgl_contrast.c the loss that tells rows apart. */
#ifndef HN_CF_SGL_PRIVATE_H
#define HN_CF_SGL_PRIVATE_H

#include "cf/model.h"
#include "cf/propagation.h"
#include "contrast.h"

enum { HN_SGL_VIEWS = 2, HN_SGL_MOST_LAYERS = 16 };

/* Runs of rows that are added up in floats, runs in exact integers: the same runs for any number of ranks, and each is
 * added up by one. */
typedef struct SglBlocks {
    uint64_t *begin;      /* [n + 1] rows on this rank */
    uint64_t n;           /* of users: those on this rank */
    uint64_t first, last; /* this rank adds up blocks first .. last-1 */
} SglBlocks;

/* Users of this rank, or all items. `width` is dim filled up with zeros, as the kernel wants it. */
typedef struct SglSide {
    const HnTable *table;
    uint64_t n_all; /* rows over all ranks */
    SglBlocks blocks;
    float *a, *b; /* [n_rows][width] layers of a view in turn, [n_rows][dim]; a also: gradient of a view's rows; b also:
                   * gradient of unit */
    float *sum;   /* [n_rows][width] a view's rows, [n_rows][dim]; later the items' gradient of unit from all ranks */
    float *unit;  /* [n_rows][width] unit rows of the second view; later the table's gradient, [n_rows][dim] */
    float *length; /* [n_rows] of the second view's rows */
    /* The batch's users, or its positive items, in the first view. */
    uint64_t n_batch;
    int32_t *rows;                        /* [n_batch] in the table, ascending */
    float *batch_unit, *batch_length;     /* [n_batch][width], [n_batch] */
    float *weight;                        /* [n_batch] places in the batch; 1 where each counts once */
    float *batch_d_unit, *batch_gradient; /* [n_batch][width], [n_batch][dim] gradient of the unit rows, and theirs */
    uint64_t n_queries, place;            /* rows of all ranks; the first of this rank's among them */
    uint64_t first_query;                 /* and among all queries */
} SglSide;

/* Rows of the first view that are told from rows of the second, from all ranks. */
typedef struct SglQueries {
    uint64_t n;
    float *unit;     /* [n][width]; later the factors of the second view's gradient */
    float *weight;   /* [n] */
    float *packed;   /* for the kernel */
    int64_t *totals; /* [n][width + 1] its sums over the second view's rows, times 2^shift */
    int shift;
} SglQueries;

typedef struct Sgl {
    HnModelContext context;
    void *main; /* LightGCN, on the whole graph */
    HnPropagation propagation;
    int width, n_graphs; /* graphs of a view: one, or one a layer */
    HnGraph graphs[HN_SGL_VIEWS][HN_SGL_MOST_LAYERS];
    uint8_t *keep; /* [n_local_pairs] */
    SglSide users, items;
    SglQueries queries;
    SglBlocks together;                       /* ssl.denominator batch: the batch's rows of the second view, */
    float *together_unit, *together_gradient; /* [most queries][width] and their gradient; else NULL */
    float *scratch;                           /* of the kernel */
    int64_t *counts;                          /* [ranks] the batch's users of each */
    size_t *n_bytes;                          /* [ranks] */
    int n_bad;                                /* rows of the views that are not finite */
} Sgl;

/* keep [n_local_pairs] of view and graph, a function of (seed, epoch). */
void hn_sgl_choose(Sgl *sgl, uint64_t epoch, int view, int graph);
/* Gives a view's graph these pairs; collective. */
HnStatus hn_sgl_keep(Sgl *sgl, int view, int graph, const uint8_t *keep, HnError *err);

/* sum = the table's rows and those of all layers of a view, not divided by their number. Collective. */
HnStatus hn_sgl_view_forward(Sgl *sgl, int view, HnError *err);
/* unit += the table's gradient, from that of the view's rows in a. Collective. */
HnStatus hn_sgl_view_backward(Sgl *sgl, int view, HnError *err);

HnStatus hn_sgl_rows_create(Sgl *sgl, const HnBatch *batch, HnError *err);
void hn_sgl_rows_free(Sgl *sgl);
uint64_t hn_sgl_rows_bytes(const HnTrainConfig *config, uint64_t n_local_users, uint64_t n_items, uint64_t n_positions);
/* The batch's rows from the first view's sum; collective. All rows from the second's; local. */
HnStatus hn_sgl_take_batch(Sgl *sgl, const HnBatch *batch, HnError *err);
void hn_sgl_take_all(Sgl *sgl);
/* d_row [dim], of a row that was made a unit row, from that of the unit row. */
void hn_sgl_unit_gradient(const Sgl *sgl, const float *d_unit, const float *unit, float length, float *d_row);
/* mine [n_batch][columns] of every rank to all [n_queries][columns]; collective. */
HnStatus hn_sgl_gather(Sgl *sgl, const SglSide *side, const float *mine, size_t columns, float *all, HnError *err);
/* Blocks of rows that every rank has, dealt to the ranks. */
void hn_sgl_cut(const Sgl *sgl, SglBlocks *blocks, uint64_t n_rows);
/* mine: the rows of this rank's blocks; all [n rows][width]. Collective. */
HnStatus hn_sgl_gather_blocks(Sgl *sgl, const SglBlocks *blocks, const float *mine, float *all, HnError *err);

/* Tells the batch's rows apart: adds to sums->own, and leaves the gradient of the batch's rows of the first view in
 * batch_gradient, of all rows of the second in a. Collective. */
HnStatus hn_sgl_contrast(Sgl *sgl, const HnBatch *batch, HnLossSums *sums, HnError *err);

#endif
