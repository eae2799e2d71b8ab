/* tokenizer.json: the model, its vocabulary, its added tokens. The steps around it: read_json_steps.c. */
#include <string.h>

#include "read_json.h"

const char *hn_json_type(const json_t *object) {
    const char *type = json_string_value(json_object_get(object, "type"));
    return type != NULL ? type : "(none)";
}

int64_t hn_json_id(const json_t *value) {
    return json_is_integer(value) && json_integer_value(value) >= 0 ? json_integer_value(value) : -1;
}

/* ---- BPE ---- */

/* Options of the model that would change ids. */
static HnStatus check_bpe(const json_t *model, HnError *err) {
    static const char *const texts[] = {"continuing_subword_prefix", "end_of_word_suffix"};
    const json_t *dropout = json_object_get(model, "dropout");
    if (dropout != NULL && !json_is_null(dropout) && json_number_value(dropout) != 0.0) {
        return hn_fail(err, HN_UNSUPPORTED, "BPE with dropout is not supported");
    }
    for (size_t i = 0; i < 2; i++) {
        const char *text = json_string_value(json_object_get(model, texts[i]));
        if (text != NULL && text[0] != '\0') {
            return hn_fail(err, HN_UNSUPPORTED, "BPE with %s \"%s\" is not supported", texts[i], text);
        }
    }
    return HN_OK;
}

static HnStatus add_pieces(HnTokenizer *tokenizer, const json_t *vocabulary, HnError *err) {
    const char *key;
    size_t n;
    json_t *value;
    if (!json_is_object(vocabulary)) {
        return hn_fail(err, HN_FORMAT, "the vocabulary is no JSON object of tokens and ids");
    }
    json_object_keylen_foreach((json_t *)vocabulary, key, n, value) {
        const int64_t id = hn_json_id(value);
        if (id < 0) {
            return hn_fail(err, HN_FORMAT, "token \"%.100s\" has no id", key);
        }
        const bool byte = n == 6 && memcmp(key, "<0x", 3) == 0 && key[5] == '>';
        HN_TRY(hn_vocabulary_add(&tokenizer->vocabulary, (uint64_t)id, key, n, byte ? HN_TOKEN_BYTE : 0, err));
        HN_TRY(byte ? hn_tokenizer_add_byte_piece(tokenizer, (uint32_t)id, key, n, err)
                    : hn_tokenizer_add_piece(tokenizer, (uint32_t)id, key, n, err));
    }
    return hn_tokenizer_check_byte_pieces(tokenizer, err);
}

/* "a b", or ["a", "b"]. */
static HnStatus add_merges(HnTokenizer *tokenizer, const json_t *merges, HnError *err) {
    size_t number;
    json_t *merge;
    if (!json_is_array(merges)) {
        return hn_fail(err, HN_FORMAT, "the model has no list of merges");
    }
    json_array_foreach(merges, number, merge) {
        if (json_is_string(merge)) {
            HN_TRY(hn_tokenizer_add_merge_line(tokenizer, json_string_value(merge), json_string_length(merge), number,
                                               err));
            continue;
        }
        const json_t *first = json_array_get(merge, 0), *second = json_array_get(merge, 1);
        if (json_array_size(merge) != 2 || !json_is_string(first) || !json_is_string(second)) {
            return hn_fail(err, HN_FORMAT, "merge %zu is no two tokens", number);
        }
        HN_TRY(hn_tokenizer_add_merge(tokenizer, json_string_value(first), json_string_length(first),
                                      json_string_value(second), json_string_length(second), number, err));
    }
    return HN_OK;
}

static HnStatus read_bpe(HnTokenizer *tokenizer, const json_t *model, HnError *err) {
    const json_t *vocabulary = json_object_get(model, "vocab");
    tokenizer->trust_whole = json_is_true(json_object_get(model, "ignore_merges"));
    HN_TRY(check_bpe(model, err));
    if (tokenizer->kind == HN_TOKENIZER_PIECES) {
        HN_TRY(add_pieces(tokenizer, vocabulary, err));
    } else {
        HN_TRY(hn_tokenizer_add_letters(tokenizer, vocabulary, err));
        HN_TRY(hn_tokenizer_find_bytes(tokenizer, err));
    }
    HN_TRY(add_merges(tokenizer, json_object_get(model, "merges"), err));
    return hn_tokenizer_finish_merges(tokenizer, err);
}

/* ---- WordPiece ---- */

