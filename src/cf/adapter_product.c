#include "cf/adapter_product.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/alloc.h"
#include "cf/sums.h"
#include "fixed.h"
#include "gemm.h"

enum {
    OUT_BLOCK = 256, /* outputs of one single-threaded product */
    TILE_ROWS = 64,
    TILE_COLUMNS = 1024, /* one piece of a weight gradient: fits the second-level cache */
    CHUNK = 4096         /* values quantised at once: fits the first-level cache */
};

size_t hn_adapter_tile_bytes(void) {
    return TILE_ROWS * TILE_COLUMNS * sizeof(float) + CHUNK * sizeof(int32_t);
}

static bool has_activation(const HnAdapter *adapter, int l) {
    return l + 1 < adapter->n_layers || adapter->last_relu;
}

static float activation_slope(const HnAdapter *adapter, int l) {
    return l + 1 < adapter->n_layers ? adapter->slope : 0.0f;
}

static uint64_t all_rows(const HnAdapter *adapter) {
    return adapter->row_begin[adapter->n_shards];
}

static void count_flops(HnAdapter *adapter, int l) {
    uint64_t rows = 0;
    for (int v = 0; v < adapter->n_shards; v++) {
        rows += adapter->row_count[v];
    }
    adapter->flops += 2.0 * (double)rows * (double)adapter->widths[l] * (double)adapter->widths[l + 1];
}

/* rows += bias, activation, on columns begin .. end-1 of some rows. */
static void finish_rows(const HnAdapter *adapter, int l, uint64_t row_begin, uint64_t row_end, uint64_t begin,
                        uint64_t end) {
    const uint64_t width = adapter->widths[l + 1];
    const float *bias = adapter->parameters.value + adapter->bias_at[l];
    const bool bend = has_activation(adapter, l);
    const float slope = activation_slope(adapter, l);
    for (uint64_t r = row_begin; r < row_end; r++) {
        float *row = adapter->rows[l + 1] + r * width;
        for (uint64_t c = begin; c < end; c++) {
            float x = row[c] + bias[c];
            row[c] = bend && !(x > 0.0f) ? slope * x : x;
        }
    }
}

/* One product of the reproducible way: block b of the outputs over shard v's rows. Forward: y = x W^T; backward: by
 * columns of W, d_x = d_y W. */
static HnStatus shard_block(const HnAdapter *adapter, int l, bool forward, int v, uint64_t b, HnError *err) {
    const uint64_t in = adapter->widths[l], out = adapter->widths[l + 1], width = forward ? out : in;
    const uint64_t row = adapter->row_begin[v], n_rows = adapter->row_begin[v + 1] - row;
    const uint64_t begin = b * OUT_BLOCK, end = begin + OUT_BLOCK < width ? begin + OUT_BLOCK : width;
    const float *w = adapter->parameters.value + adapter->weight_at[l];
    if (n_rows == 0) {
        return HN_OK;
    }
    if (!forward) {
        return hn_gemm_single(false, false, (int64_t)n_rows, (int64_t)(end - begin), (int64_t)out, 1.0f,
                              adapter->d_rows[l + 1] + row * out, (int64_t)out, w + begin, (int64_t)in, 0.0f,
                              adapter->d_rows[l] + row * in + begin, (int64_t)in, err);
    }
    HN_TRY(hn_gemm_single(false, true, (int64_t)n_rows, (int64_t)(end - begin), (int64_t)in, 1.0f,
                          adapter->rows[l] + row * in, (int64_t)in, w + begin * in, (int64_t)in, 0.0f,
                          adapter->rows[l + 1] + row * out + begin, (int64_t)out, err));
    finish_rows(adapter, l, row, adapter->row_begin[v + 1], begin, end);
    return HN_OK;
}

