#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "lm_private.h"

static uint64_t page_floats(const HnLm *lm) {
    return (uint64_t)hn_lm_kv_width(&lm->config) * HN_KV_PAGE;
}

static HnStatus check_size(const HnLm *lm, uint32_t n_pages, uint32_t n_sequences, HnError *err) {
    if (!lm->config.causal) {
        return hn_fail(err, HN_UNSUPPORTED, "%s is an encoder: it has no cache of keys and values", lm->folder);
    }
    if (n_pages == 0 || n_sequences == 0 || n_pages > INT32_MAX || n_sequences > INT32_MAX) {
        return hn_fail(err, HN_RANGE, "a cache of %u pages and %u sequences: both must be from 1 to 2^31-1", n_pages,
                       n_sequences);
    }
    const uint64_t limit = lm->options.memory_limit, held = lm->plan.weights + lm->plan.activations;
    const uint64_t allowed = limit == 0 ? hn_lm_free_memory() : limit > held ? limit - held : 0;
    const uint64_t bytes = (uint64_t)n_pages * HN_KV_PAGE * lm->plan.kv_token;
    if (bytes > allowed) {
        char wanted[32], left[32];
        return hn_fail(err, HN_MEMORY,
                       "%s: a cache of %u pages of %d tokens takes %s, but %s are left; ask for fewer tokens or "
                       "sequences at once",
                       lm->folder, n_pages, (int)HN_KV_PAGE, hn_format_bytes((double)bytes, wanted, sizeof wanted),
                       hn_format_bytes((double)allowed, left, sizeof left));
    }
    return HN_OK;
}

static HnStatus allocate(HnKv *kv, HnError *err) {
    const uint32_t n_layers = kv->lm->config.n_layers;
    const uint64_t layer = kv->n_pages * page_floats(kv->lm); /* floats of a layer's keys, and of its values */
    kv->layers = hn_alloc(n_layers, sizeof *kv->layers, "layers of the cache", err);
    kv->free_pages = hn_alloc(kv->n_pages, sizeof *kv->free_pages, "free pages of the cache", err);
    kv->uses = hn_alloc(kv->n_pages, sizeof *kv->uses, "pages of the cache", err);
    kv->sequences = hn_alloc(kv->n_sequences, sizeof *kv->sequences, "sequences of the cache", err);
    kv->tables = hn_alloc((size_t)kv->n_sequences * kv->max_pages, sizeof *kv->tables, "page tables", err);
    kv->block = hn_alloc(2 * n_layers * layer, sizeof(float), "cache of keys and values", err);
    if (kv->layers == NULL || kv->free_pages == NULL || kv->uses == NULL || kv->sequences == NULL ||
        kv->tables == NULL || kv->block == NULL) {
        return HN_MEMORY;
    }
    for (uint32_t l = 0; l < n_layers; l++) {
        kv->layers[l].keys = (float *)kv->block + 2 * l * layer;
        kv->layers[l].values = kv->layers[l].keys + layer;
    }
    for (uint32_t p = 0; p < kv->n_pages; p++) { /* page 0 is taken first */
        kv->free_pages[p] = (int32_t)(kv->n_pages - 1 - p);
    }
    kv->n_free = kv->n_pages;
    for (uint32_t s = 0; s < kv->n_sequences; s++) {
        kv->sequences[s].pages = kv->tables + (size_t)s * kv->max_pages;
    }
    return HN_OK;
}

HnStatus hn_kv_create(const HnLm *lm, uint32_t n_pages, uint32_t n_sequences, HnKv **kv, HnError *err) {
    *kv = NULL;
    HN_TRY(check_size(lm, n_pages, n_sequences, err));
    HnKv *made = hn_alloc(1, sizeof *made, "a cache of keys and values", err);
    if (made == NULL) {
        return HN_MEMORY;
    }
    const uint32_t longest = hn_lm_pages(lm->config.n_positions);
    made->lm = lm;
    made->n_pages = n_pages;
    made->n_sequences = n_sequences;
    made->max_pages = longest < n_pages ? longest : n_pages;
    const HnStatus status = allocate(made, err);
    if (status != HN_OK) {
        hn_kv_free(&made);
        return status;
    }
    *kv = made;
    return HN_OK;
}

