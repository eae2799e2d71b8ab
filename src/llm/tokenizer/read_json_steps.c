/* The steps of tokenizer.json around its model: those of the supported families, every other one refused by name. */
#include <stdlib.h>
#include <string.h>

#include "read_json.h"

static bool is(const json_t *step, const char *type) {
    return strcmp(hn_json_type(step), type) == 0;
}

static bool says(const json_t *step, const char *key, const char *text) {
    const char *value = json_string_value(json_object_get(step, key));
    return value != NULL && strcmp(value, text) == 0;
}

static HnStatus refuse(const char *what, const json_t *step, HnError *err) {
    char *text = json_dumps(step, JSON_COMPACT | JSON_ENCODE_ANY);
    HnStatus status = hn_fail(err, HN_UNSUPPORTED, "%s %s is not supported here: %.600s", what, hn_json_type(step),
                              text == NULL ? "null" : text);
    free(text);
    return status;
}

/* A Sequence's steps, or the step alone. */
static size_t n_steps(const json_t *step, const char *list) {
    return step == NULL || json_is_null(step) ? 0
           : is(step, "Sequence")             ? json_array_size(json_object_get(step, list))
                                              : 1;
}

static const json_t *step_at(const json_t *step, const char *list, size_t i) {
    return is(step, "Sequence") ? json_array_get(json_object_get(step, list), i) : step;
}

/* {"String": " "} */
static bool is_space_pattern(const json_t *step, const char *pattern) {
    return says(json_object_get(step, "pattern"), "String", pattern);
}

/* ---- normalizer ---- */

static void bert_normalizer(HnTokenizer *tokenizer, const json_t *step) {
    const json_t *strip = json_object_get(step, "strip_accents");
    const bool lower = json_is_true(json_object_get(step, "lowercase"));
    tokenizer->bert = (HnBertText){.clean = json_is_true(json_object_get(step, "clean_text")),
                                   .cjk = json_is_true(json_object_get(step, "handle_chinese_chars")),
                                   .lower = lower,
                                   .strip = json_is_boolean(strip) ? json_is_true(strip) : lower};
}

HnStatus hn_json_normalizer(HnTokenizer *tokenizer, const json_t *step, HnError *err) {
    bool replaced = false;
    for (size_t i = 0; i < n_steps(step, "normalizers"); i++) {
        const json_t *one = step_at(step, "normalizers", i);
        const HnTokenizerKind kind = tokenizer->kind;
        if (kind == HN_TOKENIZER_WORDS && is(one, "BertNormalizer") && i == 0) {
            bert_normalizer(tokenizer, one);
        } else if (kind == HN_TOKENIZER_BYTES && is(one, "NFC")) {
            tokenizer->nfc = true;
        } else if (kind == HN_TOKENIZER_PIECES && is(one, "Prepend") && says(one, "prepend", HN_SPACE_MARK) &&
                   !replaced && tokenizer->prefix == HN_PREFIX_NONE) {
            tokenizer->prefix = HN_PREFIX_EACH;
        } else if (kind == HN_TOKENIZER_PIECES && is(one, "Replace") && is_space_pattern(one, " ") &&
                   says(one, "content", HN_SPACE_MARK)) {
            replaced = true;
        } else {
            return refuse("normalizer", one, err);
        }
    }
    tokenizer->marks_spaces = replaced;
    return tokenizer->prefix == HN_PREFIX_EACH && !replaced
               ? hn_fail(err, HN_UNSUPPORTED, "normalizer Prepend without Replace of spaces is not supported")
               : HN_OK;
}

/* ---- pre-tokenizer ---- */

static HnStatus byte_level(HnTokenizer *tokenizer, const json_t *step, bool split, HnError *err) {
    const json_t *regex = json_object_get(step, "use_regex");
    const bool uses_regex = !json_is_false(regex);
    if (!is(step, "ByteLevel") || json_is_true(json_object_get(step, "add_prefix_space")) || uses_regex == split) {
        return refuse("pre_tokenizer", step, err);
    }
    if (uses_regex) {
        tokenizer->split = HN_SPLIT_GPT2;
    }
    return HN_OK;
}

