/* Byte-pair merges: which two neighbours become one token, and in what order.
 *
 * Of all neighbours in a word the pair of the lowest rank is merged, the leftmost of those of equal rank, until no pair
 * has a merge (Sennrich et al. 2016). SentencePiece's scores and tiktoken's ranks give the same kind of table. */
#ifndef HN_LLM_TOKENIZER_MERGES_H
#define HN_LLM_TOKENIZER_MERGES_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct HnMerge {
    uint64_t pair;     /* first << 32 | second; UINT64_MAX: an empty slot */
    uint32_t rank, id; /* id: what they become */
} HnMerge;

typedef struct HnMerges {
    HnMerge *slots;
    uint64_t mask;
    size_t n;
} HnMerges;

HnStatus hn_merges_start(HnMerges *merges, HnError *err);
void hn_merges_free(HnMerges *merges);
/* A pair twice is HN_FORMAT. */
HnStatus hn_merges_add(HnMerges *merges, uint32_t first, uint32_t second, uint32_t rank, uint32_t id, HnError *err);

/* Merges ids[0 .. n) in place; *n_left are left. Short words by looking at all pairs each time, long ones with a heap:
 * n log n, whatever the text. */
HnStatus hn_merges_apply(const HnMerges *merges, uint32_t *ids, size_t n, size_t *n_left, HnError *err);
/* The two ways, for tests; the short way takes at most HN_MERGES_SHORT. */
enum { HN_MERGES_SHORT = 48 };
size_t hn_merges_apply_short(const HnMerges *merges, uint32_t *ids, size_t n);
HnStatus hn_merges_apply_long(const HnMerges *merges, uint32_t *ids, size_t n, size_t *n_left, HnError *err);

#endif
