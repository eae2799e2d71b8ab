#include "cf/adapter.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "cf/model.h"
#include "gemm.h"
#include "layer.h"
#include "product.h"

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
        widths[n++] = (text_dim + (uint64_t)hn_model_width(config)) / 2;
    }
    widths[n] = (uint64_t)hn_model_width(config);
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

static uint64_t widest(const uint64_t *widths, int n_layers) {
    uint64_t most = 0;
    for (int l = 0; l <= n_layers; l++) {
        most = widths[l] > most ? widths[l] : most;
    }
    return most;
}

uint64_t hn_adapter_bytes(const HnTrainConfig *config, uint64_t text_dim, uint64_t max_rows, uint64_t max_all_rows,
                          bool exact, int ranks) {
    uint64_t widths[HN_ADAPTER_MAX_LAYERS + 1] = {0}, columns = 0;
    int n_layers = 0;
    if (layer_widths(config, text_dim, widths, &n_layers, NULL) != HN_OK) {
        return 0;
    }
    for (int l = 0; l <= n_layers; l++) {
        columns += widths[l] * (l > 0 ? 2 : 1);
    }
    uint64_t weights = hn_adapter_weights(config, text_dim);
    uint64_t shared =
        exact && ranks > 1 ? 8 * max_all_rows * widest(widths, n_layers) + 4 * weights / (uint64_t)ranks : 0;
    return 16 * weights + 4 * columns * max_rows + shared;
}

static HnStatus allocate_rows(HnAdapter *adapter, HnError *err) {
    for (int l = 0; l <= adapter->n_layers; l++) {
        size_t bytes = adapter->widths[l] * sizeof(float);
        adapter->rows[l] = hn_alloc(adapter->max_rows, bytes, "adapter rows", err);
        adapter->d_rows[l] = l == 0 ? NULL : hn_alloc(adapter->max_rows, bytes, "adapter gradients", err);
        if (adapter->rows[l] == NULL || (l > 0 && adapter->d_rows[l] == NULL)) {
            return HN_MEMORY;
        }
    }
    return HN_OK;
}

/* What the exact way needs: scratch for its products, and room for the other ranks' rows. */
static HnStatus allocate_exact(HnAdapter *adapter, HnError *err) {
    const int size = hn_comm_size(adapter->comm);
    const uint64_t all = adapter->max_all_rows;
    uint64_t block = 0;
    for (int l = 0; l < adapter->n_layers; l++) {
        const uint64_t in = adapter->widths[l], out = adapter->widths[l + 1];
        const uint64_t outputs = (out + (uint64_t)size - 1) / (uint64_t)size;
        const size_t needs[] = {hn_product_scratch_bytes((int64_t)adapter->max_rows, (int64_t)out, (int64_t)in),
                                hn_product_scratch_bytes((int64_t)adapter->max_rows, (int64_t)in, (int64_t)out),
                                hn_product_scratch_bytes((int64_t)outputs, (int64_t)in, (int64_t)all)};
        for (size_t i = 0; i < sizeof needs / sizeof *needs; i++) {
            adapter->scratch_bytes = needs[i] > adapter->scratch_bytes ? needs[i] : adapter->scratch_bytes;
        }
        block = outputs * (in + 1) > block ? outputs * (in + 1) : block;
    }
    adapter->scratch = hn_alloc(1, adapter->scratch_bytes, "product scratch", err);
    if (adapter->scratch == NULL || size == 1) {
        return adapter->scratch == NULL ? HN_MEMORY : HN_OK;
    }
    size_t bytes = widest(adapter->widths, adapter->n_layers) * sizeof(float);
    adapter->all_rows = hn_alloc(all, bytes, "adapter rows of all ranks", err);
    adapter->all_d_rows = hn_alloc(all, bytes, "adapter gradients of all ranks", err);
    adapter->block = hn_alloc(block, sizeof(float), "block of the adapter's gradient", err);
    adapter->n_bytes = hn_alloc((size_t)size, sizeof *adapter->n_bytes, "adapter rows", err);
    adapter->row_counts = hn_alloc((size_t)size, sizeof *adapter->row_counts, "adapter rows", err);
    bool whole = adapter->all_rows && adapter->all_d_rows && adapter->block && adapter->n_bytes && adapter->row_counts;
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
                           uint64_t max_rows, uint64_t max_all_rows, bool exact, HnComm *comm, HnError *err) {
    *adapter = (HnAdapter){.comm = comm,
                           .exact = exact,
                           .frozen = config->semantic.adapter_frozen,
                           .last_relu = config->semantic.adapter_last_relu,
                           .slope = config->semantic.activation == HN_ACTIVATION_LEAKY_RELU ? 0.01f : 0.0f,
                           .max_rows = max_rows,
                           .max_all_rows = max_all_rows};
    HN_TRY(layer_widths(config, text_dim, adapter->widths, &adapter->n_layers, err));
    uint64_t at = 0;
    for (int l = 0; l < adapter->n_layers; l++) {
        adapter->weight_at[l] = at;
        adapter->bias_at[l] = at + adapter->widths[l + 1] * adapter->widths[l];
        at = adapter->bias_at[l] + adapter->widths[l + 1];
    }
    HnStatus status = hn_table_create(&adapter->parameters, at, 0, 1, "adapter weights", err);
    status = status == HN_OK ? allocate_rows(adapter, err) : status;
    status = status == HN_OK && exact ? allocate_exact(adapter, err) : status;
    if (status != HN_OK) {
        hn_adapter_free(adapter);
        return status;
    }
    init_weights(adapter, seed);
    return HN_OK;
}

