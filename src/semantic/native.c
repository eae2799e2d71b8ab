/* The native provider: the program's own transformer writes and embeds. Answers are a function of model, settings and
 * prompt; which are asked side by side changes speed alone. */
#include "native.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"

typedef struct Job {
    char *text;                /* to embed ... */
    HnLmEmbedderPrompt prompt; /* ... or this, where text is NULL */
    HnAnswer answer;           /* whole once it is in `ready` */
} Job;

typedef struct Native {
    HnProvider base;
    const HnLlmConfig *config;
    const HnDataset *dataset;
    HnAuthor *author; /* opened when first asked to write */
    HnGrammar *profile, *negative;
    HnItemNames *names;
    HnLmEmbedder *embedder; /* opened when first asked to embed */
    bool whole;             /* what waits to be embedded are prompts, not texts */
    Job *jobs;              /* [room]; the first n_open are asked, to_embed of them wait for a vector */
    HnAnswer *ready;        /* [room] */
    size_t room, n_open, n_ready, to_embed;
    uint64_t n_cut, n_written;
} Native;

uint64_t hn_native_memory(const HnLlmConfig *config) {
    return (uint64_t)ceil(config->native.memory_gb * 1e9); /* 0: no limit */
}

double hn_provider_memory_gb(const HnLlmConfig *config, int n_ranks) {
    uint64_t free_bytes = hn_lm_free_memory();
    if (config->native.memory_gb > 0 || free_bytes == UINT64_MAX) {
        return config->native.memory_gb;
    }
    double share = 1e-9 * (double)free_bytes / (n_ranks > 1 ? n_ranks : 1);
    return share > 1e-3 ? share : 1e-3; /* 0 would be all of it */
}

/* ---- writing ---- */

/* The form of prompts/: exactly these keys, in this order; made when first asked for. */
static HnStatus need_grammar(Native *self, bool negative, HnError *err) {
    HnGrammarField fields[] = {{negative ? "hard_negative_item" : "summarization", HN_FIELD_FILLED},
                               {"reasoning", HN_FIELD_ANY}};
    HnGrammar **grammar = negative ? &self->negative : &self->profile;
    if (!self->config->native.json || *grammar) {
        return HN_OK;
    }
    if (negative && self->config->native.pool_names) {
        fields[0].kind = HN_FIELD_NAME;
        HN_TRY(hn_native_names(self->dataset, &self->names, err));
    }
    return hn_author_grammar(self->author, fields, 2, negative ? self->names : NULL, grammar, err);
}

static HnAuthorOptions author_options(const HnLlmConfig *config) {
    const HnNativeConfig *native = &config->native;
    return (HnAuthorOptions){.folder = native->model,
                             .weights = (HnWeightType)native->weights,
                             .slots = (uint32_t)native->slots,
                             .context = (uint32_t)native->context,
                             .memory_limit = hn_native_memory(config),
                             .plain = native->plain,
                             .thinking = native->thinking};
}

static HnStatus open_author(Native *self, HnError *err) {
    HnAuthorOptions options = author_options(self->config);
    HnText line = {0};
    HN_TRY(hn_author_open(&options, &self->author, err));
    HnStatus status = hn_author_describe(self->author, &line, err);
    if (status == HN_OK) {
        hn_log(HN_LOG_INFO, "native model: %s", hn_text_get(&line));
        status = hn_author_load(self->author, err);
    }
    hn_text_free(&line);
    return status;
}

/* Profiles of item 5, of user 5 and hard negative 5 draw from streams of their own. */
static uint64_t seed_of(const Native *self, HnTask task) {
    return (uint64_t)self->config->native.seed * 4 + (uint64_t)task;
}

static HnStatus submit_prompt(Native *self, const HnRequest *request, Job *job, HnError *err) {
    const HnNativeConfig *native = &self->config->native;
    bool negative = request->task == HN_TASK_HARD_NEGATIVE;
    uint32_t n_cut = 0;
    HnPairs taken = {0}; /* what the user has; submitting copies it */
    HnError refused = HN_ERROR_INIT;
    if (!self->author) {
        HN_TRY(open_author(self, err));
    }
    HN_TRY(need_grammar(self, negative, err));
    HnAuthorPrompt prompt = {.key = request->key,
                             .system = request->system,
                             .input = request->prompt,
                             .budget = (uint32_t)native->max_tokens,
                             .sampling = {.temperature = native->temperature,
                                          .top_k = (uint32_t)native->top_k,
                                          .top_p = native->top_p,
                                          .repetition_penalty = native->repetition_penalty,
                                          .seed = seed_of(self, request->task)},
                             .grammar = negative ? self->negative : self->profile};
    if (negative && self->names) {
        HN_TRY(hn_dataset_pairs(self->dataset, HN_PART_TRAIN, request->user, (uint64_t)request->user + 1, &taken, err));
        prompt.taken = taken.items;
        prompt.n_taken = (size_t)(taken.offsets[1] - taken.offsets[0]);
    }
    HnStatus status = hn_author_submit(self->author, &prompt, &n_cut, &refused);
    hn_pairs_free(&taken);
    self->n_cut += n_cut > 0;
    self->n_written++;
    if (status == HN_INPUT) { /* this prompt's own fault */
        job->answer.status = HN_ANSWER_REFUSED;
        snprintf(job->answer.note, sizeof job->answer.note, "%.255s", refused.message);
        return HN_OK;
    }
    if (status == HN_RANGE) { /* room for instruction and answer: the same for all prompts of a stage */
        return hn_fail(err, status, "%s (llm.native.max_tokens is %lld, llm.native.context %lld)", refused.message,
                       (long long)native->max_tokens, (long long)native->context);
    }
    return status == HN_OK ? HN_OK : hn_fail(err, status, "%s", refused.message);
}

