#include "extractive.h"

#include <string.h>

#include "base/alloc.h"
#include "json_text.h"

/* A batch is answered in one go, and rank 0 deals between batches: this many multiply-adds are a fraction of a second.
 */
static const double BATCH_WORK = 4e9;
enum { SMALLEST_BATCH = 16 };

HnStatus hn_extractive_answer(HnExtractive *self, HnExtractiveJob *job, const char *key, HnError *err) {
    hn_text_clear(&self->json);
    HN_TRY(hn_text_printf(&self->json, err, "{\"%s\": ", key));
    HN_TRY(hn_json_string(&self->json, hn_text_get(&self->body), self->body.length, err));
    HN_TRY(hn_text_puts(&self->json, ", \"reasoning\": ", err));
    HN_TRY(hn_json_string(&self->json, hn_text_get(&self->reason), self->reason.length, err));
    HN_TRY(hn_text_puts(&self->json, "}", err));
    job->answer.text = hn_strndup(self->json.data, self->json.length, err);
    return job->answer.text ? HN_OK : HN_MEMORY;
}

static HnStatus embed(HnExtractive *self, HnExtractiveJob *job, HnError *err) {
    bool empty = false;
    job->answer.vector = hn_alloc((size_t)self->dim, sizeof(float), "text vector", err);
    if (!job->answer.vector) {
        return HN_MEMORY;
    }
    job->answer.dim = (uint32_t)self->dim;
    HN_TRY(hn_embedder_text(self->embedder, job->text, strlen(job->text), job->answer.vector, &empty, err));
    if (empty) {
        hn_free(job->answer.vector);
        job->answer.vector = NULL;
        job->answer.dim = 0; /* nothing telling in it: the pair has no vector */
    }
    return HN_OK;
}

static HnStatus submit(HnProvider *base, const HnRequest *request, HnError *err) {
    HnExtractive *self = (HnExtractive *)base;
    if (self->n_waiting == self->room) {
        return hn_fail(err, HN_INTERNAL, "more requests than the provider has room for");
    }
    HnExtractiveJob *job = &self->waiting[self->n_waiting];
    *job = (HnExtractiveJob){.key = request->key,
                             .task = request->task,
                             .user = request->user,
                             .item = request->item,
                             .sample = request->sample};
    job->answer.key = request->key;
    job->answer.attempts = 1;
    if (request->task == HN_TASK_EMBED) {
        job->text = hn_strdup(request->prompt, err);
        if (!job->text) {
            return HN_MEMORY;
        }
    }
    self->n_waiting++;
    return HN_OK;
}

static HnStatus answer_one(HnExtractive *self, HnExtractiveJob *job, HnError *err) {
    switch (job->task) {
    case HN_TASK_ITEM_PROFILE:
        return hn_extractive_item_profile(self, job, err);
    case HN_TASK_USER_PROFILE:
        return hn_extractive_user_profile(self, job, err);
    case HN_TASK_HARD_NEGATIVE:
        return hn_extractive_hard_negative(self, job, err);
    case HN_TASK_EMBED:
        return embed(self, job, err);
    }
    return hn_fail(err, HN_INTERNAL, "unknown task %d", (int)job->task);
}

static void free_job(HnExtractiveJob *job) {
    hn_free(job->text);
    hn_free(job->answer.text);
    hn_free(job->answer.vector);
    *job = (HnExtractiveJob){0};
}

/* Answers everything that waits. */
static HnStatus answer_all(HnExtractive *self, HnError *err) {
    HN_TRY(hn_extractive_prepare_negatives(self, self->waiting, self->n_waiting, err));
    self->next_ready = self->n_ready = 0;
    for (size_t i = 0; i < self->n_waiting; i++) {
        HN_TRY(answer_one(self, &self->waiting[i], err));
    }
    memcpy(self->queue, self->waiting, self->n_waiting * sizeof *self->queue);
    memset(self->waiting, 0, self->n_waiting * sizeof *self->waiting);
    self->n_ready = self->n_waiting;
    self->n_waiting = 0;
    return HN_OK;
}

static HnStatus poll(HnProvider *base, int wait_ms, HnAnswer *answer, bool *got, HnError *err) {
    HnExtractive *self = (HnExtractive *)base;
    (void)wait_ms; /* an answer is made, not waited for */
    *got = false;
    if (self->next_ready == self->n_ready && self->n_waiting > 0) {
        HN_TRY(answer_all(self, err));
    }
    if (self->next_ready < self->n_ready) {
        HnExtractiveJob *job = &self->queue[self->next_ready++];
        *answer = job->answer;
        job->answer = (HnAnswer){0};
        free_job(job);
        *got = true;
    }
    return HN_OK;
}

static size_t capacity(const HnProvider *base) {
    const HnExtractive *self = (const HnExtractive *)base;
    return self->room - self->n_waiting;
}

static void close_self(HnProvider *base) {
    HnExtractive *self = (HnExtractive *)base;
    for (size_t i = 0; i < HN_EXTRACTIVE_QUEUE; i++) {
        free_job(&self->queue[i]);
        free_job(&self->waiting[i]);
    }
    hn_neighbours_free(&self->neighbours);
    hn_free(self->item_vectors);
    hn_free(self->user_vector);
    hn_pairs_free(&self->taken);
    hn_embedder_free(&self->embedder);
    hn_terms_free(&self->terms);
    hn_evidence_close(&self->evidence);
    hn_words_free(&self->words);
    hn_free(self->counts);
    hn_text_free(&self->source);
    hn_text_free(&self->terms_text);
    hn_text_free(&self->body);
    hn_text_free(&self->reason);
    hn_text_free(&self->json);
    hn_free(self);
}

static const HnProviderOps OPS = {"extractive", submit, poll, capacity, close_self, NULL};

HnStatus hn_extractive_open(const HnLlmConfig *config, const HnDataset *dataset, const char *item_profiles,
                            const char *user_profiles, HnProvider **provider, HnError *err) {
    HnExtractive *self = hn_alloc(1, sizeof *self, "extractive provider", err);
    if (!self) {
        return HN_MEMORY;
    }
    self->base.ops = &OPS;
    self->config = config;
    self->dataset = dataset;
    self->dim = (int)config->embed_dim;
    self->user = UINT32_MAX;
    double room = BATCH_WORK / ((double)hn_dataset_items(dataset) * (double)self->dim + 1.0);
    self->room = room > HN_EXTRACTIVE_QUEUE ? HN_EXTRACTIVE_QUEUE
                 : room < SMALLEST_BATCH    ? SMALLEST_BATCH
                                            : (size_t)room;
    HnStatus status = hn_evidence_open(dataset, (uint32_t)config->max_reviews, (uint32_t)config->max_review_words,
                                       item_profiles, user_profiles, &self->evidence, err);
    if (status == HN_OK && !hn_evidence_has_item_text(self->evidence)) {
        status =
            hn_fail(err, HN_INPUT,
                    "the data set holds ids only: no titles, descriptions, categories or reviews, so there is "
                    "nothing to write profiles or hard negatives from; prepare it with data.items (metadata) or "
                    "from reviews, or import profiles (llm.import_item_profiles), or train with sampler.name: rns");
    }
    if (status == HN_OK) {
        status = hn_extractive_count_terms(self, err);
    }
    if (status == HN_OK) {
        status = hn_embedder_create(self->terms, self->dim, &self->embedder, err);
    }
    if (status != HN_OK) {
        close_self(&self->base);
        return status;
    }
    *provider = &self->base;
    return HN_OK;
}
