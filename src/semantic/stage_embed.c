/* The embedding stage: each distinct negative text once, then one vector per train pair; or the prompt of each train
 * pair. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "pair_cursor.h"
#include "prompt.h"
#include "vectors.h"

typedef struct Embed {
    const HnStageContext *context;
    const char *negatives, *item_profiles, *user_profiles;
    HnDistinct *distinct; /* texts; NULL: prompts */
    HnPrompt *prompt;
    HnEvidence *evidence; /* opened when the first prompt is asked for */
    HnPairCursor cursor;
    struct {
        uint64_t lost, attempts, prompt_tokens;
    } totals; /* over all texts, also those of earlier starts */
} Embed;

static HnStatus ask(void *self_, uint64_t number, HnRequest *request, HnText *system, HnText *input, bool *known,
                    HnRecord *record, HnError *err) {
    Embed *self = self_;
    (void)system;
    (void)known;
    (void)record;
    request->task = HN_TASK_EMBED;
    return hn_distinct_text(self->distinct, (uint32_t)number, input, err);
}

static bool of_prompts(const HnStageContext *context) {
    return context->config->vectors_of == HN_VECTORS_OF_PROMPTS;
}

/* The prompt that would ask for the pair's hard negative. */
static HnStatus ask_prompt(void *self_, uint64_t pair, HnRequest *request, HnText *system, HnText *input, bool *known,
                           HnRecord *record, HnError *err) {
    Embed *self = self_;
    const HnLlmConfig *config = self->context->config;
    (void)known;
    (void)record;
    if (!self->evidence) {
        HN_TRY(hn_evidence_open(self->context->dataset, (uint32_t)config->max_reviews,
                                (uint32_t)config->max_review_words, self->item_profiles, self->user_profiles,
                                &self->evidence, err));
    }
    HN_TRY(hn_pair_cursor_hold(&self->cursor, pair, err));
    request->task = HN_TASK_EMBED;
    request->whole = true;
    request->user = self->cursor.user;
    request->item = hn_pair_cursor_item(&self->cursor, pair);
    HnSubject subject = {self->evidence, request->user, request->item, config->profile_words};
    return hn_prompt_render(self->prompt, &subject, system, input, err);
}

static HnStatus judge(void *self_, uint64_t number, const HnAnswer *answer, HnRecord *record, bool *unparsable,
                      HnError *err) {
    (void)self_;
    (void)err;
    *unparsable = false;
    record->status = HN_VECTOR_LOST;
    if (!answer->vector || answer->dim == 0) {
        hn_log(HN_LOG_WARN, "embedding of text %llu is empty", (unsigned long long)number);
        return HN_OK;
    }
    for (uint32_t i = 0; i < answer->dim; i++) {
        if (!isfinite(answer->vector[i])) {
            hn_log(HN_LOG_WARN, "embedding of text %llu holds a value that is not finite: left out",
                   (unsigned long long)number);
            return HN_OK;
        }
    }
    record->status = HN_VECTOR_OK;
    record->vector = answer->vector;
    record->dim = answer->dim;
    return HN_OK;
}

/* Rank 0. */
static HnStatus gather_and_seal(Embed *self, const HnStageJob *job, const char *out_path,
                                const HnStageIdentity *identity, HnVectorsReport *report, HnError *err) {
    HnSpool *spool = NULL;
    HnStatus status = hn_spool_create(job->folder, job->n_items, &spool, err);
    if (status == HN_OK) {
        status = hn_spool_add_journals(spool, job->folder, err);
    }
    for (uint64_t text = 0; text < job->n_items && status == HN_OK; text++) {
        HnRecord record;
        status = hn_spool_get(spool, text, &record, err);
        if (status == HN_OK) {
            self->totals.lost += record.status != HN_VECTOR_OK;
            self->totals.attempts += record.attempts;
            self->totals.prompt_tokens += record.prompt_tokens;
        }
    }
    if (status == HN_OK) {
        status = hn_vectors_seal(self->context, self->distinct, spool, out_path, identity, report, err);
    }
    hn_spool_free(&spool);
    return status == HN_OK ? hn_folder_remove(job->folder, err) : status;
}

