#include "pool.h"

#include <stdlib.h>

#include "answer.h"
#include "base/alloc.h"
#include "base/hash.h"
#include "base/sorted.h"

/* A name by its 64-bit hash. Two of 10^7 names share a hash by accident with a chance of 3e-6. */
typedef struct Name {
    uint64_t hash;
    uint32_t item;
    uint32_t is_id; /* titles first */
} Name;

struct HnItemPool {
    Name *names; /* [n], by hash, then titles before ids, then item */
    size_t n;
    HnText folded; /* scratch */
};

static int by_hash(const void *a, const void *b) {
    const Name *x = a, *y = b;
    if (x->hash != y->hash) {
        return x->hash < y->hash ? -1 : 1;
    }
    if (x->is_id != y->is_id) {
        return x->is_id < y->is_id ? -1 : 1;
    }
    return x->item < y->item ? -1 : x->item > y->item;
}

static HnStatus fold(HnItemPool *pool, const char *text, size_t n_bytes, uint64_t *hash, HnError *err) {
    hn_text_clear(&pool->folded);
    if (hn_utf8_valid(text, n_bytes, NULL)) {
        HN_TRY(hn_utf8_fold(text, n_bytes, &pool->folded, err));
    } else {
        HN_TRY(hn_text_append(&pool->folded, text, n_bytes, err));
    }
    *hash = pool->folded.length ? hn_checksum64(pool->folded.data, pool->folded.length) : 0;
    return HN_OK;
}

static HnStatus add(HnItemPool *pool, const char *text, size_t n_bytes, uint32_t item, bool is_id, HnError *err) {
    uint64_t hash = 0;
    HN_TRY(fold(pool, text, n_bytes, &hash, err));
    if (pool->folded.length > 0) {
        pool->names[pool->n++] = (Name){hash, item, is_id};
    }
    return HN_OK;
}

static HnStatus add_item(HnItemPool *pool, HnEvidence *evidence, uint32_t item, HnText *text, HnError *err) {
    hn_text_clear(text);
    HN_TRY(hn_evidence_item_field(evidence, HN_TEXT_TITLE, item, text, err));
    HN_TRY(add(pool, hn_text_get(text), text->length, item, false, err));
    size_t brief = hn_first_words(hn_text_get(text), text->length, HN_MAX_ITEM_WORDS);
    if (brief < text->length) {
        HN_TRY(add(pool, hn_text_get(text), brief, item, false, err));
    }
    hn_text_clear(text);
    HN_TRY(hn_evidence_item_id(evidence, item, text, err));
    return add(pool, hn_text_get(text), text->length, item, true, err);
}

HnStatus hn_item_pool_create(HnEvidence *evidence, HnItemPool **pool, HnError *err) {
    uint64_t n_items = hn_dataset_items(hn_evidence_dataset(evidence));
    HnText text = {0};
    HnItemPool *made = hn_alloc(1, sizeof *made, "item pool", err);
    if (!made) {
        return HN_MEMORY;
    }
    made->names = hn_alloc(n_items * 3, sizeof *made->names, "names of the item pool", err);
    HnStatus status = made->names ? HN_OK : HN_MEMORY;
    for (uint64_t item = 0; item < n_items && status == HN_OK; item++) {
        status = add_item(made, evidence, (uint32_t)item, &text, err);
    }
    hn_text_free(&text);
    if (status != HN_OK) {
        hn_item_pool_free(&made);
    } else if (made->n > 0) {
        qsort(made->names, made->n, sizeof *made->names, by_hash);
    }
    *pool = made;
    return status;
}

void hn_item_pool_free(HnItemPool **pool) {
    if (*pool) {
        hn_free((*pool)->names);
        hn_text_free(&(*pool)->folded);
        hn_free(*pool);
        *pool = NULL;
    }
}

HnStatus hn_item_pool_find(HnItemPool *pool, const char *name, const int32_t *taken, size_t n_taken, HnPoolMatch *match,
                           int32_t *item, HnError *err) {
    uint64_t hash = 0;
    *match = HN_POOL_UNKNOWN;
    *item = -1;
    size_t n_bytes = 0;
    while (name[n_bytes]) {
        n_bytes++;
    }
    HN_TRY(fold(pool, name, n_bytes, &hash, err));
    if (pool->folded.length == 0) {
        return HN_OK;
    }
    size_t low = 0, high = pool->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (pool->names[middle].hash < hash) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < pool->n && pool->names[low].hash == hash; low++) {
        int32_t candidate = (int32_t)pool->names[low].item;
        if (!hn_sorted_has(taken, n_taken, candidate)) {
            *match = HN_POOL_FOUND;
            *item = candidate;
            return HN_OK;
        }
        if (*match == HN_POOL_UNKNOWN) {
            *match = HN_POOL_TAKEN;
            *item = candidate;
        }
    }
    return HN_OK;
}
