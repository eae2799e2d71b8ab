/* The language-model stages: each takes its inputs from sealed stores, journals every answer, seals one store, and
 * redoes at most the items in flight after a kill. Collective over the group of worker ranks; a sealed output is
 * skipped at once.
 */
#ifndef HN_SEMANTIC_STAGES_H
#define HN_SEMANTIC_STAGES_H

#include "base/error.h"
#include "comm.h"
#include "config/experiment.h"
#include "data/dataset.h"

typedef struct HnStageContext {
    const HnLlmConfig *config;
    const HnDataset *dataset;
    const char *config_yaml; /* provenance */
    HnComm *workers;
    /* SHA-256 of the native models (llm/files/identity.h) that write and embed; NULL where they do not */
    const char *writer_id, *embedder_id;
    int workers_on_host; /* at most, on any host: they share its memory */
} HnStageContext;

/* What a stage did, for the log, the table and the noise report; sums over ranks. */
typedef struct HnStageReport {
    uint64_t items, done_before, answered, noise, lost, attempts, prompt_tokens, answer_tokens;
    double seconds;
} HnStageReport;

/* folder/profiles-items.h5, folder/profiles-users.h5 (generated, or imported where the configuration says so). */
HnStatus hn_stage_profiles(const HnStageContext *context, bool users, const char *folder, const char *out_path,
                           const char *item_profiles, HnStageReport *report, HnError *err);
/* One row per train pair and sample: text, status (ok / none / noise), the pool item it names. */
HnStatus hn_stage_negatives(const HnStageContext *context, const char *item_profiles, const char *user_profiles,
                            const char *folder, const char *out_path, HnStageReport *report, HnError *err);
/* One vector per train pair; pairs without one are marked absent. llm.vectors_of negatives: from the negatives' text
 * (samples averaged, eq 5). prompts: from the prompt that would ask for the hard negative; negatives is not read. */
HnStatus hn_stage_embed(const HnStageContext *context, const char *negatives, const char *item_profiles,
                        const char *user_profiles, const char *folder, const char *out_path, HnStageReport *report,
                        HnError *err);

/* SHA-256 over the prompt files that prompt_folder ("" = the shipped ones) gives: part of what profiles are made from.
 */
HnStatus hn_prompts_id(const char *prompt_folder, char hex[65], HnError *err);

/* Requests that the stages would send at most, for run --plan: texts that repeat are embedded once, so the last is
 * bounded by the item pool; an answer that does not parse may be asked for once more. */
HnStatus hn_stage_plan(const HnLlmConfig *config, const HnDataset *dataset, uint64_t *n_profiles, uint64_t *n_negatives,
                       uint64_t *n_embeddings, HnError *err);

#endif
