#include "distinct.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "record.h"
#include "store.h"
#include "text_column.h"

enum { BLOCK_PAIRS = 4096 };

/* Open addressing: hash of a text (and its item) to its number; number = HN_NO_TEXT marks a free slot. */
typedef struct Slot {
    uint64_t hash;
    uint32_t number;
} Slot;

struct HnDistinct {
    HnTextColumn *texts, *profiles; /* profiles may be NULL */
    uint64_t n_pairs, n_samples;
    uint32_t *numbers; /* [n_pairs * n_samples] */
    uint64_t *rows;    /* [n]: where each text first stands */
    int32_t *items;    /* [n]: which item it names */
    size_t n, capacity;
    Slot *slots; /* only while opening */
    size_t n_slots;
};

static HnStatus grow_table(HnDistinct *self, HnError *err) {
    size_t n_slots = self->n_slots ? self->n_slots * 2 : 1024;
    Slot *slots = hn_alloc(n_slots, sizeof *slots, "distinct texts", err);
    if (!slots) {
        return HN_MEMORY;
    }
    for (size_t i = 0; i < n_slots; i++) {
        slots[i].number = HN_NO_TEXT;
    }
    for (size_t i = 0; i < self->n_slots; i++) {
        if (self->slots[i].number != HN_NO_TEXT) {
            size_t at = (size_t)self->slots[i].hash & (n_slots - 1);
            while (slots[at].number != HN_NO_TEXT) {
                at = (at + 1) & (n_slots - 1);
            }
            slots[at] = self->slots[i];
        }
    }
    hn_free(self->slots);
    self->slots = slots;
    self->n_slots = n_slots;
    return HN_OK;
}

static HnStatus new_text(HnDistinct *self, uint64_t row, int32_t item, HnError *err) {
    if (self->n == self->capacity) {
        size_t capacity = self->capacity ? self->capacity * 2 : 1024;
        HN_TRY(
            hn_resize(&self->rows, self->n * sizeof *self->rows, capacity, sizeof *self->rows, "distinct texts", err));
        HN_TRY(hn_resize(&self->items, self->n * sizeof *self->items, capacity, sizeof *self->items, "distinct texts",
                         err));
        self->capacity = capacity;
    }
    if (self->n >= HN_NO_TEXT) {
        return hn_fail(err, HN_RANGE, "more than %u distinct negative texts", HN_NO_TEXT);
    }
    self->rows[self->n] = row;
    self->items[self->n++] = item;
    return HN_OK;
}

static HnStatus number_of(HnDistinct *self, uint64_t row, int32_t item, uint32_t *number, HnError *err) {
    const char *bytes = NULL;
    size_t n = 0;
    HN_TRY(hn_text_column_get(self->texts, row, &bytes, &n, err));
    uint64_t both[2] = {hn_checksum64(bytes, n), (uint64_t)(int64_t)item};
    uint64_t hash = hn_checksum64(both, sizeof both);
    if (2 * self->n >= self->n_slots) {
        HN_TRY(grow_table(self, err));
    }
    size_t at = (size_t)hash & (self->n_slots - 1);
    while (self->slots[at].number != HN_NO_TEXT && self->slots[at].hash != hash) {
        at = (at + 1) & (self->n_slots - 1);
    }
    if (self->slots[at].number == HN_NO_TEXT) {
        self->slots[at] = (Slot){hash, (uint32_t)self->n};
        HN_TRY(new_text(self, row, item, err));
    }
    *number = self->slots[at].number;
    return HN_OK;
}

static HnStatus number_block(HnDistinct *self, const HnStore *store, uint64_t pair, uint64_t n, uint8_t *status,
                             int32_t *items, HnError *err) {
    HN_TRY(hn_store_read_rows(store, "status", pair, n, status, err));
    HN_TRY(hn_store_read_rows(store, "item", pair, n, items, err));
    for (uint64_t i = 0; i < n * self->n_samples; i++) {
        uint64_t row = pair * self->n_samples + i;
        self->numbers[row] = HN_NO_TEXT;
        if (status[i] == HN_NEGATIVE_OK) {
            HN_TRY(number_of(self, row, items[i], &self->numbers[row], err));
        }
    }
    return HN_OK;
}

