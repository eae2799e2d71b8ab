/* The adapter (paper eq. 6): a small multi-layer perceptron from text vectors to the space of the embeddings.
 *
 *     a_0 = text vector;  a_l = act(W_l a_{l-1} + b_l);  the last layer has no activation unless last_relu
 *
 * W_l is [widths[l]][widths[l-1]]. Weights and biases start uniform on +-1/sqrt(fan in), as PyTorch's Linear does.
 *
 * A product's bits depend on its shape. Reproducible: forward, rows go through products of one fixed shape, on one
 * thread each; a row's bits must not depend on its place in them, which is checked on this machine before the first use
 * (where they did, every virtual shard would be a product of its own). Backward, each virtual shard is a product of its
 * own, for the number of its rows does not depend on ranks, and the shards' weight gradients are joined as 64-bit
 * integers. Otherwise: one product over this rank's rows and a float sum over ranks.
 */
#ifndef HN_CF_ADAPTER_H
#define HN_CF_ADAPTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "cf/table.h"
#include "comm.h"
#include "config/experiment.h"

enum { HN_ADAPTER_MAX_LAYERS = 8, HN_ADAPTER_ROW_BLOCK = 192 }; /* a multiple of what products step by: 6, 8, 48 */

typedef struct HnAdapter {
    HnComm *comm;
    bool exact, frozen, last_relu;
    float slope; /* of the activation below zero */
    int n_layers;
    uint64_t widths[HN_ADAPTER_MAX_LAYERS + 1];
    uint64_t weight_at[HN_ADAPTER_MAX_LAYERS], bias_at[HN_ADAPTER_MAX_LAYERS]; /* places in the parameter block */
    HnTable parameters;                                                        /* [n_weights][1] */

    /* The batch's rows, shard after shard. Exact: rows of zeros follow, up to a multiple of ROW_BLOCK. */
    int n_shards; /* that this rank owns; 1 when not exact */
    uint64_t max_rows;
    uint64_t *row_begin;              /* [n_shards + 1] */
    uint64_t *row_count;              /* [n_shards] */
    bool blocks_checked, blocks_hold; /* whether a row's bits depend on its place in a product: not if they hold */
    float *rows[HN_ADAPTER_MAX_LAYERS + 1];   /* [max_rows][widths[l]]; rows[0] is filled by the caller */
    float *d_rows[HN_ADAPTER_MAX_LAYERS + 1]; /* the same; d_rows[n_layers] is filled by the caller; [0] is unused */
    int64_t *totals;                          /* exact: [n_weights] */
    float *tiles;                             /* exact: scratch of every thread */
    double flops, seconds;
} HnAdapter;

/* n_shards, max_pairs: what this rank owns and the most pairs of a batch that can fall to it. */
HnStatus hn_adapter_create(HnAdapter *adapter, const HnTrainConfig *config, uint64_t text_dim, uint64_t seed,
                           int n_shards, uint64_t max_pairs, bool exact, HnComm *comm, HnError *err);
void hn_adapter_free(HnAdapter *adapter);
uint64_t hn_adapter_weights(const HnTrainConfig *config, uint64_t text_dim);
uint64_t hn_adapter_bytes(const HnTrainConfig *config, uint64_t text_dim, uint64_t max_pairs, bool exact);

/* Lays out row_count[0 .. n_shards) rows; afterwards row s of shard v is rows[l] + (row_begin[v] + s) * widths[l].
 * Zeroes the rows behind the last in rows[0] and d_rows[n_layers]. */
void hn_adapter_layout(HnAdapter *adapter);
/* rows[0] to rows[n_layers]. Collective the first time, local from then on. */
HnStatus hn_adapter_forward(HnAdapter *adapter, HnError *err);
/* d_rows[n_layers] to the parameters' gradient, l2 * parameters added. Collective. Nothing to do when frozen. */
HnStatus hn_adapter_backward(HnAdapter *adapter, double l2, HnError *err);
/* Sum of squares of the parameters, in one order whatever the threads. */
double hn_adapter_squares(const HnAdapter *adapter);

#endif
