/* One request on its way: checked and copied, then token by token to its end. */
#include <string.h>

#include "attention.h"
#include "base/alloc.h"
#include "constraint_private.h"
#include "generate_private.h"

static HnStatus check_tokens(const HnGenerator *g, const HnGenerateRequest *r, HnError *err) {
    const HnLmConfig *config = g->config;
    if (r->n_prompt == 0) {
        return hn_fail(err, HN_INPUT, "an empty prompt: a model needs one token at least (its BOS)");
    }
    for (uint32_t i = 0; i < r->n_prompt; i++) {
        if (r->prompt[i] >= config->n_vocab) {
            return hn_fail(err, HN_RANGE, "token %u of the prompt is %u; the model knows 0 to %u", i, r->prompt[i],
                           config->n_vocab - 1);
        }
    }
    if (r->n_prompt >= config->n_positions) {
        return hn_fail(err, HN_RANGE,
                       "the prompt has %u tokens, and the model reads and writes %u together: shorten what is put into "
                       "it (fewer or shorter reviews)",
                       r->n_prompt, config->n_positions);
    }
    return r->budget > 0 ? HN_OK : hn_fail(err, HN_RANGE, "a budget of 0 tokens allows no answer");
}

static HnStatus check(const HnGenerator *g, const HnGenerateRequest *r, uint32_t limit, HnError *err) {
    if (r->grammar && r->n_stops > 0) {
        return hn_fail(err, HN_INPUT, "a constrained answer ends by itself: no stop strings beside it");
    }
    if (r->grammar && r->grammar->tree != g->tree) {
        return hn_fail(err, HN_INPUT, "the grammar was made for another vocabulary");
    }
    if (r->grammar && limit < hn_grammar_least_budget(r->grammar)) {
        return hn_fail(err, HN_RANGE, "%u tokens are left for the answer, and its form alone takes %u: raise the %s",
                       limit, hn_grammar_least_budget(r->grammar),
                       limit < r->budget ? "context, or shorten the prompt" : "budget");
    }
    uint64_t n_pages = ((uint64_t)r->n_prompt + limit + HN_KV_PAGE - 1) / HN_KV_PAGE;
    if (n_pages > g->options.n_pages) {
        return hn_fail(err, HN_RANGE, "prompt and answer may take %u tokens, and the cache holds %llu: raise its pages",
                       r->n_prompt + limit, (unsigned long long)g->options.n_pages * HN_KV_PAGE);
    }
    return hn_sampling_check(&r->sampling, err);
}

static void see(HnJob *job, uint32_t token) {
    if (job->seen_bits && !(job->seen_bits[token / 64] >> (token % 64) & 1)) {
        job->seen_bits[token / 64] |= UINT64_C(1) << (token % 64);
        job->seen[job->n_seen++] = token;
    }
}

static HnStatus fill(const HnGenerator *g, const HnGenerateRequest *r, HnJob *job, HnError *err) {
    size_t most = (size_t)r->n_prompt + job->limit;
    HN_TRY(hn_text_stream_begin(&job->stream, r->stops, r->n_stops, err));
    if (r->grammar) {
        job->state = hn_grammar_begin(r->grammar);
        job->string_share = hn_grammar_share(r->grammar, job->limit);
        if (r->grammar->names) {
            HN_TRY(hn_item_names_exclude(r->grammar->names, r->taken, r->n_taken, &job->filter, err));
        }
    }
    job->tokens = hn_alloc(most, sizeof *job->tokens, "tokens of a request", err);
    if (!job->tokens) {
        return HN_MEMORY;
    }
    memcpy(job->tokens, r->prompt, r->n_prompt * sizeof *job->tokens);
    if (r->sampling.repetition_penalty != 1) {
        job->seen_bits = hn_alloc(g->config->n_vocab / 64 + 1, sizeof *job->seen_bits, "tokens seen", err);
        job->seen = job->seen_bits ? hn_alloc(most, sizeof *job->seen, "tokens seen", err) : NULL;
        if (!job->seen) {
            return HN_MEMORY;
        }
        for (uint32_t i = 0; i < r->n_prompt; i++) {
            see(job, r->prompt[i]);
        }
    }
    return HN_OK;
}

