/* Private to LightGCN: its state, and how a pass over the layers is run (lightgcn_pass.c) whatever its halves do
 * (lightgcn.c), which edges it goes over (lightgcn_edges.c), all rows (lightgcn_embed.c) and the hops
 * (lightgcn_hops.c). */
#ifndef HN_CF_LIGHTGCN_PRIVATE_H
#define HN_CF_LIGHTGCN_PRIVATE_H

#include "cf/model.h"
#include "cf/propagation.h"

/* What the model knows of the users, or of the items. */
typedef struct Side {
    HnTable *table;
    const HnDegrees *degrees;
    const float *scale; /* [n_rows] of the edges taken: 1 / degree but for dropout */
    HnSubgraph sub;     /* edges of the batch's rows (forward), or from the batch's users (backward, items) */
    float *z;          /* a layer, all rows: a block of the host's ranks, or own_z; the table's gradients are another */
    float *own_z;      /* NULL: the host's */
    float *last_scale; /* row scales of the last backward layer */
    float *kept_scale; /* row scales where edges are dropped, else NULL */
    float *layers;     /* [L - 1][n_rows][dim] z_1 .. of the batch's rows */
    float *batch_scale;  /* a number for each of the batch's rows */
    const int32_t *rows; /* the batch's rows, their vectors and gradients; borrowed, set at every step */
    uint32_t n_rows;
    float *vectors, *d_vectors;
    HnPoolRule pool;
    float *hops,
        *d_hops; /* [n_rows][L + 1][dim] of items where the sampler works by hop, of both where L2 does; else NULL */
    struct Side *other;
} Side;

/* What a step leaves of the edges to users [0] and of those to items [1], in all layers or in each. */
typedef struct EdgeDrop {
    uint32_t threshold; /* see HnKeep; 0: nothing is dropped, nothing below is used */
    float gain;         /* what an edge that is kept counts */
    bool drawn;         /* graphs are those of `step` */
    uint64_t step;
    uint8_t *marks[2]; /* of the layer at hand */
    int n_masks;       /* 1, or as many as layers */
    HnGraph *graphs;   /* [n_masks][2] without degrees */
} EdgeDrop;

/* Which edges a pass goes over: those of the whole graph, the step's, or their transpose. */
typedef enum Edges { EDGES_ALL, EDGES_STEP, EDGES_BACK } Edges;

typedef struct LightGcn {
    HnModelContext context;
    HnPropagation propagation;
    Side users, items;
    EdgeDrop drop;
    Edges edges;   /* taken */
    float gain;    /* of the edges taken: what one counts, beside 1 / degree */
    float *window; /* see HnHalf */
} LightGcn;

struct Work;

/* One pass over the layers. */
typedef struct Pass {
    LightGcn *model;
    /* Fills work for the half of layer 1 .. L that makes side's rows. */
    void (*half)(struct Pass *pass, Side *side, int layer, struct Work *work);
    float first_bound;                         /* of the users' rows that enter layer 1 */
    float added_bound;                         /* of what is added to the users' rows of every layer */
    bool chained;                              /* one chain after the other */
    bool keep;                                 /* backward: see HnModelOps */
    const HnRowsDone *users_then, *items_then; /* backward: what the caller wants done with the gradients */
    float *users_out, *items_out;              /* embed: final rows of all */
    float *item_hops;                          /* embed: see HnModelOps, or NULL */
} Pass;

/* A half of a layer, with what happens to its rows. */
typedef struct Work {
    HnHalf half;
    HnRowsDone done;
    const Side *side;
    int layer, n_layers;
    float share; /* of a pooled layer in the final row: 1 / (L + 1), or 1 */
    const HnRowsDone *then;
    float *item_hops;    /* embed: see HnModelOps */
    float *out;          /* embed: all rows of the side, final or on their way there */
    const float *before; /* embed: the side's layer before */
} Work;

