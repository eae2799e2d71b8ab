/* The adapter's weight gradients over all ranks. */
#include <string.h>

#include "cf/adapter.h"
#include "layer.h"
#include "shard.h"

/* Outputs begin .. end-1 of layer l, from n rows of inputs x and of output gradients d. */
static HnStatus block_gradient(HnAdapter *adapter, int l, const float *x, const float *d, uint64_t n, uint64_t begin,
                               uint64_t end, float *weights, HnError *err) {
    const uint64_t in = adapter->widths[l], out = adapter->widths[l + 1];
    if (n == 0) {
        memset(weights, 0, (end - begin) * in * sizeof *weights);
        memset(adapter->parameters.gradient + adapter->bias_at[l] + begin, 0, (end - begin) * sizeof *weights);
        return HN_OK;
    }
    hn_layer_column_sums_cpu(d, n, out, begin, end, adapter->parameters.gradient + adapter->bias_at[l]);
    return hn_adapter_product(adapter, true, false, end - begin, in, n, d + begin, out, x, in, weights, in, err);
}

/* This rank's rows alone. */
static HnStatus local_gradient(HnAdapter *adapter, HnError *err) {
    for (int l = 0; l < adapter->n_layers; l++) {
        HN_TRY(block_gradient(adapter, l, adapter->rows[l], adapter->d_rows[l + 1], adapter->n_rows, 0,
                              adapter->widths[l + 1], adapter->parameters.gradient + adapter->weight_at[l], err));
    }
    return HN_OK;
}

/* How many rows each rank has. */
static HnStatus count_rows(HnAdapter *adapter, uint64_t *n_all, HnError *err) {
    const int size = hn_comm_size(adapter->comm);
    memset(adapter->row_counts, 0, (size_t)size * sizeof *adapter->row_counts);
    adapter->row_counts[hn_comm_rank(adapter->comm)] = (int64_t)adapter->n_rows;
    HN_TRY(hn_comm_sum_i64(adapter->comm, adapter->row_counts, (size_t)size, err));
    *n_all = 0;
    for (int r = 0; r < size; r++) {
        *n_all += (uint64_t)adapter->row_counts[r];
    }
    return HN_OK;
}

static HnStatus gather_rows(HnAdapter *adapter, const float *mine, float *all, uint64_t width, HnError *err) {
    for (int r = 0; r < hn_comm_size(adapter->comm); r++) {
        adapter->n_bytes[r] = (size_t)adapter->row_counts[r] * width * sizeof(float);
    }
    return hn_comm_gather_all(adapter->comm, mine, all, adapter->n_bytes, err);
}

/* Every rank's block of `width` columns a row of something with `out` rows, to all. */
static HnStatus gather_blocks(HnAdapter *adapter, const float *mine, float *all, uint64_t out, uint64_t width,
                              HnError *err) {
    for (int r = 0; r < hn_comm_size(adapter->comm); r++) {
        uint64_t begin, end;
        hn_shard_block(out, hn_comm_size(adapter->comm), r, &begin, &end);
        adapter->n_bytes[r] = (size_t)((end - begin) * width) * sizeof(float);
    }
    return hn_comm_gather_all(adapter->comm, mine, all, adapter->n_bytes, err);
}

/* One chain over all ranks' rows for every weight: rows travel, then blocks of outputs. */
static HnStatus exchange_gradient(HnAdapter *adapter, HnError *err) {
    float *gradient = adapter->parameters.gradient;
    uint64_t n_all = 0;
    HN_TRY(count_rows(adapter, &n_all, err));
    for (int l = 0; l < adapter->n_layers; l++) {
        const uint64_t in = adapter->widths[l], out = adapter->widths[l + 1];
        uint64_t begin, end;
        hn_shard_block(out, hn_comm_size(adapter->comm), hn_comm_rank(adapter->comm), &begin, &end);
        HN_TRY(gather_rows(adapter, adapter->rows[l], adapter->all_rows, in, err));
        HN_TRY(gather_rows(adapter, adapter->d_rows[l + 1], adapter->all_d_rows, out, err));
        HnStatus status =
            block_gradient(adapter, l, adapter->all_rows, adapter->all_d_rows, n_all, begin, end, adapter->block, err);
        HN_TRY(hn_comm_agree(adapter->comm, status, err));
        HN_TRY(gather_blocks(adapter, adapter->block, gradient + adapter->weight_at[l], out, in, err));
        memcpy(adapter->block, gradient + adapter->bias_at[l] + begin, (end - begin) * sizeof *gradient);
        HN_TRY(gather_blocks(adapter, adapter->block, gradient + adapter->bias_at[l], out, 1, err));
    }
    return HN_OK;
}

HnStatus hn_adapter_weight_gradient(HnAdapter *adapter, HnError *err) {
    if (hn_comm_size(adapter->comm) == 1) {
        return local_gradient(adapter, err);
    }
    if (adapter->exact) {
        return exchange_gradient(adapter, err);
    }
    HN_TRY(hn_comm_agree(adapter->comm, local_gradient(adapter, err), err));
    return hn_comm_sum_f32(adapter->comm, adapter->parameters.gradient, adapter->parameters.n_rows, err);
}
