/* sentence-transformers' files: which modules follow the transformer, how long its inputs may be, and the prompts. */
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "config_private.h"

static const char *last_part(const char *dotted) {
    const char *dot = strrchr(dotted, '.');
    return dot != NULL ? dot + 1 : dotted;
}

static HnStatus set_pooling(const char *path, const char *mode, HnLmConfig *config, HnError *err) {
    static const struct {
        const char *name;
        HnPooling pooling;
    } modes[] = {{"mean", HN_POOLING_MEAN}, {"cls", HN_POOLING_CLS}, {"lasttoken", HN_POOLING_LAST}};
    for (size_t k = 0; k < sizeof modes / sizeof modes[0]; k++) {
        if (strcmp(mode, modes[k].name) == 0) {
            config->pooling = modes[k].pooling;
            return HN_OK;
        }
    }
    return hn_fail(err, HN_UNSUPPORTED, "%s: pooling by \"%s\" is not supported (mean, cls and lasttoken are)", path,
                   mode);
}

/* The spelling before sentence-transformers 5: a flag a mode. More than one set means joined vectors. */
static HnStatus read_pooling_flags(HnKeys *keys, const char **mode, HnError *err) {
    static const struct {
        const char *key, *mode;
    } flags[] = {
        {"pooling_mode_cls_token", "cls"},
        {"pooling_mode_mean_tokens", "mean"},
        {"pooling_mode_lasttoken", "lasttoken"},
        {"pooling_mode_max_tokens", "max"},
        {"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"},
        {"pooling_mode_weightedmean_tokens", "weightedmean"},
    };
    for (size_t k = 0; k < sizeof flags / sizeof flags[0]; k++) {
        bool set = false;
        HN_TRY(hn_keys_bool(keys, flags[k].key, &set, err));
        if (set && *mode != NULL) {
            return hn_fail(err, HN_UNSUPPORTED, "%s: pooling by both %s and %s is not supported", keys->path, *mode,
                           flags[k].mode);
        }
        *mode = set ? flags[k].mode : *mode;
    }
    *mode = *mode == NULL ? "mean" : *mode;
    return HN_OK;
}

static HnStatus read_pooling(HnKeys *keys, HnLmConfig *config, HnError *err) {
    const json_t *named = hn_keys_get(keys, "pooling_mode");
    const char *mode = NULL;
    bool include_prompt = true;
    uint32_t width = config->hidden;
    if (json_is_array(named) && json_array_size(named) == 1) {
        named = json_array_get(named, 0);
    }
    if (named != NULL && !json_is_string(named)) {
        char shown[80];
        return hn_fail(err, HN_UNSUPPORTED, "%s: pooling by %s is not supported", keys->path,
                       hn_keys_show(named, shown));
    }
    mode = json_string_value(named);
    if (mode == NULL) {
        HN_TRY(read_pooling_flags(keys, &mode, err));
    }
    HN_TRY(hn_keys_bool(keys, "include_prompt", &include_prompt, err));
    HN_TRY(hn_keys_u32(keys, "word_embedding_dimension", 1, UINT32_MAX, &width, err));
    HN_TRY(hn_keys_u32(keys, "embedding_dimension", 1, UINT32_MAX, &width, err));
    if (!include_prompt) {
        return hn_fail(err, HN_UNSUPPORTED, "%s: pooling without the prompt's tokens (include_prompt) is not supported",
                       keys->path);
    }
    if (width != config->hidden) {
        return hn_fail(err, HN_FORMAT, "%s: pools vectors of %u numbers, but config.json's model gives %u", keys->path,
                       width, config->hidden);
    }
    return set_pooling(keys->path, mode, config, err);
}

static HnStatus read_length(HnKeys *keys, HnLmConfig *config, HnError *err) {
    HN_TRY(hn_keys_u32(keys, "max_seq_length", 1, HN_CONFIG_MAX_POSITIONS, &config->max_tokens, err));
    HN_TRY(hn_keys_bool(keys, "do_lower_case", &config->lower_case, err));
    if (config->max_tokens > config->n_positions) {
        config->max_tokens = config->n_positions;
    }
    return HN_OK;
}

/* The first of the names that has a prompt, else the default one. */
static HnStatus copy_prompt(HnKeys *keys, const json_t *prompts, const char *const *names, size_t n_names,
                            const char *otherwise, char **out, HnError *err) {
    const json_t *found = NULL;
    for (size_t k = 0; k < n_names && found == NULL; k++) {
        found = json_object_get(prompts, names[k]);
    }
    if (found == NULL && otherwise != NULL) {
        found = json_object_get(prompts, otherwise);
    }
    if (found == NULL || json_is_null(found)) {
        return HN_OK;
    }
    if (!json_is_string(found)) {
        return hn_fail(err, HN_FORMAT, "%s: a prompt is no string", keys->path);
    }
    *out = hn_strdup(json_string_value(found), err);
    return *out == NULL ? HN_MEMORY : HN_OK;
}