static HnStatus regex_split(HnTokenizer *tokenizer, const json_t *step, HnError *err) {
    const json_t *pattern = json_object_get(step, "pattern");
    if (!is(step, "Split") || !says(step, "behavior", "Isolated") || json_is_true(json_object_get(step, "invert"))) {
        return refuse("pre_tokenizer", step, err);
    }
    if (says(pattern, "Regex", HN_SPLIT_PATTERN_LLAMA3)) {
        tokenizer->split = HN_SPLIT_LLAMA3;
    } else if (says(pattern, "Regex", HN_SPLIT_PATTERN_QWEN)) {
        tokenizer->split = HN_SPLIT_QWEN;
    } else {
        return refuse("pre_tokenizer", step, err);
    }
    return HN_OK;
}

/* Metaspace without cutting at spaces: only the mark for a space, and one before the text. */
static HnStatus metaspace(HnTokenizer *tokenizer, const json_t *step, HnError *err) {
    const bool first = says(step, "prepend_scheme", "first"), always = says(step, "prepend_scheme", "always");
    if (!is(step, "Metaspace") || !says(step, "replacement", HN_SPACE_MARK) ||
        !json_is_false(json_object_get(step, "split")) || !(first || always || says(step, "prepend_scheme", "never")) ||
        tokenizer->prefix != HN_PREFIX_NONE) {
        return refuse("pre_tokenizer", step, err);
    }
    tokenizer->prefix = first ? HN_PREFIX_FIRST_LEAN : always ? HN_PREFIX_EACH_LEAN : HN_PREFIX_NONE;
    return HN_OK;
}

HnStatus hn_json_pre_tokenizer(HnTokenizer *tokenizer, const json_t *step, HnError *err) {
    const size_t n = n_steps(step, "pretokenizers");
    const json_t *first = n > 0 ? step_at(step, "pretokenizers", 0) : NULL;
    switch (tokenizer->kind) {
    case HN_TOKENIZER_BYTES:
        if (n == 2) {
            HN_TRY(regex_split(tokenizer, first, err));
            return byte_level(tokenizer, step_at(step, "pretokenizers", 1), true, err);
        }
        return n == 1 ? byte_level(tokenizer, first, false, err) : refuse("pre_tokenizer", step, err);
    case HN_TOKENIZER_PIECES:
        return n == 0 && tokenizer->marks_spaces ? HN_OK
               : n == 1                          ? metaspace(tokenizer, first, err)
                                                 : refuse("pre_tokenizer", step, err);
    default:
        return n == 1 && is(first, "BertPreTokenizer") ? HN_OK : refuse("pre_tokenizer", step, err);
    }
}

/* ---- decoder ---- */

/* Replace marks by spaces, ByteFallback, Fuse, and Strip of the one space at the beginning where there is a prefix. */
static bool is_pieces_decoder(const HnTokenizer *tokenizer, const json_t *step) {
    const size_t n = n_steps(step, "decoders");
    const json_t *strip = n == 4 ? step_at(step, "decoders", 3) : NULL;
    const bool prefix = tokenizer->prefix != HN_PREFIX_NONE;
    return (n == 4 || (n == 3 && !prefix)) && is(step_at(step, "decoders", 0), "Replace") &&
           is_space_pattern(step_at(step, "decoders", 0), HN_SPACE_MARK) &&
           says(step_at(step, "decoders", 0), "content", " ") && is(step_at(step, "decoders", 1), "ByteFallback") &&
           is(step_at(step, "decoders", 2), "Fuse") &&
           (n == 3 || (prefix && is(strip, "Strip") && says(strip, "content", " ") &&
                       json_integer_value(json_object_get(strip, "start")) == 1 &&
                       json_integer_value(json_object_get(strip, "stop")) == 0));
}

