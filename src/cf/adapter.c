#include "cf/adapter.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "cf/adapter_product.h"

static HnStatus layer_widths(const HnTrainConfig *config, uint64_t text_dim, uint64_t *widths, int *n_layers,
                             HnError *err) {
    const HnIntList *hidden = &config->semantic.adapter_hidden;
    if (hidden->n + 1 > HN_ADAPTER_MAX_LAYERS) {
        return hn_fail(err, HN_CONFIG, "semantic.adapter_hidden has %zu layers, at most %d", hidden->n,
                       HN_ADAPTER_MAX_LAYERS - 1);
    }
    int n = 0;
    widths[n++] = text_dim;
    for (size_t i = 0; i < hidden->n; i++) {
        widths[n++] = (uint64_t)hidden->items[i];
    }
    if (hidden->n == 0) {
        widths[n++] = (text_dim + (uint64_t)config->model.dim) / 2;
    }
    widths[n] = (uint64_t)config->model.dim;
    *n_layers = n;
    return HN_OK;
}

uint64_t hn_adapter_weights(const HnTrainConfig *config, uint64_t text_dim) {
    uint64_t widths[HN_ADAPTER_MAX_LAYERS + 1] = {0}, total = 0;
    int n_layers = 0;
    if (layer_widths(config, text_dim, widths, &n_layers, NULL) == HN_OK) {
        for (int l = 0; l < n_layers; l++) {
            total += widths[l + 1] * (widths[l] + 1);
        }
    }
    return total;
}

static uint64_t rows_for(uint64_t pairs, bool exact) {
    uint64_t blocks = (pairs + HN_ADAPTER_ROW_BLOCK - 1) / HN_ADAPTER_ROW_BLOCK;
    return exact ? blocks * HN_ADAPTER_ROW_BLOCK : pairs;
}

uint64_t hn_adapter_bytes(const HnTrainConfig *config, uint64_t text_dim, uint64_t max_pairs, bool exact) {
    uint64_t widths[HN_ADAPTER_MAX_LAYERS + 1] = {0}, columns = 0;
    int n_layers = 0;
    if (layer_widths(config, text_dim, widths, &n_layers, NULL) != HN_OK) {
        return 0;
    }
    for (int l = 0; l <= n_layers; l++) {
        columns += widths[l] * (l > 0 ? 2 : 1);
    }
    return hn_adapter_weights(config, text_dim) * (exact ? 24 : 16) + 4 * columns * rows_for(max_pairs, exact);
}

static HnStatus allocate(HnAdapter *adapter, HnError *err) {
    uint64_t n_weights = adapter->parameters.n_rows;
    adapter->row_begin = hn_alloc((size_t)adapter->n_shards + 1, sizeof(uint64_t), "adapter rows", err);
    adapter->row_count = hn_alloc((size_t)adapter->n_shards, sizeof(uint64_t), "adapter rows", err);
    bool whole = adapter->row_begin && adapter->row_count;
    for (int l = 0; l <= adapter->n_layers; l++) {
        size_t bytes = adapter->widths[l] * sizeof(float);
        adapter->rows[l] = hn_alloc(adapter->max_rows, bytes, "adapter rows", err);
        adapter->d_rows[l] = l == 0 ? NULL : hn_alloc(adapter->max_rows, bytes, "adapter gradients", err);
        whole = whole && adapter->rows[l] && (l == 0 || adapter->d_rows[l]);
    }
    if (adapter->exact) {
        adapter->totals = hn_alloc(n_weights, sizeof(int64_t), "adapter gradient sums", err);
        adapter->tiles = hn_alloc((size_t)omp_get_max_threads(), hn_adapter_tile_bytes(), "adapter tiles", err);
        whole = whole && adapter->totals && adapter->tiles;
    }
    return whole ? HN_OK : HN_MEMORY;
}

static void init_weights(HnAdapter *adapter, uint64_t seed) {
    for (int l = 0; l < adapter->n_layers; l++) {
        double bound = 1.0 / sqrt((double)adapter->widths[l]);
        uint64_t weights_end = adapter->bias_at[l], biases_end = weights_end + adapter->widths[l + 1];
        hn_table_init_layer(&adapter->parameters, adapter->weight_at[l], weights_end, bound, seed, (uint32_t)(2 * l));
        hn_table_init_layer(&adapter->parameters, weights_end, biases_end, bound, seed, (uint32_t)(2 * l + 1));
    }
}

