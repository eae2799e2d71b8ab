/* The interactions in memory: 32 bytes each, no text. What dumps are reduced to before anything is decided. */
#ifndef HN_DATA_PAIR_TABLE_H
#define HN_DATA_PAIR_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

typedef struct HnPair {
    uint32_t user, item;
    int64_t time;
    uint64_t where; /* file << 48 | line: where its text is */
    float rating;
    uint8_t part; /* HnPart: set by given files, or by the split */
    bool has_rating, has_time;
} HnPair;

typedef struct HnPairTable {
    HnPair *pairs;
    uint64_t n, capacity;
} HnPairTable;

HnStatus hn_pair_table_add(HnPairTable *table, const HnPair *pair, HnError *err);
void hn_pair_table_free(HnPairTable *table);
/* By user, item, part, time (unknown last), place. Needs room for a second table while it runs. */
HnStatus hn_pair_table_sort(HnPairTable *table, uint64_t n_users, HnError *err);
/* Of a sorted table keeps the first of each (user, item): train before valid before test, then the earliest.
 * *crossing counts those that another part has too, which are kept where keep_crossing says so. */
void hn_pair_table_unique(HnPairTable *table, bool keep_crossing, uint64_t *repeated, uint64_t *crossing);
/* The k-core to its fixed point: drops pairs of users with fewer than core_users pairs and of items with fewer than
 * core_items, until none is left to drop. The order stays. */
HnStatus hn_pair_table_core(HnPairTable *table, uint64_t n_users, uint64_t n_items, uint64_t core_users,
                            uint64_t core_items, uint64_t *rounds, HnError *err);

#endif
