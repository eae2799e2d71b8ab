/* Private to `linear`: where packed weights lie, and what its instruction paths share.
 *
 * Outputs go in strips of HN_STRIP, vector lanes of the products; a strip's inputs go in runs of HN_LINEAR_RUN, and in
 * pairs within a run. A strip is a header, then its runs; a run is the scales of its blocks (if any), then its pairs:
 *
 *     f32, f16   [2][64]: the pair's two inputs, 64 outputs each
 *     bf16       [64][2]: what one multiplication of pairs takes
 *     int8       [64][2] bytes; scales [64] f32
 *     nf4        [32] 16-bit words, word (2 c + parity) holds outputs c, 16 + c, 32 + c, 48 + c from its lowest 4 bits
 *                up; scales [64] bytes b, meaning step * b + least with the header's f32 step[group][64],
 * least[group][64]
 */
#ifndef HN_KERNEL_LINEAR_PRIVATE_H
#define HN_KERNEL_LINEAR_PRIVATE_H

#include <string.h>

#include "linear.h"

enum {
    HN_STRIP = 64,
    HN_LINEAR_K_PAD = 32, /* bf16 inputs are padded with zeros up to what a tile takes at once */
    HN_NF4_BLOCK = 64,    /* inputs that share a scale */
    HN_INT8_BLOCK = 128,
    HN_LINEAR_GROUP = 256,  /* nf4: scales that share a step */
    HN_LINEAR_ROWS = 6,     /* of y that a register tile holds */
    HN_LINEAR_MOST = 12,    /* or at most, where weights are widened in registers for all of a few rows */
    HN_LINEAR_TALLEST = 32, /* rows of any path's tile */
    HN_LINEAR_PANEL = 5,    /* no type of weights */
    HN_LINEAR_RUN = 256     /* inputs that a tile takes at once; a multiple of every type's block */
};

typedef struct HnLinearLayout {
    int64_t block; /* inputs that share a scale; without scales a run */
    int64_t n_blocks, n_strips, n_groups;
    size_t pair_bytes, scale_bytes, header_bytes, run_bytes, strip_bytes; /* scale_bytes: a block's */
} HnLinearLayout;

HnLinearLayout hn_linear_layout(HnWeightType type, int64_t n, int64_t k);
/* Bytes of the scales that stand before a run's pairs. */
size_t hn_linear_run_scales(const HnLinearLayout *layout, int64_t run);

static inline size_t hn_linear_pair_bytes(HnWeightType type) {
    return type == HN_WEIGHT_F32    ? 2 * HN_STRIP * sizeof(float)
           : type == HN_WEIGHT_INT8 ? 2 * HN_STRIP
           : type == HN_WEIGHT_NF4  ? HN_STRIP
                                    : 4 * HN_STRIP;
}

/* The 16 values of nf4 as bf16. */
extern const uint16_t HN_NF4[16];

/* Round to nearest even; NaN stays NaN. */
static inline uint16_t hn_bf16_from_float(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) {
        return (uint16_t)(bits >> 16 | 0x40u);
    }
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

static inline float hn_bf16_to_float(uint16_t value) {
    const uint32_t bits = (uint32_t)value << 16;
    float result;
    memcpy(&result, &bits, sizeof result);
    return result;
}

/* The weight of one output and input without its scale, and the scale of its block; 1 where the type has none. */
float hn_linear_value(const HnWeight *weight, const HnLinearLayout *layout, int64_t row, int64_t input);
float hn_linear_scale(const HnWeight *weight, const HnLinearLayout *layout, int64_t row, int64_t block);
/* The same of a pair that lies there. */
float hn_linear_pair_value(HnWeightType type, const void *pair, int64_t column, int64_t odd);
/* Whether the current path multiplies bf16 for this type, in pairs or tiles, and thus rounds x. */
bool hn_linear_pairs(HnWeightType type);

