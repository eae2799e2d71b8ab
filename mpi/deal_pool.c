#include "deal_pool.h"

#include <string.h>

#include "base/alloc.h"

typedef struct Returned {
    uint64_t item;
    uint64_t next; /* ticket of the next one waiting, 0 = last */
} Returned;

struct HnPool {
    int n_ranks;
    uint64_t n, cursor;  /* fresh items below cursor are dealt or were done */
    uint64_t *done_bits; /* what was done at the start: [n / 64 rounded up], or NULL */
    uint64_t open, out, finished;

    Returned *returned; /* [n_returned], ticket t is entry t-1; an entry lives as long as the pool */
    uint64_t *refusals; /* [n_returned][refusal_words], a bit a rank */
    size_t n_returned, capacity, refusal_words;
    uint64_t waiting_first, waiting_last; /* a queue of tickets */
};

static bool is_done(const HnPool *pool, uint64_t item) {
    return pool->done_bits != NULL && (pool->done_bits[item / 64] >> (item % 64) & 1) != 0;
}

HnStatus hn_pool_create(uint64_t n, const uint8_t *done, int n_ranks, HnPool **out, HnError *err) {
    *out = NULL;
    HnPool *pool = hn_alloc(1, sizeof *pool, "pool of work items", err);
    if (pool == NULL) {
        return HN_MEMORY;
    }
    pool->n_ranks = n_ranks;
    pool->n = pool->open = n;
    pool->refusal_words = ((size_t)n_ranks + 63) / 64;
    if (done != NULL && n > 0) {
        pool->done_bits = hn_alloc((size_t)(n / 64 + 1), sizeof *pool->done_bits, "map of finished work items", err);
        if (pool->done_bits == NULL) {
            hn_free(pool);
            return HN_MEMORY;
        }
        for (uint64_t i = 0; i < n; i++) {
            if (done[i] != 0) {
                pool->done_bits[i / 64] |= (uint64_t)1 << (i % 64);
                pool->open--;
                pool->finished++;
            }
        }
    }
    *out = pool;
    return HN_OK;
}

void hn_pool_free(HnPool **address) {
    HnPool *pool = *address;
    if (pool == NULL) {
        return;
    }
    hn_free(pool->done_bits);
    hn_free(pool->returned);
    hn_free(pool->refusals);
    hn_free(pool);
    *address = NULL;
}

static bool has_refused(const HnPool *pool, uint64_t ticket, int rank) {
    const uint64_t *bits = &pool->refusals[(ticket - 1) * pool->refusal_words];
    return (bits[rank / 64] >> (rank % 64) & 1) != 0;
}

/* The first waiting item that rank has not refused, off the queue. */
static bool take_returned(HnPool *pool, int rank, HnPoolGrant *grant) {
    uint64_t before = 0;
    for (uint64_t t = pool->waiting_first; t != 0; before = t, t = pool->returned[t - 1].next) {
        if (has_refused(pool, t, rank)) {
            continue;
        }
        uint64_t after = pool->returned[t - 1].next;
        if (before == 0) {
            pool->waiting_first = after;
        } else {
            pool->returned[before - 1].next = after;
        }
        if (pool->waiting_last == t) {
            pool->waiting_last = before;
        }
        *grant = (HnPoolGrant){pool->returned[t - 1].item, 1, t};
        return true;
    }
    return false;
}

static bool take_fresh(HnPool *pool, uint64_t most, HnPoolGrant *grant) {
    while (pool->cursor < pool->n && is_done(pool, pool->cursor)) {
        pool->cursor++;
    }
    uint64_t first = pool->cursor;
    while (pool->cursor < pool->n && pool->cursor - first < most && !is_done(pool, pool->cursor)) {
        pool->cursor++;
    }
    *grant = (HnPoolGrant){first, pool->cursor - first, 0};
    return grant->count > 0;
}

bool hn_pool_take(HnPool *pool, int rank, uint64_t most, HnPoolGrant *grant) {
    if (most == 0 || (!take_returned(pool, rank, grant) && !take_fresh(pool, most, grant))) {
        return false;
    }
    pool->open -= grant->count;
    pool->out += grant->count;
    return true;
}

/* A new entry in the list of returned items. */
static HnStatus new_ticket(HnPool *pool, uint64_t item, uint64_t *ticket, HnError *err) {
    if (pool->n_returned == pool->capacity) {
        size_t larger = pool->capacity == 0 ? 64 : 2 * pool->capacity;
        size_t words = pool->refusal_words;
        HN_TRY(hn_resize(&pool->refusals, pool->capacity * words * sizeof(uint64_t), larger * words, sizeof(uint64_t),
                         "refusals of work items", err));
        HN_TRY(hn_resize(&pool->returned, pool->capacity * sizeof(Returned), larger, sizeof(Returned),
                         "returned work items", err));
        pool->capacity = larger;
    }
    pool->returned[pool->n_returned++] = (Returned){item, 0};
    *ticket = pool->n_returned;
    return HN_OK;
}

HnStatus hn_pool_put_back(HnPool *pool, uint64_t item, uint64_t ticket, int refused_by, HnError *err) {
    if (item >= pool->n || ticket > pool->n_returned || (ticket > 0 && pool->returned[ticket - 1].item != item) ||
        pool->out == 0) {
        return hn_fail(err, HN_INTERNAL, "work item %llu came back that was never dealt", (unsigned long long)item);
    }
    if (ticket == 0) {
        HN_TRY(new_ticket(pool, item, &ticket, err));
    }
    if (refused_by >= 0) {
        pool->refusals[(ticket - 1) * pool->refusal_words + (size_t)refused_by / 64] |= (uint64_t)1
                                                                                        << (refused_by % 64);
    }
    pool->returned[ticket - 1].next = 0;
    if (pool->waiting_last == 0) {
        pool->waiting_first = ticket;
    } else {
        pool->returned[pool->waiting_last - 1].next = ticket;
    }
    pool->waiting_last = ticket;
    pool->out--;
    pool->open++;
    return HN_OK;
}

void hn_pool_finish(HnPool *pool, uint64_t n_items) {
    pool->out -= n_items;
    pool->finished += n_items;
}

uint64_t hn_pool_open_count(const HnPool *pool) {
    return pool->open;
}

uint64_t hn_pool_finished_count(const HnPool *pool) {
    return pool->finished;
}

bool hn_pool_is_settled(const HnPool *pool, const bool *gone, uint64_t *left, uint64_t *first_left) {
    *left = *first_left = 0;
    if (pool->out > 0) {
        return false;
    }
    if (pool->open == 0) {
        return true;
    }
    uint64_t first = pool->n, fresh = pool->cursor;
    while (fresh < pool->n && is_done(pool, fresh)) {
        fresh++;
    }
    for (int r = 0; r < pool->n_ranks; r++) {
        if (!gone[r] && fresh < pool->n) {
            return false;
        }
    }
    first = fresh;
    for (uint64_t t = pool->waiting_first; t != 0; t = pool->returned[t - 1].next) {
        for (int r = 0; r < pool->n_ranks; r++) {
            if (!gone[r] && !has_refused(pool, t, r)) {
                return false;
            }
        }
        first = pool->returned[t - 1].item < first ? pool->returned[t - 1].item : first;
    }
    *left = pool->open;
    *first_left = first;
    return true;
}
