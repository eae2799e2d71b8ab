#include <math.h>

#include "dense.h"

void hn_dense_ref(int64_t m, int64_t n, int64_t k, HnDenseLeft left, const float *b, int64_t ldb, bool accumulate,
                  float *c, int64_t ldc) {
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++) {
            float total = accumulate ? c[i * ldc + j] : 0.0f;
            for (int64_t l = 0; l < k; l++) {
                total = fmaf(left.a[i * left.row_step + l * left.k_step], b[l * ldb + j], total);
            }
            c[i * ldc + j] = total;
        }
    }
}
