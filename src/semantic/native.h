/* Insides of the native provider: one model that writes, one that embeds (maybe of the same folder), each loaded when
 * it is first asked. */
#ifndef HN_SEMANTIC_NATIVE_H
#define HN_SEMANTIC_NATIVE_H

#include "llm/generate/author.h"
#include "llm/model/embedder.h"
#include "providers.h"
#include "stage.h"

/* Bytes that a rank's model may take (llm.native.memory_gb; a stage puts the rank's share of what is free there); 0:
 * what is free. */
uint64_t hn_native_memory(const HnLlmConfig *config);

/* ---- native_names.c: what a hard negative may be called ---- */
HnStatus hn_native_names(const HnDataset *dataset, HnItemNames **names, HnError *err);

/* ---- native_embed.c ---- */
/* Whether it can be opened and fits, and what it takes, in a line. */
HnStatus hn_native_embedder_check(const HnLlmConfig *config, HnText *line, HnError *err);
HnStatus hn_native_embedder_open(const HnLlmConfig *config, HnLmEmbedder **embedder, HnError *err);
/* Says how many texts were cut. */
void hn_native_embedder_close(HnLmEmbedder **embedder);

#endif
