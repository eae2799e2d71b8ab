/* Memory: checked, zeroed, 64-byte aligned blocks, and arenas with one lifetime.
 *
 * Every block of the program comes from here, so that tests can fail the n-th allocation and count live blocks.
 */
#ifndef HN_BASE_ALLOC_H
#define HN_BASE_ALLOC_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* count * size zeroed bytes, 64-byte aligned; NULL and *err on overflow or exhaustion. count 0 gives a valid block.
 * `what` names the block in the message ("item embeddings"). The caller frees with hn_free. */
void *hn_alloc(size_t count, size_t size, const char *what, HnError *err);

/* Grows or shrinks *block to count * size bytes, keeping its contents (old_bytes of them); new bytes are zero.
 * On failure *block is unchanged. */
HnStatus hn_resize(void *block_address, size_t old_bytes, size_t count, size_t size, const char *what, HnError *err);

/* A copy of text, for hn_free. */
char *hn_strdup(const char *text, HnError *err);
char *hn_strndup(const char *text, size_t n_bytes, HnError *err);

void hn_free(void *block); /* NULL is fine */

/* For tests: the n-th allocation from now fails (0 switches this off), and how many blocks are live. */
void hn_alloc_fail_at(uint64_t n);
uint64_t hn_alloc_live_blocks(void);

/* An arena: many small blocks, freed together. Grows by chunks; nothing moves. */
typedef struct HnArena HnArena;
HnStatus hn_arena_create(size_t chunk_bytes, HnArena **arena, HnError *err);
void *hn_arena_alloc(HnArena *arena, size_t n_bytes, HnError *err); /* 16-byte aligned, zeroed */
char *hn_arena_strndup(HnArena *arena, const char *text, size_t n_bytes, HnError *err);
size_t hn_arena_bytes(const HnArena *arena);
void hn_arena_free(HnArena **arena);

#endif
