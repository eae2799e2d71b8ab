#include "llm/model/embedding.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "embedding_private.h"

HnStatus hn_lm_embedding_check(const HnLmConfig *config, const char *folder, const HnLmEmbeddingOptions *options,
                               HnError *err) {
    const HnPooling pooling = options->pooling != HN_POOLING_NONE ? options->pooling : config->pooling;
    if (config->causal && pooling == HN_POOLING_CLS) {
        return hn_fail(err, HN_UNSUPPORTED,
                       "%s: pooling the first token of a decoder says nothing: it sees no other token; pool the last "
                       "token or the mean (--pooling, llm.native.pooling)",
                       folder);
    }
    const uint32_t longest = options->max_tokens != 0 ? options->max_tokens : config->max_tokens;
    if (longest > config->n_positions) {
        return hn_fail(err, HN_RANGE,
                       "prompts of %u tokens are asked for, but %s was made for %u at most: lower --context or "
                       "llm.native.context",
                       longest, folder, config->n_positions);
    }
    return HN_OK;
}

static HnStatus build(HnLmEmbedding *embedding, const HnLmEmbeddingOptions *options, HnError *err) {
    const HnLmConfig *config = hn_lm_config(embedding->lm);
    const uint32_t longest = config->max_tokens != 0 ? config->max_tokens : config->n_positions;
    embedding->width = config->hidden;
    embedding->max_rows = hn_lm_max_rows(embedding->lm);
    embedding->unshared = options->unshared;
    embedding->pooling = options->pooling != HN_POOLING_NONE  ? options->pooling
                         : config->pooling != HN_POOLING_NONE ? config->pooling
                         : config->causal                     ? HN_POOLING_LAST
                                                              : HN_POOLING_MEAN;
    embedding->normalise =
        options->normalise == HN_LM_NORMALISE_AS_MODEL ? config->normalise : options->normalise == HN_LM_NORMALISE;
    embedding->max_tokens = options->max_tokens != 0 ? options->max_tokens : longest;
    HN_TRY(hn_lm_embedding_check(config, hn_lm_folder(embedding->lm), options, err));
    if (!config->causal && embedding->max_tokens > embedding->max_rows) {
        return hn_fail(err, HN_RANGE, "prompts of %u tokens are asked for, but the model was opened for %u at once",
                       embedding->max_tokens, embedding->max_rows);
    }
    HN_TRY(hn_lm_embedding_find_ends(embedding, err));
    const size_t sums = (config->causal ? HN_EMBEDDING_SEQUENCES : 1) * (size_t)embedding->width;
    embedding->runs = hn_alloc(embedding->max_rows, sizeof *embedding->runs, "runs of a step", err);
    embedding->sums = hn_alloc(sums, sizeof *embedding->sums, "sums of hidden states", err);
    return embedding->runs == NULL || embedding->sums == NULL
               ? HN_MEMORY
               : hn_lm_embedding_reserve(embedding, embedding->max_rows, err);
}

HnStatus hn_lm_embedding_create(HnLm *lm, const HnTokenizer *tokenizer, const HnLmEmbeddingOptions *options,
                                HnLmEmbedding **embedding, HnError *err) {
    static const HnLmEmbeddingOptions defaults = {0};
    *embedding = NULL;
    HnLmEmbedding *made = hn_alloc(1, sizeof *made, "an embedder", err);
    if (made == NULL) {
        return HN_MEMORY;
    }
    made->lm = lm;
    made->tokenizer = tokenizer;
    const HnStatus status = build(made, options != NULL ? options : &defaults, err);
    if (status != HN_OK) {
        hn_lm_embedding_free(&made);
        return status;
    }
    *embedding = made;
    return HN_OK;
}

void hn_lm_embedding_free(HnLmEmbedding **embedding) {
    if (*embedding != NULL) {
        hn_kv_free(&(*embedding)->kv);
        hn_free((*embedding)->hidden);
        hn_free((*embedding)->sums);
        hn_free((*embedding)->runs);
        hn_free((*embedding)->ends);
        hn_free((*embedding)->starts);
        hn_free(*embedding);
        *embedding = NULL;
    }
}

