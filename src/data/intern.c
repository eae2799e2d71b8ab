#include "intern.h"

#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"

/* Open addressing over (high half of the hash, id + 1), at most half full. The strings lie in an arena, each behind its
 * length. */
struct HnIntern {
    const char *what;
    HnArena *arena;
    const char **texts; /* [capacity], each preceded by a uint32_t length */
    uint32_t n, capacity;
    uint64_t *slots; /* [n_slots]; 0 = empty */
    uint64_t n_slots;
};

enum { FIRST_SLOTS = 1024, ARENA_CHUNK = 1 << 20 };

HnStatus hn_intern_create(const char *what, HnIntern **out, HnError *err) {
    *out = NULL;
    HnIntern *intern = hn_alloc(1, sizeof *intern, what, err);
    if (intern == NULL) {
        return HN_MEMORY;
    }
    intern->what = what;
    intern->n_slots = FIRST_SLOTS;
    intern->capacity = FIRST_SLOTS / 2;
    intern->slots = hn_alloc(intern->n_slots, sizeof *intern->slots, what, err);
    intern->texts = hn_alloc(intern->capacity, sizeof *intern->texts, what, err);
    if (intern->slots == NULL || intern->texts == NULL || hn_arena_create(ARENA_CHUNK, &intern->arena, err) != HN_OK) {
        hn_intern_free(&intern);
        return HN_MEMORY;
    }
    *out = intern;
    return HN_OK;
}

void hn_intern_free(HnIntern **address) {
    HnIntern *intern = *address;
    if (intern == NULL) {
        return;
    }
    hn_arena_free(&intern->arena);
    hn_free(intern->slots);
    hn_free(intern->texts);
    hn_free(intern);
    *address = NULL;
}

const char *hn_intern_text(const HnIntern *intern, uint32_t id, size_t *n_bytes) {
    if (n_bytes != NULL) {
        uint32_t length;
        memcpy(&length, intern->texts[id] - sizeof length, sizeof length);
        *n_bytes = length;
    }
    return intern->texts[id];
}

uint32_t hn_intern_count(const HnIntern *intern) {
    return intern->n;
}

/* The slot that holds the string, or the empty slot where it belongs. */
static uint64_t find_slot(const HnIntern *intern, const char *bytes, size_t n_bytes, uint64_t hash) {
    uint64_t mask = intern->n_slots - 1;
    for (uint64_t at = hash & mask;; at = (at + 1) & mask) {
        uint64_t slot = intern->slots[at];
        if (slot == 0) {
            return at;
        }
        if (slot >> 32 == hash >> 32) {
            size_t length;
            const char *text = hn_intern_text(intern, (uint32_t)slot - 1, &length);
            if (length == n_bytes && memcmp(text, bytes, n_bytes) == 0) {
                return at;
            }
        }
    }
}

static HnStatus grow(HnIntern *intern, HnError *err) {
    HN_TRY(hn_resize(&intern->texts, intern->capacity * sizeof *intern->texts, (size_t)intern->capacity * 2,
                     sizeof *intern->texts, intern->what, err));
    uint64_t *slots = hn_alloc(intern->n_slots * 2, sizeof *slots, intern->what, err);
    if (slots == NULL) {
        return HN_MEMORY;
    }
    hn_free(intern->slots);
    intern->slots = slots;
    intern->n_slots *= 2;
    intern->capacity *= 2;
    uint64_t mask = intern->n_slots - 1;
    for (uint32_t id = 0; id < intern->n; id++) {
        size_t length;
        const char *text = hn_intern_text(intern, id, &length);
        uint64_t hash = hn_checksum64(text, length), at = hash & mask;
        while (slots[at] != 0) {
            at = (at + 1) & mask;
        }
        slots[at] = (hash >> 32 << 32) | (id + 1);
    }
    return HN_OK;
}

HnStatus hn_intern_add(HnIntern *intern, const char *bytes, size_t n_bytes, uint32_t *id, HnError *err) {
    uint64_t hash = hn_checksum64(bytes, n_bytes);
    uint64_t at = find_slot(intern, bytes, n_bytes, hash);
    if (intern->slots[at] != 0) {
        *id = (uint32_t)intern->slots[at] - 1;
        return HN_OK;
    }
    if (intern->n >= (uint32_t)INT32_MAX - 1) {
        return hn_fail(err, HN_RANGE, "more than 2^31 - 2 %s: filter the input into smaller parts", intern->what);
    }
    if (intern->n == intern->capacity) {
        HN_TRY(grow(intern, err));
        at = find_slot(intern, bytes, n_bytes, hash);
    }
    uint32_t length = (uint32_t)n_bytes;
    char *block = hn_arena_alloc(intern->arena, sizeof length + n_bytes + 1, err);
    if (block == NULL) {
        return HN_MEMORY;
    }
    memcpy(block, &length, sizeof length);
    memcpy(block + sizeof length, bytes, n_bytes);
    intern->texts[intern->n] = block + sizeof length;
    intern->slots[at] = (hash >> 32 << 32) | (intern->n + 1);
    *id = intern->n++;
    return HN_OK;
}

uint32_t hn_intern_find(const HnIntern *intern, const char *bytes, size_t n_bytes) {
    uint64_t at = find_slot(intern, bytes, n_bytes, hn_checksum64(bytes, n_bytes));
    return intern->slots[at] == 0 ? HN_NO_ID : (uint32_t)intern->slots[at] - 1;
}
