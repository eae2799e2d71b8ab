/* Graph propagation, one half of the bipartite graph (LightGCN: He et al., SIGIR 2020, eq. 3; NGCF and SGL reuse it).
 *
 *     y[r][:] = row_scale[r] * sum over edges e of row r, in graph order, of column_scale[column[e]] * x[column[e]][:]
 *
 * With rows kept in the scaled space z = D^-1/2 E, one layer is z' = D^-1 A z: no weight an edge, only row_scale =
 * 1/degree (0 for a row without edges), and column_scale = 1/sqrt(degree) where x is E itself.
 *
 * Twins: _ref (plain, never optimised), _cpu (run-time dispatch, OpenMP over rows), _cuda (device pointers, stream).
 * Bits: every element of y is one chain of fused multiply-adds (additions, where there is no column_scale) in graph
 * order, then one product, on every path and any thread count, so all twins agree exactly.
 *
 * The _fixed form is for sums that other ranks continue: terms are rounded to 31-bit fixed point as they are read (the
 * scale of hn_fixed_shift), their sums are 64-bit integers, exact, hence the same whatever the order, the rank count or
 * the thread count.
 *
 * Compiles as C11 and C++17.
 */
#ifndef HN_KERNEL_PROPAGATE_H
#define HN_KERNEL_PROPAGATE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A compressed sparse row graph half. Borrowed pointers. columns ascending within a row. */
typedef struct HnCsr {
    uint64_t n_rows, n_cols;
    const uint64_t *offsets;   /* [n_rows + 1], offsets[0] == 0 */
    const int32_t *columns;    /* [offsets[n_rows]], each in 0 .. n_cols-1 */
    const float *column_scale; /* [n_cols] or NULL (= 1) */
} HnCsr;

/* Told of rows that are complete, while they are still in the cache: by any thread, several at a time, disjoint ranges
 * that cover all rows. */
typedef struct HnRowsDone {
    /* Rows first .. last-1: values [last - first][dim], which may be changed. */
    void (*rows)(void *context, uint64_t first, uint64_t last, float *values);
    void *context;
} HnRowsDone;

/* x [n_cols][dim]; row_scale [n_rows] or NULL (= 1); y [n_rows][dim], overwritten; sum [n_rows][dim] or NULL: sum += y.
 * x and y must not overlap. */
void hn_propagate_ref(const HnCsr *graph, const float *x, const float *row_scale, float *y, float *sum, int dim);
void hn_propagate_cpu(const HnCsr *graph, const float *x, const float *row_scale, float *y, float *sum, int dim);
/* The same; done may be NULL. window: NULL, or [hn_propagate_window(dim)] floats that take the rows in turn, for `done`
 * alone to see; y and sum are then NULL. */
void hn_propagate_rows_cpu(const HnCsr *graph, const float *x, const float *row_scale, float *y, float *sum, int dim,
                           const HnRowsDone *done, float *window);
enum { HN_ROWS_AT_ONCE = 32 }; /* most rows that a HnRowsDone is told of: they must still be in the nearest cache */
uint64_t hn_propagate_window(int dim); /* for the threads there are now: not to be raised afterwards */
/* Tells done of the rows values [n_rows][dim], which are complete already. */
void hn_rows_done_cpu(const HnRowsDone *done, float *values, uint64_t n_rows, int dim);

/* y [n_rows][dim] overwritten with the sums of round(column_scale * x * 2^shift), each below 2^31 in magnitude. */
void hn_propagate_fixed_ref(const HnCsr *graph, const float *x, int shift, int64_t *y, int dim);
void hn_propagate_fixed_cpu(const HnCsr *graph, const float *x, int shift, int64_t *y, int dim);
/* The same, and back: y = row_scale * sum * 2^-shift (hn_fixed_to_float), where no other rank has a part in the sums.
 * sum, done and window as above. */
void hn_propagate_exact_rows_cpu(const HnCsr *graph, const float *x, int shift, const float *row_scale, float *y,
                                 float *sum, int dim, const HnRowsDone *done, float *window);

/* All pointers of graph and arrays are device memory; stream is a cudaStream_t. 0 or the CUDA error code. */
int hn_propagate_cuda(const HnCsr *graph, const float *x, const float *row_scale, float *y, float *sum, int dim,
                      void *stream);
int hn_propagate_fixed_cuda(const HnCsr *graph, const float *x, int shift, int64_t *y, int dim, void *stream);

#ifdef __cplusplus
}
#endif
#endif