uint32_t hn_lm_embedding_width(const HnLmEmbedding *embedding) {
    return embedding->width;
}

HnPooling hn_lm_embedding_pooling(const HnLmEmbedding *embedding) {
    return embedding->pooling;
}

bool hn_lm_embedding_normalises(const HnLmEmbedding *embedding) {
    return embedding->normalise;
}

size_t hn_lm_embedding_room(const HnLmEmbedding *embedding) {
    return embedding->max_tokens > embedding->n_ends ? embedding->max_tokens - embedding->n_ends : 0;
}

HnLmEmbeddingCounts hn_lm_embedding_counts(const HnLmEmbedding *embedding) {
    return embedding->counts;
}

HnLmRows hn_lm_embedding_rows(const HnLmEmbedding *embedding) {
    return embedding->pooling == HN_POOLING_MEAN  ? HN_LM_ALL
           : embedding->pooling == HN_POOLING_CLS ? HN_LM_FIRST
                                                  : HN_LM_LAST;
}

HnStatus hn_lm_embedding_reserve(HnLmEmbedding *embedding, uint64_t n, HnError *err) {
    if (n <= embedding->hidden_rows) {
        return HN_OK;
    }
    float *more = hn_alloc(n * embedding->width, sizeof *more, "hidden states of a step", err);
    if (more == NULL) {
        return HN_MEMORY;
    }
    hn_free(embedding->hidden);
    embedding->hidden = more;
    embedding->hidden_rows = n;
    return HN_OK;
}

void hn_lm_embedding_add(const HnLmEmbedding *embedding, const float *rows, uint64_t n, double *sums) {
    for (uint64_t r = 0; r < n; r++) {
        for (uint32_t i = 0; i < embedding->width; i++) {
            sums[i] += (double)rows[r * embedding->width + i];
        }
    }
}

void hn_lm_embedding_finish(const HnLmEmbedding *embedding, const float *row, const double *sums, uint64_t n,
                            float *vector) {
    const uint32_t width = embedding->width;
    double squares = 0.0;
    for (uint32_t i = 0; i < width; i++) {
        vector[i] = embedding->pooling == HN_POOLING_MEAN ? (float)(sums[i] / (double)n) : row[i];
        squares += (double)vector[i] * (double)vector[i];
    }
    const double factor = squares > 0.0 ? 1.0 / sqrt(squares) : 1.0;
    for (uint32_t i = 0; i < width && embedding->normalise; i++) {
        vector[i] = (float)((double)vector[i] * factor);
    }
}

static bool has_ends(const HnLmEmbedding *embedding, const HnLmPrompt *prompt) {
    const size_t n = embedding->n_ends;
    return n > 0 && prompt->n_tokens >= n &&
           memcmp(prompt->tokens + prompt->n_tokens - n, embedding->ends, n * sizeof *embedding->ends) == 0;
}

/* The prompt cut to what the model takes, with its ends, to out [max_tokens]. */
static HnStatus fit(HnLmEmbedding *embedding, size_t number, const HnLmPrompt *prompt, uint32_t *out, uint32_t *n_out,
                    HnError *err) {
    const size_t n_ends = embedding->n_ends, room = embedding->max_tokens;
    const bool ended = has_ends(embedding, prompt);
    const size_t n = prompt->n_tokens - (ended ? n_ends : 0), head = prompt->n_head < n ? prompt->n_head : n;
    const size_t tail = !ended ? prompt->n_tail : prompt->n_tail > n_ends ? prompt->n_tail - n_ends : 0;
    if (prompt->n_tokens == 0) {
        return hn_fail(err, HN_INPUT, "prompt %zu has no tokens: there is nothing to embed", number);
    }
    if (prompt->n_head > prompt->n_tokens || prompt->n_tail > prompt->n_tokens - prompt->n_head) {
        return hn_fail(err, HN_RANGE, "prompt %zu: %zu first and %zu last tokens shall stay, but it has %zu", number,
                       prompt->n_head, prompt->n_tail, prompt->n_tokens);
    }
    size_t middle = n - head - tail;
    if (n + n_ends > room) {
        if (head + tail + n_ends > room) {
            return hn_fail(err, HN_RANGE,
                           "prompt %zu: what must stay, %zu first and %zu last tokens and %zu ends, is more than the "
                           "%zu tokens that the model takes; shorten the instruction",
                           number, head, tail, n_ends, room);
        }
        middle = room - head - tail - n_ends;
        embedding->counts.cut++;
    }
    memcpy(out, prompt->tokens, (head + middle) * sizeof *out);
    memcpy(out + head + middle, prompt->tokens + n - tail, tail * sizeof *out);
    if (n_ends > 0) {
        memcpy(out + head + middle + tail, embedding->ends, n_ends * sizeof *out);
    }
    *n_out = (uint32_t)(head + middle + tail + n_ends);
    return HN_OK;
}