/* ---- embedding ---- */

static HnStatus take_to_embed(Native *self, const HnRequest *request, Job *job, HnError *err) {
    if (self->to_embed > 0 && self->whole != request->whole) {
        return hn_fail(err, HN_INTERNAL, "texts and prompts are to be embedded at once");
    }
    if (!self->embedder) {
        HN_TRY(hn_native_embedder_open(self->config, &self->embedder, err));
    }
    self->whole = request->whole;
    if (request->whole) {
        HnStatus status = hn_lm_embedder_render(self->embedder, request->system, request->prompt, &job->prompt, err);
        if (status != HN_OK) {
            hn_tokens_free(&job->prompt.tokens);
            return status;
        }
        job->answer.prompt_tokens = (uint32_t)job->prompt.tokens.n;
    } else {
        job->text = hn_strdup(request->prompt, err);
        if (job->text == NULL) {
            return HN_MEMORY;
        }
    }
    self->to_embed++;
    return HN_OK;
}

/* Moves an open job among the answers. */
static void finish(Native *self, size_t place) {
    self->ready[self->n_ready++] = self->jobs[place].answer;
    hn_free(self->jobs[place].text);
    hn_tokens_free(&self->jobs[place].prompt.tokens);
    self->jobs[place] = self->jobs[--self->n_open];
}

/* vectors [n_open][width] of all texts that wait. */
static HnStatus embed_texts(Native *self, float *vectors, HnError *err) {
    HnLmText *texts = hn_alloc(self->n_open, sizeof *texts, "texts", err);
    if (texts == NULL) {
        return HN_MEMORY;
    }
    for (size_t i = 0; i < self->n_open; i++) {
        texts[i] = (HnLmText){self->jobs[i].text, strlen(self->jobs[i].text)};
    }
    HnLmEmbedding *embedding = hn_lm_embedder_embedding(self->embedder);
    HnStatus status = hn_lm_embedding_texts(embedding, HN_LM_TEXT_DOCUMENT, texts, self->n_open, vectors, err);
    hn_free(texts);
    return status;
}

/* ... of all prompts, in one go: what they begin with in common is computed once. */
static HnStatus embed_prompts(Native *self, float *vectors, HnError *err) {
    HnLmEmbedderPrompt *prompts = hn_alloc(self->n_open, sizeof *prompts, "prompts", err);
    if (prompts == NULL) {
        return HN_MEMORY;
    }
    for (size_t i = 0; i < self->n_open; i++) {
        prompts[i] = self->jobs[i].prompt; /* lent */
    }
    HnStatus status = hn_lm_embedder_prompts(self->embedder, prompts, self->n_open, vectors, err);
    hn_free(prompts);
    return status;
}

static HnStatus embed_all(Native *self, HnError *err) {
    uint32_t width = hn_lm_embedding_width(hn_lm_embedder_embedding(self->embedder));
    float *vectors = hn_alloc(self->n_open * width, sizeof(float), "vectors", err);
    HnStatus status = vectors == NULL ? HN_MEMORY
                      : self->whole   ? embed_prompts(self, vectors, err)
                                      : embed_texts(self, vectors, err);
    for (size_t i = self->n_open; i-- > 0 && status == HN_OK;) {
        HnAnswer *answer = &self->jobs[i].answer;
        answer->vector = hn_alloc(width, sizeof(float), "vector", err);
        if (answer->vector == NULL) {
            status = HN_MEMORY;
            break;
        }
        memcpy(answer->vector, vectors + i * width, width * sizeof(float));
        answer->dim = width;
        finish(self, i);
    }
    self->to_embed = 0;
    hn_free(vectors);
    return status;
}

static void effort(const HnProvider *base, uint64_t *tokens, uint64_t *computed) {
    const Native *self = (const Native *)base;
    HnLmEmbeddingCounts counts = {0};
    if (self->embedder) {
        counts = hn_lm_embedding_counts(hn_lm_embedder_embedding(self->embedder));
    }
    *tokens = counts.tokens;
    *computed = counts.computed;
}

/* ---- the provider ---- */

