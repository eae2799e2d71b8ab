/* Texts or token lists to vectors: the last, first or mean hidden state of the last layer, normalised where asked for.
 *
 * Prompts are packed without padding. Decoders compute what prompts begin with in common once: the prompts of a call
 * are sorted, every prefix that several of them share becomes one sequence of the cache, and its continuations fork
 * from it, level by level (instruction, user, item). A prompt's vector has the same bits alone, beside others, shared
 * or not (lm.h).
 *
 * A prompt that is longer than the model takes is cut: its first n_head and last n_tail tokens and its ends stay, and
 * of what lies between the beginning. A text's specials stay, and the beginning of the text, as in
 * sentence-transformers.
 */
#ifndef HN_LLM_MODEL_EMBEDDING_H
#define HN_LLM_MODEL_EMBEDDING_H

#include "llm/model/lm.h"
#include "llm/tokenizer/tokenizer.h"

typedef struct HnLmEmbedding HnLmEmbedding;

typedef enum HnLmNormalise { HN_LM_NORMALISE_AS_MODEL, HN_LM_NORMALISE, HN_LM_NORMALISE_NOT } HnLmNormalise;

typedef struct HnLmEmbeddingOptions {
    HnPooling pooling;       /* HN_POOLING_NONE: the model's; where its files say none, last token (encoders: mean) */
    HnLmNormalise normalise; /* AS_MODEL: length 1 where modules.json says so */
    uint32_t max_tokens;     /* longest sequence, ends included; 0: the model's */
    bool unshared;           /* computes every prompt whole, to measure what sharing brings; same bits */
} HnLmEmbeddingOptions;

/* What no model of that configuration can do; found before it is loaded. */
HnStatus hn_lm_embedding_check(const HnLmConfig *config, const char *folder, const HnLmEmbeddingOptions *options,
                               HnError *err);
/* lm and tokenizer are borrowed; tokenizer NULL: token lists only. HN_FORMAT where the tokenizer has ids that the model
 * does not know, HN_UNSUPPORTED for the first token of a decoder, which sees no other. options may be NULL. One caller
 * at a time. */
HnStatus hn_lm_embedding_create(HnLm *lm, const HnTokenizer *tokenizer, const HnLmEmbeddingOptions *options,
                                HnLmEmbedding **embedding, HnError *err);
void hn_lm_embedding_free(HnLmEmbedding **embedding);
uint32_t hn_lm_embedding_width(const HnLmEmbedding *embedding);
HnPooling hn_lm_embedding_pooling(const HnLmEmbedding *embedding);
bool hn_lm_embedding_normalises(const HnLmEmbedding *embedding);
/* Tokens of a prompt, its ends not counted, that are not cut. */
size_t hn_lm_embedding_room(const HnLmEmbedding *embedding);

typedef struct HnLmPrompt {
    const uint32_t *tokens; /* [n_tokens], BOS included where the model wants one */
    size_t n_tokens;        /* at least 1 */
    size_t n_head, n_tail;  /* what a cut keeps; together at most n_tokens */
} HnLmPrompt;

/* vectors [n][width]. Behind each prompt come the ends, unless it has them: what the tokenizer puts behind a text
 * ([SEP]; [EOS] of embedding models), else [EOS] where the last token is pooled. HN_INPUT: a prompt without tokens;
 * HN_RANGE: what must stay is longer than the model takes, or a token is outside its vocabulary. */
HnStatus hn_lm_embedding_tokens(HnLmEmbedding *embedding, const HnLmPrompt *prompts, size_t n, float *vectors,
                                HnError *err);

typedef struct HnLmText {
    const char *bytes;
    size_t n_bytes; /* 0: the specials alone are embedded; HN_INPUT where there are none */
} HnLmText;
typedef enum HnLmTextKind { HN_LM_TEXT_PLAIN, HN_LM_TEXT_QUERY, HN_LM_TEXT_DOCUMENT } HnLmTextKind;

/* The same of texts; queries and documents get the model's prefixes. */
HnStatus hn_lm_embedding_texts(HnLmEmbedding *embedding, HnLmTextKind kind, const HnLmText *texts, size_t n,
                               float *vectors, HnError *err);

typedef struct HnLmEmbeddingCounts {
    uint64_t prompts, tokens; /* tokens: of all sequences, ends included */
    uint64_t computed;        /* of these, computed: the rest was shared */
    uint64_t cut;             /* prompts that were too long */
} HnLmEmbeddingCounts;
/* Since creation. */
HnLmEmbeddingCounts hn_lm_embedding_counts(const HnLmEmbedding *embedding);

#endif
