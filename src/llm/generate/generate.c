#include "generate.h"

#include <omp.h>
#include <string.h>

#include "attention.h"
#include "base/alloc.h"
#include "generate_private.h"

enum {
    SLOTS = 8,
    MOST_SLOTS = 4096,
    TOKENS_A_SLOT = 2048,
    CHUNK = 128,
    MOST_CHUNK = 1 << 20,
    WORTH_THREADS = 200 /* words of masks: 12,800 logits */
};

static HnStatus set_up(HnGenerator *g, HnError *err) {
    HnGenerateOptions *o = &g->options;
    o->n_slots = o->n_slots ? o->n_slots : SLOTS;
    o->chunk_tokens = o->chunk_tokens ? o->chunk_tokens : CHUNK;
    if (!g->config->causal) {
        return hn_fail(err, HN_UNSUPPORTED, "a model of the family %s does not write text",
                       hn_lm_family_name(g->config->family));
    }
    if (o->n_slots > MOST_SLOTS || o->chunk_tokens > MOST_CHUNK) {
        return hn_fail(err, HN_RANGE, "%u answers at a time, %u prompt tokens a step: at most %d and %d", o->n_slots,
                       o->chunk_tokens, MOST_SLOTS, MOST_CHUNK);
    }
    if (g->tree->n_tokens != g->config->n_vocab) {
        return hn_fail(err, HN_RANGE, "the vocabulary has %u tokens, and the model %u logits", g->tree->n_tokens,
                       g->config->n_vocab);
    }
    if (o->n_pages == 0) {
        uint32_t tokens = g->config->n_positions < TOKENS_A_SLOT ? g->config->n_positions : TOKENS_A_SLOT;
        o->n_pages = o->n_slots * ((tokens + HN_KV_PAGE - 1) / HN_KV_PAGE);
    }
    /* Two more sequences: the kept prompt, and the next one to be kept. */
    HN_TRY(hn_kv_create(g->lm, o->n_pages, o->n_slots + 2, &g->kv, err));
    g->samplers = hn_alloc((size_t)g->n_threads, sizeof(HnSampler *), "samplers", err);
    for (int thread = 0; g->samplers && thread < g->n_threads; thread++) {
        HN_TRY(hn_sampler_create(g->config->n_vocab, &g->samplers[thread], err));
    }
    return g->samplers ? HN_OK : HN_MEMORY;
}

static HnStatus allocate(HnGenerator *g, HnError *err) {
    const HnGenerateOptions *o = &g->options;
    size_t n_vocab = g->config->n_vocab;
    const char *what = "rows of the running requests";
    g->running = hn_alloc(o->n_slots, sizeof(HnJob *), "running requests", err);
    g->run_of = g->running ? hn_alloc(o->n_slots, sizeof(HnJob *), "running requests", err) : NULL;
    g->runs = g->run_of ? hn_alloc(o->n_slots, sizeof *g->runs, "runs of tokens", err) : NULL;
    g->hidden = g->runs ? hn_alloc((size_t)o->n_slots * g->config->hidden, sizeof(float), "hidden states", err) : NULL;
    g->logits = g->hidden ? hn_alloc(o->n_slots * n_vocab, sizeof(float), "logits", err) : NULL;
    g->masks = g->logits ? hn_alloc(o->n_slots * (n_vocab / 64 + 1), sizeof *g->masks, what, err) : NULL;
    g->chosen = g->masks ? hn_alloc(o->n_slots, sizeof *g->chosen, what, err) : NULL;
    return g->chosen ? HN_OK : HN_MEMORY;
}

HnStatus hn_generator_create(HnLm *lm, const HnTokenTree *tree, const HnGenerateOptions *options,
                             HnGenerator **generator, HnError *err) {
    *generator = NULL;
    HnGenerator *g = hn_alloc(1, sizeof *g, "generator", err);
    if (!g) {
        return HN_MEMORY;
    }
    g->lm = lm;
    g->config = hn_lm_config(lm);
    g->tree = tree;
    g->options = *options;
    g->kept = -1;
    g->n_threads = omp_get_max_threads();
    HnStatus status = set_up(g, err);
    status = status == HN_OK ? allocate(g, err) : status;
    if (status != HN_OK) {
        hn_generator_free(&g);
    }
    *generator = g;
    return status;
}

static void free_list(HnJob *job) {
    while (job) {
        HnJob *next = job->next;
        hn_job_free(&job);
        job = next;
    }
}