/* What the sum of the pooled layers is divided by. */
static inline float hn_lightgcn_divisor(const Side *side, int layers) {
    return side->pool == HN_POOL_MEAN ? (float)(layers + 1) : side->pool == HN_POOL_UPPER ? (float)layers : 1.0f;
}
/* Whether layer l of so many has a part in the final row. */
static inline bool hn_lightgcn_pools(const Side *side, int l, int layers) {
    return side->pool == HN_POOL_FINAL ? l == layers : side->pool != HN_POOL_UPPER || l > 0;
}

/* Where the layer lives that comes `left` before the last one. */
float *hn_lightgcn_block(const Pass *pass, const Side *side, int left);
/* values[rows[r]] of the batch's rows, in batch_scale */
const float *hn_lightgcn_pick(const Side *side, const float *values);
/* side's rows from the other side's rows x, which are not scaled yet where they enter the first layer. */
void hn_lightgcn_start(Work *work, const Pass *pass, const Side *side, int layer, const float *x, float *y,
                       void (*rows)(void *, uint64_t, uint64_t, float *));
/* A bound on these users' elements that all ranks share; 0 where none is needed. Collective. */
HnStatus hn_lightgcn_bound(const LightGcn *model, const float *rows, uint64_t n_rows, float *bound, HnError *err);

/* All halves of a pass, in the order that suits the number of ranks; or layer by layer. Collective. */
HnStatus hn_lightgcn_run(Pass *pass, HnError *err);
HnStatus hn_lightgcn_run_layers(Pass *pass, HnError *err);

/* lightgcn.c. Whose rows the batch names, and the edges of its step; a half of the forward pass; final rows of the
 * batch from its layers. */
void hn_lightgcn_take(LightGcn *model, HnBatch *batch);
void hn_lightgcn_forward_half(Pass *pass, Side *side, int layer, Work *work);
void hn_lightgcn_pool(const Side *side, int layers);

/* lightgcn_edges.c, for models with layers. take is called before a pass; draw, for a step's first one, before that:
 * local. Bytes of what edge dropout needs. */
HnStatus hn_lightgcn_edges_create(LightGcn *model, HnError *err);
void hn_lightgcn_edges_free(LightGcn *model);
void hn_lightgcn_edges_draw(LightGcn *model, uint64_t step);
void hn_lightgcn_edges_take(LightGcn *model, Edges which);
/* Of the edges taken, those that make side's rows in layer 1 .. L of a pass; and for the items those rows of users, who
 * send. */
const HnCsr *hn_lightgcn_edges_of(const LightGcn *model, const Side *side, int layer);
const HnCsr *hn_lightgcn_senders(const LightGcn *model, int layer);
uint64_t hn_lightgcn_edges_bytes(const HnTrainConfig *config, uint64_t n_local_users, uint64_t n_items,
                                 uint64_t n_local_pairs);

/* lightgcn_look.c. See HnModelOps. */
HnStatus hn_lightgcn_look(void *state, HnBatch *batch, float *users_out, float *items_out, float *item_hops,
                          HnError *err);

/* lightgcn_embed.c. See HnModelOps; and the same over the edges taken. */
HnStatus hn_lightgcn_embed(void *state, float *users_out, float *items_out, float *item_hops, HnError *err);
HnStatus hn_lightgcn_embed_over(LightGcn *model, float *users_out, float *items_out, float *item_hops, HnError *err);

/* lightgcn_hops.c. Hops of the batch's row b, before its layers are pooled; last is z_L. */
void hn_lightgcn_write_hops(const Work *work, uint64_t b, const float *last);
/* An HnRowsDone of embedding: the items' rows of a layer to item_hops. */
void hn_lightgcn_hop_rows(void *work, uint64_t first, uint64_t last, float *values);
/* G + (L + 1) K_l in place of K_l, and that of l = L in place of G too. */
void hn_lightgcn_fold_hops(const Side *side, int layers);
/* What a backward layer adds to the batch's row b, times root. */
const float *hn_lightgcn_added_row(const Work *work, uint32_t b);

#endif
