/* Tasks are strips times runs of rows. Within one, blocks of inputs go by, so that a block's weights stay in the
 * nearest caches while all rows meet them; y is stored and taken up again, which does not change a chain. Few rows take
 * the weights as they lie; for more, a block is widened once. */
#include <omp.h>

#include "cpu.h"
#include "linear_private.h"

enum {
    WORTH_THREADS = 100000, /* multiply-adds */
    LEAST_ROWS = 48         /* where a strip's rows are shared out */
};

typedef struct Linear {
    const HnWeight *weight;
    HnLinearLayout layout;
    const HnLinearOps *ops;
    const float *bias;
    const void *x; /* as the path takes it */
    int64_t ldx, ldy;
    bool add;
    float *y;
} Linear;

bool hn_linear_pairs(HnWeightType type) {
    return type >= HN_WEIGHT_BF16 && hn_cpu_level() >= HN_CPU_AVX512_BF16;
}

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t padded_inputs(int64_t k) {
    return (k + HN_LINEAR_K_PAD - 1) / HN_LINEAR_K_PAD * HN_LINEAR_K_PAD;
}

size_t hn_linear_scratch_bytes(const HnWeight *weight, int64_t m) {
    return (size_t)m * (size_t)padded_inputs(weight->k) * sizeof(uint16_t);
}

static void rows_begin(const Linear *p, int64_t row0, int64_t row1, int64_t first, int64_t columns) {
    for (int64_t i = row0; i < row1; i++) {
        float *y = p->y + i * p->ldy + first;
        for (int64_t j = 0; j < columns; j++) {
            y[j] = (p->add ? y[j] : 0.0f) + (p->bias != NULL ? p->bias[first + j] : 0.0f);
        }
    }
}

/* A strip that sticks out of y is computed in a buffer. */
static void tile_any(const Linear *p, HnLinearTile *tile, int rows, int64_t columns) {
    if (columns == HN_STRIP) {
        p->ops->tile(tile, rows);
        return;
    }
    float buffer[HN_LINEAR_TALLEST * HN_STRIP];
    float *y = tile->y;
    for (int i = 0; i < rows; i++) {
        memcpy(buffer + i * HN_STRIP, y + i * p->ldy, (size_t)columns * sizeof *y);
        memset(buffer + i * HN_STRIP + columns, 0, (size_t)(HN_STRIP - columns) * sizeof *y);
    }
    tile->y = buffer;
    tile->ldy = HN_STRIP;
    p->ops->tile(tile, rows);
    for (int i = 0; i < rows; i++) {
        memcpy(y + i * p->ldy, buffer + i * HN_STRIP, (size_t)columns * sizeof *y);
    }
}

/* The scales of a run's blocks, in order; NULL where the type has none. run: its first byte. They are read at once even
 * where they could be used in place: memory that is passed over in a stream stops the processor from fetching ahead. */
static const float *run_scales(const Linear *p, const unsigned char *strip, const unsigned char *run, int64_t first,
                               int64_t k, float *buffer) {
    if (p->weight->type == HN_WEIGHT_INT8) {
        memcpy(buffer, run, (size_t)((k + HN_INT8_BLOCK - 1) / HN_INT8_BLOCK * HN_STRIP) * sizeof *buffer);
        return buffer;
    }
    if (p->weight->type != HN_WEIGHT_NF4) {
        return NULL;
    }
    for (int64_t l = 0; l < k; l += HN_NF4_BLOCK) {
        const int64_t block = (first + l) / HN_NF4_BLOCK, group = block / HN_LINEAR_GROUP;
        p->ops->scales(run + l / HN_NF4_BLOCK * HN_STRIP, (const float *)(const void *)strip + group * 2 * HN_STRIP,
                       buffer + l / HN_NF4_BLOCK * HN_STRIP);
    }
    return buffer;
}

/* A strip's rows row0 .. row1-1 for the inputs of one tile. */
static void run_rows(const Linear *p, HnLinearTile *tile, int64_t row0, int64_t row1, int64_t input, int64_t strip,
                     bool few) {
    const int64_t column = strip * HN_STRIP, columns = least(HN_STRIP, p->weight->n - column);
    const size_t x_bytes = p->ops->round_x != NULL ? sizeof(uint16_t) : sizeof(float);
    const size_t run_bytes = p->layout.run_bytes;
    const int64_t n_tiles = few ? 1 : (row1 - row0 + p->ops->tile_rows - 1) / p->ops->tile_rows;
    for (int64_t t = 0; t < n_tiles; t++) { /* of equal heights, nearly */
        const int64_t row = row0 + (row1 - row0) * t / n_tiles, end = row0 + (row1 - row0) * (t + 1) / n_tiles;
        const bool fetch = p->weight->type == p->ops->panel && n_tiles > 1 && t < 2; /* two tiles fetch the next run */
        tile->ahead = fetch ? tile->w + run_bytes + (size_t)t * run_bytes / 2 : tile->w;
        tile->ahead_step = fetch ? 128 : 0;
        tile->x = (const unsigned char *)p->x + (size_t)(row * p->ldx + input) * x_bytes;
        tile->y = p->y + row * p->ldy + column;
        tile->ldy = p->ldy;
        tile_any(p, tile, (int)(end - row), columns);
    }
}

