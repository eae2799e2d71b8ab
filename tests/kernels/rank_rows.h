/* Rows of users or items, most of them made to defeat bounds on their products. */
#ifndef HN_TEST_KERNELS_RANK_ROWS_H
#define HN_TEST_KERNELS_RANK_ROWS_H

#include <stdint.h>

typedef enum RankRows {
    PLAIN,      /* uniform */
    EQUAL,      /* one row, over and over: all scores tie */
    COARSE,     /* -1, 0, 1: many tie */
    CLOSE,      /* rows differ by much less than a byte's step */
    WIDE,       /* magnitudes from 2^-30 to 2^10 within a row */
    ZEROS,      /* every third row zero, of either sign */
    DENORMAL,   /* every third row denormal, another tiny */
    SPIKE,      /* one component a million times the others */
    NORMS,      /* rows of very different norms */
    CANCELLING, /* large terms, small sums */
    N_ROWS
} RankRows;

void rank_rows_fill(float *rows, uint64_t n, int dim, RankRows kind, uint64_t seed);

#endif