static HnStatus all_shard_blocks(HnAdapter *adapter, int l, bool forward, HnError *err) {
    const uint64_t width = adapter->widths[l + (forward ? 1 : 0)], n_blocks = (width + OUT_BLOCK - 1) / OUT_BLOCK;
    HnStatus status = HN_OK;
#pragma omp parallel for collapse(2) schedule(dynamic)
    for (uint64_t b = 0; b < n_blocks; b++) {
        for (int v = 0; v < adapter->n_shards; v++) {
            HnError own = HN_ERROR_INIT;
            if (shard_block(adapter, l, forward, v, b, &own) != HN_OK) {
#pragma omp critical(hn_adapter_error)
                status = hn_fail(err, own.status, "%s", own.message);
            }
        }
    }
    return status;
}

HnStatus hn_adapter_layer_forward(HnAdapter *adapter, int l, HnError *err) {
    const uint64_t in = adapter->widths[l], out = adapter->widths[l + 1], n = all_rows(adapter);
    count_flops(adapter, l);
    if (adapter->exact) {
        return all_shard_blocks(adapter, l, true, err);
    }
    if (n > 0) {
        HN_TRY(hn_gemm(false, true, (int64_t)n, (int64_t)out, (int64_t)in, 1.0f, adapter->rows[l], (int64_t)in,
                       adapter->parameters.value + adapter->weight_at[l], (int64_t)in, 0.0f, adapter->rows[l + 1],
                       (int64_t)out, err));
    }
#pragma omp parallel for schedule(static)
    for (uint64_t r = 0; r < n; r++) {
        finish_rows(adapter, l, r, r + 1, 0, out);
    }
    return HN_OK;
}

void hn_adapter_activation_backward(HnAdapter *adapter, int l) {
    if (!has_activation(adapter, l)) {
        return;
    }
    const uint64_t n = all_rows(adapter) * adapter->widths[l + 1];
    const float slope = activation_slope(adapter, l), *y = adapter->rows[l + 1];
    float *d = adapter->d_rows[l + 1];
#pragma omp parallel for schedule(static)
    for (uint64_t i = 0; i < n; i++) {
        d[i] = y[i] > 0.0f ? d[i] : slope * d[i];
    }
}

HnStatus hn_adapter_layer_backward(HnAdapter *adapter, int l, HnError *err) {
    const uint64_t in = adapter->widths[l], out = adapter->widths[l + 1], n = all_rows(adapter);
    count_flops(adapter, l);
    if (adapter->exact) {
        return all_shard_blocks(adapter, l, false, err);
    }
    if (n == 0) {
        return HN_OK;
    }
    return hn_gemm(false, false, (int64_t)n, (int64_t)in, (int64_t)out, 1.0f, adapter->d_rows[l + 1], (int64_t)out,
                   adapter->parameters.value + adapter->weight_at[l], (int64_t)in, 0.0f, adapter->d_rows[l],
                   (int64_t)in, err);
}

/* Largest length of a column over one shard's rows, and the columns' sums (NULL = not wanted). */
static float longest_column(const float *rows, uint64_t n_rows, uint64_t width) {
    float longest = 0.0f;
    for (uint64_t begin = 0; begin < width; begin += CHUNK) {
        float squares[CHUNK];
        uint64_t n = width - begin < CHUNK ? width - begin : CHUNK;
        memset(squares, 0, n * sizeof *squares);
        for (uint64_t r = 0; r < n_rows; r++) {
            const float *row = rows + r * width + begin;
            for (uint64_t c = 0; c < n; c++) {
                squares[c] += row[c] * row[c];
            }
        }
        for (uint64_t c = 0; c < n; c++) {
            longest = squares[c] > longest || squares[c] != squares[c] ? squares[c] : longest;
        }
    }
    return sqrtf(longest);
}

/* No element of any shard's weight or bias gradient of layer l exceeds this (Cauchy-Schwarz; 1.01 for rounding). */
static float gradient_bound(const HnAdapter *adapter, int l) {
    float bound = 0.0f;
#pragma omp parallel for schedule(dynamic) reduction(max : bound)
    for (int v = 0; v < adapter->n_shards; v++) {
        uint64_t row = adapter->row_begin[v], n = adapter->row_count[v], in = adapter->widths[l],
                 out = adapter->widths[l + 1];
        float x = longest_column(adapter->rows[l] + row * in, n, in), ones = sqrtf((float)n);
        float y = longest_column(adapter->d_rows[l + 1] + row * out, n, out);
        float mine = 1.01f * y * (x > ones ? x : ones);
        mine = isfinite(mine) ? mine : INFINITY;
        bound = mine > bound ? mine : bound;
    }
    return bound;
}

