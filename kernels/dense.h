/* Products with a small matrix, on the calling thread, nothing packed: the layers of a model whose rows pass through a
 * block that is in the cache anyway.
 *
 *     C[m][n] = op(A)[m][k] B[k][n], added to C where `accumulate`
 *
 * Every element is one chain of fused multiply-adds over k in order, as in `product`: its bits depend on its own row of
 * op(A) and column of B only, on every path. `product` is for large matrices, this for those of which B, or C, fits the
 * nearest cache. Row-major; ldb, ldc = row lengths as stored. A may not overlap C.
 */
#ifndef HN_KERNEL_DENSE_H
#define HN_KERNEL_DENSE_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* op(A): element (i, l) is a[i * row_step + l * k_step], so (lda, 1) is A as it lies and (1, lda) its transpose. */
typedef struct HnDenseLeft {
    const float *a;
    int64_t row_step, k_step;
} HnDenseLeft;

void hn_dense_ref(int64_t m, int64_t n, int64_t k, HnDenseLeft left, const float *b, int64_t ldb, bool accumulate,
                  float *c, int64_t ldc);
void hn_dense_cpu(int64_t m, int64_t n, int64_t k, HnDenseLeft left, const float *b, int64_t ldb, bool accumulate,
                  float *c, int64_t ldc);

#ifdef __cplusplus
}
#endif
#endif
