/* The profile stages: one text per user or item, asked of the provider or imported. */
#include <string.h>

#include "answer.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "import.h"
#include "prompt.h"
#include "stage.h"

static const char *const STATUS_NAMES[] = {"ok", "noise", "lost", "imported", "nothing to ask about"};

typedef struct Profiles {
    const HnStageContext *context;
    bool users;
    HnTask task;
    const char *item_profiles; /* users only; may be NULL */
    HnPrompt *prompt;          /* NULL: the provider needs none */
    HnEvidence *evidence;
    HnParsed parsed; /* of the last answer */
    HnText probe;
} Profiles;

/* Whether anything at all is known in words about the row. */
static HnStatus has_something(Profiles *self, uint32_t row, bool *something, HnError *err) {
    const HnWitness *chosen = NULL;
    size_t n = 0;
    static const HnTextField fields[] = {HN_TEXT_TITLE, HN_TEXT_DESCRIPTION, HN_TEXT_CATEGORIES, HN_TEXT_ATTRIBUTES};
    hn_text_clear(&self->probe);
    if (self->users) {
        HN_TRY(hn_evidence_for_user(self->evidence, row, &chosen, &n, err));
        *something = n > 0; /* at least the items' names */
        return HN_OK;
    }
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        HN_TRY(hn_evidence_item_field(self->evidence, fields[i], row, &self->probe, err));
    }
    *something = self->probe.length > 0;
    if (!*something) {
        HN_TRY(hn_evidence_for_item(self->evidence, row, &chosen, &n, err));
        *something = n > 0;
    }
    return HN_OK;
}

static HnStatus ask(void *self_, uint64_t item, HnRequest *request, HnText *system, HnText *input, bool *known,
                    HnRecord *record, HnError *err) {
    Profiles *self = self_;
    const HnLlmConfig *config = self->context->config;
    bool something = false;
    if (!self->evidence) { /* only where something is asked at all */
        HN_TRY(hn_evidence_open(self->context->dataset, (uint32_t)config->max_reviews,
                                (uint32_t)config->max_review_words, self->item_profiles, NULL, &self->evidence, err));
    }
    HN_TRY(has_something(self, (uint32_t)item, &something, err));
    if (!something) {
        *known = true;
        record->status = HN_PROFILE_EMPTY;
        return HN_OK;
    }
    request->task = self->task;
    *(self->users ? &request->user : &request->item) = (uint32_t)item;
    if (config->provider == HN_PROVIDER_EXTRACTIVE) {
        return HN_OK; /* works from the evidence itself */
    }
    HnSubject subject = {self->evidence, request->user, request->item, config->profile_words};
    return hn_prompt_render(self->prompt, &subject, system, input, err);
}

static HnStatus judge(void *self_, uint64_t item, const HnAnswer *answer, HnRecord *record, bool *unparsable,
                      HnError *err) {
    Profiles *self = self_;
    const char *raw = answer->text ? answer->text : "";
    hn_parsed_free(&self->parsed);
    HN_TRY(hn_answer_parse(self->task, raw, &self->parsed, err));
    record->raw = raw;
    record->n_raw = (uint32_t)strlen(raw);
    *unparsable = !self->parsed.good;
    record->status = self->parsed.good ? HN_PROFILE_OK : HN_PROFILE_NOISE;
    if (self->parsed.good) {
        record->text = self->parsed.text;
        record->n_text = (uint32_t)strlen(self->parsed.text);
        record->reasoning = self->parsed.reasoning;
        record->n_reasoning = (uint32_t)strlen(self->parsed.reasoning);
    } else {
        hn_log(HN_LOG_DEBUG, "profile of %s %llu is noise: %s", self->users ? "user" : "item", (unsigned long long)item,
               self->parsed.why);
    }
    return HN_OK;
}

