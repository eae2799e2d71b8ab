/* One call of the model: what is asked is checked as a whole first, then computed in steps of at most max_rows tokens.
 * Nothing can fail once the pages are taken. */
#include <string.h>

#include "lm_private.h"

/* How far a call has come: `done` tokens of run `run`. */
typedef struct Progress {
    size_t run;
    uint32_t done;
} Progress;

static HnStatus check_tokens(const HnLm *lm, size_t number, const HnLmRun *run, HnError *err) {
    const HnLmConfig *config = &lm->config;
    if (run->n_tokens == 0) {
        return hn_fail(err, HN_RANGE, "run %zu has no tokens; a sequence takes at least one", number);
    }
    for (uint32_t t = 0; t < run->n_tokens; t++) {
        if (run->tokens[t] >= config->n_vocab) {
            return hn_fail(err, HN_RANGE,
                           "run %zu: token %u at place %u, but %s has %u tokens; does the tokenizer "
                           "belong to this model?",
                           number, run->tokens[t], t, lm->folder, config->n_vocab);
        }
    }
    return HN_OK;
}

static HnStatus check_length(const HnLm *lm, size_t number, uint64_t length, HnError *err) {
    if (length > lm->config.n_positions) {
        return hn_fail(err, HN_RANGE,
                       "run %zu: its sequence would have %llu tokens, but %s was made for %u at most; "
                       "shorten the prompt",
                       number, (unsigned long long)length, lm->folder, lm->config.n_positions);
    }
    if (!lm->config.causal && length > lm->max_rows) {
        return hn_fail(err, HN_RANGE, "run %zu has %llu tokens, but %s was opened for at most %u at once (max_rows)",
                       number, (unsigned long long)length, lm->folder, lm->max_rows);
    }
    return HN_OK;
}

/* The runs of a call against the cache: each sequence once, pages enough for all. */
static HnStatus check_cache(HnKv *kv, const HnLmRun *runs, size_t n_runs, HnError *err) {
    uint64_t wanted = 0;
    kv->mark++;
    for (size_t r = 0; r < n_runs; r++) {
        const int32_t s = runs[r].sequence;
        if (s < 0 || (uint32_t)s >= kv->n_sequences || !kv->sequences[s].used || kv->sequences[s].mark == kv->mark) {
            return hn_fail(err, HN_RANGE, "run %zu: sequence %d was not begun, or occurs twice in this call", r, s);
        }
        kv->sequences[s].mark = kv->mark;
        HN_TRY(check_length(kv->lm, r, (uint64_t)kv->sequences[s].length + runs[r].n_tokens, err));
        wanted += hn_kv_pages_for(kv, s, runs[r].n_tokens);
    }
    if (wanted > kv->n_free) {
        return hn_fail(err, HN_RANGE, "the call takes %llu pages of the cache, but %u of %u are free",
                       (unsigned long long)wanted, kv->n_free, kv->n_pages);
    }
    return HN_OK;
}

static HnStatus check(const HnLm *lm, HnKv *kv, const HnLmRun *runs, size_t n_runs, HnError *err) {
    for (size_t r = 0; r < n_runs; r++) {
        HN_TRY(check_tokens(lm, r, &runs[r], err));
        if (!lm->config.causal) {
            HN_TRY(check_length(lm, r, runs[r].n_tokens, err));
        }
    }
    if (!lm->config.causal) {
        return HN_OK;
    }
    if (kv == NULL || kv->lm != lm) {
        return hn_fail(err, HN_INTERNAL, "a decoder's call needs a cache made for this model");
    }
    return check_cache(kv, runs, n_runs, err);
}

static void want(HnLmStep *step, const HnAttentionSegment *segment, int32_t offset, bool causal) {
    HnAttentionSegment *single = &step->singles[step->n_wanted];
    *single = *segment;
    single->first_row = step->n_wanted;
    single->n_rows = 1;
    single->position0 = segment->position0 + offset;
    single->n_keys = causal ? single->position0 + 1 : segment->n_keys;
    step->wanted[step->n_wanted++] = (int32_t)segment->first_row + offset;
}

/* Adds n tokens of a run to the step. pages: of its whole sequence, which is position0 tokens long before them. */
static void add_segment(HnLmStep *step, const uint32_t *tokens, uint32_t n, uint32_t position0, const int32_t *pages) {
    step->segments[step->n_segments++] = (HnAttentionSegment){.first_row = step->n_rows,
                                                              .n_rows = (int32_t)n,
                                                              .position0 = (int32_t)position0,
                                                              .n_keys = (int32_t)(position0 + n),
                                                              .pages = pages};
    memcpy(step->tokens + step->n_rows, tokens, n * sizeof *tokens);
    for (uint32_t t = 0; t < n; t++) {
        step->positions[step->n_rows + t] = (int32_t)(position0 + t);
    }
    step->n_rows += n;
}