static HnStatus submit(HnProvider *base, const HnRequest *request, HnError *err) {
    Native *self = (Native *)base;
    if (self->n_open + self->n_ready == self->room) {
        return hn_fail(err, HN_INTERNAL, "more requests than the provider has room for");
    }
    Job job = {.answer = {.key = request->key, .attempts = 1}};
    if (request->task == HN_TASK_EMBED) {
        HN_TRY(take_to_embed(self, request, &job, err));
    } else {
        HN_TRY(submit_prompt(self, request, &job, err));
    }
    if (job.answer.status == HN_ANSWER_REFUSED) {
        self->ready[self->n_ready++] = job.answer;
    } else {
        self->jobs[self->n_open++] = job;
    }
    return HN_OK;
}

static HnStatus take_text(Native *self, HnGenerated *generated, HnError *err) {
    size_t at = 0;
    while (at < self->n_open && self->jobs[at].answer.key != generated->key) {
        at++;
    }
    if (at == self->n_open) {
        hn_generated_free(generated);
        return hn_fail(err, HN_INTERNAL, "the model answered prompt %llu, which was not asked",
                       (unsigned long long)generated->key);
    }
    HnAnswer *answer = &self->jobs[at].answer;
    answer->text = hn_strndup(generated->text, generated->n_bytes, err);
    answer->prompt_tokens = generated->n_prompt;
    answer->answer_tokens = generated->n_tokens;
    hn_generated_free(generated);
    if (answer->text == NULL) {
        return HN_MEMORY;
    }
    finish(self, at);
    return HN_OK;
}

static HnStatus poll(HnProvider *base, int wait_ms, HnAnswer *answer, bool *got, HnError *err) {
    Native *self = (Native *)base;
    double until = hn_clock_seconds() + 1e-3 * wait_ms;
    if (self->to_embed > 0) {
        HN_TRY(embed_all(self, err));
    }
    while (self->n_ready == 0 && self->n_open > 0) {
        HnGenerated generated;
        bool finished = false;
        HN_TRY(hn_author_step(self->author, &generated, &finished, err));
        if (finished) {
            HN_TRY(take_text(self, &generated, err));
        } else if (hn_clock_seconds() >= until) {
            break;
        }
    }
    *got = self->n_ready > 0;
    if (*got) {
        *answer = self->ready[--self->n_ready];
    }
    return HN_OK;
}

static size_t capacity(const HnProvider *base) {
    const Native *self = (const Native *)base;
    return self->room - self->n_open - self->n_ready;
}

static void close_self(HnProvider *base) {
    Native *self = (Native *)base;
    if (self->n_cut > 0) {
        hn_log(HN_LOG_WARN, "%llu of %llu prompts were longer than the context and lost their middle",
               (unsigned long long)self->n_cut, (unsigned long long)self->n_written);
    }
    for (size_t i = 0; i < self->n_open; i++) {
        hn_free(self->jobs[i].text);
        hn_tokens_free(&self->jobs[i].prompt.tokens);
    }
    for (size_t i = 0; i < self->n_ready; i++) {
        hn_free(self->ready[i].text);
        hn_free(self->ready[i].vector);
    }
    hn_author_close(&self->author);
    hn_item_names_free(&self->names);
    hn_native_embedder_close(&self->embedder);
    hn_free(self->jobs);
    hn_free(self->ready);
    hn_free(self);
}

static const HnProviderOps OPS = {"native", submit, poll, capacity, close_self, effort};

HnStatus hn_native_open(const HnLlmConfig *config, bool embedder, const HnDataset *dataset, HnProvider **provider,
                        HnError *err) {
    *provider = NULL;
    Native *self = hn_alloc(1, sizeof *self, "native provider", err);
    if (self == NULL) {
        return HN_MEMORY;
    }
    self->base.ops = &OPS;
    self->config = config;
    self->dataset = dataset;
    self->room = (size_t)(embedder ? config->native.batch : 2 * config->native.slots);
    self->jobs = hn_alloc(self->room, sizeof *self->jobs, "requests of the native provider", err);
    self->ready = hn_alloc(self->room, sizeof *self->ready, "answers of the native provider", err);
    if (!self->jobs || !self->ready) {
        close_self(&self->base);
        return HN_MEMORY;
    }
    *provider = &self->base;
    return HN_OK;
}

static HnStatus check_author(const HnLlmConfig *config, HnText *line, HnError *err) {
    HnAuthorOptions options = author_options(config);
    HnAuthor *author = NULL;
    HnStatus status = hn_author_open(&options, &author, err);
    status = status == HN_OK ? hn_author_describe(author, line, err) : status;
    hn_author_close(&author);
    return status;
}

HnStatus hn_native_check(const HnLlmConfig *config, bool embedder, char *line, size_t n_bytes, HnError *err) {
    const char *folder = hn_provider_model(config, HN_PROVIDER_NATIVE, embedder);
    HnText what = {0};
    HnStatus status = embedder ? hn_native_embedder_check(config, &what, err) : check_author(config, &what, err);
    if (status == HN_OK) {
        char limit[32] = "what is free";
        if (config->native.memory_gb > 0) {
            (void)hn_format_bytes(1e9 * config->native.memory_gb, limit, sizeof limit);
        }
        snprintf(line, n_bytes, "native: %s in each worker: %s; %s may be used", folder, hn_text_get(&what), limit);
    }
    hn_text_free(&what);
    return status;
}