static void add_fixed(int64_t *totals, const float *values, uint64_t n, int shift, int32_t *chunk) {
    for (uint64_t begin = 0; begin < n; begin += CHUNK) {
        uint64_t count = n - begin < CHUNK ? n - begin : CHUNK;
        hn_fixed_from_float_cpu(values + begin, shift, chunk, count);
        hn_sum_add_row(totals + begin, chunk, (int)count);
    }
}

/* One tile of layer l's weight gradient, summed over this rank's shards. */
static HnStatus weight_tile(const HnAdapter *adapter, int l, uint64_t out_begin, uint64_t in_begin, int shift,
                            HnError *err) {
    const uint64_t in = adapter->widths[l], out = adapter->widths[l + 1];
    const uint64_t n_out = out - out_begin < TILE_ROWS ? out - out_begin : TILE_ROWS;
    const uint64_t n_in = in - in_begin < TILE_COLUMNS ? in - in_begin : TILE_COLUMNS;
    float *tile = (float *)((char *)adapter->tiles + (size_t)omp_get_thread_num() * hn_adapter_tile_bytes());
    int32_t *chunk = (int32_t *)(tile + TILE_ROWS * TILE_COLUMNS);
    int64_t *totals = adapter->totals + adapter->weight_at[l] + out_begin * in + in_begin;
    for (int v = 0; v < adapter->n_shards; v++) {
        uint64_t row = adapter->row_begin[v], n = adapter->row_begin[v + 1] - row;
        if (n == 0) {
            continue;
        }
        HN_TRY(hn_gemm_single(true, false, (int64_t)n_out, (int64_t)n_in, (int64_t)n, 1.0f,
                              adapter->d_rows[l + 1] + row * out + out_begin, (int64_t)out,
                              adapter->rows[l] + row * in + in_begin, (int64_t)in, 0.0f, tile, (int64_t)n_in, err));
        for (uint64_t r = 0; r < n_out; r++) {
            add_fixed(totals + r * in, tile + r * n_in, n_in, shift, chunk);
        }
    }
    return HN_OK;
}

static HnStatus weight_tiles(HnAdapter *adapter, int l, int shift, HnError *err) {
    const uint64_t in = adapter->widths[l], out = adapter->widths[l + 1];
    HnStatus status = HN_OK;
#pragma omp parallel for collapse(2) schedule(dynamic)
    for (uint64_t o = 0; o < out; o += TILE_ROWS) {
        for (uint64_t i = 0; i < in; i += TILE_COLUMNS) {
            HnError own = HN_ERROR_INIT;
            if (weight_tile(adapter, l, o, i, shift, &own) != HN_OK) {
#pragma omp critical(hn_adapter_error)
                status = hn_fail(err, own.status, "%s", own.message);
            }
        }
    }
    return status;
}

/* Bias gradients: column sums of one shard in row order, then integers. */
static void bias_sums(HnAdapter *adapter, int l, int shift) {
    const uint64_t out = adapter->widths[l + 1];
    int64_t *totals = adapter->totals + adapter->bias_at[l];
#pragma omp parallel for schedule(static)
    for (uint64_t begin = 0; begin < out; begin += 64) {
        uint64_t n = out - begin < 64 ? out - begin : 64;
        for (int v = 0; v < adapter->n_shards; v++) {
            float sums[64] = {0};
            int32_t fixed[64];
            for (uint64_t r = adapter->row_begin[v]; r < adapter->row_begin[v] + adapter->row_count[v]; r++) {
                for (uint64_t c = 0; c < n; c++) {
                    sums[c] += adapter->d_rows[l + 1][r * out + begin + c];
                }
            }
            hn_fixed_from_float_cpu(sums, shift, fixed, n);
            hn_sum_add_row(totals + begin, fixed, (int)n);
        }
    }
}

