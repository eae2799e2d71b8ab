/* All records of a stage by key, gathered from its journals without holding their contents in memory: the payloads go
 * into one nameless temporary file, only (offset, length) of each key stays. Sealing then reads them in key order.
 */
#ifndef HN_SEMANTIC_SPOOL_H
#define HN_SEMANTIC_SPOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "record.h"

typedef struct HnSpool HnSpool;

/* Keys 0 .. n_keys-1. The temporary file lives in folder, which must exist. */
HnStatus hn_spool_create(const char *folder, uint64_t n_keys, HnSpool **spool, HnError *err);
/* Adds every record of the journals in folder. Of several records of one key the first that is not lost wins, in file
 * order; of lost ones the first. */
HnStatus hn_spool_add_journals(HnSpool *spool, const char *folder, HnError *err);
/* Adds one record; false in *used where the key has a better one already. */
HnStatus hn_spool_add(HnSpool *spool, uint64_t key, const void *payload, uint32_t n_bytes, bool *used, HnError *err);
/* The record of a key, valid until the next call; HN_CORRUPT where there is none. */
HnStatus hn_spool_get(HnSpool *spool, uint64_t key, HnRecord *record, HnError *err);
bool hn_spool_has(const HnSpool *spool, uint64_t key);
void hn_spool_free(HnSpool **spool);

#endif
