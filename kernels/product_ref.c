#include <math.h>

#include "product.h"

void hn_product_ref(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda,
                    const float *b, int64_t ldb, bool accumulate, float *c, int64_t ldc) {
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++) {
            float total = accumulate ? c[i * ldc + j] : 0.0f;
            for (int64_t l = 0; l < k; l++) {
                const float left = trans_a ? a[l * lda + i] : a[i * lda + l];
                const float right = trans_b ? b[j * ldb + l] : b[l * ldb + j];
                total = fmaf(left, right, total);
            }
            c[i * ldc + j] = total;
        }
    }
}
