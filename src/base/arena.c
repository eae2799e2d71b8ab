#include <string.h>

#include "base/alloc.h"

#define PIECE_ALIGNMENT ((size_t)16)
#define CHUNK_HEADER ((size_t)64) /* keeps the first piece of a chunk aligned like the chunk itself */

typedef struct Chunk {
    struct Chunk *next;
    size_t capacity; /* bytes after the header */
    size_t used;
} Chunk;

struct HnArena {
    Chunk *newest;
    size_t chunk_bytes;
    size_t total_bytes;
};

_Static_assert(sizeof(Chunk) <= CHUNK_HEADER, "the header must hold a Chunk");

HnStatus hn_arena_create(size_t chunk_bytes, HnArena **arena, HnError *err) {
    *arena = hn_alloc(1, sizeof **arena, "an arena", err);
    if (*arena == NULL) {
        return HN_MEMORY;
    }
    (*arena)->chunk_bytes = chunk_bytes == 0 ? (size_t)1 << 16 : chunk_bytes;
    return HN_OK;
}

static Chunk *add_chunk(HnArena *arena, size_t least_bytes, HnError *err) {
    size_t capacity = least_bytes > arena->chunk_bytes ? least_bytes : arena->chunk_bytes;
    if (capacity > SIZE_MAX - CHUNK_HEADER) {
        hn_fail(err, HN_MEMORY, "an arena chunk of %zu bytes does not fit the address space", capacity);
        return NULL;
    }
    Chunk *chunk = hn_alloc(capacity + CHUNK_HEADER, 1, "an arena chunk", err);
    if (chunk == NULL) {
        return NULL;
    }
    chunk->capacity = capacity;
    chunk->next = arena->newest;
    arena->newest = chunk;
    arena->total_bytes += capacity;
    return chunk;
}

void *hn_arena_alloc(HnArena *arena, size_t n_bytes, HnError *err) {
    if (n_bytes > SIZE_MAX - PIECE_ALIGNMENT) {
        hn_fail(err, HN_MEMORY, "an arena block of %zu bytes does not fit the address space", n_bytes);
        return NULL;
    }
    size_t padded = (n_bytes + PIECE_ALIGNMENT - 1) / PIECE_ALIGNMENT * PIECE_ALIGNMENT;
    padded = padded == 0 ? PIECE_ALIGNMENT : padded; /* distinct blocks have distinct addresses */
    Chunk *chunk = arena->newest;
    if (chunk == NULL || chunk->capacity - chunk->used < padded) {
        chunk = add_chunk(arena, padded, err);
        if (chunk == NULL) {
            return NULL;
        }
    }
    void *piece = (unsigned char *)chunk + CHUNK_HEADER + chunk->used;
    chunk->used += padded;
    return piece;
}

char *hn_arena_strndup(HnArena *arena, const char *text, size_t n_bytes, HnError *err) {
    if (n_bytes == SIZE_MAX) {
        hn_fail(err, HN_MEMORY, "a string of %zu bytes does not fit the address space", n_bytes);
        return NULL;
    }
    char *copy = hn_arena_alloc(arena, n_bytes + 1, err);
    if (copy != NULL && n_bytes > 0) {
        memcpy(copy, text, n_bytes);
    }
    return copy;
}

size_t hn_arena_bytes(const HnArena *arena) {
    return arena->total_bytes;
}

void hn_arena_free(HnArena **arena) {
    if (arena == NULL || *arena == NULL) {
        return;
    }
    Chunk *chunk = (*arena)->newest;
    while (chunk != NULL) {
        Chunk *next = chunk->next;
        hn_free(chunk);
        chunk = next;
    }
    hn_free(*arena);
    *arena = NULL;
}
