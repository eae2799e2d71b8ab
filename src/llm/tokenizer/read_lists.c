/* Vocabularies in files of their own: vocab.json with merges.txt (encoder.json with vocab.bpe), and vocab.txt. */
#include <string.h>

#include "base/file.h"
#include "read_json.h"

/* ---- byte-level BPE ---- */

static HnStatus add_letters(HnTokenizer *tokenizer, const char *key, size_t n_key, const json_t *value, HnError *err) {
    char bytes[4 * HN_VOCABULARY_MOST_BYTES];
    size_t n_bytes = 0;
    const int64_t id = hn_json_id(value);
    if (id < 0) {
        return hn_fail(err, HN_FORMAT, "token \"%.100s\" has no id", key);
    }
    if (n_key > sizeof bytes || !hn_byte_letters_read(key, n_key, bytes, &n_bytes)) {
        return hn_fail(err, HN_FORMAT, "token \"%.100s\" is not written in the letters of byte-level BPE", key);
    }
    HN_TRY(hn_vocabulary_add(&tokenizer->vocabulary, (uint64_t)id, bytes, n_bytes, 0, err));
    return hn_vocabulary_index(&tokenizer->vocabulary, (uint32_t)id, err);
}

HnStatus hn_tokenizer_add_letters(HnTokenizer *tokenizer, const json_t *vocabulary, HnError *err) {
    const char *key;
    size_t n_key;
    json_t *id;
    if (!json_is_object(vocabulary)) {
        return hn_fail(err, HN_FORMAT, "the vocabulary is no JSON object of tokens and ids");
    }
    json_object_keylen_foreach((json_t *)vocabulary, key, n_key, id) {
        HN_TRY(add_letters(tokenizer, key, n_key, id, err));
    }
    return HN_OK;
}

/* Half of a rule: the token's id. */
static HnStatus half(const HnTokenizer *tokenizer, const char *text, size_t n, uint64_t number, char *bytes,
                     size_t *n_bytes, uint32_t *id, HnError *err) {
    if (n > HN_VOCABULARY_MOST_BYTES) {
        return hn_fail(err, HN_FORMAT, "merge %llu has a token of %zu bytes", (unsigned long long)number, n);
    }
    if (tokenizer->kind == HN_TOKENIZER_PIECES) {
        memcpy(bytes, text, n);
        *n_bytes = n;
    } else if (!hn_byte_letters_read(text, n, bytes, n_bytes)) {
        *n_bytes = 0;
    }
    const int64_t found = *n_bytes == 0 ? -1 : hn_vocabulary_find(&tokenizer->vocabulary, bytes, *n_bytes);
    if (found < 0) {
        return hn_fail(err, HN_FORMAT, "merge %llu names \"%.*s\", which is no token of the vocabulary",
                       (unsigned long long)number, hn_token_shown(n), text);
    }
    *id = (uint32_t)found;
    return HN_OK;
}

HnStatus hn_tokenizer_add_merge(HnTokenizer *tokenizer, const char *first, size_t n_first, const char *second,
                                size_t n_second, uint64_t number, HnError *err) {
    char bytes[2 * HN_VOCABULARY_MOST_BYTES];
    size_t n_left = 0, n_right = 0;
    uint32_t left = 0, right = 0;
    HN_TRY(half(tokenizer, first, n_first, number, bytes, &n_left, &left, err));
    HN_TRY(half(tokenizer, second, n_second, number, bytes + n_left, &n_right, &right, err));
    const int64_t both = hn_vocabulary_find(&tokenizer->vocabulary, bytes, n_left + n_right);
    if (both < 0) {
        return hn_fail(err, HN_FORMAT, "merge %llu, \"%.*s\" and \"%.*s\", makes no token of the vocabulary",
                       (unsigned long long)number, hn_token_shown(n_first), first, hn_token_shown(n_second), second);
    }
    return hn_merges_add(&tokenizer->merges, left, right, (uint32_t)number, (uint32_t)both, err);
}

HnStatus hn_tokenizer_add_merge_line(HnTokenizer *tokenizer, const char *line, size_t n, uint64_t number,
                                     HnError *err) {
    const char *space = memchr(line, ' ', n);
    if (space == NULL || memchr(space + 1, ' ', n - (size_t)(space + 1 - line)) != NULL) {
        return hn_fail(err, HN_FORMAT, "merge %llu is no two tokens: \"%.*s\"", (unsigned long long)number,
                       hn_token_shown(n), line);
    }
    const size_t n_first = (size_t)(space - line);
    return hn_tokenizer_add_merge(tokenizer, line, n_first, space + 1, n - n_first - 1, number, err);
}

const char *hn_tokenizer_next_line(const char *bytes, size_t n_bytes, size_t *at, size_t *n_line) {
    const char *line = bytes + *at, *newline = memchr(line, '\n', n_bytes - *at);
    const size_t n = newline == NULL ? n_bytes - *at : (size_t)(newline - line);
    *at += n + 1;
    *n_line = n - (n > 0 && line[n - 1] == '\r' ? 1 : 0);
    return line;
}

