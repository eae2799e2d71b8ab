/* Fixed point for sums that must not depend on order: floats to 31-bit integers on one common scale, 64-bit sums, back.
 *
 * The scale comes from the largest magnitude over all ranks (a max-allreduce, itself order-free): with
 * shift = hn_fixed_shift(max), |value| * 2^shift < 2^31. Rounding is to nearest even, once per value; a sum of up to
 * 2^32 values cannot overflow. The absolute error of a value is at most 2^-32 of the power of two above the largest
 * magnitude.
 */
#ifndef HN_KERNEL_FIXED_H
#define HN_KERNEL_FIXED_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Largest |x[i]| of n values; NaN if any is NaN, so that it is caught. Bits independent of threads. */
float hn_max_magnitude_ref(const float *x, uint64_t n);
float hn_max_magnitude_cpu(const float *x, uint64_t n);
/* The power of two to scale by; 0 for max = 0. max must be finite. */
int hn_fixed_shift(float max);

/* q[i] = round(x[i] * 2^shift) */
void hn_fixed_from_float_ref(const float *x, int shift, int32_t *q, uint64_t n);
void hn_fixed_from_float_cpu(const float *x, int shift, int32_t *q, uint64_t n);

/* y[r][c] = row_scale[r] * (float)(s[r][c] * 2^-shift); row_scale NULL = 1; sum (may be NULL) += y. */
void hn_fixed_to_float_ref(const int64_t *s, int shift, const float *row_scale, float *y, float *sum, uint64_t n_rows,
                           int dim);
void hn_fixed_to_float_cpu(const int64_t *s, int shift, const float *row_scale, float *y, float *sum, uint64_t n_rows,
                           int dim);

/* totals[i] += round(x[i] * 2^shift), below 2^63 in magnitude, 0 <= shift < 127. _cpu: the calling thread alone. */
void hn_fixed_add_ref(const float *x, int shift, int64_t *totals, uint64_t n);
void hn_fixed_add_cpu(const float *x, int shift, int64_t *totals, uint64_t n);

/* The same on a device: all pointers are device memory (*result too), stream is a cudaStream_t. 0 or the CUDA error
 * code. */
int hn_max_magnitude_cuda(const float *x, uint64_t n, float *result, void *stream);
int hn_fixed_from_float_cuda(const float *x, int shift, int32_t *q, uint64_t n, void *stream);
int hn_fixed_to_float_cuda(const int64_t *s, int shift, const float *row_scale, float *y, float *sum, uint64_t n_rows,
                           int dim, void *stream);

#ifdef __cplusplus
}
#endif
#endif
