/* A table's rows whose optimiser steps wait until somebody needs the row.
 *
 * Where only a batch's rows have gradients (MF), a step of dense Adam changes every other row by its moments alone. A
 * row that nobody reads can have several such steps at once (hn_adam_rest_cpu): the same bits, and its numbers come
 * from memory once. Rows of a batch catch up before they are read; of all rows, a part catches up at every step, so
 * that none is ever more than HN_DEFER_MOST steps behind. On all threads; no row depends on another, so neither do bits
 * on their number. */
#ifndef HN_CF_DEFERRED_H
#define HN_CF_DEFERRED_H

#include "cf/table.h"

enum { HN_DEFER_MOST = 64 };

typedef struct HnDeferred {
    HnTable *table;                      /* borrowed; NULL: this table's rows do not wait, and all calls do nothing */
    uint32_t *done;                      /* [n_rows] steps that a row has had, modulo 2^32 */
    uint32_t n_steps;                    /* and of the table */
    HnAdamStep steps[2 * HN_DEFER_MOST]; /* the last ones: step t in places t and t + MOST, modulo 2 MOST */
} HnDeferred;

HnStatus hn_deferred_create(HnDeferred *deferred, HnTable *table, HnError *err);
void hn_deferred_free(HnDeferred *deferred);

/* These rows, distinct, are as they are after all steps so far. */
void hn_deferred_rows(HnDeferred *deferred, const int32_t *rows, uint32_t n);
void hn_deferred_all(HnDeferred *deferred);
/* A step has been made of these rows, which had caught up before; for all others it waits. */
void hn_deferred_step(HnDeferred *deferred, const HnAdamStep *step, const int32_t *rows, uint32_t n);
uint64_t hn_deferred_bytes(uint64_t n_rows);

#endif
