/* Texts for the embedder: the model's prefix, the text, and the specials that the tokenizer puts around one text. */
#include <string.h>

#include "base/alloc.h"
#include "embedding_private.h"

static HnStatus copy_ids(const uint32_t *ids, size_t n, uint32_t **copy, size_t *n_copy, HnError *err) {
    *copy = hn_alloc(n, sizeof **copy, "specials around a text", err);
    if (*copy == NULL) {
        return HN_MEMORY;
    }
    if (n > 0) {
        memcpy(*copy, ids, n * sizeof **copy);
    }
    *n_copy = n;
    return HN_OK;
}

/* What stands before and behind the ids of a text when its specials are asked for. */
static HnStatus compare(HnLmEmbedding *embedding, HnTokens *plain, HnTokens *whole, HnError *err) {
    static const char text[] = "a";
    HN_TRY(hn_tokenizer_encode(embedding->tokenizer, text, 1, false, plain, err));
    HN_TRY(hn_tokenizer_encode(embedding->tokenizer, text, 1, true, whole, err));
    for (size_t first = 0; first + plain->n <= whole->n; first++) {
        if (memcmp(whole->ids + first, plain->ids, plain->n * sizeof *plain->ids) == 0) {
            const size_t end = first + plain->n;
            HN_TRY(copy_ids(whole->ids, first, &embedding->starts, &embedding->n_starts, err));
            return copy_ids(whole->ids + end, whole->n - end, &embedding->ends, &embedding->n_ends, err);
        }
    }
    return hn_fail(err, HN_UNSUPPORTED, "the tokenizer does more with a text than to put special tokens around it");
}

static HnStatus from_tokenizer(HnLmEmbedding *embedding, HnError *err) {
    const uint32_t n_vocab = hn_lm_config(embedding->lm)->n_vocab, n_ids = hn_tokenizer_size(embedding->tokenizer);
    if (n_ids > n_vocab) {
        return hn_fail(err, HN_FORMAT,
                       "the tokenizer has ids up to %u, but the model knows %u tokens: they do not belong together",
                       n_ids - 1, n_vocab);
    }
    if (hn_lm_config(embedding->lm)->lower_case && !hn_tokenizer_lowers(embedding->tokenizer)) {
        return hn_fail(err, HN_UNSUPPORTED,
                       "sentence_bert_config.json: \"do_lower_case\" is supported only where the tokenizer lowers too");
    }
    HnTokens plain = {0}, whole = {0};
    const HnStatus status = compare(embedding, &plain, &whole, err);
    hn_tokens_free(&plain);
    hn_tokens_free(&whole);
    return status;
}

HnStatus hn_lm_embedding_find_ends(HnLmEmbedding *embedding, HnError *err) {
    const HnLmConfig *config = hn_lm_config(embedding->lm);
    int32_t eos = config->n_eos > 0 ? config->eos[0] : HN_LM_NO_TOKEN;
    if (embedding->tokenizer != NULL) {
        HN_TRY(from_tokenizer(embedding, err));
        const HnTokenizerEnds ends = hn_tokenizer_ends(embedding->tokenizer);
        eos = ends.eos >= 0 ? ends.eos : eos;
    }
    if (embedding->n_ends > 0 || embedding->pooling != HN_POOLING_LAST || eos < 0) {
        return HN_OK;
    }
    hn_free(embedding->ends);
    const uint32_t id = (uint32_t)eos;
    return copy_ids(&id, 1, &embedding->ends, &embedding->n_ends, err);
}

/* Appends starts and ids of one text. */
static HnStatus add_text(const HnLmEmbedding *embedding, const char *prefix, const HnLmText *text, HnText *joined,
                         HnTokens *tokens, HnError *err) {
    for (size_t i = 0; i < embedding->n_starts; i++) {
        HN_TRY(hn_tokens_push(tokens, embedding->starts[i], err));
    }
    if (prefix == NULL || prefix[0] == '\0') {
        return hn_tokenizer_encode(embedding->tokenizer, text->bytes, text->n_bytes, false, tokens, err);
    }
    hn_text_clear(joined);
    HN_TRY(hn_text_puts(joined, prefix, err));
    HN_TRY(hn_text_append(joined, text->bytes, text->n_bytes, err));
    return hn_tokenizer_encode(embedding->tokenizer, hn_text_get(joined), joined->length, false, tokens, err);
}

/* All texts' tokens one behind the other; prompt p's are tokens[begins[p]] .. tokens[begins[p + 1] - 1]. */
static HnStatus add_texts(const HnLmEmbedding *embedding, HnLmTextKind kind, const HnLmText *texts, size_t n,
                          HnTokens *tokens, size_t *begins, HnError *err) {
    const HnLmConfig *config = hn_lm_config(embedding->lm);
    const char *prefix = kind == HN_LM_TEXT_QUERY      ? config->query_prefix
                         : kind == HN_LM_TEXT_DOCUMENT ? config->document_prefix
                                                       : NULL;
    HnText joined = {0};
    HnStatus status = HN_OK;
    for (size_t p = 0; p < n && status == HN_OK; p++) {
        begins[p] = tokens->n;
        status = add_text(embedding, prefix, &texts[p], &joined, tokens, err);
        begins[p + 1] = tokens->n;
        if (status == HN_OK && begins[p + 1] == begins[p] && embedding->n_ends == 0) {
            status = hn_fail(err, HN_INPUT, "text %zu has no tokens: there is nothing to embed", p);
        }
    }
    hn_text_free(&joined);
    return status;
}

/* A text of specials alone counts as having its ends already. */
static HnLmPrompt prompt_of(const HnLmEmbedding *embedding, const uint32_t *ids, size_t n) {
    const size_t n_starts = embedding->n_starts;
    if (n == 0) {
        return (HnLmPrompt){embedding->ends, embedding->n_ends, 0, 0};
    }
    return (HnLmPrompt){ids, n, n_starts < n ? n_starts : n, 0};
}

HnStatus hn_lm_embedding_texts(HnLmEmbedding *embedding, HnLmTextKind kind, const HnLmText *texts, size_t n,
                               float *vectors, HnError *err) {
    if (embedding->tokenizer == NULL) {
        return hn_fail(err, HN_INTERNAL, "texts need a tokenizer, but the embedder was made without one");
    }
    HnTokens tokens = {0};
    size_t *begins = hn_alloc(n + 1, sizeof *begins, "places of texts", err);
    HnLmPrompt *prompts = hn_alloc(n, sizeof *prompts, "prompts", err);
    HnStatus status = begins == NULL || prompts == NULL ? HN_MEMORY : HN_OK;
    if (status == HN_OK) {
        status = add_texts(embedding, kind, texts, n, &tokens, begins, err);
    }
    if (status == HN_OK) {
        for (size_t p = 0; p < n; p++) {
            prompts[p] = prompt_of(embedding, tokens.ids + begins[p], begins[p + 1] - begins[p]);
        }
        status = hn_lm_embedding_tokens(embedding, prompts, n, vectors, err);
    }
    hn_free(prompts);
    hn_free(begins);
    hn_tokens_free(&tokens);
    return status;
}
