#include "tokenizer.h"

#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "llm/files/config.h"
#include "tokenizer_private.h"

#define MOST_TEXT ((size_t)1 << 40)

/* ---- opening ---- */

/* SentencePiece's protobuf begins with a binary length; tiktoken's text with a line "base64 number". */
static bool is_tiktoken(const char *bytes, size_t n_bytes) {
    size_t at = 0;
    while (at < n_bytes && (unsigned char)bytes[at] > ' ' && (unsigned char)bytes[at] < 0x7f) {
        at++;
    }
    return at > 0 && at + 1 < n_bytes && bytes[at] == ' ' && bytes[at + 1] >= '0' && bytes[at + 1] <= '9';
}

static HnStatus read_model(HnTokenizer *tokenizer, const char *path, const char *unused, HnError *err) {
    (void)unused;
    char *bytes = NULL;
    size_t n_bytes = 0;
    HN_TRY(hn_file_read(path, HN_TOKENIZER_MOST_FILE_BYTES, &bytes, &n_bytes, err));
    HnStatus status = is_tiktoken(bytes, n_bytes) ? hn_tokenizer_read_tiktoken(tokenizer, bytes, n_bytes, err)
                                                  : hn_tokenizer_read_sentencepiece(tokenizer, bytes, n_bytes, err);
    hn_free(bytes);
    return status;
}

static HnStatus read_json(HnTokenizer *tokenizer, const char *path, const char *unused, HnError *err) {
    (void)unused;
    return hn_tokenizer_read_json(tokenizer, path, err);
}

static HnStatus read_words(HnTokenizer *tokenizer, const char *path, const char *unused, HnError *err) {
    (void)unused;
    return hn_tokenizer_read_words(tokenizer, path, err);
}

/* The forms of files, best first. */
static const struct {
    const char *file, *second;
    HnStatus (*read)(HnTokenizer *tokenizer, const char *path, const char *second, HnError *err);
} forms[] = {
    {"tokenizer.json", NULL, read_json},
    {"tokenizer.model", NULL, read_model},
    {"vocab.json", "merges.txt", hn_tokenizer_read_bpe},
    {"encoder.json", "vocab.bpe", hn_tokenizer_read_bpe},
    {"vocab.txt", NULL, read_words},
};

/* Reads the folder's form i; *absent where its files are not there. */
static HnStatus read_form(HnTokenizer *tokenizer, const char *folder, size_t i, bool *absent, HnError *err) {
    char *path = hn_path_join(folder, forms[i].file, err);
    char *second = forms[i].second != NULL && path != NULL ? hn_path_join(folder, forms[i].second, err) : NULL;
    HnStatus status = path == NULL || (forms[i].second != NULL && second == NULL) ? HN_MEMORY : HN_OK;
    *absent = status == HN_OK && (!hn_file_exists(path) || (second != NULL && !hn_file_exists(second)));
    if (status == HN_OK && !*absent) {
        HnError inner = HN_ERROR_INIT;
        status = forms[i].read(tokenizer, path, second, &inner);
        if (status != HN_OK) { /* names the file once, wherever the fault was found */
            const bool named = strstr(inner.message, path) != NULL;
            (void)hn_fail(err, status, "%s%s%s", named ? "" : path, named ? "" : ": ", inner.message);
        }
    }
    hn_free(second);
    hn_free(path);
    return status;
}

/* Everything that the folder says; *absent where it holds no form of a vocabulary. */
static HnStatus read_folder(HnTokenizer *tokenizer, const char *folder, bool *absent, HnError *err) {
    *absent = true;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0] && *absent; i++) {
        HN_TRY(read_form(tokenizer, folder, i, absent, err));
    }
    if (*absent) {
        return HN_OK;
    }
    HN_TRY(hn_tokenizer_read_config(tokenizer, folder, err));
    return hn_tokenizer_finish_added(tokenizer, err);
}

