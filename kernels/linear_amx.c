/* `linear` where AMX multiplies tiles of bf16: 16 rows of x by 32 inputs, times 32 inputs by 16 outputs. Packed pairs
 * are such tiles already, 16 lines 256 bytes apart; int8 and nf4 are widened to them.
 *
 * Every number of rows takes tiles, since pairs (linear_bf16.c) are added in another order and a row's bits may not
 * depend on how many there are. For few rows a tile of x is lower and mostly quick to fetch; a multiplication then
 * takes at most 16 cycles for 1 KiB of weights, while memory needs about 200 for them. */
#include "linear_512.h"
#include "linear_tiles.h"

#if HN_TILES

enum {
    TALL = 16,           /* rows of a tile */
    STEP = 32,           /* inputs */
    WIDTH = 16,          /* outputs */
    LINE = 4 * HN_STRIP, /* bytes of a pair of inputs */
    STEP_BYTES = STEP / 2 * LINE
};

/* What this thread's tiles are configured for; 0: released. */
static _Thread_local int configured_rows;

/* Tiles 0 .. 3: sums; 4, 5: x; 6, 7: weights. Of up to 16 rows all sums have these rows; of more, tiles 0, 1 and 4 have
 * the first 16 and 2, 3 and 5 the rest. */
HN_AMX static void rows_configure(int rows) {
    HnTileConfig config = {.palette = 1};
    for (int tile = 0; tile < 8; tile++) {
        const bool upper = tile == 0 || tile == 1 || tile == 4, weights = tile >= 6;
        const int height = rows <= TALL ? rows : rows - TALL;
        config.row_bytes[tile] = 64;
        config.rows[tile] = (uint8_t)(weights || (upper && rows > TALL) ? TALL : height);
    }
    HN_TILE_CONFIGURE(&config);
    configured_rows = rows;
}

HN_AMX static void release(void) {
    if (configured_rows != 0) {
        HN_TILE_RELEASE();
        configured_rows = 0;
    }
}

/* Weights of the next run into the second-level cache; step: 0 for none. */
HN_INLINE const unsigned char *fetch_ahead(const unsigned char *ahead, size_t step) {
    for (int line = 0; line < STEP / 2 && step > 0; line++, ahead += step) {
        HN_PREFETCH(ahead);
        HN_PREFETCH(ahead + 64);
    }
    return ahead;
}

/* Where tiles 0 .. 3 lie, in rows of `stride` floats. */
typedef struct Sums {
    float *at[4];
    int64_t stride;
} Sums;

/* A block's sums begin at zero where it has scales; others go on from y. */
HN_INLINE HN_AMX void sums_begin(const Sums *sums, bool zero) {
    const size_t bytes = (size_t)sums->stride * sizeof(float);
    if (zero) {
        HN_TILE_ZERO(0);
        HN_TILE_ZERO(1);
        HN_TILE_ZERO(2);
        HN_TILE_ZERO(3);
    } else {
        HN_TILE_LOAD(0, sums->at[0], bytes);
        HN_TILE_LOAD(1, sums->at[1], bytes);
        HN_TILE_LOAD(2, sums->at[2], bytes);
        HN_TILE_LOAD(3, sums->at[3], bytes);
    }
}

HN_INLINE HN_AMX void sums_end(const Sums *sums) {
    const size_t bytes = (size_t)sums->stride * sizeof(float);
    HN_TILE_STORE(0, sums->at[0], bytes);
    HN_TILE_STORE(1, sums->at[1], bytes);
    HN_TILE_STORE(2, sums->at[2], bytes);
    HN_TILE_STORE(3, sums->at[3], bytes);
}

/* Up to 16 rows by 64 outputs. */
HN_AMX static void low_add(const HnLinearTile *t, const unsigned char *w, const uint16_t *x, int64_t steps, float *y,
                           int64_t ldy) {
    const Sums sums = {{y, y + WIDTH, y + 2 * WIDTH, y + 3 * WIDTH}, ldy};
    const size_t x_bytes = (size_t)t->ldx * sizeof *x;
    const unsigned char *ahead = t->ahead;
    sums_begin(&sums, t->scale != NULL);
    for (int64_t s = 0; s < steps; s++, x += STEP, w += STEP_BYTES) {
        ahead = fetch_ahead(ahead, t->ahead_step);
        HN_TILE_LOAD(4, x, x_bytes);
        HN_TILE_LOAD(6, w, LINE);
        HN_TILE_DOT(0, 4, 6);
        HN_TILE_LOAD(7, w + 64, LINE);
        HN_TILE_DOT(1, 4, 7);
        HN_TILE_LOAD(6, w + 128, LINE);
        HN_TILE_DOT(2, 4, 6);
        HN_TILE_LOAD(7, w + 192, LINE);
        HN_TILE_DOT(3, 4, 7);
    }
    sums_end(&sums);
}

