/* The hard-negative stage: one text per train pair and sample, resolved to an item of the pool. */
#include <string.h>

#include "answer.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "pair_cursor.h"
#include "pool.h"
#include "prompt.h"
#include "stage.h"

static const char *const STATUS_NAMES[] = {"ok",   "unparsable (noise)",        "not in the pool (noise)", "none",
                                           "lost", "already the user's (noise)"};

typedef struct Negatives {
    const HnStageContext *context;
    const char *item_profiles, *user_profiles;
    HnPrompt *prompt; /* NULL: the provider needs none */
    uint64_t n_samples;
    HnEvidence *evidence;
    HnItemPool *pool;
    HnPairCursor cursor;
    HnParsed parsed; /* of the last answer */
    HnText name;     /* of the item that it names */
} Negatives;

/* What asking and judging need; opened when the first pair comes. */
static HnStatus open_self(Negatives *self, HnError *err) {
    const HnLlmConfig *config = self->context->config;
    if (self->pool) {
        return HN_OK;
    }
    HN_TRY(hn_evidence_open(self->context->dataset, (uint32_t)config->max_reviews, (uint32_t)config->max_review_words,
                            self->item_profiles, self->user_profiles, &self->evidence, err));
    return hn_item_pool_create(self->evidence, &self->pool, err);
}

static void close_self(Negatives *self) {
    hn_parsed_free(&self->parsed);
    hn_text_free(&self->name);
    hn_item_pool_free(&self->pool);
    hn_evidence_close(&self->evidence);
    hn_pair_cursor_free(&self->cursor);
    hn_prompt_free(&self->prompt);
}

static HnStatus ask(void *self_, uint64_t key, HnRequest *request, HnText *system, HnText *input, bool *known,
                    HnRecord *record, HnError *err) {
    Negatives *self = self_;
    uint64_t pair = key / self->n_samples;
    (void)known;
    (void)record;
    HN_TRY(open_self(self, err));
    HN_TRY(hn_pair_cursor_hold(&self->cursor, pair, err));
    request->task = HN_TASK_HARD_NEGATIVE;
    request->user = self->cursor.user;
    request->item = hn_pair_cursor_item(&self->cursor, pair);
    request->sample = (uint32_t)(key % self->n_samples);
    if (!self->prompt) {
        return HN_OK; /* the extractive provider works from the data set itself */
    }
    HnSubject subject = {self->evidence, request->user, request->item, self->context->config->profile_words};
    return hn_prompt_render(self->prompt, &subject, system, input, err);
}

/* Which item of the pool the phrase names, for this user. */
static HnStatus resolve(Negatives *self, uint64_t pair, HnRecord *record, HnError *err) {
    HnPoolMatch match;
    HN_TRY(hn_pair_cursor_hold(&self->cursor, pair, err));
    const HnPairs *pairs = &self->cursor.pairs;
    size_t n_taken = (size_t)(pairs->offsets[1] - pairs->offsets[0]);
    HN_TRY(hn_item_pool_find(self->pool, self->parsed.text, pairs->items, n_taken, &match, &record->item, err));
    if (match != HN_POOL_FOUND) {
        record->status = match == HN_POOL_TAKEN ? HN_NEGATIVE_ALREADY_TAKEN : HN_NEGATIVE_NOT_IN_POOL;
        return HN_OK;
    }
    /* As the catalogue spells it, so that equal items have equal text. */
    hn_text_clear(&self->name);
    HN_TRY(hn_evidence_item_name(self->evidence, (uint32_t)record->item, &self->name, err));
    record->status = HN_NEGATIVE_OK;
    record->text = hn_text_get(&self->name);
    record->n_text = (uint32_t)self->name.length;
    return HN_OK;
}

static HnStatus judge(void *self_, uint64_t key, const HnAnswer *answer, HnRecord *record, bool *unparsable,
                      HnError *err) {
    Negatives *self = self_;
    const char *raw = answer->text ? answer->text : "";
    hn_parsed_free(&self->parsed);
    HN_TRY(hn_answer_parse(HN_TASK_HARD_NEGATIVE, raw, &self->parsed, err));
    record->raw = raw;
    record->n_raw = (uint32_t)strlen(raw);
    *unparsable = !self->parsed.good;
    if (!self->parsed.good) {
        record->status = HN_NEGATIVE_UNPARSABLE;
        hn_log(HN_LOG_DEBUG, "hard negative %llu is noise: %s", (unsigned long long)key, self->parsed.why);
        return HN_OK;
    }
    record->reasoning = self->parsed.reasoning;
    record->n_reasoning = (uint32_t)strlen(self->parsed.reasoning);
    if (self->parsed.none) {
        record->status = HN_NEGATIVE_NONE;
        return HN_OK;
    }
    return resolve(self, key / self->n_samples, record, err);
}