static HnStatus number_all(HnDistinct *self, const HnStore *store, HnError *err) {
    size_t n_block = (size_t)(BLOCK_PAIRS * self->n_samples);
    uint8_t *status = hn_alloc(n_block, 1, "statuses", err);
    int32_t *items = hn_alloc(n_block, sizeof *items, "items named", err);
    self->numbers = hn_alloc(self->n_pairs * self->n_samples, sizeof *self->numbers, "text numbers", err);
    HnStatus result = status && items && self->numbers ? HN_OK : HN_MEMORY;
    for (uint64_t pair = 0; pair < self->n_pairs && result == HN_OK; pair += BLOCK_PAIRS) {
        uint64_t n = self->n_pairs - pair < BLOCK_PAIRS ? self->n_pairs - pair : BLOCK_PAIRS;
        result = number_block(self, store, pair, n, status, items, err);
    }
    hn_free(status);
    hn_free(items);
    return result;
}

HnStatus hn_distinct_open(const char *negatives, const char *item_profiles, HnDistinct **distinct, HnError *err) {
    HnStore *store = NULL;
    uint64_t dims[HN_MAX_DIMS] = {0};
    *distinct = NULL;
    HnDistinct *made = hn_alloc(1, sizeof *made, "distinct texts", err);
    if (!made) {
        return HN_MEMORY;
    }
    HnStatus status = hn_store_open(negatives, &HN_SCHEMA_NEGATIVES, &store, err);
    if (status == HN_OK) {
        status = hn_store_dims(store, "status", dims, err);
        made->n_pairs = dims[0];
        made->n_samples = dims[1];
    }
    if (status == HN_OK) {
        status = hn_text_column_of_store(negatives, &HN_SCHEMA_NEGATIVES, "text", &made->texts, err);
    }
    if (status == HN_OK && item_profiles) {
        status = hn_text_column_of_store(item_profiles, &HN_SCHEMA_PROFILES, "profile", &made->profiles, err);
    }
    if (status == HN_OK) {
        status = number_all(made, store, err);
    }
    if (store) {
        hn_store_close(&store);
    }
    hn_free(made->slots);
    made->slots = NULL;
    if (status != HN_OK) {
        hn_distinct_close(&made);
    }
    *distinct = made;
    return status;
}

void hn_distinct_close(HnDistinct **distinct) {
    if (*distinct) {
        hn_text_column_close(&(*distinct)->texts);
        hn_text_column_close(&(*distinct)->profiles);
        hn_free((*distinct)->numbers);
        hn_free((*distinct)->rows);
        hn_free((*distinct)->items);
        hn_free(*distinct);
        *distinct = NULL;
    }
}

uint64_t hn_distinct_count(const HnDistinct *distinct) {
    return distinct->n;
}

uint64_t hn_distinct_pairs(const HnDistinct *distinct) {
    return distinct->n_pairs;
}

uint64_t hn_distinct_samples(const HnDistinct *distinct) {
    return distinct->n_samples;
}

const uint32_t *hn_distinct_of_pair(const HnDistinct *distinct, uint64_t pair) {
    return distinct->numbers + pair * distinct->n_samples;
}

HnStatus hn_distinct_text(HnDistinct *distinct, uint32_t number, HnText *out, HnError *err) {
    const char *bytes = NULL;
    size_t n = 0;
    hn_text_clear(out);
    HN_TRY(hn_text_column_get(distinct->texts, distinct->rows[number], &bytes, &n, err));
    HN_TRY(hn_text_append(out, bytes, n, err));
    int32_t item = distinct->items[number];
    if (!distinct->profiles || item < 0 || (uint64_t)item >= hn_text_column_rows(distinct->profiles)) {
        return HN_OK;
    }
    HN_TRY(hn_text_column_get(distinct->profiles, (uint64_t)item, &bytes, &n, err));
    if (n > 0) {
        HN_TRY(hn_text_append(out, "\n", 1, err));
    }
    return hn_text_append(out, bytes, n, err);
}
