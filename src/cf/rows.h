/* Moving rows between a table and the batch's own blocks. rows[r] is the table row that block row r stands for; NULL
 * means row r itself. All threads; every row is written by one thread, so bits do not depend on their number. */
#ifndef HN_CF_ROWS_H
#define HN_CF_ROWS_H

#include <stdint.h>

#include "propagate.h"

/* out[r] = table[rows[r]] */
void hn_rows_gather(float *out, const float *table, const int32_t *rows, uint64_t n, int dim);
/* table[rows[r]] = in[r] */
void hn_rows_scatter(float *table, const float *in, const int32_t *rows, uint64_t n, int dim);
/* The places of an ascending list whose rows are first .. last-1. */
typedef struct HnPlaces {
    uint32_t begin, end;
} HnPlaces;
HnPlaces hn_rows_within(const int32_t *rows, uint32_t n, uint64_t first, uint64_t last);

/* Rows of a table of n_rows that is zero but for some: told to `then` (or NULL) a few at a time, from out
 * [n_rows][dim], or from window [hn_propagate_window(dim)] where out is NULL. */
typedef struct HnSpread {
    const int32_t *rows; /* [n] ascending */
    const float *in;     /* [n][dim] */
    uint32_t n;
    int dim;
    uint64_t n_rows;
    float *out, *window;
} HnSpread;
void hn_rows_spread(const HnSpread *spread, const HnRowsDone *then);

/* Length of a row, kept away from 0, for cosines. */
float hn_row_length(const float *row, int dim);

/* What a batch names lies anywhere: asked for so many turns of a loop before its own. */
enum { HN_FETCH_AHEAD = 8 };

/* Asks for a cache line that will be read soon. */
static inline void hn_fetch(const void *line) {
#if defined(__GNUC__)
    __builtin_prefetch(line);
#else
    (void)line;
#endif
}

static inline void hn_row_fetch(const float *row, int dim) {
    for (int c = 0; c < dim; c += 16) {
        hn_fetch(row + c);
    }
}

#endif