static HnStatus weight_gradient_exact(HnAdapter *adapter, HnError *err) {
    float bounds[HN_ADAPTER_MAX_LAYERS] = {0};
    int shifts[HN_ADAPTER_MAX_LAYERS] = {0};
    for (int l = 0; l < adapter->n_layers; l++) {
        bounds[l] = gradient_bound(adapter, l);
    }
    HN_TRY(hn_agree_max(adapter->comm, bounds, adapter->n_layers, NULL, err));
    memset(adapter->totals, 0, adapter->parameters.n_rows * sizeof *adapter->totals);
    for (int l = 0; l < adapter->n_layers; l++) {
        if (!isfinite(bounds[l])) {
            return hn_fail(err, HN_NUMERIC, "the adapter's gradient is not finite: lower train.learning_rate");
        }
        shifts[l] = hn_fixed_shift(bounds[l]);
        HN_TRY(weight_tiles(adapter, l, shifts[l], err));
        bias_sums(adapter, l, shifts[l]);
        count_flops(adapter, l);
    }
    HN_TRY(hn_comm_sum_i64(adapter->comm, adapter->totals, adapter->parameters.n_rows, err));
    for (int l = 0; l < adapter->n_layers; l++) {
        uint64_t out = adapter->widths[l + 1], at = adapter->weight_at[l];
        hn_fixed_to_float_cpu(adapter->totals + at, shifts[l], NULL, adapter->parameters.gradient + at, NULL, out,
                              (int)adapter->widths[l]);
        at = adapter->bias_at[l];
        hn_fixed_to_float_cpu(adapter->totals + at, shifts[l], NULL, adapter->parameters.gradient + at, NULL, 1,
                              (int)out);
    }
    return HN_OK;
}

static HnStatus weight_gradient_float(HnAdapter *adapter, HnError *err) {
    const uint64_t n = all_rows(adapter);
    float *gradient = adapter->parameters.gradient;
    for (int l = 0; l < adapter->n_layers; l++) {
        const uint64_t in = adapter->widths[l], out = adapter->widths[l + 1];
        const float *d = adapter->d_rows[l + 1];
        count_flops(adapter, l);
        if (n == 0) {
            memset(gradient + adapter->weight_at[l], 0, out * (in + 1) * sizeof *gradient);
            continue;
        }
        HN_TRY(hn_gemm(true, false, (int64_t)out, (int64_t)in, (int64_t)n, 1.0f, d, (int64_t)out, adapter->rows[l],
                       (int64_t)in, 0.0f, gradient + adapter->weight_at[l], (int64_t)in, err));
#pragma omp parallel for schedule(static)
        for (uint64_t begin = 0; begin < out; begin += 64) {
            uint64_t count = out - begin < 64 ? out - begin : 64;
            float *sums = gradient + adapter->bias_at[l] + begin;
            memset(sums, 0, count * sizeof *sums);
            for (uint64_t r = 0; r < n; r++) {
                for (uint64_t c = 0; c < count; c++) {
                    sums[c] += d[r * out + begin + c];
                }
            }
        }
    }
    return hn_comm_size(adapter->comm) > 1 ? hn_comm_sum_f32(adapter->comm, gradient, adapter->parameters.n_rows, err)
                                           : HN_OK;
}

HnStatus hn_adapter_weight_gradient(HnAdapter *adapter, float l2, HnError *err) {
    HN_TRY(adapter->exact ? weight_gradient_exact(adapter, err) : weight_gradient_float(adapter, err));
    float *gradient = adapter->parameters.gradient;
    const float *value = adapter->parameters.value;
    const uint64_t n = adapter->parameters.n_rows;
#pragma omp parallel for schedule(static)
    for (uint64_t i = 0; i < n; i++) {
        gradient[i] += l2 * value[i];
    }
    return HN_OK;
}
