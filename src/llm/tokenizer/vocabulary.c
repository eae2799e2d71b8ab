#include "vocabulary.h"

#include <string.h>

static uint64_t hash_of(const char *key, size_t n_key) {
    uint64_t hash = HN_TOKEN_HASH_START;
    for (size_t i = 0; i < n_key; i++) {
        hash = hn_token_hash_byte(hash, key[i]);
    }
    return hash;
}

/* FNV's low bits of short keys are poor; the product's high half depends on all of them. */
static inline uint64_t slot_of(uint64_t hash, uint64_t mask) {
    return (hash * UINT64_C(0x9e3779b97f4a7c15)) >> 32 & mask;
}

int64_t hn_token_map_find(const HnVocabulary *vocabulary, const HnTokenMap *map, uint64_t hash, const char *key,
                          size_t n_key) {
    for (uint64_t at = slot_of(hash, map->mask);; at = (at + 1) & map->mask) {
        if (map->slots[at] == 0) {
            return -1;
        }
        const HnToken *token = &vocabulary->tokens[map->slots[at] - 1];
        if (token->n_key == n_key && memcmp(token->key, key, n_key) == 0) {
            return (int64_t)map->slots[at] - 1;
        }
    }
}

int64_t hn_vocabulary_find(const HnVocabulary *vocabulary, const char *key, size_t n_key) {
    return hn_token_map_find(vocabulary, &vocabulary->map, hash_of(key, n_key), key, n_key);
}

static void map_put(const HnVocabulary *vocabulary, HnTokenMap *map, uint32_t id) {
    const HnToken *token = &vocabulary->tokens[id];
    uint64_t at = slot_of(hash_of(token->key, token->n_key), map->mask);
    while (map->slots[at] != 0) {
        at = (at + 1) & map->mask;
    }
    map->slots[at] = id + 1;
    map->n++;
}

/* At most half full, so that a look at what is not there is short. */
static HnStatus map_grow(const HnVocabulary *vocabulary, HnTokenMap *map, HnError *err) {
    const HnTokenMap old = *map;
    const uint64_t n_slots = old.slots == NULL ? 1024 : 2 * (old.mask + 1);
    map->slots = hn_alloc(n_slots, sizeof *map->slots, "the tokens of a vocabulary", err);
    if (map->slots == NULL) {
        *map = old;
        return HN_MEMORY;
    }
    map->mask = n_slots - 1;
    map->n = 0;
    for (uint64_t i = 0; old.slots != NULL && i <= old.mask; i++) {
        if (old.slots[i] != 0) {
            map_put(vocabulary, map, old.slots[i] - 1);
        }
    }
    hn_free(old.slots);
    return HN_OK;
}

HnStatus hn_vocabulary_start(HnVocabulary *vocabulary, HnError *err) {
    HN_TRY(map_grow(vocabulary, &vocabulary->map, err));
    HN_TRY(map_grow(vocabulary, &vocabulary->inner, err));
    return hn_arena_create((size_t)1 << 18, &vocabulary->arena, err);
}

void hn_vocabulary_free(HnVocabulary *vocabulary) {
    hn_free(vocabulary->map.slots);
    hn_free(vocabulary->inner.slots);
    hn_free(vocabulary->tokens);
    hn_arena_free(&vocabulary->arena);
}

HnStatus hn_vocabulary_add(HnVocabulary *vocabulary, uint64_t id, const char *key, size_t n_key, unsigned flags,
                           HnError *err) {
    if (id >= HN_VOCABULARY_MOST_IDS || n_key > HN_VOCABULARY_MOST_BYTES) {
        return hn_fail(err, HN_FORMAT, "token %llu of %zu bytes: ids go up to %d, tokens to %d bytes",
                       (unsigned long long)id, n_key, HN_VOCABULARY_MOST_IDS - 1, HN_VOCABULARY_MOST_BYTES);
    }
    if (id >= vocabulary->capacity) {
        const size_t doubled = id < 512 ? 1024 : 2 * (size_t)id;
        const size_t capacity = doubled < HN_VOCABULARY_MOST_IDS ? doubled : HN_VOCABULARY_MOST_IDS;
        HN_TRY(hn_resize(&vocabulary->tokens, vocabulary->size * sizeof *vocabulary->tokens, capacity,
                         sizeof *vocabulary->tokens, "a vocabulary", err));
        vocabulary->capacity = (uint32_t)capacity;
    }
    HnToken *token = &vocabulary->tokens[id];
    if (token->text != NULL) {
        return hn_fail(err, HN_FORMAT, "id %llu stands for two tokens: \"%.*s\" and \"%.*s\"", (unsigned long long)id,
                       hn_token_shown(token->n_key), token->key, hn_token_shown(n_key), key);
    }
    const char *copy = hn_arena_strndup(vocabulary->arena, key, n_key, err);
    if (copy == NULL) {
        return HN_MEMORY;
    }
    *token = (HnToken){copy, copy, (uint32_t)n_key, (uint32_t)n_key, flags};
    vocabulary->size = id >= vocabulary->size ? (uint32_t)id + 1 : vocabulary->size;
    vocabulary->longest = n_key > vocabulary->longest ? (uint32_t)n_key : vocabulary->longest;
    return HN_OK;
}

HnStatus hn_vocabulary_text(HnVocabulary *vocabulary, uint32_t id, const char *text, size_t n_text, HnError *err) {
    const char *copy = hn_arena_strndup(vocabulary->arena, text, n_text, err);
    if (copy == NULL) {
        return HN_MEMORY;
    }
    vocabulary->tokens[id].text = copy;
    vocabulary->tokens[id].n_text = (uint32_t)n_text;
    return HN_OK;
}

HnStatus hn_vocabulary_index(HnVocabulary *vocabulary, uint32_t id, HnError *err) {
    const HnToken *token = &vocabulary->tokens[id];
    HnTokenMap *map = (token->flags & HN_TOKEN_INNER) != 0 ? &vocabulary->inner : &vocabulary->map;
    const int64_t other =
        hn_token_map_find(vocabulary, map, hash_of(token->key, token->n_key), token->key, token->n_key);
    if (other >= 0) {
        return hn_fail(err, HN_FORMAT, "tokens %lld and %u are the same: \"%.*s\"", (long long)other, id,
                       hn_token_shown(token->n_key), token->key);
    }
    if (2 * (map->n + 1) > map->mask + 1) {
        HN_TRY(map_grow(vocabulary, map, err));
    }
    map_put(vocabulary, map, id);
    return HN_OK;
}
