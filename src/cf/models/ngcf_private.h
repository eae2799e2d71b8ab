/* Private to NGCF: its state; ngcf.c says what it computes. */
#ifndef HN_CF_NGCF_PRIVATE_H
#define HN_CF_NGCF_PRIVATE_H

#include "cf/model.h"
#include "cf/propagation.h"
#include "interact.h"

/* What tells the variants apart. */
typedef struct NgcfRule {
    bool with_self;  /* the first term takes the row itself, too */
    bool apart;      /* an activation for each term, not one on their sum */
    bool averaged;   /* (D + I)^-1 (A + I) in place of D^-1/2 A D^-1/2 */
    bool biased;     /* a bias for each term */
    bool normalised; /* output rows have length 1 */
    bool goes_on;    /* and it is those that enter the next layer */
} NgcfRule;

/* What the model knows of the users, or of the items. Layer l makes e_(l+1) from e_l and s_l, their neighbours' sum. */
typedef struct NgcfSide {
    HnTable *table;
    const HnDegrees *degrees;
    const HnCsr *graph;
    uint32_t part;         /* which rows dropout is drawn for */
    float *inverse, *ones; /* [n_rows] averaged: 1 / (degree + 1); 1 */
    float *layers, *sums;  /* [L - 1][n_rows][dim] e_1 .., s_0 .. */
    uint8_t *marks;        /* [L][n_rows][dim] see interact.h */
    float *lengths;        /* [L][n_rows] goes_on: 1 / length of e_1 .. */
    float *z, *direct;     /* [n_rows][dim] forward: s_(L-1), e_L of all rows; backward: blocks that come and go */
    uint64_t *chunk_begin; /* [n_chunks + 1] rows whose weight gradients are one chain */
    uint64_t n_chunks;
    HnSubgraph sub; /* edges of the batch's rows (forward), or from the batch's users (backward, items) */
    /* The last layer of the batch's rows. */
    float *last_e, *last_s, *last_out, *last_d, *last_direct; /* [n_batch][dim] */
    uint8_t *last_marks;
    float *last_lengths, *batch_scale; /* [n_batch] */
    const int32_t *rows;               /* the batch's rows, their vectors and gradients; borrowed, set at every step */
    uint32_t n_rows;
    float *vectors, *d_vectors; /* [n_batch][width] */
    struct NgcfSide *other;
} NgcfSide;

/* One thread's own. */
typedef struct NgcfThread {
    float *scratch; /* hn_interact_scratch */
    float *partial; /* [of a layer] gradient of a chunk's rows */
    int64_t *total; /* [of a layer] */
    float most[2];  /* largest magnitudes met */
    char apart[64];
} NgcfThread;

typedef struct Ngcf {
    HnModelContext context;
    NgcfRule rule;
    HnPropagation propagation;
    NgcfSide users, items;
    HnTable parameters; /* [L] of W1, W2 [dim][dim] each, then b1, b2 [dim] */
    uint64_t n_layer;   /* parameters of a layer */
    float *turned;      /* [L][2][dim][dim] transposed weights */
    int64_t *totals;    /* [L][n_layer] */
    int *shifts;        /* [L][3] units of W1's, W2's and the biases' totals */
    NgcfThread *threads;
    int n_threads;
    float *window;
    float *bound_e, *bound_s; /* [L + 1] no |element| of e_l, s_l is larger, on any rank */
    uint32_t threshold;       /* of dropout; 0 = none */
    float kept_scale;
    bool drops;    /* in the pass under way */
    uint32_t step; /* its number */
    bool ready;    /* e_1 .. e_(L-1) are those of the step to come */
} Ngcf;

/* Rows on their way through a layer: all of a side's (rows NULL), or the batch's. */
typedef struct NgcfPass {
    Ngcf *model;
    NgcfSide *side;
    int layer;
    const int32_t *rows;
    const float *e;
    float *s, *out, *lengths;
    uint8_t *marks;
} NgcfPass;

NgcfRule hn_ngcf_rule(HnNgcfVariant variant);
uint64_t hn_ngcf_layer_parameters(const HnTrainConfig *config); /* of one layer; of all: */
uint64_t hn_ngcf_parameters(const HnTrainConfig *config);
/* ngcf_memory.c */
HnStatus hn_ngcf_allocate(Ngcf *model, const HnBatch *batch, HnError *err);
void hn_ngcf_free(void *state);
uint64_t hn_ngcf_bytes(const HnTrainConfig *config, uint64_t n_local_users, uint64_t n_items, uint64_t n_local_pairs,
                       uint64_t n_positions, bool exact);
uint64_t hn_ngcf_moved(const HnTrainConfig *config, uint64_t n_items, uint64_t n_batch_items, bool exact);

/* e_l of all rows; s_l; 1 / length of e_l. */
float *hn_ngcf_e(const Ngcf *model, const NgcfSide *side, int l);
float *hn_ngcf_s(const Ngcf *model, const NgcfSide *side, int l);
float *hn_ngcf_lengths(const NgcfSide *side, int l);
NgcfPass hn_ngcf_pass(Ngcf *model, NgcfSide *side, int layer, bool of_batch);

HnInteract hn_ngcf_layer(const Ngcf *model, int l);
NgcfThread *hn_ngcf_thread(const Ngcf *model); /* of the calling thread */
/* The largest of what the threads met since the last call, agreed on over ranks. Collective. */
HnStatus hn_ngcf_most(Ngcf *model, float *first, float *second, HnError *err);
void hn_ngcf_note(NgcfThread *thread, int which, const float *x, uint64_t n);

/* 1 / length of a row, 0 for a row of zeros, which stays one. */
float hn_ngcf_inverse_length(const float *row, int dim);
/* d: from the gradient of z = row / length to that of the row. */
void hn_ngcf_through_length(float *d, const float *z, float inverse, int dim);
/* values[rows[r]] of the batch's rows, in batch_scale */
const float *hn_ngcf_pick(const NgcfSide *side, const float *values);

HnStatus hn_ngcf_forward(void *state, HnBatch *batch, HnError *err);
HnStatus hn_ngcf_look(void *state, HnBatch *batch, float *users, float *items, float *item_hops, HnError *err);
HnStatus hn_ngcf_embed(void *state, float *users, float *items, float *item_hops, HnError *err);
HnStatus hn_ngcf_backward(void *state, HnBatch *batch, bool keep, const HnRowsDone *users_done,
                          const HnRowsDone *items_done, HnError *err);

/* Gradients through the dense part of a layer (ngcf_dense.c), in place of those of its output in d [n_rows][dim]:
 * those of s_l; and those of e_l by other ways, to direct. The weights' go to totals. Collective. */
HnStatus hn_ngcf_dense(Ngcf *model, const NgcfPass passes[2], float *const d[2], float *const direct[2],
                       const float bounds[3], uint64_t n_rows_of_all, HnError *err);
/* totals of all layers over all ranks, to the parameters' gradient. Collective. */
HnStatus hn_ngcf_gather_sums(Ngcf *model, HnError *err);

#endif
