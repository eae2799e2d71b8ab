/* Small products of rows, for losses over pairs. The sum runs in 16 lanes (element i in lane i mod 16, fused
 * multiply-add) that are then added by a fixed tree (8, 4, 2, 1 apart), on every path: bits do not depend on the
 * processor. */
#ifndef HN_KERNEL_ROW_H
#define HN_KERNEL_ROW_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct HnRowOps {
    float (*dot)(const float *a, const float *b, int n);
    void (*axpy)(float *y, float alpha, const float *x, int n);  /* y = fma(alpha, x, y) */
    void (*scale)(float *y, float alpha, const float *x, int n); /* y = alpha x */
    void (*mix)(float *y, float alpha, const float *a, float beta, const float *b,
                int n); /* y = fma(alpha, a, beta b) */
} HnRowOps;

const HnRowOps *hn_row_ops_ref(void);
const HnRowOps *hn_row_ops_cpu(void); /* for the current hn_cpu_path */

#ifdef __cplusplus
}
#endif
#endif