static HnStatus seal(const Negatives *self, HnSpool *spool, const char *out_path, const HnStageIdentity *identity,
                     HnError *err) {
    const HnStageContext *context = self->context;
    HnProvenance provenance = hn_stage_provenance(context, identity);
    HnProviderFamily family = context->config->provider;
    HnStoreWriter *writer = NULL;
    HN_TRY(hn_store_create(out_path, &HN_SCHEMA_NEGATIVES, &provenance, &writer, err));
    HnStatus status = hn_store_set_text(writer, "provider", hn_provider_name(family), err);
    if (status == HN_OK) {
        status = hn_store_set_text(writer, "model", hn_provider_model(context->config, family, false), err);
    }
    if (status == HN_OK) {
        status = hn_stage_write_pairs(writer, context->dataset, err);
    }
    if (status == HN_OK) {
        status = hn_stage_write_texts(writer, spool, hn_dataset_count(context->dataset, HN_PART_TRAIN), self->n_samples,
                                      "text", err);
    }
    if (status == HN_OK) {
        status = hn_store_seal(&writer, err);
    }
    if (writer) {
        hn_store_abandon(&writer);
    }
    return status;
}

/* Rank 0. */
static HnStatus gather_and_seal(const Negatives *self, const HnStageJob *job, const char *out_path,
                                const HnStageIdentity *identity, HnError *err) {
    HnSpool *spool = NULL;
    HnStatus status = hn_folder_make(job->folder, err); /* absent where there was nothing to ask */
    if (status == HN_OK) {
        status = hn_spool_create(job->folder, job->n_items, &spool, err);
    }
    if (status == HN_OK) {
        status = hn_spool_add_journals(spool, job->folder, err);
    }
    if (status == HN_OK) {
        status = seal(self, spool, out_path, identity, err);
    }
    hn_spool_free(&spool);
    return status == HN_OK ? hn_folder_remove(job->folder, err) : status;
}

/* Collective. */
static HnStatus make(Negatives *self, const char *journals, const char *out_path, HnStageIdentity *identity,
                     HnStageReport *report, HnError *err) {
    const HnStageContext *context = self->context;
    HnStageJob job = {.name = "hard negatives",
                      .context = context,
                      .folder = journals,
                      .identity = identity,
                      .n_items = hn_dataset_count(context->dataset, HN_PART_TRAIN) * self->n_samples,
                      .family = context->config->provider,
                      .item_profiles = self->item_profiles,
                      .user_profiles = self->user_profiles,
                      .may_repeat =
                          context->config->provider == HN_PROVIDER_HTTP && context->config->http.temperature > 0,
                      .self = self,
                      .ask = ask,
                      .judge = judge,
                      .lost_status = HN_NEGATIVE_LOST};
    HnStageJobReport done;
    HN_TRY(hn_stage_job_run(&job, &done, err));
    report->done_before = done.done_before;
    report->answered = done.answered;
    HnStatus status = HN_OK;
    if (hn_comm_rank(context->workers) == 0) {
        status = gather_and_seal(self, &job, out_path, identity, err);
    }
    return hn_comm_agree(context->workers, status, err);
}

static HnStatus identify(const Negatives *self, HnStageIdentity *identity, HnError *err) {
    const HnLlmConfig *config = self->context->config;
    HN_TRY(hn_stage_identity_start(self->context, "hard negatives", false, identity, err));
    HN_TRY(hn_stage_identity_line(identity, "prompt", self->prompt ? hn_prompt_id(self->prompt) : "none", err));
    HN_TRY(hn_stage_identity_number(identity, "llm.negatives_per_pair", config->negatives_per_pair, err));
    if (config->provider == HN_PROVIDER_EXTRACTIVE) {
        HN_TRY(hn_stage_identity_number(identity, "llm.embed_dim", config->embed_dim, err));
        HN_TRY(hn_stage_identity_number(identity, "llm.max_review_words", config->max_review_words, err));
    }
    HN_TRY(hn_stage_identity_store(identity, "profiles-items", self->item_profiles, err));
    HN_TRY(hn_stage_identity_store(identity, "profiles-users", self->user_profiles, err));
    return hn_stage_identity_finish(identity, err);
}

HnStatus hn_stage_negatives(const HnStageContext *context, const char *item_profiles, const char *user_profiles,
                            const char *folder, const char *out_path, HnStageReport *report, HnError *err) {
    const HnLlmConfig *config = context->config;
    Negatives self = {.context = context,
                      .cursor = {.dataset = context->dataset},
                      .item_profiles = item_profiles,
                      .user_profiles = user_profiles,
                      .n_samples = (uint64_t)config->negatives_per_pair};
    HnStageIdentity identity = {0};
    double started = hn_clock_seconds();
    bool sealed = false;
    *report = (HnStageReport){0};
    char *journals = hn_stage_folder(folder, "negatives", err);
    HnStatus status = journals ? HN_OK : HN_MEMORY;
    if (status == HN_OK && config->provider != HN_PROVIDER_EXTRACTIVE) {
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
        status = make(&self, journals, out_path, &identity, report, err);
    }
    if (status == HN_OK) {
        unsigned noise = 1U << HN_NEGATIVE_UNPARSABLE | 1U << HN_NEGATIVE_NOT_IN_POOL | 1U << HN_NEGATIVE_ALREADY_TAKEN;
        status = hn_stage_summary(context, "hard negatives", out_path, STATUS_NAMES, 6, noise, HN_NEGATIVE_LOST, report,
                                  err);
    }
    report->done_before = sealed ? report->items : report->done_before;
    report->seconds = hn_clock_seconds() - started;
    close_self(&self);
    hn_stage_identity_free(&identity);
    hn_free(journals);
    return status;
}