/* Calls take for each line, without its newline; empty lines are lines too. */
static HnStatus each_line(const char *path, HnTokenizer *tokenizer,
                          HnStatus (*take)(HnTokenizer *, const char *, size_t, uint64_t, HnError *), HnError *err) {
    char *bytes = NULL;
    size_t n_bytes = 0, bad = 0;
    HN_TRY(hn_file_read(path, HN_TOKENIZER_MOST_FILE_BYTES, &bytes, &n_bytes, err));
    HnStatus status = HN_OK;
    if (!hn_utf8_valid(bytes, n_bytes, &bad)) {
        status = hn_fail(err, HN_FORMAT, "%s is not UTF-8 at byte %zu", path, bad);
    }
    uint64_t number = 0;
    for (size_t at = 0; at < n_bytes && status == HN_OK; number++) {
        size_t n = 0;
        const char *line = hn_tokenizer_next_line(bytes, n_bytes, &at, &n);
        HnError inner = HN_ERROR_INIT;
        status = take(tokenizer, line, n, number, &inner);
        if (status != HN_OK) {
            (void)hn_fail(err, status, "%s:%llu: %s", path, (unsigned long long)number + 1, inner.message);
        }
    }
    hn_free(bytes);
    return status;
}

static HnStatus merge_line(HnTokenizer *tokenizer, const char *line, size_t n, uint64_t number, HnError *err) {
    static const char head[] = "#version";
    if (n == 0 || (n >= sizeof head - 1 && memcmp(line, head, sizeof head - 1) == 0)) {
        return HN_OK;
    }
    return hn_tokenizer_add_merge_line(tokenizer, line, n, number, err);
}

HnStatus hn_tokenizer_read_bpe(HnTokenizer *tokenizer, const char *vocabulary, const char *merges, HnError *err) {
    static const char end_of_text[] = "<|endoftext|>";
    const char *name = strrchr(vocabulary, '/');
    json_t *json = NULL;
    tokenizer->kind = HN_TOKENIZER_BYTES;
    tokenizer->from = HN_FROM_LISTS;
    HN_TRY(hn_json_file(vocabulary, &json, err));
    HnStatus status = hn_tokenizer_add_letters(tokenizer, json, err);
    json_decref(json);
    HN_TRY(status);
    HN_TRY(hn_tokenizer_find_bytes(tokenizer, err));
    HN_TRY(each_line(merges, tokenizer, merge_line, err));
    HN_TRY(hn_tokenizer_finish_merges(tokenizer, err));
    if (strcmp(name == NULL ? vocabulary : name + 1, "encoder.json") == 0) {
        tokenizer->split = HN_SPLIT_GPT2; /* OpenAI's own names */
    }
    const int64_t end = hn_vocabulary_find(&tokenizer->vocabulary, end_of_text, sizeof end_of_text - 1);
    if (end >= 0) {
        tokenizer->ends.eos = (int32_t)end;
        tokenizer->ends.bos = tokenizer->split == HN_SPLIT_GPT2 ? (int32_t)end : -1;
        return hn_tokenizer_add(tokenizer, (uint64_t)end, end_of_text, sizeof end_of_text - 1, true, false, err);
    }
    return HN_OK;
}

/* ---- WordPiece ---- */

HnStatus hn_tokenizer_add_wordpiece(HnTokenizer *tokenizer, const char *text, size_t n, uint64_t id, HnError *err) {
    HnVocabulary *vocabulary = &tokenizer->vocabulary;
    const bool inner = n > 2 && text[0] == '#' && text[1] == '#';
    char spaced[HN_VOCABULARY_MOST_BYTES + 1] = " ";
    HN_TRY(
        hn_vocabulary_add(vocabulary, id, inner ? text + 2 : text, inner ? n - 2 : n, inner ? HN_TOKEN_INNER : 0, err));
    if (!inner) { /* its text begins with the space between words */
        memcpy(spaced + 1, text, n);
        HN_TRY(hn_vocabulary_text(vocabulary, (uint32_t)id, spaced, n + 1, err));
    }
    return hn_vocabulary_index(vocabulary, (uint32_t)id, err);
}

/* The reference's names, which vocab.txt does not tell from words. */
static HnStatus name_words(HnTokenizer *tokenizer, HnError *err) {
    static const char *const names[] = {"[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"};
    int64_t ids[5];
    for (size_t i = 0; i < 5; i++) {
        ids[i] = hn_vocabulary_find(&tokenizer->vocabulary, names[i], strlen(names[i]));
        if (ids[i] >= 0) {
            HN_TRY(hn_tokenizer_add(tokenizer, (uint64_t)ids[i], names[i], strlen(names[i]), true, false, err));
        } else if (i < 3) {
            return hn_fail(err, HN_FORMAT, "the vocabulary has no %s", names[i]);
        }
    }
    tokenizer->ends.unk = (int32_t)ids[0];
    tokenizer->ends.pad = (int32_t)ids[3];
    HN_TRY(hn_tokens_push(&tokenizer->before, (uint32_t)ids[1], err));
    return hn_tokens_push(&tokenizer->after, (uint32_t)ids[2], err);
}

HnStatus hn_tokenizer_read_words(HnTokenizer *tokenizer, const char *path, HnError *err) {
    tokenizer->kind = HN_TOKENIZER_WORDS;
    tokenizer->from = HN_FROM_LISTS;
    tokenizer->most_chars = 100;
    tokenizer->bert = (HnBertText){true, true, true, true};
    HN_TRY(each_line(path, tokenizer, hn_tokenizer_add_wordpiece, err));
    return name_words(tokenizer, err);
}