/* 17 to 32 rows by 32 outputs: each tile that is loaded is used twice. */
HN_AMX static void high_add(const HnLinearTile *t, const unsigned char *w, const uint16_t *x, int64_t steps,
                            size_t ahead_step, float *y, int64_t ldy) {
    float *rest = y + TALL * ldy;
    const Sums sums = {{y, y + WIDTH, rest, rest + WIDTH}, ldy};
    const size_t x_bytes = (size_t)t->ldx * sizeof *x;
    const unsigned char *ahead = t->ahead;
    sums_begin(&sums, t->scale != NULL);
    for (int64_t s = 0; s < steps; s++, x += STEP, w += STEP_BYTES) {
        ahead = fetch_ahead(ahead, ahead_step);
        HN_TILE_LOAD(4, x, x_bytes);
        HN_TILE_LOAD(6, w, LINE);
        HN_TILE_DOT(0, 4, 6);
        HN_TILE_LOAD(7, w + 64, LINE);
        HN_TILE_DOT(1, 4, 7);
        HN_TILE_LOAD(5, x + TALL * t->ldx, x_bytes);
        HN_TILE_DOT(2, 5, 6);
        HN_TILE_DOT(3, 5, 7);
    }
    sums_end(&sums);
}

HN_AMX static void block_add(const HnLinearTile *t, int rows, const unsigned char *w, const uint16_t *x, int64_t k,
                             float *y, int64_t ldy) {
    const int64_t steps = (k + STEP - 1) / STEP;
    if (rows <= TALL) {
        low_add(t, w, x, steps, y, ldy);
    } else {
        high_add(t, w, x, steps, t->ahead_step, y, ldy);
        high_add(t, w + LINE / 2, x, steps, 0, y + 2 * WIDTH, ldy);
    }
}

/* A block that has scales is summed up from zero and then added to y. */
HN_AMX static void tile_run(const HnLinearTile *t, int rows) {
    _Alignas(64) float sums[2 * TALL * HN_STRIP];
    const unsigned char *w = t->w;
    const float *scale = t->scale;
    if (configured_rows != rows) {
        rows_configure(rows);
    }
    if (scale == NULL) {
        block_add(t, rows, w, t->x, t->k, t->y, t->ldy);
        return;
    }
    for (int64_t l = 0; l < t->k; l += t->block, w += t->block / 2 * LINE, scale += HN_STRIP) {
        const int64_t k = t->k - l < t->block ? t->k - l : t->block;
        block_add(t, rows, w, (const uint16_t *)t->x + l, k, sums, HN_STRIP);
        for (int i = 0; i < rows; i++) {
            for (int j = 0; j < HN_STRIP; j += 16) {
                float *y = t->y + i * t->ldy + j;
                _mm512_storeu_ps(y, _mm512_fmadd_ps(_mm512_load_ps(sums + i * HN_STRIP + j), _mm512_loadu_ps(scale + j),
                                                    _mm512_loadu_ps(y)));
            }
        }
    }
}

/* As pairs are, with zeros up to a whole step. */
static void widen(HnWeightType type, const unsigned char *w, int64_t k, void *panel) {
    const int64_t pairs = (k + 1) / 2, padded = (k + STEP - 1) / STEP * (STEP / 2);
    hn_linear_widen_pairs(type, w, k, panel);
    memset((unsigned char *)panel + pairs * LINE, 0, (size_t)((padded - pairs) * LINE));
}

const HnLinearOps *hn_linear_amx(void) {
    static const HnLinearOps ops = {.path = "amx bf16 tiles",
                                    .bits = "bf16 tiles",
                                    .panel = HN_WEIGHT_BF16,
                                    .tile_rows = 2 * TALL,
                                    .task_rows = 512, /* widening is dear beside the products */
                                    .tile = tile_run,
                                    .widen = widen,
                                    .scales = hn_linear_scales_512,
                                    .round_x = hn_linear_round_pairs,
                                    .leave = release};
    return &ops;
}
#else
const HnLinearOps *hn_linear_amx(void) {
    return NULL;
}
#endif
