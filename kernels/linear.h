/* y = x W^T: a few or many rows of activations times a weight matrix that is packed once and stays.
 *
 *     y[i][j] = (add ? y[i][j] : 0) + bias[j] + sum over l of x[i][l] W[j][l],     x [m][k], W [n][k], y [m][n]
 *
 * Row i of y depends on row i of x, on W, on the type and on the instruction path only: not on m, on other rows, on
 * blocking or on threads. So a prompt alone, packed with others, or fed token by token gives the same bits. Sums are in
 * f32: one chain of fused multiply-adds over l, beginning with what y begins with; where blocks of inputs have a scale,
 * one chain a block from zero, and sum = fma(block, scale, sum) over the blocks.
 *
 * Types:
 *   f32, f16, bf16  W as such.
 *   int8            symmetric: integers times one f32 scale for 128 inputs of an output, the largest magnitude is 127.
 *   nf4             the 4-bit normal float of QLoRA (Dettmers et al. 2023): 16 levels times one scale for 64 inputs,
 * the scales in 8 bits, linear between the least and the largest of up to 256 blocks of one output. The levels are the
 * paper's rounded to bf16, on every path.
 *
 * Root mean square errors on normal weights (tests/kernels/test_linear.c bounds them), of weights: f16 2.1e-4,
 * bf16 1.7e-3, int8 6.5e-3, nf4 9.2e-2 of their own; of products, x rounded too where it is: 2.1e-4, 2.3e-3, 7.2e-3,
 * 8.9e-2. Bytes a weight: 4, 2, 2, 1.03, 0.52, and outputs padded to a multiple of 64.
 *
 * Paths: with AVX512-BF16 (level avx512-bf16 of cpu.h) bf16, int8 and nf4 round x to bf16 and multiply pairs of inputs:
 * the processor's own order of the two, numbers below 2^-126 as zero. With AMX (level amx) they round x, too, and 32
 * inputs of tiles are one step: two chains from zero, over inputs of even and of odd place, whose sum is added
 * (linear_tiles.h; bits other than the pairs'). Elsewhere, and for f32 and f16 everywhere, the chain is the plain one,
 * W widened exactly: the same bits on scalar, avx2 and avx512. A weight that is not a number
 * makes its output's products not a number; infinity may, in int8 and nf4, for all inputs of its scale.
 */
#ifndef HN_KERNEL_LINEAR_H
#define HN_KERNEL_LINEAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "element.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum HnWeightType { HN_WEIGHT_F32, HN_WEIGHT_F16, HN_WEIGHT_BF16, HN_WEIGHT_INT8, HN_WEIGHT_NF4 } HnWeightType;

typedef struct HnWeight {
    HnWeightType type;
    int64_t n, k; /* outputs, inputs */
    void *bytes;  /* hn_weight_bytes of them, 64-byte aligned, the caller's; the same on every path */
} HnWeight;

size_t hn_weight_bytes(HnWeightType type, int64_t n, int64_t k);
/* Packs rows row0 .. row0+n_rows-1 of W from `rows` [n_rows][k] of type `source`, unaligned and of any lifetime. Rows
 * may come in any pieces and order; bytes must be zero before the first. All threads. */
void hn_weight_pack(HnWeight *weight, HnElement source, const void *rows, int64_t row0, int64_t n_rows);
/* out [k] = row `row` as the products see it: the table of input embeddings where it is tied to the head. */
void hn_weight_row(const HnWeight *weight, int64_t row, float *out);

/* bias [n] or NULL; x [m][ldx], y [m][ldy]; may not overlap. All threads; inside a parallel region the calling thread
 * alone. scratch: hn_linear_scratch_bytes, 64-byte aligned, of any content. */
void hn_linear_ref(const HnWeight *weight, const float *bias, int64_t m, const float *x, int64_t ldx, bool add,
                   float *y, int64_t ldy);
void hn_linear_cpu(const HnWeight *weight, const float *bias, int64_t m, const float *x, int64_t ldx, bool add,
                   float *y, int64_t ldy, void *scratch);
size_t hn_linear_scratch_bytes(const HnWeight *weight, int64_t m);

const char *hn_weight_type_name(HnWeightType type); /* "bf16", as options and stores spell it */
bool hn_weight_type_find(const char *name, HnWeightType *type);

/* How the products of this type are computed on the current path, for logs and provenance: "avx512-bf16 pairs",
 * "amx bf16 tiles", or the path's name. */
const char *hn_linear_path(HnWeightType type);
/* What of the current path decides the bits: "plain" (the same on scalar, avx2 and avx512), "bf16 pairs",
 * or "bf16 tiles". */
const char *hn_linear_bits(HnWeightType type);

#ifdef __cplusplus
}
#endif
#endif
