/* A model folder that embeds: tokenizer, chat template and model behind one door, for prompts and for texts.
 *
 * A prompt is an instruction (may be "") and an input: turns of the model's chat template, without the opening of an
 * answer; plain text where the model has no template, or plain says so. A prompt that is too long keeps its instruction
 * and what stands behind the input; of the input three quarters of what has room are its head, one quarter its tail.
 */
#ifndef HN_LLM_MODEL_EMBEDDER_H
#define HN_LLM_MODEL_EMBEDDER_H

#include "llm/model/embedding.h"

typedef struct HnLmEmbedder HnLmEmbedder;

enum { HN_EMBEDDER_PLANNED = 8192 };

typedef struct HnLmEmbedderOptions {
    const char *folder; /* or a hub cache's */
    HnWeightType weights;
    uint64_t memory_limit; /* bytes; 0: what is free */
    HnLmEmbeddingOptions embedding;
    bool prompts; /* prompts will come: the chat template is read too, and one that is not known is HN_UNSUPPORTED */
    bool plain;   /* no chat template */
} HnLmEmbedderOptions;

/* Memory that it will take, from the headers alone; the cache for prompts of up to HN_EMBEDDER_PLANNED tokens, longer
 * ones enlarge it when they come. HN_MEMORY, with the figures, where it cannot fit. */
HnStatus hn_lm_embedder_plan(const HnLmEmbedderOptions *options, HnLmPlan *plan, HnError *err);
/* Appends what such a plan says, for logs. */
HnStatus hn_lm_embedder_describe(const HnLmEmbedderOptions *options, const HnLmPlan *plan, HnText *line, HnError *err);
/* ... and all else that opening would find wrong: tokenizer, chat template. */
HnStatus hn_lm_embedder_check(const HnLmEmbedderOptions *options, HnLmPlan *plan, HnError *err);
/* Loads the model. */
HnStatus hn_lm_embedder_open(const HnLmEmbedderOptions *options, HnLmEmbedder **embedder, HnError *err);
void hn_lm_embedder_close(HnLmEmbedder **embedder);
/* For texts, width and counts. */
HnLmEmbedding *hn_lm_embedder_embedding(HnLmEmbedder *embedder);
/* "last", "mean", "cls"; what is done, whoever asked for it. */
const char *hn_pooling_name(HnPooling pooling);

typedef struct HnLmEmbedderPrompt {
    HnTokens tokens;       /* zero-initialise; hn_tokens_free */
    size_t n_head, n_tail; /* what a cut keeps */
} HnLmEmbedderPrompt;
/* Replaces *prompt. */
HnStatus hn_lm_embedder_render(HnLmEmbedder *embedder, const char *system, const char *input,
                               HnLmEmbedderPrompt *prompt, HnError *err);
/* vectors [n][width], in one go. */
HnStatus hn_lm_embedder_prompts(HnLmEmbedder *embedder, const HnLmEmbedderPrompt *prompts, size_t n, float *vectors,
                                HnError *err);

#endif