void hn_generator_free(HnGenerator **generator) {
    HnGenerator *g = *generator;
    if (g) {
        for (uint32_t i = 0; i < g->n_running; i++) {
            hn_job_free(&g->running[i]);
        }
        free_list(g->queue);
        free_list(g->finished);
        hn_free(g->chosen);
        hn_free(g->masks);
        hn_free(g->logits);
        hn_free(g->hidden);
        hn_free(g->runs);
        hn_free(g->run_of);
        hn_free(g->running);
        hn_free(g->kept_tokens);
        for (int thread = 0; g->samplers && thread < g->n_threads; thread++) {
            hn_sampler_free(&g->samplers[thread]);
        }
        hn_free(g->samplers);
        hn_kv_free(&g->kv);
        hn_free(g);
        *generator = NULL;
    }
}

HnStatus hn_generator_submit(HnGenerator *g, const HnGenerateRequest *request, HnError *err) {
    HnJob *job = NULL;
    HN_TRY(hn_job_create(g, request, &job, err));
    job->number = g->n_submitted++;
    g->n_waiting++;
    hn_generator_enqueue(g, job);
    return HN_OK;
}

/* Masks one by one, as a grammar remembers some; then all rows at a time. Of several failures the first row's counts.
 */
static HnStatus choose_all(HnGenerator *g, HnError *err) {
    const size_t n_words = (g->config->n_vocab + 63) / 64;
    uint32_t failed = UINT32_MAX;
    HnError first = HN_ERROR_INIT;
    for (uint32_t i = 0; i < g->n_chosen; i++) {
        const uint64_t *mask = hn_job_mask(g->run_of[i]);
        if (mask) {
            memcpy(g->masks + i * n_words, mask, n_words * sizeof *mask);
        }
    }
#pragma omp parallel for schedule(dynamic) num_threads(g->n_threads) if (g->n_chosen * n_words > WORTH_THREADS)
    for (uint32_t i = 0; i < g->n_chosen; i++) {
        HnError mine = HN_ERROR_INIT;
        const HnJob *job = g->run_of[i];
        const uint64_t *mask = job->grammar ? g->masks + i * n_words : NULL;
        float *logits = g->logits + (size_t)i * g->config->n_vocab;
        if (hn_job_choose(job, g->samplers[omp_get_thread_num()], mask, logits, &g->chosen[i], &mine) != HN_OK) {
#pragma omp critical
            if (i < failed) {
                failed = i;
                first = mine;
            }
        }
    }
    return failed == UINT32_MAX ? HN_OK : hn_fail(err, first.status, "%s", first.message);
}

HnStatus hn_generator_step(HnGenerator *g, bool *busy, HnError *err) {
    hn_generator_admit(g);
    HN_TRY(hn_generator_plan(g, err));
    if (g->n_runs > 0) {
        for (uint32_t i = 0; i < g->n_runs; i++) {
            g->stats.n_computed += g->runs[i].n_tokens;
        }
        HN_TRY(hn_lm_forward(g->lm, g->kv, g->runs, g->n_runs, HN_LM_LAST, g->hidden, err));
        if (g->n_chosen > 0) {
            HN_TRY(hn_lm_logits(g->lm, g->n_chosen, g->hidden, g->logits, err));
        }
        HN_TRY(choose_all(g, err));
        for (uint32_t i = 0; i < g->n_chosen; i++) {
            HN_TRY(hn_job_write(g, g->run_of[i], g->chosen[i], err));
        }
        for (uint32_t i = 0; i < g->n_chosen; i++) {
            if (g->run_of[i]->finished) {
                HN_TRY(hn_generator_release(g, g->run_of[i], err));
            }
        }
    }
    *busy = g->n_waiting > 0;
    return HN_OK;
}

bool hn_generator_poll(HnGenerator *g, HnGenerated *generated) {
    HnJob *job = g->finished;
    if (!job) {
        return false;
    }
    g->finished = job->next;
    *generated = (HnGenerated){.key = job->key,
                               .text = job->stream.text.data,
                               .n_bytes = job->stream.text.length,
                               .tokens = job->tokens,
                               .n_prompt = job->n_prompt,
                               .n_tokens = job->n_tokens - job->n_prompt,
                               .n_shared = job->n_shared,
                               .stop = job->stop};
    for (uint32_t i = 0; i < generated->n_tokens; i++) { /* the prompt's memory becomes the answer's */
        job->tokens[i] = job->tokens[i + job->n_prompt];
    }
    job->tokens = NULL;
    job->stream.text = (HnText){0};
    hn_job_free(&job);
    return true;
}

void hn_generated_free(HnGenerated *generated) {
    hn_free(generated->text);
    hn_free(generated->tokens);
    *generated = (HnGenerated){0};
}

uint32_t hn_generator_waiting(const HnGenerator *g) {
    return g->n_waiting;
}

HnGeneratorStats hn_generator_stats(const HnGenerator *g) {
    return g->stats;
}

const char *hn_stop_name(HnStop stop) {
    static const char *const names[] = {"eos", "stop string", "budget", "context", "grammar end"};
    return names[stop];
}
