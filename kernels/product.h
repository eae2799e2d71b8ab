/* Dense product whose bits are known: every element of C is one chain of fused multiply-adds over k in order,
 *
 *     c = accumulate ? C[i][j] : 0;   for l = 0 .. k-1:  c = fma(op(A)[i][l], op(B)[l][j], c);   C[i][j] = c
 *
 * so it depends on row i of op(A) and column j of op(B) only: not on m and n, nor on blocking, threads, or the
 * instruction path. Rows may be dealt to ranks and put together in any way. That is what `gemm` (a library) cannot
 * promise; this costs about as much. Row-major; lda/ldb/ldc = row lengths as stored.
 */
#ifndef HN_KERNEL_PRODUCT_H
#define HN_KERNEL_PRODUCT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#ifdef __cplusplus
extern "C" {
#endif

void hn_product_ref(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda,
                    const float *b, int64_t ldb, bool accumulate, float *c, int64_t ldc);
/* All threads; inside a parallel region, the calling thread alone. scratch: hn_product_scratch_bytes, 64-byte aligned
 * and of any content, or NULL = allocated here (slow for small products). Fails for want of memory only. */
HnStatus hn_product_cpu(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda,
                        const float *b, int64_t ldb, bool accumulate, float *c, int64_t ldc, void *scratch,
                        HnError *err);
size_t hn_product_scratch_bytes(int64_t m, int64_t n, int64_t k);

#ifdef __cplusplus
}
#endif
#endif