HnStatus hn_json_decoder(const HnTokenizer *tokenizer, const json_t *step, HnError *err) {
    switch (tokenizer->kind) {
    case HN_TOKENIZER_BYTES:
        return is(step, "ByteLevel") ? HN_OK : refuse("decoder", step, err);
    case HN_TOKENIZER_PIECES:
        return is_pieces_decoder(tokenizer, step) ? HN_OK : refuse("decoder", step, err);
    default:
        return is(step, "WordPiece") && says(step, "prefix", "##") && !json_is_false(json_object_get(step, "cleanup"))
                   ? HN_OK
                   : refuse("decoder", step, err);
    }
}

/* ---- post-processor ---- */

/* An id that a template names, by its table of special tokens. */
static HnStatus template_ids(const HnTokenizer *tokenizer, const json_t *step, const char *name, HnTokens *edge,
                             HnError *err) {
    const json_t *ids = json_object_get(json_object_get(json_object_get(step, "special_tokens"), name), "ids");
    size_t i;
    json_t *id;
    if (json_array_size(ids) == 0) {
        return hn_fail(err, HN_FORMAT, "post_processor names \"%s\", but gives no ids for it", name);
    }
    json_array_foreach(ids, i, id) {
        const int64_t value = hn_json_id(id);
        if (value < 0 || value >= hn_tokenizer_size(tokenizer)) {
            return hn_fail(err, HN_FORMAT, "post_processor: \"%s\" has an id outside the vocabulary", name);
        }
        HN_TRY(hn_tokens_push(edge, (uint32_t)value, err));
    }
    return HN_OK;
}

static HnStatus template(HnTokenizer *tokenizer, const json_t *step, HnError *err) {
    bool text = false;
    size_t i;
    json_t *part;
    json_array_foreach(json_object_get(step, "single"), i, part) {
        const char *special = json_string_value(json_object_get(json_object_get(part, "SpecialToken"), "id"));
        if (special != NULL) {
            HN_TRY(template_ids(tokenizer, step, special, text ? &tokenizer->after : &tokenizer->before, err));
        } else if (says(json_object_get(part, "Sequence"), "id", "A") && !text) {
            text = true;
        } else {
            return refuse("post_processor", step, err);
        }
    }
    return text ? HN_OK : refuse("post_processor", step, err);
}

/* ["[CLS]", 101] */
static HnStatus bert_edge(const HnTokenizer *tokenizer, const json_t *pair, HnTokens *edge, HnError *err) {
    const int64_t value = hn_json_id(json_array_get(pair, 1));
    if (value < 0 || value >= hn_tokenizer_size(tokenizer)) {
        return hn_fail(err, HN_FORMAT, "post_processor BertProcessing has an id outside the vocabulary");
    }
    return hn_tokens_push(edge, (uint32_t)value, err);
}

HnStatus hn_json_post_processor(HnTokenizer *tokenizer, const json_t *step, HnError *err) {
    for (size_t i = 0; i < n_steps(step, "processors"); i++) {
        const json_t *one = step_at(step, "processors", i);
        if (is(one, "ByteLevel")) {
            continue; /* offsets only */
        }
        if (tokenizer->before.n + tokenizer->after.n > 0) {
            return refuse("post_processor", step, err);
        }
        if (is(one, "TemplateProcessing")) {
            HN_TRY(template(tokenizer, one, err));
        } else if (is(one, "BertProcessing")) {
            HN_TRY(bert_edge(tokenizer, json_object_get(one, "cls"), &tokenizer->before, err));
            HN_TRY(bert_edge(tokenizer, json_object_get(one, "sep"), &tokenizer->after, err));
        } else {
            return refuse("post_processor", one, err);
        }
    }
    return HN_OK;
}
