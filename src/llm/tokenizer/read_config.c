/* What stands beside a vocabulary: tokenizer_config.json, special_tokens_map.json, the model type of config.json. */
#include <jansson.h>
#include <string.h>

#include "base/file.h"
#include "read_json.h"

/* Each an object, or NULL where the file is absent. */
typedef struct Files {
    json_t *config; /* tokenizer_config.json */
    json_t *map;    /* special_tokens_map.json */
    json_t *model;  /* config.json */
    json_t *added;  /* added_tokens.json */
} Files;

static HnStatus load(const char *path, size_t flags, json_t **json, HnError *err) {
    char *bytes = NULL;
    size_t n_bytes = 0;
    json_error_t where;
    HN_TRY(hn_file_read(path, HN_TOKENIZER_MOST_FILE_BYTES, &bytes, &n_bytes, err));
    *json = json_loadb(bytes, n_bytes, flags | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &where);
    hn_free(bytes);
    if (*json == NULL) {
        return hn_fail(err, HN_FORMAT, "%s: line %d is not JSON: %s", path, where.line, where.text);
    }
    return HN_OK;
}

HnStatus hn_json_file(const char *path, json_t **json, HnError *err) {
    return load(path, 0, json, err);
}

/* The same where the file may be absent; an object, or NULL. Numbers are read as floats: "no limit" is 10^30 in a
 * model_max_length, which no integer holds, and no number is wanted from these files. */
static HnStatus optional_file(const char *folder, const char *name, json_t **json, HnError *err) {
    *json = NULL;
    char *path = hn_path_join(folder, name, err);
    if (path == NULL) {
        return HN_MEMORY;
    }
    HnStatus status = hn_file_exists(path) ? load(path, JSON_DECODE_INT_AS_REAL, json, err) : HN_OK;
    if (*json != NULL && !json_is_object(*json)) {
        status = hn_fail(err, HN_FORMAT, "%s holds no JSON object", path);
        json_decref(*json);
        *json = NULL;
    }
    hn_free(path);
    return status;
}

HnStatus hn_json_added_token(HnTokenizer *tokenizer, uint64_t id, const json_t *token, HnError *err) {
    const json_t *content = json_object_get(token, "content");
    if (!json_is_string(content)) {
        return hn_fail(err, HN_FORMAT, "added token %llu has no content", (unsigned long long)id);
    }
    const char *text = json_string_value(content);
    const bool special = json_is_true(json_object_get(token, "special"));
    bool normalized = json_is_true(json_object_get(token, "normalized"));
    static const char *const flags[] = {"single_word", "lstrip", "rstrip"};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0] && !special; i++) {
        if (json_is_true(json_object_get(token, flags[i]))) {
            return hn_fail(err, HN_UNSUPPORTED, "added token \"%s\" with %s is not supported", text, flags[i]);
        }
    }
    if (normalized && !special && tokenizer->kind == HN_TOKENIZER_PIECES && tokenizer->prefix == HN_PREFIX_EACH) {
        return hn_fail(err, HN_UNSUPPORTED, "added token \"%s\" is normalized by Prepend, which is not supported",
                       text);
    }
    return hn_tokenizer_add(tokenizer, id, text, json_string_length(content), special, normalized, err);
}

static HnStatus read_added(HnTokenizer *tokenizer, const json_t *decoder, HnError *err) {
    const char *key;
    json_t *token;
    json_object_foreach((json_t *)decoder, key, token) {
        uint64_t id = 0;
        if (!hn_parse_u64(key, &id)) {
            return hn_fail(err, HN_FORMAT, "added_tokens_decoder: \"%s\" is no id", key);
        }
        HN_TRY(hn_json_added_token(tokenizer, id, token, err));
    }
    return HN_OK;
}

/* "<s>", or {"content": "<s>", ...}; NULL where it is neither. */
static const char *text_of(const json_t *value) {
    value = json_is_object(value) ? json_object_get(value, "content") : value;
    return json_is_string(value) ? json_string_value(value) : NULL;
}

static const char *token_text(const json_t *config, const char *key) {
    return text_of(json_object_get(config, key));
}

