/* A trainable table with its gradient and Adam's two moments: embedding rows, or the weights of the adapter. */
#ifndef HN_CF_TABLE_H
#define HN_CF_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "adam.h"
#include "base/error.h"
#include "base/rng.h"
#include "config/experiment.h"

typedef struct HnTable {
    uint64_t n_rows;    /* rows that this rank holds */
    uint64_t first_row; /* global number of row 0 */
    int dim;
    float *value;    /* [n_rows][dim] */
    float *gradient; /* [n_rows][dim] */
    float *m, *v;    /* [n_rows][dim] Adam's moments */
    bool shared;     /* value, m and v are somebody else's to free */
    bool waits;      /* rows without a gradient wait for their steps (deferred.h) */
} HnTable;

/* All zero. Local; free with hn_table_free (an all-zero struct is fine). */
HnStatus hn_table_create(HnTable *table, uint64_t n_rows, uint64_t first_row, int dim, const char *what, HnError *err);
/* The same with value, m and v one after the other in rows [3][n_rows][dim], which must outlive the table. */
HnStatus hn_table_create_in(HnTable *table, float *rows, uint64_t n_rows, uint64_t first_row, int dim, const char *what,
                            HnError *err);
void hn_table_free(HnTable *table);

/* Initial embeddings: element (row, column) is a function of (seed, stream, global row, column) alone, so it does not
 * depend on ranks. Fans are the GLOBAL number of rows and dim (cf. xavier on the whole table): uniform on
 * +-sqrt(6/(rows+dim)), normal with std sqrt(2/(rows+dim)), or normal with std `std`. */
void hn_table_init(HnTable *table, HnInitRule rule, double std, uint64_t n_rows_global, uint64_t seed,
                   HnRngStream stream);
/* Uniform on +-bound for elements begin .. end-1 of the flat table; matrix numbers the dense-layer matrix. */
void hn_table_init_layer(HnTable *table, uint64_t begin, uint64_t end, double bound, uint64_t seed, uint32_t matrix);

void hn_table_adam(HnTable *table, double learning_rate, uint64_t step);
/* The same for rows first .. last-1 with these gradients, by the calling thread alone. */
void hn_table_adam_rows(HnTable *table, const HnAdamStep *step, uint64_t first, uint64_t last, const float *gradients);

/* Asks for a row's value and moments. */
void hn_table_fetch(const HnTable *table, uint64_t row);

/* Sum of all squares, the same for any number of threads; for weights, not for embeddings: at most 2^20 a block of
 * 4096. */
double hn_table_squares(const HnTable *table);

#endif
