/* Which users and items have rows: those that occur, or every number up to the largest, as in codes that take the
 * largest id + 1 (data.catalogue). */
#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "work.h"

/* Beyond either a largest id is a slip or a hash, and its rows would be nearly all of the tables. */
enum { MOST_ID = 100000000, MOST_ROWS_A_PAIR = 1000 };

/* The number that a raw id writes out; false where it is none, or one of many spellings ("07"). What is too long for a
 * row is MOST_ID + 1. */
static bool read_number(const char *text, size_t n, uint64_t *value) {
    *value = 0;
    for (size_t k = 0; k < n; k++) {
        if (text[k] < '0' || text[k] > '9') {
            return false;
        }
        *value = *value > MOST_ID ? *value : *value * 10 + (uint64_t)(text[k] - '0');
    }
    return n == 1 || (n > 1 && text[0] != '0');
}

/* The smallest and the largest number among the pairs' users or items. */
static HnStatus find_bounds(const HnWork *work, bool users, uint64_t *least, uint64_t *most, HnError *err) {
    const HnIntern *ids = users ? work->users : work->items;
    *least = UINT64_MAX;
    *most = 0;
    for (uint64_t p = 0; p < work->table.n; p++) {
        const HnPair *pair = &work->table.pairs[p];
        size_t n;
        uint64_t value;
        const char *text = hn_intern_text(ids, users ? pair->user : pair->item, &n);
        if (!read_number(text, n, &value)) {
            return hn_fail(err, HN_INPUT,
                           "%s id \"%.*s\" is no whole number from 0 on (without leading zeros), so the catalogue has "
                           "no largest id: set data.catalogue: seen",
                           users ? "user" : "item", (int)(n < 64 ? n : 64), text);
        }
        if (value > MOST_ID || value / MOST_ROWS_A_PAIR > work->table.n) {
            return hn_fail(err, HN_INPUT,
                           "%s id %.*s would give every smaller number a row too; data.catalogue goes up to %d, and to "
                           "%d ids for each of the %" PRIu64 " pairs: set data.catalogue: seen, or number the ids anew",
                           users ? "user" : "item", (int)(n < 64 ? n : 64), text, MOST_ID, MOST_ROWS_A_PAIR,
                           work->table.n);
        }
        *least = value < *least ? value : *least;
        *most = value > *most ? value : *most;
    }
    return HN_OK;
}

HnStatus hn_catalogue_fill(HnWork *work, bool users, uint32_t **source, uint64_t *n, HnError *err) {
    HnIntern *ids = users ? work->users : work->items;
    uint64_t least, most, first = 0;
    HN_TRY(find_bounds(work, users, &least, &most, err));
    if (!users && work->config->catalogue == HN_CATALOGUE_JOINT) {
        first = work->n_users;
        if (least < first) {
            return hn_fail(err, HN_INPUT,
                           "data.catalogue: joint numbers items behind the users, from %" PRIu64
                           " on, and item %" PRIu64 " comes before: set data.catalogue: to_largest",
                           first, least);
        }
    }
    *n = most + 1 - first;
    *source = hn_alloc(*n, sizeof **source, users ? "users up to the largest" : "items up to the largest", err);
    if (*source == NULL) {
        return HN_MEMORY;
    }
    for (uint64_t at = 0; at < *n; at++) {
        char text[24];
        int length = snprintf(text, sizeof text, "%" PRIu64, first + at);
        HN_TRY(hn_intern_add(ids, text, (size_t)length, &(*source)[at], err));
    }
    return HN_OK;
}
