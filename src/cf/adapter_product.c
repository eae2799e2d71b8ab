#include "cf/adapter_product.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/alloc.h"
#include "cf/sums.h"
#include "gemm.h"

enum {
    OUT_BLOCK = 256, /* outputs of one single-threaded product */
    TILE_ROWS = 256,
    TILE_COLUMNS = 512, /* one piece of a weight gradient: fits the second-level cache */
    CHUNK = 4096        /* values quantised at once: fits the first-level cache */
};

size_t hn_adapter_tile_bytes(void) {
    return TILE_ROWS * TILE_COLUMNS * sizeof(float);
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

/* One product of the reproducible way: block b of the outputs over rows row .. row+n_rows-1, the same shape for all
 * blocks of a kind. Forward: y = x W^T; backward, by columns of W: d_x = d_y W. */
static HnStatus block_product(const HnAdapter *adapter, int l, bool forward, uint64_t row, uint64_t n_rows, uint64_t b,
                              HnError *err) {
    const uint64_t in = adapter->widths[l], out = adapter->widths[l + 1], width = forward ? out : in;
    const uint64_t begin = b * OUT_BLOCK, end = begin + OUT_BLOCK < width ? begin + OUT_BLOCK : width;
    const float *w = adapter->parameters.value + adapter->weight_at[l];
    if (!forward) {
        return hn_gemm_single(false, false, (int64_t)n_rows, (int64_t)(end - begin), (int64_t)out, 1.0f,
                              adapter->d_rows[l + 1] + row * out, (int64_t)out, w + begin, (int64_t)in, 0.0f,
                              adapter->d_rows[l] + row * in + begin, (int64_t)in, err);
    }
    HN_TRY(hn_gemm_single(false, true, (int64_t)n_rows, (int64_t)(end - begin), (int64_t)in, 1.0f,
                          adapter->rows[l] + row * in, (int64_t)in, w + begin * in, (int64_t)in, 0.0f,
                          adapter->rows[l + 1] + row * out + begin, (int64_t)out, err));
    finish_rows(adapter, l, row, row + n_rows, begin, end);
    return HN_OK;
}

/* Group g of the rows: a fixed block (zero rows fill the last one), or a shard. */
static HnStatus group_product(const HnAdapter *adapter, int l, bool forward, uint64_t g, uint64_t b, HnError *err) {
    if (adapter->blocks_hold) {
        return block_product(adapter, l, forward, g * HN_ADAPTER_ROW_BLOCK, HN_ADAPTER_ROW_BLOCK, b, err);
    }
    if (adapter->row_count[g] == 0) {
        return HN_OK;
    }
    return block_product(adapter, l, forward, adapter->row_begin[g], adapter->row_count[g], b, err);
}

static HnStatus all_blocks(HnAdapter *adapter, int l, bool forward, HnError *err) {
    const uint64_t width = adapter->widths[l + (forward ? 1 : 0)], n_blocks = (width + OUT_BLOCK - 1) / OUT_BLOCK;
    const uint64_t n_groups = adapter->blocks_hold
                                  ? (all_rows(adapter) + HN_ADAPTER_ROW_BLOCK - 1) / HN_ADAPTER_ROW_BLOCK
                                  : (uint64_t)adapter->n_shards;
    HnStatus status = HN_OK;
#pragma omp parallel for collapse(2) schedule(dynamic)
    for (uint64_t b = 0; b < n_blocks; b++) {
        for (uint64_t g = 0; g < n_groups; g++) {
            HnError own = HN_ERROR_INIT;
            if (group_product(adapter, l, forward, g, b, &own) != HN_OK) {
#pragma omp critical(hn_adapter_error)
                status = hn_fail(err, own.status, "%s", own.message);
            }
        }
    }
    return status;
}

/* One shape, fed with equal rows: are the results equal? */
static HnStatus shape_holds(bool trans_w, uint64_t n, uint64_t k, uint64_t ldw, const float *w, bool *hold,
                            HnError *err) {
    const uint64_t m = HN_ADAPTER_ROW_BLOCK;
    float *x = hn_alloc(m * k, sizeof *x, "check of products", err), *y = hn_alloc(m * n, sizeof *y, "check", err);
    HnStatus status = x && y ? HN_OK : HN_MEMORY;
    for (uint64_t i = 0; i < m * k && status == HN_OK; i++) {
        x[i] = (float)(i % k * 2654435761u % 2039) / 1024.0f - 1.0f; /* a row that repeats, without structure */
    }
    if (status == HN_OK) {
        status = hn_gemm_single(false, trans_w, (int64_t)m, (int64_t)n, (int64_t)k, 1.0f, x, (int64_t)k, w,
                                (int64_t)ldw, 0.0f, y, (int64_t)n, err);
    }
    for (uint64_t r = 1; r < m && status == HN_OK; r++) {
        *hold = *hold && memcmp(y, y + r * n, n * sizeof *y) == 0;
    }
    hn_free(y);
    hn_free(x);
    return status;
}

HnStatus hn_adapter_blocks_hold(const HnAdapter *adapter, bool *hold, HnError *err) {
    *hold = true;
    for (int l = 0; l < adapter->n_layers; l++) {
        const uint64_t in = adapter->widths[l], out = adapter->widths[l + 1];
        const float *w = adapter->parameters.value + adapter->weight_at[l];
        for (int last = 0; last <= 1; last++) {
            uint64_t n_out = last ? out % OUT_BLOCK : OUT_BLOCK, n_in = last ? in % OUT_BLOCK : OUT_BLOCK;
            if (n_out > 0 && n_out <= out) {
                HN_TRY(shape_holds(true, n_out, in, in, w, hold, err));
            }
            if (l > 0 && n_in > 0 && n_in <= in) {
                HN_TRY(shape_holds(false, n_in, out, in, w, hold, err));
            }
        }
    }
    return HN_OK;
}

HnStatus hn_adapter_layer_forward(HnAdapter *adapter, int l, HnError *err) {
    const uint64_t in = adapter->widths[l], out = adapter->widths[l + 1], n = all_rows(adapter);
    count_flops(adapter, l);
    if (adapter->exact) {
        return all_blocks(adapter, l, true, err);
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
    const uint64_t n = all_rows(adapter) * adapter->widths[l + 1]; /* zero rows need none */
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
        return all_blocks(adapter, l, false, err);
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

/* Weight gradients as integers: |value| * 2^shift <= 2^44, so that 2^16 shards fit 64 bits with room. */
static int weight_shift(float bound) {
    int exponent = 0;
    (void)frexp((double)bound, &exponent);
    return bound > 0.0f ? 44 - exponent : 0;
}

/* totals += round(values * 2^shift), to nearest even: adding 1.5 * 2^52 leaves the rounded integer in the low bits of a
 * double. Plain arithmetic, so that compilers turn it into vectors on every processor. */
static void add_fixed(int64_t *restrict totals, const float *restrict values, uint64_t n, double scale) {
    const double magic = 6755399441055744.0;
    int64_t magic_bits;
    memcpy(&magic_bits, &magic, sizeof magic_bits);
    for (uint64_t i = 0; i < n; i++) {
        double shifted = (double)values[i] * scale + magic;
        int64_t bits;
        memcpy(&bits, &shifted, sizeof bits);
        totals[i] += bits - magic_bits;
    }
}

/* One tile of layer l's weight gradient, summed over this rank's shards. */
static HnStatus weight_tile(const HnAdapter *adapter, int l, uint64_t out_begin, uint64_t in_begin, double scale,
                            HnError *err) {
    const uint64_t in = adapter->widths[l], out = adapter->widths[l + 1];
    const uint64_t n_out = out - out_begin < TILE_ROWS ? out - out_begin : TILE_ROWS;
    const uint64_t n_in = in - in_begin < TILE_COLUMNS ? in - in_begin : TILE_COLUMNS;
    float *tile = (float *)((char *)adapter->tiles + (size_t)omp_get_thread_num() * hn_adapter_tile_bytes());
    int64_t *totals = adapter->totals + adapter->weight_at[l] + out_begin * in + in_begin;
    for (int v = 0; v < adapter->n_shards; v++) {
        uint64_t row = adapter->row_begin[v], n = adapter->row_count[v];
        if (n == 0) {
            continue;
        }
        HN_TRY(hn_gemm_single(true, false, (int64_t)n_out, (int64_t)n_in, (int64_t)n, 1.0f,
                              adapter->d_rows[l + 1] + row * out + out_begin, (int64_t)out,
                              adapter->rows[l] + row * in + in_begin, (int64_t)in, 0.0f, tile, (int64_t)n_in, err));
        for (uint64_t r = 0; r < n_out; r++) {
            add_fixed(totals + r * in, tile + r * n_in, n_in, scale);
        }
    }
    return HN_OK;
}

static HnStatus weight_tiles(HnAdapter *adapter, int l, double scale, HnError *err) {
    const uint64_t in = adapter->widths[l], out = adapter->widths[l + 1];
    HnStatus status = HN_OK;
#pragma omp parallel for collapse(2) schedule(dynamic)
    for (uint64_t o = 0; o < out; o += TILE_ROWS) {
        for (uint64_t i = 0; i < in; i += TILE_COLUMNS) {
            HnError own = HN_ERROR_INIT;
            if (weight_tile(adapter, l, o, i, scale, &own) != HN_OK) {
#pragma omp critical(hn_adapter_error)
                status = hn_fail(err, own.status, "%s", own.message);
            }
        }
    }
    return status;
}

/* Bias gradients: column sums of one shard in row order, then integers. */
static void bias_sums(HnAdapter *adapter, int l, double scale) {
    const uint64_t out = adapter->widths[l + 1];
    int64_t *totals = adapter->totals + adapter->bias_at[l];
#pragma omp parallel for schedule(static)
    for (uint64_t begin = 0; begin < out; begin += 64) {
        uint64_t n = out - begin < 64 ? out - begin : 64;
        for (int v = 0; v < adapter->n_shards; v++) {
            float sums[64] = {0};
            for (uint64_t r = adapter->row_begin[v]; r < adapter->row_begin[v] + adapter->row_count[v]; r++) {
                for (uint64_t c = 0; c < n; c++) {
                    sums[c] += adapter->d_rows[l + 1][r * out + begin + c];
                }
            }
            add_fixed(totals + begin, sums, n, scale);
        }
    }
}

/* The joined integers back to floats, l2 times the weights added on the way. */
static void finish_gradient(HnAdapter *adapter, uint64_t begin, uint64_t end, double unit, float l2) {
    const int64_t *totals = adapter->totals;
    const float *value = adapter->parameters.value;
    float *gradient = adapter->parameters.gradient;
#pragma omp parallel for schedule(static)
    for (uint64_t i = begin; i < end; i++) {
        gradient[i] = (float)((double)totals[i] * unit) + l2 * value[i];
    }
}

static HnStatus weight_gradient_exact(HnAdapter *adapter, float l2, HnError *err) {
    float bounds[HN_ADAPTER_MAX_LAYERS] = {0};
    for (int l = 0; l < adapter->n_layers; l++) {
        bounds[l] = gradient_bound(adapter, l);
    }
    HN_TRY(hn_agree_max(adapter->comm, bounds, adapter->n_layers, NULL, err));
    memset(adapter->totals, 0, adapter->parameters.n_rows * sizeof *adapter->totals);
    for (int l = 0; l < adapter->n_layers; l++) {
        if (!isfinite(bounds[l])) {
            return hn_fail(err, HN_NUMERIC, "the adapter's gradient is not finite: lower train.learning_rate");
        }
        double scale = ldexp(1.0, weight_shift(bounds[l]));
        HN_TRY(weight_tiles(adapter, l, scale, err));
        bias_sums(adapter, l, scale);
        count_flops(adapter, l);
    }
    HN_TRY(hn_comm_sum_i64(adapter->comm, adapter->totals, adapter->parameters.n_rows, err));
    for (int l = 0; l < adapter->n_layers; l++) {
        double unit = ldexp(1.0, -weight_shift(bounds[l]));
        finish_gradient(adapter, adapter->weight_at[l], adapter->bias_at[l] + adapter->widths[l + 1], unit, l2);
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
    if (adapter->exact) {
        return weight_gradient_exact(adapter, l2, err);
    }
    HN_TRY(weight_gradient_float(adapter, err));
    float *gradient = adapter->parameters.gradient;
    const float *value = adapter->parameters.value;
    const uint64_t n = adapter->parameters.n_rows;
#pragma omp parallel for schedule(static)
    for (uint64_t i = 0; i < n; i++) {
        gradient[i] += l2 * value[i];
    }
    return HN_OK;
}