void hn_kv_free(HnKv **kv) {
    if (*kv != NULL) {
        hn_free((*kv)->block);
        hn_free((*kv)->tables);
        hn_free((*kv)->sequences);
        hn_free((*kv)->uses);
        hn_free((*kv)->free_pages);
        hn_free((*kv)->layers);
        hn_free(*kv);
        *kv = NULL;
    }
}

int32_t hn_kv_begin(HnKv *kv) {
    for (uint32_t s = 0; s < kv->n_sequences; s++) {
        if (!kv->sequences[s].used) {
            kv->sequences[s].used = true;
            kv->sequences[s].length = 0;
            return (int32_t)s;
        }
    }
    return -1;
}

static int32_t take_page(HnKv *kv) {
    const int32_t page = kv->free_pages[--kv->n_free];
    kv->uses[page] = 1;
    return page;
}

static void copy_page(HnKv *kv, int32_t from, int32_t to) {
    const uint64_t n = page_floats(kv->lm);
    for (uint32_t l = 0; l < kv->lm->config.n_layers; l++) {
        const HnKvPages *layer = &kv->layers[l];
        memcpy(layer->keys + (uint64_t)to * n, layer->keys + (uint64_t)from * n, n * sizeof(float));
        memcpy(layer->values + (uint64_t)to * n, layer->values + (uint64_t)from * n, n * sizeof(float));
    }
}

int32_t hn_kv_fork(HnKv *kv, int32_t parent, uint32_t n_tokens) {
    const HnKvSequence *from = &kv->sequences[parent];
    const uint32_t whole = n_tokens / HN_KV_PAGE, part = n_tokens % HN_KV_PAGE;
    if (n_tokens > from->length || (part > 0 && kv->n_free == 0)) {
        return -1;
    }
    const int32_t child = hn_kv_begin(kv);
    if (child < 0) {
        return -1;
    }
    HnKvSequence *to = &kv->sequences[child];
    for (uint32_t p = 0; p < whole; p++) {
        to->pages[p] = from->pages[p];
        kv->uses[to->pages[p]]++;
    }
    if (part > 0) { /* both will write behind these tokens */
        to->pages[whole] = take_page(kv);
        copy_page(kv, from->pages[whole], to->pages[whole]);
    }
    to->length = n_tokens;
    return child;
}

void hn_kv_end(HnKv *kv, int32_t sequence) {
    HnKvSequence *ended = &kv->sequences[sequence];
    const uint32_t n_pages = hn_lm_pages(ended->length);
    for (uint32_t p = 0; p < n_pages; p++) {
        if (--kv->uses[ended->pages[p]] == 0) {
            kv->free_pages[kv->n_free++] = ended->pages[p];
        }
    }
    ended->used = false;
    ended->length = 0;
}

uint32_t hn_kv_length(const HnKv *kv, int32_t sequence) {
    return kv->sequences[sequence].length;
}

uint32_t hn_kv_free_pages(const HnKv *kv) {
    return kv->n_free;
}

uint32_t hn_kv_pages_for(const HnKv *kv, int32_t sequence, uint32_t n_tokens) {
    const uint64_t length = kv->sequences[sequence].length;
    return hn_lm_pages(length + n_tokens) - hn_lm_pages(length);
}

void hn_kv_reserve(HnKv *kv, int32_t sequence, uint32_t n_tokens) {
    HnKvSequence *grown = &kv->sequences[sequence];
    const uint32_t first = hn_lm_pages(grown->length), more = hn_kv_pages_for(kv, sequence, n_tokens);
    for (uint32_t p = 0; p < more; p++) {
        grown->pages[first + p] = take_page(kv);
    }
}