static HnStatus read_prompts(HnKeys *keys, HnLmConfig *config, HnError *err) {
    static const char *const query[] = {"query", "search_query"};
    static const char *const document[] = {"document", "passage", "corpus", "search_document"};
    const json_t *prompts = hn_keys_get(keys, "prompts");
    const char *otherwise = NULL;
    HN_TRY(hn_keys_text(keys, "default_prompt_name", &otherwise, err));
    if (prompts != NULL && !json_is_object(prompts)) {
        return hn_fail(err, HN_FORMAT, "%s: \"prompts\" is no object", keys->path);
    }
    HN_TRY(copy_prompt(keys, prompts, query, 2, otherwise, &config->query_prefix, err));
    return copy_prompt(keys, prompts, document, 4, otherwise, &config->document_prefix, err);
}

/* One file of the folder, where it is there, through `read`. */
static HnStatus read_file(const char *folder, const char *name,
                          HnStatus (*read)(HnKeys *keys, HnLmConfig *config, HnError *err), bool *found,
                          HnLmConfig *config, HnError *err) {
    char *path = hn_path_join(folder, name, err);
    if (path == NULL) {
        return HN_MEMORY;
    }
    HnStatus status = HN_OK;
    *found = hn_file_exists(path);
    if (*found) {
        HnKeys keys;
        status = hn_keys_open(path, &keys, err);
        if (status == HN_OK && !json_is_object(keys.root)) {
            status = hn_fail(err, HN_FORMAT, "%s is no JSON object", path);
        }
        status = status == HN_OK ? read(&keys, config, err) : status;
        hn_keys_close(&keys);
    }
    hn_free(path);
    return status;
}

/* Number `place` of modules.json: the transformer, then pooling, then perhaps lengths of 1; nothing else. */
static HnStatus read_module(const char *path, const char *folder, size_t place, const json_t *module,
                            HnLmConfig *config, HnError *err) {
    const char *type = json_string_value(json_object_get(module, "type"));
    const char *where = json_string_value(json_object_get(module, "path"));
    if (type == NULL || where == NULL || strstr(where, "..") != NULL || where[0] == '/') {
        return hn_fail(err, HN_FORMAT, "%s: module %zu has no \"type\" and \"path\" inside the folder", path, place);
    }
    const char *kind = last_part(type);
    bool found = false;
    if (place == 0 && strcmp(kind, "Transformer") == 0) {
        return where[0] == '\0' ? HN_OK
                                : hn_fail(err, HN_UNSUPPORTED,
                                          "%s: the transformer lies in the folder \"%s\"; only models whose files lie "
                                          "beside modules.json are read",
                                          path, where);
    }
    if (place == 1 && strcmp(kind, "Pooling") == 0) {
        char *inside = hn_path_join(folder, where, err);
        if (inside == NULL) {
            return HN_MEMORY;
        }
        HnStatus status = read_file(inside, "config.json", read_pooling, &found, config, err);
        hn_free(inside);
        return status != HN_OK || found
                   ? status
                   : hn_fail(err, HN_FORMAT, "%s: %s/config.json, which says how to pool, is not there", path, where);
    }
    if (place >= 2 && strcmp(kind, "Normalize") == 0) {
        config->normalise = true;
        return HN_OK;
    }
    return hn_fail(err, HN_UNSUPPORTED,
                   "%s: module %zu is %s; a Transformer, then Pooling, then Normalize are supported", path, place,
                   type);
}

static HnStatus read_modules(const char *path, const char *folder, HnLmConfig *config, HnError *err) {
    HnKeys keys;
    HN_TRY(hn_keys_open(path, &keys, err));
    HnStatus status = json_array_size(keys.root) > 0 ? HN_OK : hn_fail(err, HN_FORMAT, "%s lists no modules", path);
    for (size_t i = 0; i < json_array_size(keys.root) && status == HN_OK; i++) {
        status = read_module(path, folder, i, json_array_get(keys.root, i), config, err);
    }
    hn_keys_close(&keys);
    return status;
}

HnStatus hn_config_read_sentence(const char *folder, HnLmConfig *config, HnError *err) {
    char *path = hn_path_join(folder, "modules.json", err);
    bool found = false;
    if (path == NULL) {
        return HN_MEMORY;
    }
    HnStatus status = HN_OK;
    if (hn_file_exists(path)) {
        status = read_modules(path, folder, config, err);
        if (status == HN_OK) {
            status = read_file(folder, "sentence_bert_config.json", read_length, &found, config, err);
        }
        if (status == HN_OK) {
            status = read_file(folder, "config_sentence_transformers.json", read_prompts, &found, config, err);
        }
    }
    hn_free(path);
    return status;
}