HnStatus hn_job_create(const HnGenerator *g, const HnGenerateRequest *r, HnJob **job, HnError *err) {
    *job = NULL;
    HN_TRY(check_tokens(g, r, err));
    uint32_t room = g->config->n_positions - r->n_prompt, limit = r->budget < room ? r->budget : room;
    HN_TRY(check(g, r, limit, err));
    HnJob *made = hn_alloc(1, sizeof *made, "request", err);
    if (!made) {
        return HN_MEMORY;
    }
    made->key = r->key;
    made->n_prompt = made->n_tokens = r->n_prompt;
    made->limit = limit;
    made->cut = limit < r->budget;
    made->ignore_eos = r->ignore_eos;
    made->sampling = r->sampling;
    made->grammar = r->grammar;
    made->sequence = -1;
    HnStatus status = fill(g, r, made, err);
    if (status != HN_OK) {
        hn_job_free(&made);
    }
    *job = made;
    return status;
}

void hn_job_free(HnJob **job) {
    if (*job) {
        hn_text_stream_free(&(*job)->stream);
        hn_name_filter_free(&(*job)->filter);
        hn_free((*job)->seen);
        hn_free((*job)->seen_bits);
        hn_free((*job)->tokens);
        hn_free(*job);
        *job = NULL;
    }
}

static bool is_eos(const HnGenerator *g, const HnJob *job, uint32_t token) {
    bool found = false;
    for (uint32_t i = 0; i < g->config->n_eos; i++) {
        found |= g->config->eos[i] == (int32_t)token;
    }
    return found && !job->ignore_eos && !job->grammar;
}

static void finish(HnJob *job, HnStop stop) {
    job->finished = true;
    job->stop = stop;
}

/* The token's bytes, and whether they end the answer. */
static HnStatus write_token(HnGenerator *g, HnJob *job, uint32_t token, HnError *err) {
    size_t n_bytes = 0;
    const char *bytes = hn_token_tree_bytes(g->tree, token, &n_bytes);
    bool stopped = false;
    if (is_eos(g, job, token)) {
        finish(job, HN_STOP_EOS);
        n_bytes = 0;
    }
    HN_TRY(hn_text_stream_push(&job->stream, bytes, n_bytes, &stopped, err));
    if (stopped) {
        finish(job, HN_STOP_STRING);
    }
    if (job->grammar) {
        if (!hn_grammar_advance(job->grammar, &job->filter, &job->state, token)) {
            return hn_fail(err, HN_INTERNAL, "token %u was chosen where its grammar does not allow it", token);
        }
        if (hn_grammar_at_end(job->grammar, &job->state)) {
            finish(job, HN_STOP_GRAMMAR);
        }
    }
    if (!job->finished && job->n_tokens - job->n_prompt == job->limit) {
        finish(job, job->cut ? HN_STOP_CONTEXT : HN_STOP_BUDGET);
    }
    return HN_OK;
}

const uint64_t *hn_job_mask(const HnJob *job) {
    uint32_t left = job->limit - (job->n_tokens - job->n_prompt);
    return job->grammar ? hn_grammar_mask(job->grammar, &job->filter, &job->state, left, job->string_share) : NULL;
}

HnStatus hn_job_choose(const HnJob *job, HnSampler *sampler, const uint64_t *mask, float *logits, uint32_t *token,
                       HnError *err) {
    HnChoice choice = {.logits = logits,
                       .mask = mask,
                       .seen = job->seen,
                       .n_seen = job->n_seen,
                       .key = job->key,
                       .position = job->n_tokens - job->n_prompt};
    return hn_sampler_choose(sampler, &job->sampling, &choice, token, err);
}

HnStatus hn_job_write(HnGenerator *g, HnJob *job, uint32_t token, HnError *err) {
    job->tokens[job->n_tokens++] = token;
    g->stats.n_written++;
    see(job, token);
    HN_TRY(write_token(g, job, token, err));
    if (job->finished) {
        HN_TRY(hn_text_stream_end(&job->stream, err));
    }
    size_t n_bytes = job->stream.text.length;
    if (g->options.on_text && n_bytes > job->n_streamed) {
        g->options.on_text(g->options.context, job->key, job->stream.text.data + job->n_streamed,
                           n_bytes - job->n_streamed);
    }
    job->n_streamed = n_bytes;
    return HN_OK;
}
