#include "pair_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

HnStatus hn_pair_table_add(HnPairTable *table, const HnPair *pair, HnError *err) {
    if (table->n == table->capacity) {
        uint64_t larger = table->capacity == 0 ? 4096 : table->capacity + table->capacity / 2;
        HN_TRY(hn_resize(&table->pairs, table->capacity * sizeof *table->pairs, larger, sizeof *table->pairs,
                         "interactions", err));
        table->capacity = larger;
    }
    table->pairs[table->n++] = *pair;
    return HN_OK;
}

void hn_pair_table_free(HnPairTable *table) {
    hn_free(table->pairs);
    memset(table, 0, sizeof *table);
}

static int order(uint64_t a, uint64_t b) {
    return (a > b) - (a < b);
}

static int compare_pairs(const void *left, const void *right) {
    const HnPair *a = left, *b = right;
    if (a->item != b->item) {
        return order(a->item, b->item);
    }
    if (a->part != b->part) {
        return order(a->part, b->part);
    }
    if (a->has_time != b->has_time) {
        return a->has_time ? -1 : 1;
    }
    if (a->time != b->time) {
        return a->time < b->time ? -1 : 1;
    }
    return order(a->where, b->where);
}

HnStatus hn_pair_table_sort(HnPairTable *table, uint64_t n_users, HnError *err) {
    HnPair *sorted = hn_alloc(table->n, sizeof *sorted, "sorted interactions", err);
    uint64_t *offsets = hn_alloc(n_users + 1, sizeof *offsets, "user offsets", err);
    if (sorted == NULL || offsets == NULL) {
        hn_free(sorted);
        hn_free(offsets);
        return HN_MEMORY;
    }
    for (uint64_t p = 0; p < table->n; p++) {
        offsets[table->pairs[p].user + 1]++;
    }
    for (uint64_t u = 0; u < n_users; u++) {
        offsets[u + 1] += offsets[u];
    }
    for (uint64_t p = 0; p < table->n; p++) {
        sorted[offsets[table->pairs[p].user]++] = table->pairs[p];
    }
    for (uint64_t u = 0, begin = 0; u < n_users; begin = offsets[u++]) {
        if (offsets[u] - begin > 1) {
            qsort(sorted + begin, offsets[u] - begin, sizeof *sorted, compare_pairs);
        }
    }
    hn_free(offsets);
    hn_free(table->pairs);
    table->pairs = sorted;
    table->capacity = table->n;
    return HN_OK;
}

void hn_pair_table_unique(HnPairTable *table, bool keep_crossing, uint64_t *repeated, uint64_t *crossing) {
    uint64_t kept = 0;
    *repeated = *crossing = 0;
    for (uint64_t p = 0; p < table->n; p++) {
        const HnPair *pair = &table->pairs[p], *last = kept > 0 ? &table->pairs[kept - 1] : NULL;
        if (last != NULL && last->user == pair->user && last->item == pair->item) {
            const bool crosses = last->part != pair->part;
            *(crosses ? crossing : repeated) += 1;
            if (!crosses || !keep_crossing) {
                continue;
            }
        }
        table->pairs[kept++] = *pair;
    }
    table->n = kept;
}

HnStatus hn_pair_table_core(HnPairTable *table, uint64_t n_users, uint64_t n_items, uint64_t core_users,
                            uint64_t core_items, uint64_t *rounds, HnError *err) {
    *rounds = 0;
    uint32_t *of_user = hn_alloc(n_users, sizeof *of_user, "user degrees", err);
    uint32_t *of_item = hn_alloc(n_items, sizeof *of_item, "item degrees", err);
    if (of_user == NULL || of_item == NULL) {
        hn_free(of_user);
        hn_free(of_item);
        return HN_MEMORY;
    }
    for (uint64_t p = 0; p < table->n; p++) {
        of_user[table->pairs[p].user]++;
        of_item[table->pairs[p].item]++;
    }
    /* A round drops what is below the bounds now; the degrees shrink at once, so the fixed point comes early. It does
     * not depend on the order: the k-core of a graph is unique. */
    for (bool changed = true; changed; ++*rounds) {
        uint64_t kept = 0;
        for (uint64_t p = 0; p < table->n; p++) {
            HnPair pair = table->pairs[p];
            if (of_user[pair.user] < core_users || of_item[pair.item] < core_items) {
                of_user[pair.user]--;
                of_item[pair.item]--;
            } else {
                table->pairs[kept++] = pair;
            }
        }
        changed = kept < table->n;
        table->n = kept;
    }
    hn_free(of_user);
    hn_free(of_item);
    return HN_OK;
}