static void task(const Linear *p, int64_t strip, int64_t row0, int64_t row1) {
    _Alignas(64) float panel[HN_LINEAR_RUN * HN_STRIP], scales[HN_LINEAR_RUN / HN_NF4_BLOCK * HN_STRIP];
    const HnLinearLayout *layout = &p->layout;
    const unsigned char *strip_at = (const unsigned char *)p->weight->bytes + (size_t)strip * layout->strip_bytes;
    const bool plain = p->weight->type == p->ops->panel, few = !plain && row1 - row0 <= p->ops->few;
    const int64_t k = p->weight->k;
    rows_begin(p, row0, row1, strip * HN_STRIP, least(HN_STRIP, p->weight->n - strip * HN_STRIP));
    for (int64_t first = 0; first < k; first += HN_LINEAR_RUN) {
        const int64_t run = first / HN_LINEAR_RUN, count = least(HN_LINEAR_RUN, k - first);
        const unsigned char *at = strip_at + layout->header_bytes + (size_t)run * layout->run_bytes;
        HnLinearTile tile = {.type = p->weight->type,
                             .w = at + hn_linear_run_scales(layout, run),
                             .ldx = p->ldx,
                             .k = count,
                             .block = layout->block,
                             .scale = run_scales(p, strip_at, at, first, count, scales)};
        if (!plain && !few) {
            p->ops->widen(tile.type, tile.w, count, panel);
            tile.type = p->ops->panel;
            tile.w = (const unsigned char *)panel;
        }
        run_rows(p, &tile, row0, row1, first, strip, few);
    }
}

/* Tasks that a thread takes at once. For few rows weights are a stream from memory, which is fastest in long pieces:
 * about four a thread, so that a late one does not hold up the rest much. */
static int64_t tasks_at_once(int64_t m, int64_t n_tasks) {
    return m > HN_LINEAR_MOST ? 1 : 1 + n_tasks / (4 * omp_get_max_threads());
}

static void linear_run(Linear *p, int64_t m, const float *x, int64_t ldx, uint16_t *rounded, int64_t runs) {
    const int64_t k = p->weight->k, n_tasks = p->layout.n_strips * runs;
    const int64_t at_once = tasks_at_once(m, n_tasks);
    p->x = x;
    p->ldx = ldx;
    if (p->ops->round_x != NULL) {
        p->x = rounded;
        p->ldx = padded_inputs(k);
    }
#pragma omp parallel if ((double)m * (double)p->weight->n * (double)k > WORTH_THREADS)
    {
        if (p->ops->round_x != NULL) {
#pragma omp for schedule(static)
            for (int64_t i = 0; i < m; i++) {
                p->ops->round_x(x + i * ldx, k, p->ldx, rounded + i * p->ldx);
            }
        }
#pragma omp for schedule(dynamic, at_once)
        for (int64_t t = 0; t < n_tasks; t++) {
            task(p, t / runs, m * (t % runs) / runs, m * (t % runs + 1) / runs);
        }
        if (p->ops->leave != NULL) {
            p->ops->leave();
        }
    }
}

/* A strip's rows in runs of at most ops->task_rows, so that they stay in the cache, and of fewer where threads
 * outnumber strips; each run widens the strip's blocks anew. */
static int64_t runs_of(const HnLinearLayout *layout, int64_t most_rows, int64_t m) {
    const int64_t wanted = (4 * omp_get_max_threads() + layout->n_strips - 1) / (layout->n_strips + 1);
    const int64_t least_runs = (m + most_rows - 1) / most_rows, most_runs = m / LEAST_ROWS;
    return wanted <= least_runs || most_runs <= least_runs ? least_runs : least(wanted, most_runs);
}

static const HnLinearOps *ops_now(HnWeightType type) {
    if (hn_linear_pairs(type)) {
        return hn_cpu_level() == HN_CPU_AMX ? hn_linear_amx() : hn_linear_bf16();
    }
    return hn_cpu_path() == HN_CPU_AVX512 ? hn_linear_avx512()
           : hn_cpu_path() == HN_CPU_AVX2 ? hn_linear_avx2()
                                          : hn_linear_scalar();
}

const char *hn_linear_path(HnWeightType type) {
    return ops_now(type)->path;
}

const char *hn_linear_bits(HnWeightType type) {
    return ops_now(type)->bits;
}

void hn_linear_with(const HnLinearOps *ops, const HnWeight *weight, const float *bias, int64_t m, const float *x,
                    int64_t ldx, bool add, float *y, int64_t ldy, void *scratch) {
    Linear p = {.weight = weight,
                .layout = hn_linear_layout(weight->type, weight->n, weight->k),
                .ops = ops,
                .bias = bias,
                .ldy = ldy,
                .add = add,
                .y = y};
    linear_run(&p, m, x, ldx, scratch, runs_of(&p.layout, ops->task_rows, m));
}

void hn_linear_cpu(const HnWeight *weight, const float *bias, int64_t m, const float *x, int64_t ldx, bool add,
                   float *y, int64_t ldy, void *scratch) {
    hn_linear_with(ops_now(weight->type), weight, bias, m, x, ldx, add, y, ldy, scratch);
}