/* Encoders: sequences one behind the other, as many to a call as a step holds. */
static HnStatus encode(HnLmEmbedding *embedding, const HnLmSequence *sequences, size_t n, float *vectors,
                       HnError *err) {
    const HnLmRows rows = hn_lm_embedding_rows(embedding);
    const uint32_t width = embedding->width;
    for (size_t first = 0, end = 0; first < n; first = end) {
        uint64_t total = 0;
        for (; end < n && end - first < embedding->max_rows && total + sequences[end].n_tokens <= embedding->max_rows;
             end++) {
            embedding->runs[end - first] = (HnLmRun){0, sequences[end].n_tokens, sequences[end].tokens};
            total += sequences[end].n_tokens;
        }
        HN_TRY(hn_lm_forward(embedding->lm, NULL, embedding->runs, end - first, rows, embedding->hidden, err));
        const float *row = embedding->hidden;
        for (size_t s = first; s < end; s++) {
            memset(embedding->sums, 0, width * sizeof *embedding->sums);
            if (rows == HN_LM_ALL) {
                hn_lm_embedding_add(embedding, row, sequences[s].n_tokens, embedding->sums);
            }
            hn_lm_embedding_finish(embedding, row, embedding->sums, sequences[s].n_tokens,
                                   vectors + sequences[s].number * width);
            row += (rows == HN_LM_ALL ? sequences[s].n_tokens : 1) * (size_t)width;
        }
        embedding->counts.computed += total;
    }
    return HN_OK;
}

static HnStatus prepare(HnLmEmbedding *embedding, const HnLmPrompt *prompts, size_t n, HnLmSequence *sequences,
                        uint32_t *tokens, HnError *err) {
    uint32_t *at = tokens;
    for (size_t p = 0; p < n; p++) {
        sequences[p].tokens = at;
        sequences[p].number = p;
        HN_TRY(fit(embedding, p, &prompts[p], at, &sequences[p].n_tokens, err));
        at += sequences[p].n_tokens;
    }
    embedding->counts.prompts += n;
    embedding->counts.tokens += (uint64_t)(at - tokens);
    return HN_OK;
}

HnStatus hn_lm_embedding_tokens(HnLmEmbedding *embedding, const HnLmPrompt *prompts, size_t n, float *vectors,
                                HnError *err) {
    size_t n_tokens = 0;
    for (size_t p = 0; p < n; p++) {
        n_tokens += (prompts[p].n_tokens < embedding->max_tokens ? prompts[p].n_tokens : embedding->max_tokens) +
                    embedding->n_ends;
    }
    HnLmSequence *sequences = hn_alloc(n, sizeof *sequences, "sequences to embed", err);
    uint32_t *tokens = hn_alloc(n_tokens, sizeof *tokens, "tokens to embed", err);
    HnStatus status = sequences == NULL || tokens == NULL ? HN_MEMORY : HN_OK;
    if (status == HN_OK) {
        status = prepare(embedding, prompts, n, sequences, tokens, err);
    }
    if (status == HN_OK) {
        status = hn_lm_config(embedding->lm)->causal ? hn_lm_embedding_shared(embedding, sequences, n, vectors, err)
                                                     : encode(embedding, sequences, n, vectors, err);
    }
    hn_free(tokens);
    hn_free(sequences);
    return status;
}
