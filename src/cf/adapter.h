/* The adapter (paper eq. 6): a small multi-layer perceptron from text vectors to the space of the embeddings.
 *
 *     a_0 = text vector;  a_l = act(W_l a_{l-1} + b_l);  the last layer has no activation unless last_relu
 *
 * W_l is [widths[l]][widths[l-1]]. Weights and biases start uniform on +-1/sqrt(fan in), as PyTorch's Linear does.
 *
 * Reproducible: products whose elements are plain chains (kernels/product.h), so a row's bits do not depend on which
 * rank holds it. A weight's gradient is one chain over the whole batch's rows, in the order of virtual shard and
 * position: the ranks exchange rows, each computes a block of outputs over all of them, and the blocks are exchanged.
 * Otherwise: library products over this rank's rows, and a float sum over ranks.
 */
#ifndef HN_CF_ADAPTER_H
#define HN_CF_ADAPTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "cf/table.h"
#include "comm.h"
#include "config/experiment.h"

enum { HN_ADAPTER_MAX_LAYERS = 8 };

typedef struct HnAdapter {
    HnComm *comm;
    bool exact, frozen, last_relu;
    float slope; /* of the activation below zero */
    int n_layers;
    uint64_t widths[HN_ADAPTER_MAX_LAYERS + 1];
    uint64_t weight_at[HN_ADAPTER_MAX_LAYERS], bias_at[HN_ADAPTER_MAX_LAYERS]; /* places in the parameter block */
    HnTable parameters;                                                        /* [n_weights][1] */

    /* This rank's rows of the batch: the caller sets n_rows and fills rows[0], later d_rows[n_layers]. When exact, they
     * are in an order that continues from rank to rank (virtual shard, then position). */
    uint64_t n_rows, max_rows;
    float *rows[HN_ADAPTER_MAX_LAYERS + 1];   /* [max_rows][widths[l]] */
    float *d_rows[HN_ADAPTER_MAX_LAYERS + 1]; /* [max_rows][widths[l]]; [0] is unused */

    void *scratch; /* exact: of the products */
    size_t scratch_bytes;
    uint64_t max_all_rows;        /* exact and several ranks: rows of a batch over all ranks */
    float *all_rows, *all_d_rows; /* [max_all_rows][widest] one layer's, at a time */
    float *block;                 /* this rank's block of one layer's gradient */
    size_t *n_bytes;              /* [ranks] */
    int64_t *row_counts;          /* [ranks] */
    double flops, seconds;
} HnAdapter;

/* max_rows: the most pairs of a batch that can fall to this rank; max_all_rows: to all ranks. Local. */
HnStatus hn_adapter_create(HnAdapter *adapter, const HnTrainConfig *config, uint64_t text_dim, uint64_t seed,
                           uint64_t max_rows, uint64_t max_all_rows, bool exact, HnComm *comm, HnError *err);
void hn_adapter_free(HnAdapter *adapter);
uint64_t hn_adapter_weights(const HnTrainConfig *config, uint64_t text_dim);
uint64_t hn_adapter_bytes(const HnTrainConfig *config, uint64_t text_dim, uint64_t max_rows, uint64_t max_all_rows,
                          bool exact, int ranks);

/* rows[0] to rows[n_layers]. Local. */
HnStatus hn_adapter_forward(HnAdapter *adapter, HnError *err);
/* d_rows[n_layers] to the parameters' gradient, l2 * parameters added. Collective. Nothing to do when frozen. */
HnStatus hn_adapter_backward(HnAdapter *adapter, double l2, HnError *err);
/* Sum of squares of the parameters, in one order whatever the threads. */
double hn_adapter_squares(const HnAdapter *adapter);

/* adapter_gradient.c, for adapter.c: gradients of all weights and biases over all ranks, without l2. */
HnStatus hn_adapter_weight_gradient(HnAdapter *adapter, HnError *err);
/* op(A) [m][k] times op(B) [k][n]: the product of this adapter's kind, counted. */
HnStatus hn_adapter_product(HnAdapter *adapter, bool trans_a, bool trans_b, uint64_t m, uint64_t n, uint64_t k,
                            const float *a, uint64_t lda, const float *b, uint64_t ldb, float *c, uint64_t ldc,
                            HnError *err);

#endif
