/* The tokens of a vocabulary: bytes by id, id by bytes. */
#ifndef HN_LLM_TOKENIZER_VOCABULARY_H
#define HN_LLM_TOKENIZER_VOCABULARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/error.h"

enum {
    HN_TOKEN_SPECIAL = 1, /* never made from text */
    HN_TOKEN_BYTE = 2,    /* SentencePiece's <0x0A>: one byte where no piece fits */
    HN_TOKEN_WHOLE = 4,   /* its own text is encoded as this one token */
    HN_TOKEN_INNER = 8    /* WordPiece's ##continuation */
};

/* Tokens are of at most 1 KiB, ids below 4 Mi: larger ones come from damaged files. */
enum { HN_VOCABULARY_MOST_BYTES = 1 << 10, HN_VOCABULARY_MOST_IDS = 1 << 22 };

/* How many bytes of a token a message shows, for "%.*s". */
static inline int hn_token_shown(size_t n_bytes) {
    return n_bytes < 100 ? (int)n_bytes : 100;
}

typedef struct HnToken {
    const char *key;  /* what is looked up: the bytes that it stands for in a prepared text; not NUL-terminated */
    const char *text; /* what it adds to a decoded text; NULL: unused id */
    uint32_t n_key, n_text;
    unsigned flags;
} HnToken;

/* Keys to ids: open addressing by a hash that grows byte by byte, so that all beginnings of a word are hashed in one
 * pass. Slots hold id + 1. */
typedef struct HnTokenMap {
    uint32_t *slots;
    uint64_t mask;
    size_t n;
} HnTokenMap;

typedef struct HnVocabulary {
    HnToken *tokens; /* [size] */
    uint32_t size, capacity;
    uint32_t longest; /* bytes of the longest key */
    HnTokenMap map;   /* keys of tokens that text may become */
    HnTokenMap inner; /* those of continuations */
    HnArena *arena;
} HnVocabulary;

HnStatus hn_vocabulary_start(HnVocabulary *vocabulary, HnError *err);
void hn_vocabulary_free(HnVocabulary *vocabulary);
/* A token with this id; its text is its key until hn_vocabulary_text. An id twice is HN_FORMAT. Bytes are copied. */
HnStatus hn_vocabulary_add(HnVocabulary *vocabulary, uint64_t id, const char *key, size_t n_key, unsigned flags,
                           HnError *err);
/* Another text than the key; copied. */
HnStatus hn_vocabulary_text(HnVocabulary *vocabulary, uint32_t id, const char *text, size_t n_text, HnError *err);
/* Lets the token be found by its key; the same key twice is HN_FORMAT. */
HnStatus hn_vocabulary_index(HnVocabulary *vocabulary, uint32_t id, HnError *err);
/* The id with this key, or -1. */
int64_t hn_vocabulary_find(const HnVocabulary *vocabulary, const char *key, size_t n_key);

#define HN_TOKEN_HASH_START UINT64_C(0xcbf29ce484222325)
static inline uint64_t hn_token_hash_byte(uint64_t hash, char byte) { /* FNV-1a */
    return (hash ^ (unsigned char)byte) * UINT64_C(0x100000001b3);
}
/* The id with this key and its hash in a map of the vocabulary, or -1. */
int64_t hn_token_map_find(const HnVocabulary *vocabulary, const HnTokenMap *map, uint64_t hash, const char *key,
                          size_t n_key);

#endif
