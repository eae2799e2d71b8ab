#include "cf/rows.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/sorted.h"
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

HnPlaces hn_rows_within(const int32_t *rows, uint32_t n, uint64_t first, uint64_t last) {
    const uint32_t begin = (uint32_t)hn_sorted_place(rows, n, (int64_t)first);
    uint32_t end = begin; /* few: found by going there */
    while (end < n && (uint64_t)rows[end] < last) {
        end++;
    }
    return (HnPlaces){begin, end};
}

static void spread_rows(const HnSpread *spread, uint64_t first, uint64_t last, float *block) {
    const size_t dim = (size_t)spread->dim;
    const HnPlaces within = hn_rows_within(spread->rows, spread->n, first, last);
    memset(block, 0, (last - first) * dim * sizeof *block);
    for (uint32_t b = within.begin; b < within.end; b++) {
        memcpy(block + ((uint64_t)spread->rows[b] - first) * dim, spread->in + b * dim, dim * sizeof *block);
    }
}

void hn_rows_spread(const HnSpread *spread, const HnRowsDone *then) {
    const size_t dim = (size_t)spread->dim;
    const uint64_t at_once = HN_ROWS_AT_ONCE, n_runs = (spread->n_rows + at_once - 1) / at_once;
#pragma omp parallel for schedule(static) if (n_runs > 1)
    for (uint64_t run = 0; run < n_runs; run++) {
        const uint64_t first = run * at_once, left = spread->n_rows - first;
        const uint64_t last = first + (left < at_once ? left : at_once);
        float *block = spread->out != NULL ? spread->out + first * dim
                                           : spread->window + (size_t)omp_get_thread_num() * at_once * dim;
        spread_rows(spread, first, last, block);
        if (then != NULL) {
            then->rows(then->context, first, last, block);
        }
    }
}

float hn_row_length(const float *row, int dim) {
    return fmaxf(sqrtf(hn_row_ops_cpu()->dot(row, row, dim)), 1e-12f);
}
