/* Insides of the extractive provider: answers without a language model, from the data set's own words.
 *
 * It keeps the contract of the prompts (the same JSON comes back), so its answers pass through the same checks. Every
 * answer is a function of data set, profiles and configuration alone.
 */
#ifndef HN_SEMANTIC_EXTRACTIVE_H
#define HN_SEMANTIC_EXTRACTIVE_H

#include "evidence.h"
#include "llm/similarity/embed.h"
#include "llm/similarity/neighbours.h"
#include "llm/similarity/terms.h"
#include "providers.h"

enum { HN_EXTRACTIVE_QUEUE = 256 };

/* A request as kept, and its answer once there is one. */
typedef struct HnExtractiveJob {
    uint64_t key;
    HnTask task;
    uint32_t user, item, sample;
    char *text; /* to be embedded */
    HnAnswer answer;
} HnExtractiveJob;

typedef struct HnExtractive {
    HnProvider base;
    const HnLlmConfig *config;
    const HnDataset *dataset;
    int dim;
    HnEvidence *evidence;
    HnTerms *terms;
    HnEmbedder *embedder;

    HnExtractiveJob queue[HN_EXTRACTIVE_QUEUE]; /* answered: [0, n_ready), next_ready first; waiting: waiting[] */
    size_t n_ready, next_ready;
    HnExtractiveJob waiting[HN_EXTRACTIVE_QUEUE];
    size_t n_waiting, room;

    /* Hard negatives only, made when the first is asked for. */
    float *item_vectors; /* [n_items][dim], rows of length 1 (zero where an item has no text) */
    HnNeighbours *neighbours;
    uint32_t user; /* whom the next three are about; UINT32_MAX = nobody yet */
    HnPairs taken;
    float *user_vector; /* [dim] */

    /* Scratch. */
    HnWords words;
    HnTermCount *counts;
    size_t counts_capacity;
    HnText source, terms_text, body, reason, json;
} HnExtractive;

/* Document frequencies over item texts and train reviews (of large sets an even sample). */
HnStatus hn_extractive_count_terms(HnExtractive *self, HnError *err);
/* Appends what is known of an item in words: title, categories, attributes, profile or description. */
HnStatus hn_extractive_item_text(HnExtractive *self, uint32_t item, HnText *out, HnError *err);

/* Fill job->answer.text. */
HnStatus hn_extractive_item_profile(HnExtractive *self, HnExtractiveJob *job, HnError *err);
HnStatus hn_extractive_user_profile(HnExtractive *self, HnExtractiveJob *job, HnError *err);
/* Makes the neighbour lists that these jobs need, in one go; other tasks among them are ignored. */
HnStatus hn_extractive_prepare_negatives(HnExtractive *self, const HnExtractiveJob *jobs, size_t n, HnError *err);
HnStatus hn_extractive_hard_negative(HnExtractive *self, HnExtractiveJob *job, HnError *err);

/* Replaces self->json by {"<key>": body, "reasoning": reason} and copies it into the job's answer. */
HnStatus hn_extractive_answer(HnExtractive *self, HnExtractiveJob *job, const char *key, HnError *err);

#endif
