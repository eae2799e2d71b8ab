/* A text embedder without a language model: TF-IDF over words and phrases, projected by random signs to `dim`
 * components, length 1.
 *
 *     v = sum over terms t of (1 + ln tf) idf(t) c(t) s(t),   s(t) in {-1, +1}^dim from Philox, c = 1 (word), 0.5
 * (phrase)
 *
 * Dot products of such vectors estimate the cosine of the TF-IDF vectors with an error of about 1/sqrt(dim)
 * (Johnson-Lindenstrauss with signs: Achlioptas, 2003). A function of text, term statistics and dim alone.
 */
#ifndef HN_LLM_SIMILARITY_EMBED_H
#define HN_LLM_SIMILARITY_EMBED_H

#include <stdbool.h>

#include "terms.h"

typedef struct HnEmbedder HnEmbedder;

/* terms is borrowed. One embedder a thread: it keeps scratch memory. */
HnStatus hn_embedder_create(const HnTerms *terms, int dim, HnEmbedder **embedder, HnError *err);
void hn_embedder_free(HnEmbedder **embedder);
/* vector [dim]; a text without any telling term gives the zero vector and *empty = true (may be NULL). */
HnStatus hn_embedder_text(HnEmbedder *embedder, const char *text, size_t n_bytes, float *vector, bool *empty,
                          HnError *err);
/* Scales to length 1; false for a zero vector, which stays. */
bool hn_vector_normalise(float *vector, int dim);

#endif
