/* Private to `linear`: where packed weights lie, and what its instruction paths share.
 *
 * Outputs go in strips of HN_STRIP, vector lanes of the products; a strip's inputs go in blocks, and in pairs of inputs
 * within a block. A strip is a header, then its blocks; a block is its scales (if any), then its pairs:
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
    HN_LINEAR_K_PAD = 32,  /* bf16 inputs are padded with zeros up to what AMX takes at once */
    HN_LINEAR_GROUP = 256, /* nf4: scales that share a step */
    HN_LINEAR_ROWS = 6,    /* of y that a register tile holds at most */
    HN_LINEAR_BLOCK = 128  /* inputs of the longest block */
};

typedef struct HnLinearLayout {
    int64_t block; /* inputs */
    int64_t n_blocks, n_strips, n_groups;
    size_t pair_bytes, scale_bytes, block_bytes, header_bytes, strip_bytes;
} HnLinearLayout;

HnLinearLayout hn_linear_layout(HnWeightType type, int64_t n, int64_t k);

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
/* Whether the current path multiplies pairs of bf16 for this type, and thus rounds x. */
bool hn_linear_pairs(HnWeightType type);

#endif