/* Fills a step with what comes next of the runs. kv's lengths are still those from before the call. */
static void fill(HnLm *lm, const HnKv *kv, const HnLmRun *runs, size_t n_runs, HnLmRows rows, Progress *at) {
    HnLmStep *step = &lm->step;
    uint32_t pages_used = 0;
    step->n_rows = step->n_segments = step->n_wanted = 0;
    while (at->run < n_runs && step->n_rows < lm->max_rows) {
        const HnLmRun *run = &runs[at->run];
        const uint32_t room = lm->max_rows - (uint32_t)step->n_rows, left = run->n_tokens - at->done;
        const uint32_t n = left < room ? left : room;
        if (kv != NULL) {
            const HnKvSequence *sequence = &kv->sequences[run->sequence];
            add_segment(step, run->tokens + at->done, n, sequence->length + at->done, sequence->pages);
        } else { /* a whole sequence, or it waits for the next step */
            if (n < left || pages_used + hn_lm_pages(n) > lm->own_pages) {
                return;
            }
            add_segment(step, run->tokens, n, 0, step->page_numbers + pages_used);
            pages_used += hn_lm_pages(n);
        }
        const HnAttentionSegment *segment = &step->segments[step->n_segments - 1];
        if (rows == HN_LM_FIRST && at->done == 0) {
            want(step, segment, 0, lm->config.causal);
        }
        if (rows == HN_LM_LAST && n == left) {
            want(step, segment, (int32_t)n - 1, lm->config.causal);
        }
        at->done = n == left ? 0 : at->done + n;
        at->run += n == left;
    }
}

/* x = the tokens' embeddings, with positions and token type 0 where the model adds them. */
static void embed(HnLm *lm) {
    const HnLmConfig *config = &lm->config;
    HnLmStep *step = &lm->step;
    const size_t hidden = config->hidden, width = lm->embed.type == HN_ELEMENT_F32 ? sizeof(float) : sizeof(uint16_t);
#pragma omp parallel for schedule(static) if (step->n_rows > 16)
    for (int64_t r = 0; r < step->n_rows; r++) {
        float *row = step->x + (size_t)r * hidden;
        const size_t token = step->tokens[r];
        if (lm->embed_packed) {
            hn_weight_row(&lm->head, (int64_t)token, row);
        } else {
            hn_lm_floats(lm->embed.type, (const char *)lm->embed.bytes + token * hidden * width, hidden, row);
        }
        if (lm->n_added > 0) {
            const float *added = lm->added + (lm->n_added > 1 ? (size_t)step->positions[r] * hidden : 0);
            for (size_t i = 0; i < hidden; i++) {
                row[i] += added[i];
            }
        }
    }
    if (config->post_norm) {
        hn_layer_norm_cpu(step->n_rows, config->hidden, step->x, config->hidden, lm->embed_norm.weight,
                          lm->embed_norm.bias, config->norm_eps, step->x, config->hidden);
    }
    if (!config->learned_positions) {
        hn_lm_rope_angles(step->n_rows, (int)config->rope.rotary, lm->inv_freq, step->positions, step->angles);
    }
}

HnStatus hn_lm_forward(HnLm *lm, HnKv *kv, const HnLmRun *runs, size_t n_runs, HnLmRows rows, float *hidden,
                       HnError *err) {
    HN_TRY(check(lm, kv, runs, n_runs, err));
    kv = lm->config.causal ? kv : NULL;
    for (size_t r = 0; kv != NULL && r < n_runs; r++) {
        hn_kv_reserve(kv, runs[r].sequence, runs[r].n_tokens);
    }
    HnLmStep *step = &lm->step;
    for (Progress at = {0, 0}; at.run < n_runs;) {
        fill(lm, kv, runs, n_runs, rows, &at);
        if (rows == HN_LM_ALL) {
            step->n_wanted = step->n_rows;
        }
        step->n_wanted = hidden != NULL ? step->n_wanted : 0;
        step->all_wanted = step->n_wanted == step->n_rows;
        embed(lm);
        hn_lm_layers(lm, kv != NULL ? kv->layers : NULL, hidden);
        hidden = hidden != NULL ? hidden + step->n_wanted * (int64_t)lm->config.hidden : NULL;
    }
    for (size_t r = 0; kv != NULL && r < n_runs; r++) {
        kv->sequences[runs[r].sequence].length += runs[r].n_tokens;
    }
    return HN_OK;
}

HnStatus hn_lm_logits(HnLm *lm, int64_t m, const float *hidden, float *logits, HnError *err) {
    if (!lm->options.head) {
        return hn_fail(err, HN_UNSUPPORTED, "%s was opened without its head: there are no logits", lm->folder);
    }
    const int64_t width = lm->config.hidden, n_vocab = lm->config.n_vocab, most = lm->max_rows;
    for (int64_t done = 0; done < m; done += most) {
        const int64_t n = m - done < most ? m - done : most;
        hn_linear_cpu(&lm->head, NULL, n, hidden + done * width, width, false, logits + done * n_vocab, n_vocab,
                      lm->step.scratch);
    }
    return HN_OK;
}
