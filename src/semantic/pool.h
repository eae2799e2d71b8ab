/* The item pool by name: which item of the data set an answer names.
 *
 * Names are compared folded (Unicode NFKC, case, white space). An item's names are its title, the first 20 words of a
 * longer title (the contract's limit), and its raw id. Where several items share a name, the lowest-numbered one that
 * the user does not already have is meant; titles go before ids.
 */
#ifndef HN_SEMANTIC_POOL_H
#define HN_SEMANTIC_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "evidence.h"

typedef struct HnItemPool HnItemPool;

typedef enum HnPoolMatch { HN_POOL_FOUND, HN_POOL_UNKNOWN, HN_POOL_TAKEN } HnPoolMatch;

HnStatus hn_item_pool_create(HnEvidence *evidence, HnItemPool **pool, HnError *err);
void hn_item_pool_free(HnItemPool **pool);
/* taken [n_taken], ascending: the user's train items. *item is the pool item (also for TAKEN: one of the user's). */
HnStatus hn_item_pool_find(HnItemPool *pool, const char *name, const int32_t *taken, size_t n_taken, HnPoolMatch *match,
                           int32_t *item, HnError *err);

#endif
