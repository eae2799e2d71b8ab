/* Moving rows between a table and the batch's own blocks. rows[r] is the table row that block row r stands for; NULL
 * means row r itself. All threads; every row is written by one thread, so bits do not depend on their number. */
#ifndef HN_CF_ROWS_H
#define HN_CF_ROWS_H

#include <stdint.h>

/* out[r] = table[rows[r]] */
void hn_rows_gather(float *out, const float *table, const int32_t *rows, uint64_t n, int dim);
/* table[rows[r]] = in[r] */
void hn_rows_scatter(float *table, const float *in, const int32_t *rows, uint64_t n, int dim);
/* table[rows[r]] += factor * in[r] */
void hn_rows_scatter_add(float *table, float factor, const float *in, const int32_t *rows, uint64_t n, int dim);
/* sums[r] += table[rows[r]] */
void hn_rows_sum(float *sums, const float *table, const int32_t *rows, uint64_t n, int dim);
/* out[r] = scale[rows[r]] * in[r] */
void hn_rows_scale(float *out, const float *in, const float *scale, const int32_t *rows, uint64_t n, int dim);

#endif
