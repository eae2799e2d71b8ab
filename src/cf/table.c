#include "cf/table.h"

#include <math.h>

#include "base/alloc.h"
#include "cf/rows.h"

HnStatus hn_table_create(HnTable *table, uint64_t n_rows, uint64_t first_row, int dim, const char *what, HnError *err) {
    *table = (HnTable){.n_rows = n_rows, .first_row = first_row, .dim = dim};
    size_t row_bytes = (size_t)dim * sizeof(float);
    table->value = hn_alloc(n_rows, row_bytes, what, err);
    table->gradient = hn_alloc(n_rows, row_bytes, what, err);
    table->m = hn_alloc(n_rows, row_bytes, what, err);
    table->v = hn_alloc(n_rows, row_bytes, what, err);
    if (!table->value || !table->gradient || !table->m || !table->v) {
        hn_table_free(table);
        return HN_MEMORY;
    }
    return HN_OK;
}

HnStatus hn_table_create_in(HnTable *table, float *rows, uint64_t n_rows, uint64_t first_row, int dim, const char *what,
                            HnError *err) {
    const uint64_t n = n_rows * (uint64_t)dim;
    *table = (HnTable){.n_rows = n_rows, .first_row = first_row, .dim = dim, .shared = true};
    table->gradient = hn_alloc(n_rows, (size_t)dim * sizeof(float), what, err);
    table->value = rows, table->m = rows + n, table->v = rows + 2 * n;
    return table->gradient != NULL ? HN_OK : HN_MEMORY;
}

void hn_table_free(HnTable *table) {
    if (!table->shared) {
        hn_free(table->v);
        hn_free(table->m);
        hn_free(table->value);
    }
    hn_free(table->gradient);
    *table = (HnTable){0};
}

static void init_row(float *row, int dim, bool normal, double size, uint64_t seed, HnRngStream stream,
                     uint64_t global_row) {
    for (int c = 0; c < dim; c += 4) {
        HnRng rng;
        hn_rng_start(&rng, seed, stream, (uint32_t)global_row, (uint64_t)c / 4);
        for (int i = c; i < dim && i < c + 4; i++) {
            double draw = normal ? hn_rng_normal(&rng) : 2.0 * (double)hn_rng_float(&rng) - 1.0;
            row[i] = (float)(size * draw);
        }
    }
}

void hn_table_init(HnTable *table, HnInitRule rule, double std, uint64_t n_rows_global, uint64_t seed,
                   HnRngStream stream) {
    double fan = (double)n_rows_global + table->dim;
    double size = rule == HN_INIT_XAVIER_UNIFORM  ? sqrt(6.0 / fan)
                  : rule == HN_INIT_XAVIER_NORMAL ? sqrt(2.0 / fan)
                                                  : std;
    bool normal = rule != HN_INIT_XAVIER_UNIFORM;
#pragma omp parallel for schedule(static)
    for (uint64_t r = 0; r < table->n_rows; r++) {
        init_row(table->value + r * (uint64_t)table->dim, table->dim, normal, size, seed, stream, table->first_row + r);
    }
}

void hn_table_init_layer(HnTable *table, uint64_t begin, uint64_t end, double bound, uint64_t seed, uint32_t matrix) {
    uint64_t n_blocks = (end - begin + 3) / 4;
#pragma omp parallel for schedule(static)
    for (uint64_t block = 0; block < n_blocks; block++) {
        HnRng rng;
        hn_rng_start(&rng, seed, HN_STREAM_INIT_LAYER, matrix, block);
        for (uint64_t i = begin + 4 * block; i < end && i < begin + 4 * block + 4; i++) {
            table->value[i] = (float)(bound * (2.0 * (double)hn_rng_float(&rng) - 1.0));
        }
    }
}

void hn_table_adam(HnTable *table, double learning_rate, uint64_t step) {
    hn_adam_cpu(table->value, table->gradient, table->m, table->v, table->n_rows * (uint64_t)table->dim, learning_rate,
                step);
}

void hn_table_adam_rows(HnTable *table, const HnAdamStep *step, uint64_t first, uint64_t last, const float *gradients) {
    const uint64_t dim = (uint64_t)table->dim, at = first * dim;
    hn_adam_part_cpu(table->value + at, gradients, table->m + at, table->v + at, (last - first) * dim, step);
}

void hn_table_fetch(const HnTable *table, uint64_t row) {
    const uint64_t at = row * (uint64_t)table->dim;
    hn_row_fetch(table->value + at, table->dim);
    hn_row_fetch(table->m + at, table->dim);
    hn_row_fetch(table->v + at, table->dim);
}

double hn_table_squares(const HnTable *table) {
    enum { BLOCK = 4096 };
    const float *w = table->value;
    const uint64_t n = table->n_rows * (uint64_t)table->dim;
    int64_t total = 0; /* blocks in fixed point: one result for any number of threads */
#pragma omp parallel for schedule(static) reduction(+ : total)
    for (uint64_t begin = 0; begin < n; begin += BLOCK) {
        uint64_t end = begin + BLOCK < n ? begin + BLOCK : n;
        double sum = 0.0;
        for (uint64_t i = begin; i < end; i++) {
            sum += (double)w[i] * (double)w[i];
        }
        total += (int64_t)llrint(fmin(sum, 1048576.0) * 1048576.0);
    }
    return (double)total / 1048576.0;
}
