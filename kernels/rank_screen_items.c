/* Items for the screening: by falling norm, as bytes. */
#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "cpu_target.h"
#include "rank_screen.h"

#if HN_X86

enum { BUCKETS = 1 << 14, BUCKET_SHIFT = 17 }; /* of norms: sign, exponent and 6 bits more of a float */

static uint32_t bucket_of(float norm) {
    uint32_t bits;
    memcpy(&bits, &norm, sizeof bits);
    return BUCKETS - 1 - (bits >> BUCKET_SHIFT);
}

/* Nearly by falling norm: those of one bucket in item order. starts [BUCKETS + 1] is zero. */
static void items_order(HnScreenItems *items, uint64_t n_items, const HnScreenRow *rows, uint32_t *starts) {
    for (uint64_t i = 0; i < n_items; i++) {
        starts[bucket_of(rows[i].norm) + 1]++;
    }
    for (int b = 0; b < BUCKETS; b++) {
        starts[b + 1] += starts[b];
    }
    for (uint64_t i = 0; i < n_items; i++) {
        const uint32_t slot = starts[bucket_of(rows[i].norm)]++;
        items->order[slot] = (int32_t)i;
        items->slot[i] = (int32_t)slot;
    }
    for (uint64_t s = n_items; s < items->n_panels * HN_SCREEN_ITEMS; s++) {
        items->order[s] = -1;
    }
}

/* After this no panel has a larger norm than one before it: a tile that gains nothing from one gains nothing from those
 * behind it. */
static void norms_fall(HnScreenItems *items) {
    for (uint64_t p = items->n_panels - 1; p > 0; p--) {
        if (items->panels[p - 1].norm < items->panels[p].norm) {
            items->panels[p - 1].norm = items->panels[p].norm;
        }
    }
}

static bool items_measure(const HnRankTask *task, HnScreenRow *rows) {
    atomic_bool good = true;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < (int64_t)task->n_items; i++) {
        if (!hn_screen_row_measure(task->items + (size_t)i * (size_t)task->dim, task->dim, &rows[i])) {
            atomic_store_explicit(&good, false, memory_order_relaxed);
        }
    }
    return good;
}

static void items_pack(HnScreenItems *items, const HnRankTask *task, const HnScreenRow *rows) {
#pragma omp parallel for schedule(static)
    for (int64_t p = 0; p < (int64_t)items->n_panels; p++) {
        hn_screen_panel_pack(task->items, rows, items->order + p * HN_SCREEN_ITEMS, task->dim, &items->panels[p],
                             items->bytes + (size_t)p * items->panel_bytes);
    }
}

HnStatus hn_screen_items_create(const HnRankTask *task, HnScreenItems *items, HnError *err) {
    const uint64_t n_panels = (task->n_items + HN_SCREEN_ITEMS - 1) / HN_SCREEN_ITEMS;
    *items =
        (HnScreenItems){.n_panels = n_panels, .panel_bytes = (size_t)hn_screen_quads(task->dim) * 4 * HN_SCREEN_ITEMS};
    items->panels = hn_alloc(n_panels, sizeof *items->panels, "panels of the screening", err);
    items->bytes = hn_alloc(n_panels, items->panel_bytes, "items' bytes of the screening", err);
    items->order = hn_alloc(n_panels * HN_SCREEN_ITEMS, sizeof *items->order, "order of items", err);
    items->slot = hn_alloc(task->n_items, sizeof *items->slot, "order of items", err);
    HnScreenRow *rows = hn_alloc(task->n_items, sizeof *rows, "measured items", err);
    uint32_t *starts = hn_alloc(BUCKETS + 1, sizeof *starts, "order of items", err);
    const bool ready = items->panels && items->bytes && items->order && items->slot && rows && starts;
    if (ready && items_measure(task, rows)) {
        items_order(items, task->n_items, rows, starts);
        items_pack(items, task, rows);
        norms_fall(items);
        items->usable = true;
    }
    hn_free(starts);
    hn_free(rows);
    return ready ? HN_OK : HN_MEMORY;
}

void hn_screen_items_free(HnScreenItems *items) {
    hn_free(items->slot);
    hn_free(items->order);
    hn_free(items->bytes);
    hn_free(items->panels);
}
#endif
