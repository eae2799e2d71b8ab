#include "cf/deferred.h"

#include "base/alloc.h"
#include "cf/rows.h"

enum { FEW_ROWS = 64 }; /* below this, starting the threads costs more than they save */

HnStatus hn_deferred_create(HnDeferred *deferred, HnTable *table, HnError *err) {
    *deferred = (HnDeferred){.table = table};
    table->waits = true;
    deferred->done = hn_alloc(table->n_rows, sizeof *deferred->done, "steps of rows", err);
    return deferred->done != NULL ? HN_OK : HN_MEMORY;
}

void hn_deferred_free(HnDeferred *deferred) {
    hn_free(deferred->done);
    *deferred = (HnDeferred){0};
}

uint64_t hn_deferred_bytes(uint64_t n_rows) {
    return n_rows * sizeof(uint32_t);
}

static void catch_up(HnDeferred *deferred, uint64_t row) {
    HnTable *table = deferred->table;
    const uint32_t behind = deferred->n_steps - deferred->done[row];
    const uint64_t at = row * (uint64_t)table->dim;
    hn_adam_rest_cpu(table->value + at, table->m + at, table->v + at, (uint64_t)table->dim,
                     deferred->steps + deferred->done[row] % HN_DEFER_MOST, behind);
    deferred->done[row] = deferred->n_steps;
}

/* Rows first .. last-1. */
static void catch_up_between(HnDeferred *deferred, uint64_t first, uint64_t last) {
#pragma omp parallel for schedule(static) if (last - first > FEW_ROWS)
    for (uint64_t row = first; row < last; row++) {
        catch_up(deferred, row);
    }
}

void hn_deferred_rows(HnDeferred *deferred, const int32_t *rows, uint32_t n) {
    const HnTable *table = deferred->table;
    if (table == NULL) {
        return;
    }
#pragma omp parallel for schedule(static) if (n > FEW_ROWS)
    for (uint32_t r = 0; r < n; r++) {
        hn_table_fetch(table, (uint64_t)rows[r + HN_FETCH_AHEAD < n ? r + HN_FETCH_AHEAD : r]);
        catch_up(deferred, (uint64_t)rows[r]);
    }
}

void hn_deferred_all(HnDeferred *deferred) {
    if (deferred->table != NULL) {
        catch_up_between(deferred, 0, deferred->table->n_rows);
    }
}

void hn_deferred_step(HnDeferred *deferred, const HnAdamStep *step, const int32_t *rows, uint32_t n) {
    if (deferred->table == NULL) {
        return;
    }
    const uint32_t place = deferred->n_steps % HN_DEFER_MOST;
    deferred->steps[place] = deferred->steps[place + HN_DEFER_MOST] = *step;
    deferred->n_steps++;
    for (uint32_t r = 0; r < n; r++) {
        deferred->done[rows[r]] = deferred->n_steps;
    }
    const uint64_t n_rows = deferred->table->n_rows;
    catch_up_between(deferred, place * n_rows / HN_DEFER_MOST, (place + 1) * n_rows / HN_DEFER_MOST);
}
