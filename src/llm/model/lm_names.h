/* Private to src/llm/model: what the tensors of each family are called. */
#ifndef HN_LLM_MODEL_LM_NAMES_H
#define HN_LLM_MODEL_LM_NAMES_H

#include "lm_private.h"

/* Without prefix, ".weight" and ".bias". NULL: the family has no such tensor. */
typedef struct HnLmNames {
    const char *prefixes[4]; /* of all but the head, NULL behind the last: models are saved inside others, too */
    const char *embed, *positions, *types, *embed_norm, *final_norm;
    const char *layers; /* "layers.": the layer's number and a dot follow */
    const char *q, *k, *v, *qkv, *out, *q_norm, *k_norm;
    const char *gate, *up, *down;
    const char *attention_norm, *ffn_norm;
} HnLmNames;

/* The names and the prefix by which the folder's tensors go; HN_FORMAT where the embedding is under none of them. */
HnStatus hn_lm_names(const HnLm *lm, const HnLmNames **names, const char **prefix, HnError *err);

/* Name endings of tensors that checkpoints hold and that nothing here reads. */
extern const char *const hn_lm_known_leftovers[];
extern const size_t hn_lm_n_known_leftovers;

#endif