/* The folder itself, else the newest snapshot of a hub cache's folder. */
static HnStatus find_folder(HnTokenizer *tokenizer, const char *folder, HnError *err) {
    bool absent = true;
    char *resolved = NULL;
    HnStatus status = read_folder(tokenizer, folder, &absent, err);
    HnError none = HN_ERROR_INIT;
    if (status == HN_OK && absent && hn_lm_folder_resolve(folder, &resolved, &none) == HN_OK) {
        status = read_folder(tokenizer, resolved, &absent, err);
    }
    hn_free(resolved);
    if (status == HN_OK && absent) {
        status = hn_fail(err, HN_INPUT,
                         "%s holds no tokenizer: tokenizer.json, tokenizer.model, vocab.json with merges.txt, "
                         "encoder.json with vocab.bpe, or vocab.txt",
                         folder);
    }
    return status;
}

HnStatus hn_tokenizer_open(const char *folder, HnTokenizer **tokenizer, HnError *err) {
    hn_unicode_prepare();
    *tokenizer = hn_alloc(1, sizeof **tokenizer, "a tokenizer", err);
    if (*tokenizer == NULL) {
        return HN_MEMORY;
    }
    (*tokenizer)->ends = (HnTokenizerEnds){-1, -1, -1, -1};
    HnStatus status = hn_vocabulary_start(&(*tokenizer)->vocabulary, err);
    status = status == HN_OK ? hn_merges_start(&(*tokenizer)->merges, err) : status;
    status = status == HN_OK ? find_folder(*tokenizer, folder, err) : status;
    if (status != HN_OK) {
        hn_tokenizer_close(tokenizer);
    }
    return status;
}

void hn_tokenizer_close(HnTokenizer **tokenizer) {
    if (tokenizer == NULL || *tokenizer == NULL) {
        return;
    }
    hn_tokens_free(&(*tokenizer)->after);
    hn_tokens_free(&(*tokenizer)->before);
    hn_added_free(&(*tokenizer)->added);
    hn_merges_free(&(*tokenizer)->merges);
    hn_vocabulary_free(&(*tokenizer)->vocabulary);
    hn_free(*tokenizer);
    *tokenizer = NULL;
}

/* ---- encoding ---- */

/* Normalised text without normalised added tokens in it. */
static HnStatus encode_section(const HnTokenizer *tokenizer, const char *text, size_t n_bytes, bool first,
                               HnTokens *tokens, HnError *err) {
    switch (tokenizer->kind) {
    case HN_TOKENIZER_BYTES:
        return hn_encode_bytes(tokenizer, text, n_bytes, tokens, err);
    case HN_TOKENIZER_PIECES:
        return hn_encode_pieces(tokenizer, text, n_bytes, first, tokens, err);
    default:
        return hn_encode_words(tokenizer, text, n_bytes, tokens, err);
    }
}

static HnStatus encode_sections(const HnTokenizer *tokenizer, bool normalized, const char *text, size_t n_bytes,
                                bool first, HnTokens *tokens, HnError *err);

/* Text without added tokens that are looked for before normalising. */
static HnStatus encode_normalised(const HnTokenizer *tokenizer, const char *text, size_t n_bytes, bool first,
                                  HnTokens *tokens, HnError *err) {
    const bool bert = tokenizer->kind == HN_TOKENIZER_WORDS;
    if (!bert && (!tokenizer->nfc || hn_unicode_is_stable(text, n_bytes))) {
        return encode_sections(tokenizer, true, text, n_bytes, first, tokens, err);
    }
    HnText normal = {.max_bytes = MOST_TEXT};
    HnStatus status = bert ? hn_unicode_bert(tokenizer->bert, text, n_bytes, &normal, err)
                           : hn_unicode_nfc(text, n_bytes, &normal, err);
    if (status == HN_OK) {
        status = encode_sections(tokenizer, true, hn_text_get(&normal), normal.length, first, tokens, err);
    }
    hn_text_free(&normal);
    return status;
}

