/* The dealer's books: which items are open, out, back or finished. No messages, no ranks' states: tested alone. */
#ifndef HN_DEAL_POOL_H
#define HN_DEAL_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

typedef struct HnPool HnPool;

/* Items first .. first+count-1 for one rank. ticket names a returned item's history, 0 = fresh items; it travels with
 * the item, so that the pool needs no search when the item comes back again. */
typedef struct HnPoolGrant {
    uint64_t first, count, ticket;
} HnPoolGrant;

HnStatus hn_pool_create(uint64_t n, const uint8_t *done, int n_ranks, HnPool **pool, HnError *err);
void hn_pool_free(HnPool **pool);

/* At most `most` items that `rank` has not refused; false where there are none now. */
bool hn_pool_take(HnPool *pool, int rank, uint64_t most, HnPoolGrant *grant);
/* An item comes back unfinished. refused_by: the rank that cannot do it and shall not get it again, or -1. */
HnStatus hn_pool_put_back(HnPool *pool, uint64_t item, uint64_t ticket, int refused_by, HnError *err);
void hn_pool_finish(HnPool *pool, uint64_t n_items);

uint64_t hn_pool_open_count(const HnPool *pool); /* neither out nor finished */
uint64_t hn_pool_finished_count(const HnPool *pool);
/* True where nothing is out and nobody who is still there can do what is open. *left items are then undone; *first_left
 * is the lowest of them. */
bool hn_pool_is_settled(const HnPool *pool, const bool *gone, uint64_t *left, uint64_t *first_left);

#endif
