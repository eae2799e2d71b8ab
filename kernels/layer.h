/* What stands around the products of a dense layer: bias and leaky ReLU forward, the activation's gradient, and the
 * bias gradient. Element-wise, or chains of additions in row order: bits independent of threads and path. */
#ifndef HN_KERNEL_LAYER_H
#define HN_KERNEL_LAYER_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* rows [n_rows][width]: x = row + bias [width]; where `bend`, x = slope * x unless x > 0 (slope 0: ReLU). */
void hn_layer_finish_ref(float *rows, const float *bias, uint64_t n_rows, uint64_t width, bool bend, float slope);
void hn_layer_finish_cpu(float *rows, const float *bias, uint64_t n_rows, uint64_t width, bool bend, float slope);

/* d [n] = slope * d wherever not y > 0; y [n] as hn_layer_finish left it. */
void hn_layer_unbend_ref(float *d, const float *y, uint64_t n, float slope);
void hn_layer_unbend_cpu(float *d, const float *y, uint64_t n, float slope);

/* sums[c] = d[0][c] + d[1][c] + ... from 0 on, one chain over the rows of d [n_rows][width], for columns begin ..
 * end-1; other sums stay. */
void hn_layer_column_sums_ref(const float *d, uint64_t n_rows, uint64_t width, uint64_t begin, uint64_t end,
                              float *sums);
void hn_layer_column_sums_cpu(const float *d, uint64_t n_rows, uint64_t width, uint64_t begin, uint64_t end,
                              float *sums);

#ifdef __cplusplus
}
#endif
#endif