/* Added tokens of one sort are found, and what lies between goes on. */
static HnStatus encode_sections(const HnTokenizer *tokenizer, bool normalized, const char *text, size_t n_bytes,
                                bool first, HnTokens *tokens, HnError *err) {
    size_t at = 0;
    while (at < n_bytes) {
        size_t begin = n_bytes;
        const HnAddedToken *token = hn_added_find(&tokenizer->added, normalized, text, n_bytes, at, &begin);
        if (begin > at) {
            HN_TRY(normalized ? encode_section(tokenizer, text + at, begin - at, first && at == 0, tokens, err)
                              : encode_normalised(tokenizer, text + at, begin - at, first && at == 0, tokens, err));
        }
        if (token == NULL) {
            break;
        }
        HN_TRY(hn_tokens_push(tokens, token->id, err));
        at = begin + token->n_wanted;
    }
    return HN_OK;
}

static HnStatus push_all(const HnTokens *from, HnTokens *tokens, HnError *err) {
    for (size_t i = 0; i < from->n; i++) {
        HN_TRY(hn_tokens_push(tokens, from->ids[i], err));
    }
    return HN_OK;
}

static HnStatus encode_text(const HnTokenizer *tokenizer, const char *text, size_t n_bytes, bool first,
                            HnTokens *tokens, HnError *err) {
    if (hn_utf8_valid(text, n_bytes, NULL)) {
        return encode_sections(tokenizer, false, text, n_bytes, first, tokens, err);
    }
    HnText repaired = {.max_bytes = MOST_TEXT};
    HnStatus status = hn_unicode_repair(text, n_bytes, &repaired, err);
    if (status == HN_OK) {
        status = encode_sections(tokenizer, false, repaired.data, repaired.length, first, tokens, err);
    }
    hn_text_free(&repaired);
    return status;
}

HnStatus hn_tokenizer_encode(const HnTokenizer *tokenizer, const char *text, size_t n_bytes, bool specials,
                             HnTokens *tokens, HnError *err) {
    const size_t n_before = tokens->n;
    HnStatus status = specials ? push_all(&tokenizer->before, tokens, err) : HN_OK;
    if (status == HN_OK) {
        status = encode_text(tokenizer, text, n_bytes, true, tokens, err);
    }
    if (status == HN_OK && specials) {
        status = push_all(&tokenizer->after, tokens, err);
    }
    tokens->n = status == HN_OK ? tokens->n : n_before;
    return status;
}

HnStatus hn_tokenizer_encode_behind(const HnTokenizer *tokenizer, const char *text, size_t n_bytes, HnTokens *tokens,
                                    HnError *err) {
    const size_t n_before = tokens->n;
    HnStatus status = encode_text(tokenizer, text, n_bytes, false, tokens, err);
    tokens->n = status == HN_OK ? tokens->n : n_before;
    return status;
}

/* ---- looking things up ---- */

uint32_t hn_tokenizer_size(const HnTokenizer *tokenizer) {
    return tokenizer->vocabulary.size;
}

const char *hn_tokenizer_bytes(const HnTokenizer *tokenizer, uint32_t id, size_t *n_bytes) {
    if (id >= tokenizer->vocabulary.size || hn_tokenizer_is_special(tokenizer, id)) {
        *n_bytes = 0;
        return NULL;
    }
    *n_bytes = tokenizer->vocabulary.tokens[id].n_text;
    return tokenizer->vocabulary.tokens[id].text;
}

int32_t hn_tokenizer_special(const HnTokenizer *tokenizer, const char *text) {
    const HnAddedToken *token = hn_added_by_text(&tokenizer->added, text, strlen(text));
    return token != NULL && token->special ? (int32_t)token->id : -1;
}

bool hn_tokenizer_is_special(const HnTokenizer *tokenizer, uint32_t id) {
    return id < tokenizer->vocabulary.size && (tokenizer->vocabulary.tokens[id].flags & HN_TOKEN_SPECIAL) != 0;
}

HnTokenizerEnds hn_tokenizer_ends(const HnTokenizer *tokenizer) {
    return tokenizer->ends;
}

bool hn_tokenizer_lowers(const HnTokenizer *tokenizer) {
    return tokenizer->kind == HN_TOKENIZER_WORDS && tokenizer->bert.lower;
}