static HnStatus read_wordpiece(HnTokenizer *tokenizer, const json_t *model, HnError *err) {
    const char *prefix = json_string_value(json_object_get(model, "continuing_subword_prefix"));
    const json_t *most = json_object_get(model, "max_input_chars_per_word"),
                 *unknown = json_object_get(model, "unk_token");
    const char *key;
    size_t n;
    json_t *value;
    if (prefix == NULL || strcmp(prefix, "##") != 0) {
        return hn_fail(err, HN_UNSUPPORTED, "WordPiece with the prefix \"%s\" is not supported, only \"##\"",
                       prefix == NULL ? "" : prefix);
    }
    if (!json_is_integer(most) || json_integer_value(most) < 1 || json_integer_value(most) > 1 << 20) {
        return hn_fail(err, HN_FORMAT, "WordPiece without a max_input_chars_per_word from 1 to %d", 1 << 20);
    }
    tokenizer->most_chars = (uint32_t)json_integer_value(most);
    json_object_keylen_foreach(json_object_get(model, "vocab"), key, n, value) {
        const int64_t id = hn_json_id(value);
        if (id < 0) {
            return hn_fail(err, HN_FORMAT, "token \"%.100s\" has no id", key);
        }
        HN_TRY(hn_tokenizer_add_wordpiece(tokenizer, key, n, (uint64_t)id, err));
    }
    const int64_t unk =
        !json_is_string(unknown)
            ? -1
            : hn_vocabulary_find(&tokenizer->vocabulary, json_string_value(unknown), json_string_length(unknown));
    if (unk < 0) {
        return hn_fail(err, HN_FORMAT, "WordPiece without an unk_token of the vocabulary");
    }
    tokenizer->ends.unk = (int32_t)unk;
    return HN_OK;
}

/* ---- the file ---- */

static HnStatus choose_kind(HnTokenizer *tokenizer, const json_t *model, HnError *err) {
    const char *type = hn_json_type(model);
    if (strcmp(type, "WordPiece") == 0) {
        tokenizer->kind = HN_TOKENIZER_WORDS;
    } else if (strcmp(type, "BPE") == 0) {
        const json_t *fallback = json_object_get(model, "byte_fallback");
        if (fallback != NULL && !json_is_boolean(fallback) && !json_is_null(fallback)) {
            return hn_fail(err, HN_FORMAT, "model.byte_fallback is neither true nor false");
        }
        const bool pieces = json_is_true(fallback);
        tokenizer->kind = pieces ? HN_TOKENIZER_PIECES : HN_TOKENIZER_BYTES;
    } else {
        return hn_fail(err, HN_UNSUPPORTED, "a model of type %s is not supported, only BPE and WordPiece", type);
    }
    return HN_OK;
}

static HnStatus add_added(HnTokenizer *tokenizer, const json_t *list, HnError *err) {
    size_t i;
    json_t *token;
    json_array_foreach(list, i, token) {
        const int64_t id = hn_json_id(json_object_get(token, "id"));
        if (id < 0) {
            return hn_fail(err, HN_FORMAT, "added token %zu has no id", i);
        }
        HN_TRY(hn_json_added_token(tokenizer, (uint64_t)id, token, err));
    }
    return HN_OK;
}

static HnStatus read_parts(HnTokenizer *tokenizer, const json_t *json, HnError *err) {
    const json_t *model = json_object_get(json, "model");
    tokenizer->from = HN_FROM_JSON;
    HN_TRY(choose_kind(tokenizer, model, err));
    HN_TRY(hn_json_normalizer(tokenizer, json_object_get(json, "normalizer"), err));
    HN_TRY(hn_json_pre_tokenizer(tokenizer, json_object_get(json, "pre_tokenizer"), err));
    HN_TRY(hn_json_decoder(tokenizer, json_object_get(json, "decoder"), err));
    HN_TRY(tokenizer->kind == HN_TOKENIZER_WORDS ? read_wordpiece(tokenizer, model, err)
                                                 : read_bpe(tokenizer, model, err));
    HN_TRY(add_added(tokenizer, json_object_get(json, "added_tokens"), err));
    return hn_json_post_processor(tokenizer, json_object_get(json, "post_processor"), err);
}

HnStatus hn_tokenizer_read_json(HnTokenizer *tokenizer, const char *path, HnError *err) {
    json_t *json = NULL;
    HN_TRY(hn_json_file(path, &json, err));
    HnStatus status = json_is_object(json) ? read_parts(tokenizer, json, err)
                                           : hn_fail(err, HN_FORMAT, "the file holds no JSON object");
    json_decref(json);
    return status;
}