/* Whether a file names this text as one of its special tokens, alone or in a list of them. */
static bool names_special(const json_t *file, const char *text) {
    static const char *const keys[] = {"bos_token", "eos_token", "unk_token",  "pad_token",
                                       "sep_token", "cls_token", "mask_token", "additional_special_tokens"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const json_t *value = json_object_get(file, keys[i]);
        const char *one = text_of(value);
        bool named = one != NULL && strcmp(one, text) == 0;
        for (size_t j = 0; j < json_array_size(value) && !named; j++) {
            one = text_of(json_array_get(value, j));
            named = one != NULL && strcmp(one, text) == 0;
        }
        if (named) {
            return true;
        }
    }
    return false;
}

/* added_tokens.json of older checkpoints: {"<tool>": 151657}; which are special stands in the other files. */
static HnStatus read_old_added(HnTokenizer *tokenizer, const Files *files, HnError *err) {
    const char *text;
    json_t *value;
    json_object_foreach(files->added, text, value) {
        const double id = json_is_number(value) ? json_number_value(value) : -1.0;
        if (!(id >= 0.0 && id < HN_VOCABULARY_MOST_IDS)) {
            return hn_fail(err, HN_FORMAT, "added_tokens.json: \"%s\" has no id", text);
        }
        const bool special = names_special(files->config, text) || names_special(files->map, text);
        HN_TRY(hn_tokenizer_add(tokenizer, (uint64_t)id, text, strlen(text), special, !special, err));
    }
    return HN_OK;
}

/* The id of what the files call bos_token ...; the vocabulary's own stays where they are silent. A token that is in the
 * vocabulary only becomes a special one by being named here. */
static HnStatus set_end(HnTokenizer *tokenizer, const json_t *config, const json_t *map, const char *key, int32_t *end,
                        HnError *err) {
    const char *text = token_text(config, key);
    text = text == NULL ? token_text(map, key) : text;
    if (text == NULL) {
        if (json_is_null(json_object_get(config, key))) {
            *end = -1; /* "bos_token": null says that there is none */
        }
        return HN_OK;
    }
    const HnAddedToken *added = hn_added_by_text(&tokenizer->added, text, strlen(text));
    if (added != NULL) {
        *end = (int32_t)added->id;
        return HN_OK;
    }
    const int64_t id = hn_vocabulary_find(&tokenizer->vocabulary, text, strlen(text));
    if (id < 0) {
        return hn_fail(err, HN_FORMAT, "%s is \"%s\", which is no token of the vocabulary", key, text);
    }
    *end = (int32_t)id;
    return hn_tokenizer_add(tokenizer, (uint64_t)id, text, strlen(text), true, false, err);
}

/* add_bos_token, add_eos_token: as said, else as the vocabulary's reader left it. */
static HnStatus set_edge(HnTokens *edge, const json_t *config, const char *key, int32_t end, HnError *err) {
    const json_t *value = json_object_get(config, key);
    if (!json_is_boolean(value)) {
        if (edge->n > 0 && end >= 0) {
            edge->ids[0] = (uint32_t)end;
        }
        return HN_OK;
    }
    edge->n = 0;
    if (!json_is_true(value)) {
        return HN_OK;
    }
    if (end < 0) {
        return hn_fail(err, HN_FORMAT, "%s is true, but the files name no such token", key);
    }
    return hn_tokens_push(edge, (uint32_t)end, err);
}

/* vocab.json with merges.txt does not say how text is cut; the class or the model's type does. */
static HnStatus choose_split(HnTokenizer *tokenizer, const json_t *config, const json_t *model, HnError *err) {
    const char *class = json_string_value(json_object_get(config, "tokenizer_class"));
    const char *type = json_string_value(json_object_get(model, "model_type"));
    const char *name = class != NULL ? class : type != NULL ? type : "(neither is there)";
    if (strcmp(name, "Qwen2Tokenizer") == 0 || strcmp(name, "Qwen2TokenizerFast") == 0 || strcmp(name, "qwen2") == 0 ||
        strcmp(name, "qwen3") == 0) {
        tokenizer->split = HN_SPLIT_QWEN;
        tokenizer->nfc = true;
    } else if (strcmp(name, "GPT2Tokenizer") == 0 || strcmp(name, "GPT2TokenizerFast") == 0 ||
               strcmp(name, "gpt2") == 0) {
        tokenizer->split = HN_SPLIT_GPT2;
    } else {
        return hn_fail(err, HN_UNSUPPORTED,
                       "vocab.json does not say how text is cut, and tokenizer_class in tokenizer_config.json or "
                       "model_type in config.json says %s; supported are those of Qwen2, Qwen3 and GPT-2",
                       name);
    }
    return json_is_true(json_object_get(config, "add_prefix_space"))
               ? hn_fail(err, HN_UNSUPPORTED, "add_prefix_space is not supported for byte-level BPE")
               : HN_OK;
}

