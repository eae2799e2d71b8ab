#include "cf/rows.h"

#include <string.h>

#include "row.h"

enum { FEW_ROWS = 256 }; /* below this, starting the threads costs more than the copy */

static inline uint64_t row_of(const int32_t *rows, uint64_t r) {
    return rows == NULL ? r : (uint64_t)rows[r];
}

void hn_rows_gather(float *out, const float *table, const int32_t *rows, uint64_t n, int dim) {
    const uint64_t d = (uint64_t)dim;
#pragma omp parallel for schedule(static) if (n > FEW_ROWS)
    for (uint64_t r = 0; r < n; r++) {
        memcpy(out + r * d, table + row_of(rows, r) * d, d * sizeof(float));
    }
}

void hn_rows_scatter(float *table, const float *in, const int32_t *rows, uint64_t n, int dim) {
    const uint64_t d = (uint64_t)dim;
#pragma omp parallel for schedule(static) if (n > FEW_ROWS)
    for (uint64_t r = 0; r < n; r++) {
        memcpy(table + row_of(rows, r) * d, in + r * d, d * sizeof(float));
    }
}

void hn_rows_scatter_add(float *table, float factor, const float *in, const int32_t *rows, uint64_t n, int dim) {
    const uint64_t d = (uint64_t)dim;
    const HnRowOps *ops = hn_row_ops_cpu();
#pragma omp parallel for schedule(static) if (n > FEW_ROWS)
    for (uint64_t r = 0; r < n; r++) {
        ops->axpy(table + row_of(rows, r) * d, factor, in + r * d, dim);
    }
}

void hn_rows_sum(float *sums, const float *table, const int32_t *rows, uint64_t n, int dim) {
    const uint64_t d = (uint64_t)dim;
    const HnRowOps *ops = hn_row_ops_cpu();
#pragma omp parallel for schedule(static) if (n > FEW_ROWS)
    for (uint64_t r = 0; r < n; r++) {
        ops->axpy(sums + r * d, 1.0f, table + row_of(rows, r) * d, dim);
    }
}

void hn_rows_scale(float *out, const float *in, const float *scale, const int32_t *rows, uint64_t n, int dim) {
    const uint64_t d = (uint64_t)dim;
    const HnRowOps *ops = hn_row_ops_cpu();
#pragma omp parallel for schedule(static) if (n > FEW_ROWS)
    for (uint64_t r = 0; r < n; r++) {
        ops->scale(out + r * d, scale[row_of(rows, r)], in + r * d, dim);
    }
}
