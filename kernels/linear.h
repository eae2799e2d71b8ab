/* y = x W^T: a few or many rows of activations times a weight matrix that is packed once and stays.
 *
 *     y[i][j] = (add ? y[i][j] : 0) + bias[j] + sum over l of x[i][l] W[j][l],     x [m][k], W [n][k], y [m][n]
 *
 * Row i of y depends on row i of x, on W, on the type and on the instruction path only: not on m, on other rows, on
 * blocking or on threads. So a prompt alone, packed with others, or fed token by token gives the same bits.
 *
 * Types: f32, f16 and bf16 hold W as such; int8 is symmetric with one f32 scale a row and block of columns; nf4 is the
 * 4-bit normal-float of QLoRA (Dettmers et al. 2023, block 64, scales quantised to 8 bits in groups of 256). Sums are
 * in f32. Where the path multiplies bf16 pairs (AVX512-BF16, AMX), bf16, int8 and nf4 round x (and the dequantised W)
 * to bf16 first; elsewhere they are widened to f32, exactly.
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
    void *bytes;  /* hn_weight_bytes of them, 64-byte aligned, the caller's; their layout belongs to this file */
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

/* How the products of this type are computed on the current path, for logs and provenance: "avx512-bf16 pairs". */
const char *hn_linear_path(HnWeightType type);

#ifdef __cplusplus
}
#endif
#endif
