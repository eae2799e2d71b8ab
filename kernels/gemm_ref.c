#include <math.h>

#include "gemm.h"

void hn_gemm_ref(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a, int64_t lda,
                 const float *b, int64_t ldb, float beta, float *c, int64_t ldc) {
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++) {
            float total = 0.0f;
            for (int64_t l = 0; l < k; l++) {
                float left = trans_a ? a[l * lda + i] : a[i * lda + l];
                float right = trans_b ? b[j * ldb + l] : b[l * ldb + j];
                total = fmaf(left, right, total);
            }
            /* beta 0 means "overwrite": what was there, NaN included, is not read */
            c[i * ldc + j] = beta == 0.0f ? alpha * total : fmaf(alpha, total, beta * c[i * ldc + j]);
        }
    }
}
