/* A provider answers prompts and embeds text. Three families stand behind one ops table: extractive (no language
 * model), http (an endpoint), native (our own transformer).
 *
 * Asynchronous: submit as many requests as `capacity` allows, then poll; answers come in any order. A provider keeps
 * nothing on disk; the stage that drives it journals each answer before the item counts as done.
 */
#ifndef HN_SEMANTIC_PROVIDER_H
#define HN_SEMANTIC_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "config/experiment.h"
#include "data/dataset.h"

typedef enum HnTask { HN_TASK_ITEM_PROFILE, HN_TASK_USER_PROFILE, HN_TASK_HARD_NEGATIVE, HN_TASK_EMBED } HnTask;

typedef struct HnRequest {
    uint64_t key; /* the caller's: item, user or pair number (with sample) */
    HnTask task;
    uint32_t user, item; /* what it is about (extractive works from these); UINT32_MAX = does not apply */
    uint32_t sample;     /* 0 .. negatives_per_pair-1 */
    const char *system;  /* rendered instruction; valid during submit */
    const char *prompt;  /* rendered input, or the text to embed */
    bool whole;          /* HN_TASK_EMBED: system and prompt are embedded together, as a model would be asked */
} HnRequest;

typedef enum HnAnswerStatus {
    HN_ANSWER_OK,
    HN_ANSWER_REFUSED /* bad request: do not repeat */,
    HN_ANSWER_LOST /* retries used up */
} HnAnswerStatus;

typedef struct HnAnswer {
    uint64_t key;
    HnAnswerStatus status;
    char *text;    /* raw answer, NUL-terminated; NULL for embeddings */
    float *vector; /* [dim] for HN_TASK_EMBED */
    uint32_t dim;
    uint32_t attempts;
    uint32_t prompt_tokens, answer_tokens; /* as reported; 0 = unknown */
    char note[256];                        /* why it was refused or lost */
} HnAnswer;                                /* text and vector are the caller's: hn_free */

typedef struct HnProvider HnProvider;
typedef struct HnProviderOps {
    const char *name;
    HnStatus (*submit)(HnProvider *self, const HnRequest *request, HnError *err);
    /* Waits at most wait_ms for an answer. *got = false: none yet. A dead endpoint is HN_NETWORK. */
    HnStatus (*poll)(HnProvider *self, int wait_ms, HnAnswer *answer, bool *got, HnError *err);
    size_t (*capacity)(const HnProvider *self); /* requests that may still be submitted now */
    void (*close)(HnProvider *self);
    /* Tokens of what was embedded so far, and how many of them were computed: the others were shared. NULL: not known.
     */
    void (*effort)(const HnProvider *self, uint64_t *tokens, uint64_t *computed);
} HnProviderOps;
struct HnProvider {
    const HnProviderOps *ops;
};

/* embedder: to embed, else to write. dataset is borrowed and must outlive the provider. profiles_* are sealed profile
 * stores or NULL. */
HnStatus hn_provider_open(HnProviderFamily family, bool embedder, const HnLlmConfig *config, const HnDataset *dataset,
                          const char *item_profiles, const char *user_profiles, HnProvider **provider, HnError *err);
void hn_provider_close(HnProvider **provider);
/* "extractive", "http", "native"; and the model asked for ("" where there is none). */
const char *hn_provider_name(HnProviderFamily family);
const char *hn_provider_model(const HnLlmConfig *config, HnProviderFamily family, bool embedder);
/* llm.native.memory_gb as it is, or where it is 0 this rank's share of what is free now, in GB; 0: the system does not
 * say. n_ranks of a host load their models side by side, so all ask before one loads. */
double hn_provider_memory_gb(const HnLlmConfig *config, int n_ranks);
/* One line about reachability and what it takes, for doctor and plans; HN_OK where usable. embedder: as the one that
 * embeds. */
HnStatus hn_provider_check(HnProviderFamily family, const HnLlmConfig *config, bool embedder, char *line,
                           size_t n_bytes, HnError *err);

#endif
