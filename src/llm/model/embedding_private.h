/* Private to src/llm/model: embedding.c (what is asked, ends, pooling), embedding_text.c (texts), embedding_shared.c
 * (decoders: shared prefixes). */
#ifndef HN_LLM_MODEL_EMBEDDING_PRIVATE_H
#define HN_LLM_MODEL_EMBEDDING_PRIVATE_H

#include "llm/model/embedding.h"

/* A prompt as it is computed: cut, with its ends. */
typedef struct HnLmSequence {
    const uint32_t *tokens;
    uint32_t n_tokens;
    size_t number; /* of the prompt */
} HnLmSequence;

struct HnLmEmbedding {
    HnLm *lm;
    const HnTokenizer *tokenizer;
    HnPooling pooling;
    bool normalise, unshared;
    uint32_t width, max_tokens, max_rows;
    uint32_t *starts, *ends; /* specials around a text */
    size_t n_starts, n_ends;
    float *hidden; /* [hidden_rows][width] */
    uint64_t hidden_rows;
    double *sums;  /* [n_sequences][width]: mean pooling, by sequence of the cache; encoders: [width] */
    HnLmRun *runs; /* [max_rows]: of one call of the model */
    HnKv *kv;      /* decoders; grows with the longest prompt */
    uint32_t kv_longest;
    HnLmEmbeddingCounts counts;
};

/* Which rows of a step the pooling reads. */
HnLmRows hn_lm_embedding_rows(const HnLmEmbedding *embedding);
/* Room for the hidden states of n tokens. */
HnStatus hn_lm_embedding_reserve(HnLmEmbedding *embedding, uint64_t n, HnError *err);
/* sums += rows [n][width], in order. */
void hn_lm_embedding_add(const HnLmEmbedding *embedding, const float *rows, uint64_t n, double *sums);
/* The vector of a sequence of n tokens: from the one pooled row, or from the sums. */
void hn_lm_embedding_finish(const HnLmEmbedding *embedding, const float *row, const double *sums, uint64_t n,
                            float *vector);

/* embedding_text.c: starts and ends, from the tokenizer. */
HnStatus hn_lm_embedding_find_ends(HnLmEmbedding *embedding, HnError *err);

/* embedding_shared.c: vectors of sequences by a decoder; sequences are put into another order. */
enum { HN_EMBEDDING_SEQUENCES = 512 };
/* Pages of the cache for prompts of up to `longest` tokens. */
uint32_t hn_lm_embedding_pages(uint32_t max_rows, uint32_t longest);
HnStatus hn_lm_embedding_shared(HnLmEmbedding *embedding, HnLmSequence *sequences, size_t n, float *vectors,
                                HnError *err);

#endif