static HnStatus seal(const Profiles *self, HnSpool *spool, const char *out_path, const HnStageIdentity *identity,
                     bool imported, HnError *err) {
    const HnStageContext *context = self->context;
    uint64_t n_rows = self->users ? hn_dataset_users(context->dataset) : hn_dataset_items(context->dataset);
    HnProvenance provenance = hn_stage_provenance(context, identity);
    HnProviderFamily family = context->config->provider;
    HnStoreWriter *writer = NULL;
    HN_TRY(hn_store_create(out_path, &HN_SCHEMA_PROFILES, &provenance, &writer, err));
    HnStatus status = hn_store_set_text(writer, "kind", self->users ? "users" : "items", err);
    if (status == HN_OK) {
        status = hn_store_set_text(writer, "provider", imported ? "import" : hn_provider_name(family), err);
    }
    if (status == HN_OK) {
        status =
            hn_store_set_text(writer, "model", imported ? "" : hn_provider_model(context->config, family, false), err);
    }
    if (status == HN_OK) {
        status = hn_stage_write_texts(writer, spool, n_rows, 0, "profile", err);
    }
    if (status == HN_OK) {
        status = hn_store_seal(&writer, err);
    }
    if (writer) {
        hn_store_abandon(&writer);
    }
    return status;
}

/* Rank 0. folder: where the temporary file may stand. */
static HnStatus import_and_seal(const Profiles *self, const char *path, const char *folder, const char *out_path,
                                const HnStageIdentity *identity, HnError *err) {
    const HnDataset *dataset = self->context->dataset;
    uint64_t n_rows = self->users ? hn_dataset_users(dataset) : hn_dataset_items(dataset);
    HnSpool *spool = NULL;
    HnImportReport report;
    HN_TRY(hn_folder_make(folder, err));
    HN_TRY(hn_spool_create(folder, n_rows, &spool, err));
    HnStatus status = hn_import_profiles(path, self->users, dataset, spool, &report, err);
    if (status == HN_OK) {
        hn_log(
            report.matched < n_rows ? HN_LOG_WARN : HN_LOG_INFO,
            "%s: %llu lines, profiles for %llu of %llu %s (%llu lines of ids that the data set lacks, %llu repeated); "
            "the others have none",
            path, (unsigned long long)report.lines, (unsigned long long)report.matched, (unsigned long long)n_rows,
            self->users ? "users" : "items", (unsigned long long)report.unknown, (unsigned long long)report.repeated);
        status = seal(self, spool, out_path, identity, true, err);
    }
    hn_spool_free(&spool);
    return status;
}

/* Collective: asks, then rank 0 seals. */
static HnStatus ask_and_seal(Profiles *self, const HnStageJob *job, const char *out_path,
                             const HnStageIdentity *identity, HnStageReport *report, HnError *err) {
    HnStageJobReport done;
    HnSpool *spool = NULL;
    HN_TRY(hn_stage_job_run(job, &done, err));
    report->done_before = done.done_before;
    report->answered = done.answered;
    HnStatus status = HN_OK;
    if (hn_comm_rank(self->context->workers) == 0) {
        status = hn_spool_create(job->folder, job->n_items, &spool, err);
        if (status == HN_OK) {
            status = hn_spool_add_journals(spool, job->folder, err);
        }
        if (status == HN_OK) {
            status = seal(self, spool, out_path, identity, false, err);
        }
        hn_spool_free(&spool);
        if (status == HN_OK) {
            status = hn_folder_remove(job->folder, err);
        }
    }
    return hn_comm_agree(self->context->workers, status, err);
}