HnStatus hn_adapter_create(HnAdapter *adapter, const HnTrainConfig *config, uint64_t text_dim, uint64_t seed,
                           int n_shards, uint64_t max_pairs, bool exact, HnComm *comm, HnError *err) {
    *adapter = (HnAdapter){.comm = comm,
                           .exact = exact,
                           .frozen = config->semantic.adapter_frozen,
                           .last_relu = config->semantic.adapter_last_relu,
                           .slope = config->semantic.activation == HN_ACTIVATION_LEAKY_RELU ? 0.01f : 0.0f,
                           .n_shards = exact ? n_shards : 1,
                           .max_rows = rows_for(max_pairs, exact)};
    HN_TRY(layer_widths(config, text_dim, adapter->widths, &adapter->n_layers, err));
    uint64_t at = 0;
    for (int l = 0; l < adapter->n_layers; l++) {
        adapter->weight_at[l] = at;
        adapter->bias_at[l] = at + adapter->widths[l + 1] * adapter->widths[l];
        at = adapter->bias_at[l] + adapter->widths[l + 1];
    }
    HnStatus status = hn_table_create(&adapter->parameters, at, 0, 1, "adapter weights", err);
    if (status == HN_OK) {
        status = allocate(adapter, err);
    }
    if (status != HN_OK) {
        hn_adapter_free(adapter);
        return status;
    }
    init_weights(adapter, seed);
    return HN_OK;
}

void hn_adapter_free(HnAdapter *adapter) {
    hn_free(adapter->tiles);
    hn_free(adapter->totals);
    for (int l = 0; l <= HN_ADAPTER_MAX_LAYERS; l++) {
        hn_free(adapter->d_rows[l]);
        hn_free(adapter->rows[l]);
    }
    hn_free(adapter->row_count);
    hn_free(adapter->row_begin);
    hn_table_free(&adapter->parameters);
    *adapter = (HnAdapter){0};
}

static void zero_rows(float *rows, uint64_t width, uint64_t begin, uint64_t end) {
    memset(rows + begin * width, 0, (end - begin) * width * sizeof(float));
}

void hn_adapter_layout(HnAdapter *adapter) {
    const int last = adapter->n_layers;
    for (int v = 0; v < adapter->n_shards; v++) {
        adapter->row_begin[v + 1] = adapter->row_begin[v] + adapter->row_count[v];
    }
    uint64_t n = adapter->row_begin[adapter->n_shards], padded = rows_for(n, adapter->exact);
    zero_rows(adapter->rows[0], adapter->widths[0], n, padded);
    zero_rows(adapter->d_rows[last], adapter->widths[last], n, padded);
}

/* Once: is a row's result the same wherever it stands in a block? All ranks go the way that all can go. */
static HnStatus check_blocks(HnAdapter *adapter, HnError *err) {
    bool hold = false, fails = false;
    HnStatus status = hn_adapter_blocks_hold(adapter, &hold, err);
    HN_TRY(hn_comm_agree(adapter->comm, status, err));
    fails = !hold;
    HN_TRY(hn_comm_any(adapter->comm, &fails, err));
    adapter->blocks_checked = true;
    adapter->blocks_hold = !fails;
    if (fails) {
        hn_log(HN_LOG_INFO,
               "products here depend on where a row stands: the adapter takes smaller ones, shard by shard");
    }
    return HN_OK;
}

HnStatus hn_adapter_forward(HnAdapter *adapter, HnError *err) {
    if (adapter->exact && !adapter->blocks_checked) {
        HN_TRY(check_blocks(adapter, err));
    }
    double start = hn_clock_seconds();
    for (int l = 0; l < adapter->n_layers; l++) {
        HN_TRY(hn_adapter_layer_forward(adapter, l, err));
    }
    adapter->seconds += hn_clock_seconds() - start;
    return HN_OK;
}

HnStatus hn_adapter_backward(HnAdapter *adapter, double l2, HnError *err) {
    if (adapter->frozen) {
        return HN_OK;
    }
    double start = hn_clock_seconds();
    for (int l = adapter->n_layers - 1; l >= 0; l--) {
        hn_adapter_activation_backward(adapter, l);
        if (l > 0) {
            HN_TRY(hn_adapter_layer_backward(adapter, l, err));
        }
    }
    HN_TRY(hn_adapter_weight_gradient(adapter, (float)l2, err));
    adapter->seconds += hn_clock_seconds() - start;
    return HN_OK;
}

double hn_adapter_squares(const HnAdapter *adapter) {
    enum { BLOCK = 4096 };
    const float *w = adapter->parameters.value;
    uint64_t n = adapter->parameters.n_rows;
    int64_t total = 0; /* blocks in fixed point: one result for any number of threads */
#pragma omp parallel for schedule(static) reduction(+ : total)
    for (uint64_t begin = 0; begin < n; begin += BLOCK) {
        uint64_t end = begin + BLOCK < n ? begin + BLOCK : n;
        double sum = 0.0;
        for (uint64_t i = begin; i < end; i++) {
            sum += (double)w[i] * (double)w[i];
        }
        total += (int64_t)llrint(fmin(sum, 1048576.0) * 1048576.0);
    }
    return (double)total / 1048576.0;
}
