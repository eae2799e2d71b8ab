/* What every reader does with a vocabulary: bytes, merges, added tokens. */
#include <string.h>

#include "tokenizer_private.h"

/* GPT-2 writes a byte as a letter: printable Latin-1 as itself, the other 68 as U+0100 and following, in order. */
static bool is_printable(unsigned byte) {
    return (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

static int byte_of(uint32_t letter) {
    if (letter < 256) {
        return is_printable(letter) ? (int)letter : -1;
    }
    uint32_t others = 256;
    for (unsigned byte = 0; byte < 256; byte++) {
        if (!is_printable(byte) && others++ == letter) {
            return (int)byte;
        }
    }
    return -1;
}

bool hn_byte_letters_read(const char *text, size_t n_text, char *bytes, size_t *n_bytes) {
    size_t n = 0;
    for (size_t at = 0, length; at < n_text; at += length) {
        const int byte = byte_of(hn_char_at(text + at, &length));
        if (byte < 0) {
            return false;
        }
        bytes[n++] = (char)byte;
    }
    *n_bytes = n;
    return true;
}

HnStatus hn_tokenizer_find_bytes(HnTokenizer *tokenizer, HnError *err) {
    for (unsigned byte = 0; byte < 256; byte++) {
        const char key = (char)byte;
        const int64_t id = hn_vocabulary_find(&tokenizer->vocabulary, &key, 1);
        if (id < 0) {
            return hn_fail(err, HN_FORMAT, "the vocabulary has a gap: no token for the byte 0x%02x", byte);
        }
        tokenizer->byte_ids[byte] = (uint32_t)id;
    }
    return HN_OK;
}

HnStatus hn_tokenizer_merge_splits(HnTokenizer *tokenizer, const uint32_t *ranks, HnError *err) {
    const HnVocabulary *vocabulary = &tokenizer->vocabulary;
    for (uint32_t id = 0; id < vocabulary->size; id++) {
        const HnToken *token = &vocabulary->tokens[id];
        if (token->text == NULL || (token->flags & (HN_TOKEN_SPECIAL | HN_TOKEN_BYTE)) != 0) {
            continue;
        }
        for (uint32_t cut = 1; cut < token->n_key; cut++) {
            const int64_t first = hn_vocabulary_find(vocabulary, token->key, cut);
            const int64_t second =
                first < 0 ? -1 : hn_vocabulary_find(vocabulary, token->key + cut, token->n_key - cut);
            if (second >= 0) {
                HN_TRY(hn_merges_add(&tokenizer->merges, (uint32_t)first, (uint32_t)second,
                                     ranks == NULL ? id : ranks[id], id, err));
            }
        }
    }
    return HN_OK;
}

/* A mark behind another character would let a merge cross the beginning of a word. */
static bool crosses_words(const HnToken *token) {
    bool other = false;
    for (uint32_t at = 0; at < token->n_key;) {
        const bool mark = hn_space_mark_at(token->key, token->n_key, at);
        if (mark && other) {
            return true;
        }
        other = other || !mark;
        at += mark ? HN_SPACE_MARK_BYTES : 1;
    }
    return false;
}

HnStatus hn_tokenizer_finish_merges(HnTokenizer *tokenizer, HnError *err) {
    HnVocabulary *vocabulary = &tokenizer->vocabulary;
    HnTokens trial = {0};
    HnStatus status = HN_OK;
    tokenizer->cut_at_spaces = tokenizer->kind == HN_TOKENIZER_PIECES;
    for (uint32_t id = 0; id < vocabulary->size && status == HN_OK; id++) {
        HnToken *token = &vocabulary->tokens[id];
        if (token->text == NULL || (token->flags & (HN_TOKEN_SPECIAL | HN_TOKEN_BYTE)) != 0) {
            continue;
        }
        tokenizer->cut_at_spaces = tokenizer->cut_at_spaces && !crosses_words(token);
        if (!tokenizer->trust_whole) {
            trial.n = 0;
            status = hn_encode_word(tokenizer, token->key, token->n_key, &trial, err);
        }
        if (tokenizer->trust_whole || (trial.n == 1 && trial.ids[0] == id)) {
            token->flags |= HN_TOKEN_WHOLE;
        }
    }
    hn_tokens_free(&trial);
    return status;
}

/* The token of the vocabulary that is written like this in its files, or -1. */
static int64_t written(const HnTokenizer *tokenizer, const char *text, size_t n_text) {
    char bytes[HN_VOCABULARY_MOST_BYTES];
    size_t n_bytes = n_text;
    if (tokenizer->kind != HN_TOKENIZER_BYTES || n_text > sizeof bytes ||
        !hn_byte_letters_read(text, n_text, bytes, &n_bytes)) {
        return hn_vocabulary_find(&tokenizer->vocabulary, text, n_text);
    }
    return hn_vocabulary_find(&tokenizer->vocabulary, bytes, n_bytes);
}

static HnStatus two_ids(const char *text, size_t n_text, int64_t one, uint64_t other, HnError *err) {
    return hn_fail(err, HN_FORMAT, "the token \"%.*s\" has two ids, %lld and %llu", hn_token_shown(n_text), text,
                   (long long)one, (unsigned long long)other);
}

HnStatus hn_tokenizer_add(HnTokenizer *tokenizer, uint64_t id, const char *text, size_t n_text, bool special,
                          bool normalized, HnError *err) {
    HnVocabulary *vocabulary = &tokenizer->vocabulary;
    const HnAddedToken *other = hn_added_by_text(&tokenizer->added, text, n_text);
    if (other != NULL) {
        return other->id == id ? HN_OK : two_ids(text, n_text, other->id, id, err);
    }
    const int64_t in_vocabulary = written(tokenizer, text, n_text);
    if (in_vocabulary >= 0 && (uint64_t)in_vocabulary != id) {
        return two_ids(text, n_text, in_vocabulary, id, err);
    }
    if (id < vocabulary->size && vocabulary->tokens[id].text != NULL) {
        const HnToken *token = &vocabulary->tokens[id];
        if ((uint64_t)in_vocabulary != id && (token->n_key != n_text || memcmp(token->key, text, n_text) != 0)) {
            return hn_fail(err, HN_FORMAT, "id %llu is \"%.*s\" in the vocabulary and \"%.*s\" among the added tokens",
                           (unsigned long long)id, hn_token_shown(token->n_key), token->key, hn_token_shown(n_text),
                           text);
        }
    } else {
        HN_TRY(hn_vocabulary_add(vocabulary, id, text, n_text, 0, err));
    }
    vocabulary->tokens[id].flags |= special ? HN_TOKEN_SPECIAL : 0;
    return hn_added_push(&tokenizer->added, text, n_text, (uint32_t)id, special, normalized, err);
}

/* A token's text is what is looked for; words have a space before them. */
static HnStatus show(HnTokenizer *tokenizer, const HnAddedToken *token, HnError *err) {
    char spaced[HN_VOCABULARY_MOST_BYTES + 1] = " ";
    if (tokenizer->kind != HN_TOKENIZER_WORDS) {
        return hn_vocabulary_text(&tokenizer->vocabulary, token->id, token->wanted, token->n_wanted, err);
    }
    if (token->n_wanted >= sizeof spaced) {
        return hn_fail(err, HN_FORMAT, "added token %u of %zu bytes is too long", token->id, token->n_wanted);
    }
    memcpy(spaced + 1, token->wanted, token->n_wanted);
    return hn_vocabulary_text(&tokenizer->vocabulary, token->id, spaced, token->n_wanted + 1, err);
}

static HnStatus normalise(const HnTokenizer *tokenizer, HnAddedToken *token, HnError *err) {
    HnText normal = {0};
    HnStatus status = tokenizer->kind == HN_TOKENIZER_WORDS
                          ? hn_unicode_bert(tokenizer->bert, token->text, token->n_text, &normal, err)
                          : hn_unicode_nfc(token->text, token->n_text, &normal, err);
    char *wanted = status == HN_OK ? hn_strndup(hn_text_get(&normal), normal.length, err) : NULL;
    if (wanted != NULL) {
        hn_free(token->wanted);
        token->wanted = wanted;
        token->n_wanted = normal.length;
    }
    hn_text_free(&normal);
    return wanted != NULL ? HN_OK : status != HN_OK ? status : HN_MEMORY;
}

HnStatus hn_tokenizer_finish_added(HnTokenizer *tokenizer, HnError *err) {
    for (size_t i = 0; i < tokenizer->added.n; i++) {
        HnAddedToken *token = &tokenizer->added.tokens[i];
        if (token->normalized && (tokenizer->kind == HN_TOKENIZER_WORDS || tokenizer->nfc)) {
            HN_TRY(normalise(tokenizer, token, err));
        }
        HN_TRY(show(tokenizer, token, err));
    }
    hn_added_ready(&tokenizer->added);
    return HN_OK;
}
