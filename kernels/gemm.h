/* Dense products on the CPU through oneDNN; on the GPU cuBLAS stands behind the same name.
 *
 *     C[m][n] = alpha op(A)[m][k] op(B)[k][n] + beta C, row-major, lda/ldb/ldc = row lengths as stored
 *
 * Bits depend on (m, n, k, path): callers that promise bits keep shapes independent of ranks and threads, and call
 * hn_gemm_single from their own parallel loop (one thread each). hn_gemm uses all threads.
 */
#ifndef HN_KERNEL_GEMM_H
#define HN_KERNEL_GEMM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#ifdef __cplusplus
extern "C" {
#endif

void hn_gemm_ref(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a, int64_t lda,
                 const float *b, int64_t ldb, float beta, float *c, int64_t ldc);
HnStatus hn_gemm(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a, int64_t lda,
                 const float *b, int64_t ldb, float beta, float *c, int64_t ldc, HnError *err);
/* The same on the calling thread alone, safe inside an OpenMP parallel region; bits independent of the thread count. */
HnStatus hn_gemm_single(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a,
                        int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc, HnError *err);
const char *hn_gemm_library(void); /* "oneDNN 2.6.3 (avx512_core)" */

#ifdef __cplusplus
}
#endif
#endif