static void choose_bert(HnTokenizer *tokenizer, const json_t *config) {
    const json_t *lower = json_object_get(config, "do_lower_case"), *strip = json_object_get(config, "strip_accents"),
                 *cjk = json_object_get(config, "tokenize_chinese_chars");
    tokenizer->bert.lower = !json_is_false(lower);
    tokenizer->bert.strip = json_is_boolean(strip) ? json_is_true(strip) : tokenizer->bert.lower;
    tokenizer->bert.cjk = !json_is_false(cjk);
}

static HnStatus apply(HnTokenizer *tokenizer, const Files *files, HnError *err) {
    const json_t *config = files->config, *map = files->map;
    const bool listed = tokenizer->from == HN_FROM_LISTS;
    if (listed && tokenizer->kind == HN_TOKENIZER_BYTES && tokenizer->split == HN_SPLIT_NONE) {
        HN_TRY(choose_split(tokenizer, config, files->model, err));
    }
    if (listed && tokenizer->kind == HN_TOKENIZER_WORDS) {
        choose_bert(tokenizer, config);
    }
    HN_TRY(read_added(tokenizer, json_object_get(config, "added_tokens_decoder"), err));
    if (tokenizer->from != HN_FROM_JSON && json_object_get(config, "added_tokens_decoder") == NULL) {
        HN_TRY(read_old_added(tokenizer, files, err));
    }
    if (tokenizer->from == HN_FROM_TIKTOKEN && tokenizer->added.n == 0) {
        HN_TRY(hn_tokenizer_name_specials(tokenizer, err));
    }
    HN_TRY(set_end(tokenizer, config, map, "bos_token", &tokenizer->ends.bos, err));
    HN_TRY(set_end(tokenizer, config, map, "eos_token", &tokenizer->ends.eos, err));
    HN_TRY(set_end(tokenizer, config, map, "unk_token", &tokenizer->ends.unk, err));
    HN_TRY(set_end(tokenizer, config, map, "pad_token", &tokenizer->ends.pad, err));
    if (tokenizer->from == HN_FROM_JSON || tokenizer->kind == HN_TOKENIZER_WORDS) {
        return HN_OK; /* tokenizer.json says itself what encloses a text; BERT's [CLS] and [SEP] always do */
    }
    HN_TRY(set_edge(&tokenizer->before, config, "add_bos_token", tokenizer->ends.bos, err));
    return set_edge(&tokenizer->after, config, "add_eos_token", tokenizer->ends.eos, err);
}

HnStatus hn_tokenizer_read_config(HnTokenizer *tokenizer, const char *folder, HnError *err) {
    Files files = {0};
    HnStatus status = optional_file(folder, "tokenizer_config.json", &files.config, err);
    status = status == HN_OK ? optional_file(folder, "special_tokens_map.json", &files.map, err) : status;
    status = status == HN_OK ? optional_file(folder, "config.json", &files.model, err) : status;
    status = status == HN_OK ? optional_file(folder, "added_tokens.json", &files.added, err) : status;
    if (status == HN_OK) {
        HnError inner = HN_ERROR_INIT;
        status = apply(tokenizer, &files, &inner);
        if (status != HN_OK) {
            (void)hn_fail(err, status, "%s/tokenizer_config.json and its neighbours: %s", folder, inner.message);
        }
    }
    json_decref(files.added);
    json_decref(files.model);
    json_decref(files.map);
    json_decref(files.config);
    return status;
}
