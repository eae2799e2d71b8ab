/* Text to ids: words by merges, for byte-level and SentencePiece vocabularies. */
#include <string.h>

#include "base/alloc.h"
#include "tokenizer_private.h"

static HnStatus reserve(HnTokens *tokens, size_t n_more, HnError *err) {
    if (tokens->capacity - tokens->n >= n_more) {
        return HN_OK;
    }
    const size_t capacity = 2 * tokens->n + n_more + 16;
    HN_TRY(hn_resize(&tokens->ids, tokens->n * sizeof *tokens->ids, capacity, sizeof *tokens->ids, "tokens", err));
    tokens->capacity = capacity;
    return HN_OK;
}

HnStatus hn_tokens_push(HnTokens *tokens, uint32_t id, HnError *err) {
    HN_TRY(reserve(tokens, 1, err));
    tokens->ids[tokens->n++] = id;
    return HN_OK;
}

void hn_tokens_free(HnTokens *tokens) {
    hn_free(tokens->ids);
    *tokens = (HnTokens){0};
}

/* The symbols that merging begins with: bytes, or characters, or the bytes of characters that are no piece. */
static size_t symbols_of(const HnTokenizer *tokenizer, const char *word, size_t n_bytes, uint32_t *ids) {
    if (tokenizer->kind == HN_TOKENIZER_BYTES) {
        for (size_t i = 0; i < n_bytes; i++) {
            ids[i] = tokenizer->byte_ids[(unsigned char)word[i]];
        }
        return n_bytes;
    }
    size_t n = 0;
    for (size_t at = 0, length; at < n_bytes; at += length) {
        (void)hn_char_at(word + at, &length);
        const int64_t id = hn_vocabulary_find(&tokenizer->vocabulary, word + at, length);
        if (id >= 0) {
            ids[n++] = (uint32_t)id;
            continue;
        }
        for (size_t i = 0; i < length; i++) {
            ids[n++] = tokenizer->byte_ids[(unsigned char)word[at + i]];
        }
    }
    return n;
}

HnStatus hn_encode_word(const HnTokenizer *tokenizer, const char *word, size_t n_bytes, HnTokens *tokens,
                        HnError *err) {
    HN_TRY(reserve(tokens, n_bytes, err));
    uint32_t *ids = tokens->ids + tokens->n;
    if (n_bytes <= tokenizer->vocabulary.longest) {
        const int64_t id = hn_vocabulary_find(&tokenizer->vocabulary, word, n_bytes);
        if (id >= 0 && (tokenizer->vocabulary.tokens[id].flags & HN_TOKEN_WHOLE) != 0) {
            ids[0] = (uint32_t)id;
            tokens->n++;
            return HN_OK;
        }
    }
    size_t n_left = 0;
    HN_TRY(hn_merges_apply(&tokenizer->merges, ids, symbols_of(tokenizer, word, n_bytes, ids), &n_left, err));
    tokens->n += n_left;
    return HN_OK;
}

HnStatus hn_encode_bytes(const HnTokenizer *tokenizer, const char *text, size_t n_bytes, HnTokens *tokens,
                         HnError *err) {
    for (size_t at = 0; at < n_bytes;) {
        const size_t end = hn_split_end(tokenizer->split, text, n_bytes, at);
        HN_TRY(hn_encode_word(tokenizer, text + at, end - at, tokens, err));
        at = end;
    }
    return HN_OK;
}

/* ---- SentencePiece ---- */

static bool wants_prefix(HnPrefix prefix, const char *text, size_t n_bytes, bool first) {
    switch (prefix) {
    case HN_PREFIX_FIRST:
        return first;
    case HN_PREFIX_EACH:
        return true;
    case HN_PREFIX_FIRST_LEAN:
        return first && text[0] != ' ' && !hn_space_mark_at(text, n_bytes, 0);
    case HN_PREFIX_EACH_LEAN:
        return text[0] != ' ' && !hn_space_mark_at(text, n_bytes, 0);
    default:
        return false;
    }
}

/* Writes the text with marks for spaces; out has room for three bytes a byte and a mark. Where spaces are trimmed:
 * leading ones go, runs become one, and all marks at the end go, written ones too, as SentencePiece has it. */
static size_t mark_spaces(const HnTokenizer *tokenizer, const char *text, size_t n_bytes, bool first, char *out) {
    const bool trim = tokenizer->trim;
    size_t at = 0, n = 0;
    while (trim && at < n_bytes && text[at] == ' ') {
        at++;
    }
    if (at == n_bytes) {
        return 0;
    }
    if (wants_prefix(tokenizer->prefix, text + at, n_bytes - at, first)) {
        memcpy(out, HN_SPACE_MARK, HN_SPACE_MARK_BYTES);
        n = HN_SPACE_MARK_BYTES;
    }
    for (; at < n_bytes; at++) {
        if (text[at] != ' ') {
            out[n++] = text[at];
        } else if (!trim || text[at - 1] != ' ') {
            memcpy(out + n, HN_SPACE_MARK, HN_SPACE_MARK_BYTES);
            n += HN_SPACE_MARK_BYTES;
        }
    }
    while (trim && n >= HN_SPACE_MARK_BYTES && hn_space_mark_at(out, n, n - HN_SPACE_MARK_BYTES)) {
        n -= HN_SPACE_MARK_BYTES;
    }
    return n;
}

/* The end of the word at `at`: before the next mark that stands behind another character. */
static size_t word_end(const char *text, size_t n_bytes, size_t at) {
    while (hn_space_mark_at(text, n_bytes, at)) {
        at += HN_SPACE_MARK_BYTES;
    }
    while (at < n_bytes && !(text[at] == HN_SPACE_MARK[0] && hn_space_mark_at(text, n_bytes, at))) {
        at++;
    }
    return at;
}

HnStatus hn_encode_pieces(const HnTokenizer *tokenizer, const char *text, size_t n_bytes, bool first, HnTokens *tokens,
                          HnError *err) {
    if (n_bytes == 0) {
        return HN_OK;
    }
    size_t n_spaces = 1;
    for (size_t i = 0; i < n_bytes; i++) {
        n_spaces += text[i] == ' ' ? 1 : 0;
    }
    char *marked = hn_alloc(n_bytes + HN_SPACE_MARK_BYTES * n_spaces, 1, "a text with its spaces marked", err);
    if (marked == NULL) {
        return HN_MEMORY;
    }
    const size_t n_marked = mark_spaces(tokenizer, text, n_bytes, first, marked);
    HnStatus status = HN_OK;
    for (size_t at = 0, end; at < n_marked && status == HN_OK; at = end) {
        end = tokenizer->cut_at_spaces ? word_end(marked, n_marked, at) : n_marked;
        status = hn_encode_word(tokenizer, marked + at, end - at, tokens, err);
    }
    hn_free(marked);
    return status;
}