/* One register tile: rows of y, one strip, a run of inputs: up to HN_LINEAR_RUN, whole blocks but for the last. */
typedef struct HnLinearTile {
    HnWeightType type;
    const unsigned char *w; /* the block's first pair */
    const void *x;          /* floats, or bf16 where pairs are multiplied, at the block's first input; rows of ldx */
    int64_t ldx, k;         /* k: inputs */
    int64_t block;          /* inputs that share a scale */
    const float *scale;     /* [blocks][HN_STRIP]: y = fma(sum from zero, scale, y); NULL: the sum goes on from y */
    float *y;               /* all HN_STRIP columns */
    int64_t ldy;
    const unsigned char
        *ahead; /* weights to fetch meanwhile, ahead_step bytes (0: none) for every 256 of this block's */
    size_t ahead_step;
} HnLinearTile;

typedef struct HnLinearOps {
    const char *path, *bits; /* as hn_linear_path and hn_linear_bits say it */
    HnWeightType panel; /* what runs are widened to where they serve many rows; HN_LINEAR_PANEL: in a way of its own */
    int few;            /* weights that are no `panel`: so many rows take them as they lie, in one tile */
    int tile_rows;      /* of the tiles of more */
    int task_rows;      /* that meet a widened run before it goes */
    void (*tile)(const HnLinearTile *tile, int rows); /* 1 .. the larger of few and tile_rows */
    /* k inputs as `panel` has them. */
    void (*widen)(HnWeightType type, const unsigned char *w, int64_t k, void *panel);
    /* nf4: scale[j] = fma(code[j], step[j], step[HN_STRIP + j]), a strip's. */
    void (*scales)(const unsigned char *code, const float *step, float *scale);
    /* x as bf16, zeros behind it up to k_padded; NULL: x is read as it is. */
    void (*round_x)(const float *x, int64_t k, int64_t k_padded, uint16_t *out);
    void (*leave)(void); /* called on every thread after its tiles; or NULL */
} HnLinearOps;

const HnLinearOps *hn_linear_scalar(void);
/* Each is there where its instructions are; NULL elsewhere. */
const HnLinearOps *hn_linear_avx2(void);
const HnLinearOps *hn_linear_avx512(void);
const HnLinearOps *hn_linear_bf16(void);
const HnLinearOps *hn_linear_amx(void);

/* hn_linear_cpu on a path that is named; what it needs must be there. */
void hn_linear_with(const HnLinearOps *ops, const HnWeight *weight, const float *bias, int64_t m, const float *x,
                    int64_t ldx, bool add, float *y, int64_t ldy, void *scratch);

/* A switch over the rows of a tile, so that each number of rows has its own loop. */
#define HN_LINEAR_BY_ROWS(body, tile, type, rows) \
    switch (rows) {                               \
    case 1:                                       \
        body(tile, type, 1);                      \
        break;                                    \
    case 2:                                       \
        body(tile, type, 2);                      \
        break;                                    \
    case 3:                                       \
        body(tile, type, 3);                      \
        break;                                    \
    case 4:                                       \
        body(tile, type, 4);                      \
        break;                                    \
    case 5:                                       \
        body(tile, type, 5);                      \
        break;                                    \
    case 6:                                       \
        body(tile, type, 6);                      \
        break;                                    \
    }
#define HN_LINEAR_BY_MORE_ROWS(body, tile, type, rows) \
    switch (rows) {                                    \
    case 7:                                            \
        body(tile, type, 7);                           \
        break;                                         \
    case 8:                                            \
        body(tile, type, 8);                           \
        break;                                         \
    case 9:                                            \
        body(tile, type, 9);                           \
        break;                                         \
    case 10:                                           \
        body(tile, type, 10);                          \
        break;                                         \
    case 11:                                           \
        body(tile, type, 11);                          \
        break;                                         \
    case 12:                                           \
        body(tile, type, 12);                          \
        break;                                         \
    }

#endif