/* Collective. */
static HnStatus embed(Embed *self, const char *journals, const char *out_path, HnStageIdentity *identity,
                      HnStageReport *report, HnError *err) {
    const HnStageContext *context = self->context;
    HnStatus opened =
        of_prompts(context) ? HN_OK : hn_distinct_open(self->negatives, self->item_profiles, &self->distinct, err);
    HnVectorsReport vectors;
    HnStageJobReport done;
    HN_TRY(hn_comm_agree(context->workers, opened, err));
    HnStageJob job = {.name = "embeddings",
                      .context = context,
                      .folder = journals,
                      .identity = identity,
                      .n_items = self->distinct ? hn_distinct_count(self->distinct)
                                                : hn_dataset_count(context->dataset, HN_PART_TRAIN),
                      .family = context->config->embedder,
                      .embedder = true,
                      .item_profiles = self->item_profiles,
                      .self = self,
                      .ask = self->distinct ? ask : ask_prompt,
                      .judge = judge,
                      .lost_status = HN_VECTOR_LOST};
    HN_TRY(hn_stage_job_run(&job, &done, err));
    report->done_before = done.done_before;
    report->answered = done.answered;
    if (done.tokens > 0 && hn_comm_rank(context->workers) == 0) {
        hn_log(HN_LOG_INFO, "vectors: computed %llu of %llu tokens (%.1f %%), the rest shared",
               (unsigned long long)done.computed, (unsigned long long)done.tokens,
               100.0 * (double)done.computed / (double)done.tokens);
    }
    HnStatus status = HN_OK;
    if (hn_comm_rank(context->workers) == 0) {
        status = gather_and_seal(self, &job, out_path, identity, &vectors, err);
    }
    HN_TRY(hn_comm_agree(context->workers, status, err));
    HN_TRY(hn_comm_broadcast(context->workers, &self->totals, sizeof self->totals, 0, err));
    report->items = job.n_items;
    report->attempts = self->totals.attempts;
    report->prompt_tokens = self->totals.prompt_tokens;
    report->lost = self->totals.lost;
    return HN_OK;
}

/* Collective. */
static HnStatus import(const HnStageContext *context, const char *out_path, const HnStageIdentity *identity,
                       HnError *err) {
    HnVectorsReport report;
    HnStatus status = HN_OK;
    if (hn_comm_rank(context->workers) == 0) {
        status = hn_vectors_import(context, context->config->import_vectors, out_path, identity, &report, err);
    }
    return hn_comm_agree(context->workers, status, err);
}

/* What prompts are made of. */
static HnStatus identify_prompts(const Embed *self, HnStageIdentity *identity, HnError *err) {
    const HnLlmConfig *config = self->context->config;
    HN_TRY(hn_stage_identity_line(identity, "llm.vectors_of", "prompts", err));
    HN_TRY(hn_stage_identity_line(identity, "prompt", hn_prompt_id(self->prompt), err));
    HN_TRY(hn_stage_identity_number(identity, "llm.profile_words", config->profile_words, err));
    HN_TRY(hn_stage_identity_number(identity, "llm.max_review_words", config->max_review_words, err));
    if (config->embedder == HN_PROVIDER_NATIVE) {
        HN_TRY(hn_stage_identity_number(identity, "llm.native.plain", config->native.plain, err));
    }
    HN_TRY(hn_stage_identity_store(identity, "profiles-items", self->item_profiles, err));
    return hn_stage_identity_store(identity, "profiles-users", self->user_profiles, err);
}

