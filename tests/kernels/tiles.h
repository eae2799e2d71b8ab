/* Plain C in the place of the processor's tile operations (kernels/linear_tiles.h): include this, then
 * kernels/linear_amx.c. What the processor would refuse (an unconfigured tile, shapes that do not fit) stops the test.
 */
#ifndef HN_TEST_KERNELS_TILES_H
#define HN_TEST_KERNELS_TILES_H

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "linear_private.h"
#include "linear_tiles.h"

typedef struct Tiles {
    HnTileConfig config; /* palette 0: released */
    unsigned char bytes[8][16][64];
} Tiles;

static _Thread_local Tiles tiles;
/* Threads whose tiles are configured, and how often any were. */
static atomic_int tiles_held, tiles_configured;

static void tiles_demand(bool holds, const char *what) {
    if (!holds) {
        fprintf(stderr, "a processor would refuse: %s\n", what);
        abort();
    }
}

static inline void tiles_configure(const HnTileConfig *config) {
    bool fits = config->palette == 1 && config->start_row == 0;
    for (int t = 0; t < 16; t++) {
        const bool none = config->rows[t] == 0 && config->row_bytes[t] == 0;
        const bool some = config->rows[t] > 0 && config->row_bytes[t] > 0;
        fits = fits && (none || (t < 8 && some)) && config->rows[t] <= 16 && config->row_bytes[t] <= 64;
    }
    tiles_demand(fits, "the configuration");
    tiles_held += tiles.config.palette == 0;
    tiles_configured++;
    memset(&tiles, 0, sizeof tiles);
    tiles.config = *config;
}

static inline void tiles_release(void) {
    tiles_held -= tiles.config.palette != 0;
    memset(&tiles, 0, sizeof tiles);
}

static inline void tiles_zero(int tile) {
    tiles_demand(tiles.config.rows[tile] > 0, "zeroing a tile that is not configured");
    memset(tiles.bytes[tile], 0, sizeof tiles.bytes[tile]);
}

static inline void tiles_load(int tile, const void *from, size_t stride) {
    tiles_zero(tile);
    for (size_t row = 0; row < tiles.config.rows[tile]; row++) {
        memcpy(tiles.bytes[tile][row], (const unsigned char *)from + row * stride, tiles.config.row_bytes[tile]);
    }
}

static inline void tiles_store(int tile, void *to, size_t stride) {
    tiles_demand(tiles.config.rows[tile] > 0, "storing a tile that is not configured");
    for (size_t row = 0; row < tiles.config.rows[tile]; row++) {
        memcpy((unsigned char *)to + row * stride, tiles.bytes[tile][row], tiles.config.row_bytes[tile]);
    }
}

/* Denormals are zeros of their sign. */
static inline float tiles_flush(float x) {
    return fpclassify(x) == FP_SUBNORMAL ? copysignf(0.0f, x) : x;
}

static inline float tiles_chain(float sum, uint16_t a, uint16_t b) {
    return tiles_flush(fmaf(tiles_flush(hn_bf16_to_float(a)), tiles_flush(hn_bf16_to_float(b)), sum));
}

static inline void tiles_dot(int c, int a, int b) {
    const HnTileConfig *config = &tiles.config;
    const int pairs = config->row_bytes[a] / 4, columns = config->row_bytes[c] / 4;
    tiles_demand(pairs > 0 && config->rows[b] == pairs && config->rows[c] == config->rows[a] &&
                     config->row_bytes[c] == config->row_bytes[b] && a != b && a != c && b != c,
                 "a product of tiles whose shapes do not fit");
    for (int row = 0; row < config->rows[c]; row++) {
        uint16_t left[32];
        float total[16];
        memcpy(left, tiles.bytes[a][row], sizeof left);
        memcpy(total, tiles.bytes[c][row], sizeof total);
        for (int j = 0; j < columns; j++) {
            float even = 0.0f, odd = 0.0f;
            for (int pair = 0; pair < pairs; pair++) {
                uint16_t right[2];
                memcpy(right, &tiles.bytes[b][pair][4 * j], sizeof right);
                even = tiles_chain(even, left[2 * pair], right[0]);
                odd = tiles_chain(odd, left[2 * pair + 1], right[1]);
            }
            total[j] = tiles_flush(tiles_flush(total[j]) + tiles_flush(even + odd));
        }
        memcpy(tiles.bytes[c][row], total, sizeof total);
    }
}

#undef HN_TILE_CONFIGURE
#undef HN_TILE_RELEASE
#undef HN_TILE_ZERO
#undef HN_TILE_LOAD
#undef HN_TILE_STORE
#undef HN_TILE_DOT
#define HN_TILE_CONFIGURE(config) tiles_configure(config)
#define HN_TILE_RELEASE() tiles_release()
#define HN_TILE_ZERO(tile) tiles_zero(tile)
#define HN_TILE_LOAD(tile, from, stride) tiles_load(tile, from, stride)
#define HN_TILE_STORE(tile, to, stride) tiles_store(tile, to, stride)
#define HN_TILE_DOT(c, a, b) tiles_dot(c, a, b)

#endif
