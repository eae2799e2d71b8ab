/* Private to DGCF: its state; dgcf.c says what it computes. */
#ifndef HN_CF_DGCF_PRIVATE_H
#define HN_CF_DGCF_PRIVATE_H

#include "cf/model.h"
#include "route.h"

enum { DGCF_MOST_LAYERS = 17 };

/* An array of rows for each side: this rank's users, all items. */
typedef struct DgcfRows {
    float *users, *items;
} DgcfRows;

/* One iteration of the routing: layer k / T, its turn k mod T. */
typedef struct DgcfTurn {
    float *shares;  /* [2][n_edges][F] of every edge user <- item, then item <- user: softmax of its logits */
    DgcfRows roots; /* [n][F] 1 / sqrt of the shares' sums by row */
    DgcfRows z;     /* [n][dim] */
} DgcfTurn;

typedef struct Dgcf {
    HnModelContext context;
    int factors, iterations, n_turns; /* n_turns = L T */
    uint64_t n_users, n_items, n_edges;
    HnRoute user_rows, item_rows; /* this rank's edges by user and by item */
    int64_t *item_edges;          /* [n_edges] number by user of every edge by item */
    DgcfRows e[DGCF_MOST_LAYERS]; /* [n][dim] after 0, 1 .. L layers; 0 = the tables, else the last turn's z */
    DgcfRows d[DGCF_MOST_LAYERS]; /* [n][dim] their gradients; 0 = the tables' */
    DgcfTurn *turns;              /* [n_turns] */
    float *logits;                /* [2][n_edges][F] their gradients in the backward pass */
    float *weights;               /* [2][n_edges][F] */
    float *asked;                 /* [n_edges][F] */
    DgcfRows unit, bent, dz, sum; /* [n][dim] */
    int bent_layer;               /* that bent is of */
    DgcfRows lengths, small;      /* [n][F] */
    int64_t *totals;              /* [n_items][dim] */

    /* The correlation loss: rows drawn for a step, and what it asks of them. */
    uint64_t n_drawn;                                  /* users, and as many items */
    int32_t *drawn;                                    /* [2][n_drawn] users, items */
    float *drawn_rows, *d_drawn;                       /* [2 n_drawn][dim] final vectors, gradients */
    double *distances[2], *centred[2], *means, *d_row; /* [2 n_drawn]^2 twice each; [2 n_drawn]; [dim] */
    bool has_own;                                      /* d_drawn is to be added */

    void **owned; /* blocks to free */
    int n_owned;
} Dgcf;

/* y = sums over the edges of users (or items) of w[edge][f] * x of the other side, direction a's weights; the items' go
 * over all ranks as integers, and are collective. */
void hn_dgcf_to_users(Dgcf *model, const float *weights, int a, const DgcfRows *x, float *y);
HnStatus hn_dgcf_to_items(Dgcf *model, const float *weights, int a, const DgcfRows *x, float *y, HnError *err);
/* out [2][n_edges][F] (+)= <h[row][f], t[column][f]> for both directions */
void hn_dgcf_dots(const Dgcf *model, const DgcfRows *h, const DgcfRows *t, int add, float *out);
/* Sums by item over all ranks of x[edge][F] of every edge, to y [n_items][F]. Collective. */
HnStatus hn_dgcf_edges_to_items(Dgcf *model, const float *x, float *y, HnError *err);
void hn_dgcf_edges_to_users(const Dgcf *model, const float *x, float *y);

/* unit = x with every chunk of a row brought to length 1 (chunks of zeros stay), lengths = what they were multiplied
 * by. */
void hn_dgcf_unit(const Dgcf *model, const DgcfRows *x, const DgcfRows *unit, const DgcfRows *lengths);
/* into += the gradient through unit(x): (d - unit <unit, d>) * lengths, chunk by chunk. */
void hn_dgcf_through_unit(const Dgcf *model, const DgcfRows *d, const DgcfRows *unit, const DgcfRows *lengths,
                          const DgcfRows *into);
/* weights of turn k: share * root of the row * root of the column */
void hn_dgcf_weigh(const Dgcf *model, const DgcfTurn *turn, float *weights);
/* bent = tanh(unit(e_l)), unless it is that already; may use lengths */
void hn_dgcf_bend(Dgcf *model, int l);

/* The final vector of a row. */
void hn_dgcf_pool(const Dgcf *model, bool of_users, uint64_t row, float *out);
HnStatus hn_dgcf_layers(Dgcf *model, HnError *err); /* e_1 .. e_L */
HnStatus hn_dgcf_backward(void *state, HnBatch *batch, bool keep, const HnRowsDone *users_done,
                          const HnRowsDone *items_done, HnError *err);
HnStatus hn_dgcf_own_loss(void *state, HnBatch *batch, HnLossSums *sums, HnError *err);

#endif