static HnStatus identify(const Profiles *self, const char *import, HnStageIdentity *identity, HnError *err) {
    const HnLlmConfig *config = self->context->config;
    HN_TRY(
        hn_stage_identity_start(self->context, self->users ? "user profiles" : "item profiles", false, identity, err));
    if (import) {
        char hash[65];
        HN_TRY(hn_sha256_file(import, hash, err));
        HN_TRY(hn_text_printf(&identity->inputs, err, "%s  %s\n", hash, import));
        HN_TRY(hn_stage_identity_line(identity, "import", hash, err));
        identity->products[0] = '\0'; /* no model is asked */
    } else {
        HN_TRY(hn_stage_identity_line(identity, "prompt", self->prompt ? hn_prompt_id(self->prompt) : "none", err));
        HN_TRY(hn_stage_identity_number(identity, "llm.max_reviews", config->max_reviews, err));
        HN_TRY(hn_stage_identity_number(identity, "llm.max_review_words", config->max_review_words, err));
        HN_TRY(hn_stage_identity_number(identity, "llm.profile_words", config->profile_words, err));
        HN_TRY(hn_stage_identity_store(identity, "profiles-items", self->item_profiles, err));
    }
    return hn_stage_identity_finish(identity, err);
}

static HnStatus make(Profiles *self, const char *import, const char *journals, const char *out_path,
                     HnStageIdentity *identity, HnStageReport *report, HnError *err) {
    const HnStageContext *context = self->context;
    if (import) {
        HnStatus status = hn_comm_rank(context->workers) == 0
                              ? import_and_seal(self, import, journals, out_path, identity, err)
                              : HN_OK;
        if (status == HN_OK && hn_comm_rank(context->workers) == 0) {
            status = hn_folder_remove(journals, err);
        }
        return hn_comm_agree(context->workers, status, err);
    }
    HnStageJob job = {.name = self->users ? "user profiles" : "item profiles",
                      .context = context,
                      .folder = journals,
                      .identity = identity,
                      .n_items = self->users ? hn_dataset_users(context->dataset) : hn_dataset_items(context->dataset),
                      .family = context->config->provider,
                      .item_profiles = self->item_profiles,
                      .may_repeat =
                          context->config->provider == HN_PROVIDER_HTTP && context->config->http.temperature > 0,
                      .self = self,
                      .ask = ask,
                      .judge = judge,
                      .lost_status = HN_PROFILE_LOST};
    return ask_and_seal(self, &job, out_path, identity, report, err);
}

HnStatus hn_stage_profiles(const HnStageContext *context, bool users, const char *folder, const char *out_path,
                           const char *item_profiles, HnStageReport *report, HnError *err) {
    const HnLlmConfig *config = context->config;
    const char *import = users ? config->import_user_profiles : config->import_item_profiles;
    import = import && import[0] ? import : NULL;
    Profiles self = {.context = context,
                     .users = users,
                     .task = users ? HN_TASK_USER_PROFILE : HN_TASK_ITEM_PROFILE,
                     .item_profiles = users ? item_profiles : NULL};
    HnStageIdentity identity = {0};
    double started = hn_clock_seconds();
    bool sealed = false;
    *report = (HnStageReport){0};
    char *journals = hn_stage_folder(folder, users ? "profiles-users" : "profiles-items", err);
    HnStatus status = journals ? HN_OK : HN_MEMORY;
    if (status == HN_OK && !import && config->provider != HN_PROVIDER_EXTRACTIVE) {
        status = hn_prompt_load(config->prompt_folder, self.task, &self.prompt, err);
    }
    if (status == HN_OK) {
        status = identify(&self, import, &identity, err);
    }
    status = hn_comm_agree(context->workers, status, err);
    if (status == HN_OK) {
        status = hn_stage_is_sealed(context, out_path, &identity, journals, &sealed, err);
    }
    if (status == HN_OK && !sealed) {
        status = make(&self, import, journals, out_path, &identity, report, err);
    }
    if (status == HN_OK) {
        status = hn_stage_summary(context, users ? "user profiles" : "item profiles", out_path, STATUS_NAMES, 5,
                                  1U << HN_PROFILE_NOISE, HN_PROFILE_LOST, report, err);
    }
    report->done_before = sealed ? report->items : report->done_before;
    report->seconds = hn_clock_seconds() - started;
    hn_parsed_free(&self.parsed);
    hn_text_free(&self.probe);
    hn_evidence_close(&self.evidence);
    hn_prompt_free(&self.prompt);
    hn_stage_identity_free(&identity);
    hn_free(journals);
    return status;
}
