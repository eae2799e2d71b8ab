/* How telling a term is: document frequencies of words and two-word phrases over a corpus, by hash, in bounded memory.
 *
 * idf(t) = ln((1 + N) / (1 + df(t))) with df read from 2^20 buckets: terms that share a bucket share the larger
 * frequency, which only makes a term look less telling than it is.
 */
#ifndef HN_LLM_SIMILARITY_TERMS_H
#define HN_LLM_SIMILARITY_TERMS_H

#include <stdint.h>

#include "base/error.h"
#include "words.h"

typedef struct HnTerms HnTerms;

HnStatus hn_terms_create(HnTerms **terms, HnError *err);
void hn_terms_free(HnTerms **terms);
HnStatus hn_terms_add_document(HnTerms *terms, const HnWords *words, HnError *err);
uint64_t hn_terms_documents(const HnTerms *terms);
uint32_t hn_terms_frequency(const HnTerms *terms, uint64_t hash);
float hn_terms_idf(const HnTerms *terms, uint64_t hash);
/* Occurrences of the term that chance alone would put into a text of n_words words: n_words times its share of the
 * corpus' words, each document that holds it counted once. */
double hn_terms_expected(const HnTerms *terms, uint64_t hash, uint64_t n_words);

/* One term of a text with its count. */
typedef struct HnTermCount {
    uint64_t hash;
    uint32_t count;
    uint32_t word;    /* index of its first word in HnWords */
    uint32_t n_words; /* 1, or 2 for a phrase */
} HnTermCount;

/* The distinct terms of a text by ascending hash; *counts is a buffer that grows as needed (hn_free it). */
HnStatus hn_terms_count(const HnWords *words, HnTermCount **counts, size_t *capacity, size_t *n, HnError *err);

#endif
