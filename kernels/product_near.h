/* Private to this room: small dense products of operands that lie in the first caches, by the calling thread. Nothing
 * is packed, and every element is the chain of product.h.
 *
 *     C[i][j] = (from_c ? C[i][j] : 0) + sum over l = 0 .. k-1 of a[i * a_row + l * a_step] * b[l * ldb + j]
 */
#ifndef HN_KERNEL_PRODUCT_NEAR_H
#define HN_KERNEL_PRODUCT_NEAR_H

#include <stdbool.h>
#include <stdint.h>

typedef struct HnNear {
    const float *a, *b;
    int64_t a_row, a_step, ldb;
    int64_t m, n, k; /* n is a multiple of 16 */
    float *c;
    int64_t ldc;
    bool from_c;
} HnNear;

void hn_product_near_cpu(const HnNear *product);

#endif