void hn_adapter_free(HnAdapter *adapter) {
    hn_free(adapter->row_counts);
    hn_free(adapter->n_bytes);
    hn_free(adapter->block);
    hn_free(adapter->all_d_rows);
    hn_free(adapter->all_rows);
    hn_free(adapter->scratch);
    for (int l = 0; l <= HN_ADAPTER_MAX_LAYERS; l++) {
        hn_free(adapter->d_rows[l]);
        hn_free(adapter->rows[l]);
    }
    hn_table_free(&adapter->parameters);
    *adapter = (HnAdapter){0};
}

HnStatus hn_adapter_product(HnAdapter *adapter, bool trans_a, bool trans_b, uint64_t m, uint64_t n, uint64_t k,
                            const float *a, uint64_t lda, const float *b, uint64_t ldb, float *c, uint64_t ldc,
                            HnError *err) {
    adapter->flops += 2.0 * (double)m * (double)n * (double)k;
    if (!adapter->exact) {
        return hn_gemm(trans_a, trans_b, (int64_t)m, (int64_t)n, (int64_t)k, 1.0f, a, (int64_t)lda, b, (int64_t)ldb,
                       0.0f, c, (int64_t)ldc, err);
    }
    bool fits = hn_product_scratch_bytes((int64_t)m, (int64_t)n, (int64_t)k) <= adapter->scratch_bytes;
    return hn_product_cpu(trans_a, trans_b, (int64_t)m, (int64_t)n, (int64_t)k, a, (int64_t)lda, b, (int64_t)ldb, false,
                          c, (int64_t)ldc, fits ? adapter->scratch : NULL, err);
}

static bool has_activation(const HnAdapter *adapter, int l) {
    return l + 1 < adapter->n_layers || adapter->last_relu;
}

static float activation_slope(const HnAdapter *adapter, int l) {
    return l + 1 < adapter->n_layers ? adapter->slope : 0.0f;
}

HnStatus hn_adapter_forward(HnAdapter *adapter, HnError *err) {
    double start = hn_clock_seconds();
    const float *parameters = adapter->parameters.value;
    for (int l = 0; l < adapter->n_layers && adapter->n_rows > 0; l++) {
        const uint64_t in = adapter->widths[l], out = adapter->widths[l + 1];
        HN_TRY(hn_adapter_product(adapter, false, true, adapter->n_rows, out, in, adapter->rows[l], in,
                                  parameters + adapter->weight_at[l], in, adapter->rows[l + 1], out, err));
        hn_layer_finish_cpu(adapter->rows[l + 1], parameters + adapter->bias_at[l], adapter->n_rows, out,
                            has_activation(adapter, l), activation_slope(adapter, l));
    }
    adapter->seconds += hn_clock_seconds() - start;
    return HN_OK;
}

/* d_rows of every layer, from that of the last. */
static HnStatus rows_backward(HnAdapter *adapter, HnError *err) {
    for (int l = adapter->n_layers - 1; l >= 0 && adapter->n_rows > 0; l--) {
        const uint64_t in = adapter->widths[l], out = adapter->widths[l + 1];
        if (has_activation(adapter, l)) {
            hn_layer_unbend_cpu(adapter->d_rows[l + 1], adapter->rows[l + 1], adapter->n_rows * out,
                                activation_slope(adapter, l));
        }
        if (l > 0) {
            HN_TRY(hn_adapter_product(adapter, false, false, adapter->n_rows, in, out, adapter->d_rows[l + 1], out,
                                      adapter->parameters.value + adapter->weight_at[l], in, adapter->d_rows[l], in,
                                      err));
        }
    }
    return HN_OK;
}

HnStatus hn_adapter_backward(HnAdapter *adapter, double l2, HnError *err) {
    if (adapter->frozen) {
        return HN_OK;
    }
    double start = hn_clock_seconds();
    HN_TRY(hn_comm_agree(adapter->comm, rows_backward(adapter, err), err));
    HN_TRY(hn_adapter_weight_gradient(adapter, err));
    float *gradient = adapter->parameters.gradient;
    const float *value = adapter->parameters.value, pull = (float)l2;
    const uint64_t n = adapter->parameters.n_rows;
#pragma omp parallel for schedule(static)
    for (uint64_t i = 0; i < n; i++) {
        gradient[i] += pull * value[i];
    }
    adapter->seconds += hn_clock_seconds() - start;
    return HN_OK;
}

double hn_adapter_squares(const HnAdapter *adapter) {
    return hn_table_squares(&adapter->parameters);
}