static HnStatus identify(const Embed *self, HnStageIdentity *identity, HnError *err) {
    const HnStageContext *context = self->context;
    const HnLlmConfig *config = context->config;
    HN_TRY(hn_stage_identity_start(context, "embeddings", true, identity, err));
    if (config->import_vectors && config->import_vectors[0]) {
        identity->products[0] = '\0'; /* no model is asked */
        HN_TRY(hn_stage_identity_store(identity, "imported vectors", config->import_vectors, err));
        return hn_stage_identity_finish(identity, err);
    }
    if (config->embedder == HN_PROVIDER_EXTRACTIVE) {
        HN_TRY(hn_stage_identity_number(identity, "llm.embed_dim", config->embed_dim, err));
        HN_TRY(hn_stage_identity_number(identity, "llm.max_review_words", config->max_review_words, err));
    }
    HN_TRY(
        hn_stage_identity_line(identity, "llm.vector_type", config->vector_type == HN_VECTOR_F32 ? "f32" : "f16", err));
    if (of_prompts(context)) {
        HN_TRY(identify_prompts(self, identity, err));
        return hn_stage_identity_finish(identity, err);
    }
    HN_TRY(hn_stage_identity_store(identity, "negatives", self->negatives, err));
    HN_TRY(hn_stage_identity_store(identity, "profiles-items", self->item_profiles, err));
    return hn_stage_identity_finish(identity, err);
}

/* Collective: how many pairs have no vector; said aloud. */
static HnStatus summarise(const HnStageContext *context, const char *out_path, HnStageReport *report, HnError *err) {
    HnVectorsReport vectors = {0};
    HnStatus status = HN_OK;
    if (hn_comm_rank(context->workers) == 0) {
        status = hn_vectors_count(out_path, &vectors, err);
    }
    HN_TRY(hn_comm_agree(context->workers, status, err));
    HN_TRY(hn_comm_broadcast(context->workers, &vectors, sizeof vectors, 0, err));
    report->noise = vectors.absent;
    if (hn_comm_rank(context->workers) == 0) {
        hn_log(vectors.absent ? HN_LOG_WARN : HN_LOG_INFO,
               "vectors: %llu train pairs, %llu without one (they train on random negatives alone)",
               (unsigned long long)vectors.pairs, (unsigned long long)vectors.absent);
    }
    return HN_OK;
}

HnStatus hn_stage_embed(const HnStageContext *context, const char *negatives, const char *item_profiles,
                        const char *user_profiles, const char *folder, const char *out_path, HnStageReport *report,
                        HnError *err) {
    const HnLlmConfig *config = context->config;
    Embed self = {.context = context,
                  .negatives = negatives,
                  .item_profiles = item_profiles,
                  .user_profiles = user_profiles,
                  .cursor = {.dataset = context->dataset}};
    HnStageIdentity identity = {0};
    double started = hn_clock_seconds();
    bool sealed = false, imported = config->import_vectors && config->import_vectors[0];
    *report = (HnStageReport){0};
    char *journals = hn_stage_folder(folder, "vectors", err);
    HnStatus status = journals ? HN_OK : HN_MEMORY;
    if (status == HN_OK && of_prompts(context) && !imported) {
        status = hn_prompt_load(config->prompt_folder, HN_TASK_HARD_NEGATIVE, &self.prompt, err);
    }
    if (status == HN_OK) {
        status = identify(&self, &identity, err);
    }
    status = hn_comm_agree(context->workers, status, err);
    if (status == HN_OK) {
        status = hn_stage_is_sealed(context, out_path, &identity, journals, &sealed, err);
    }
    if (status == HN_OK && !sealed) {
        status = imported ? import(context, out_path, &identity, err)
                          : embed(&self, journals, out_path, &identity, report, err);
    }
    if (status == HN_OK) {
        status = summarise(context, out_path, report, err);
    }
    report->seconds = hn_clock_seconds() - started;
    hn_distinct_close(&self.distinct);
    hn_pair_cursor_free(&self.cursor);
    hn_evidence_close(&self.evidence);
    hn_prompt_free(&self.prompt);
    hn_stage_identity_free(&identity);
    hn_free(journals);
    return status;
}
