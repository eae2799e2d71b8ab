/* Insides of the native provider: one model that writes, one that embeds (maybe of the same folder), each loaded when
 * it is first asked. */
#ifndef HN_SEMANTIC_NATIVE_H
#define HN_SEMANTIC_NATIVE_H

#include "llm/generate/author.h"
#include "llm/model/embedding.h"
#include "providers.h"

/* Bytes that a rank's models may take (llm.native.memory_gb, or its share of what is free); 0: not limited. */
uint64_t hn_native_memory(const HnLlmConfig *config);

/* ---- native_names.c: what a hard negative may be called ---- */
HnStatus hn_native_names(const HnDataset *dataset, HnItemNames **names, HnError *err);

/* ---- native_embed.c ---- */
typedef struct HnNativeEmbedder HnNativeEmbedder;
HnStatus hn_native_embedder_open(const HnLlmConfig *config, HnNativeEmbedder **embedder, HnError *err);
void hn_native_embedder_close(HnNativeEmbedder **embedder);
uint32_t hn_native_embedder_width(const HnNativeEmbedder *embedder);
/* vectors [n][width]. */
HnStatus hn_native_embedder_texts(HnNativeEmbedder *embedder, const char *const *texts, size_t n, float *vectors,
                                  HnError *err);

/* An instruction and an input as one prompt: as turns of the chat template where the model has one (and
 * llm.native.plain does not say otherwise), else plain. A prompt that is too long keeps its instruction and what stands
 * behind the input; of the input three quarters of what has room are its head, one quarter its tail. */
typedef struct HnNativePrompt {
    HnTokens tokens; /* hn_tokens_free */
    size_t n_head, n_tail;
} HnNativePrompt;
HnStatus hn_native_embedder_prompt(HnNativeEmbedder *embedder, const char *system, const char *input,
                                   HnNativePrompt *prompt, HnError *err);
HnStatus hn_native_embedder_prompts(HnNativeEmbedder *embedder, const HnNativePrompt *prompts, size_t n, float *vectors,
                                    HnError *err);
HnLmEmbeddingCounts hn_native_embedder_counts(const HnNativeEmbedder *embedder);

#endif
