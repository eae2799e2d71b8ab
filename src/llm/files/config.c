#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "config_private.h"

static HnStatus check_heads(const char *path, const HnLmConfig *config, HnError *err) {
    if (config->n_kv_heads > config->n_heads || config->n_heads % config->n_kv_heads != 0) {
        return hn_fail(err, HN_FORMAT,
                       "%s: %" PRIu32 " attention heads cannot share %" PRIu32
                       " heads of keys and values evenly (num_attention_heads, num_key_value_heads)",
                       path, config->n_heads, config->n_kv_heads);
    }
    if (!config->learned_positions && config->rope.rotary % 2 != 0) {
        return hn_fail(err, HN_FORMAT, "%s: rotary positions turn pairs, but a head has %" PRIu32 " elements to turn",
                       path, config->rope.rotary);
    }
    return HN_OK;
}

static HnStatus add_eos(const char *path, const json_t *value, HnLmConfig *config, HnError *err) {
    json_int_t id = json_integer_value(value);
    if (!json_is_integer(value) || id >= (json_int_t)config->n_vocab) {
        char shown[80];
        return hn_fail(err, HN_FORMAT,
                       "%s: \"eos_token_id\" has %s; expected is a token of the vocabulary (below %" PRIu32 ")", path,
                       hn_keys_show(value, shown), config->n_vocab);
    }
    for (uint32_t k = 0; k < config->n_eos; k++) {
        if (config->eos[k] == (int32_t)id) {
            return HN_OK;
        }
    }
    if (id < 0) { /* old files say -1 for none */
        return HN_OK;
    }
    if (config->n_eos == HN_LM_MAX_EOS) {
        return hn_fail(err, HN_FORMAT, "%s: \"eos_token_id\" lists more than %d tokens", path, (int)HN_LM_MAX_EOS);
    }
    config->eos[config->n_eos++] = (int32_t)id;
    return HN_OK;
}

/* One id, where there is one that the vocabulary has. */
static HnStatus read_end(HnKeys *keys, const char *key, const HnLmConfig *config, bool strict, int32_t *id,
                         HnError *err) {
    const json_t *found = hn_keys_get(keys, key);
    json_int_t value = json_integer_value(found);
    if (found == NULL || (json_is_integer(found) && value < 0)) {
        return HN_OK;
    }
    bool fits = json_is_integer(found) && value < (json_int_t)config->n_vocab;
    if (!fits && strict) {
        char shown[80];
        return hn_fail(err, HN_FORMAT, "%s: \"%s\" is %s; expected is a token of the vocabulary (below %" PRIu32 ")",
                       keys->path, key, hn_keys_show(found, shown), config->n_vocab);
    }
    *id = fits ? (int32_t)value : *id;
    return HN_OK;
}

/* bos_token_id, eos_token_id (one or a list: added to what is there) and pad_token_id. */
static HnStatus read_ends(HnKeys *keys, HnLmConfig *config, HnError *err) {
    HN_TRY(read_end(keys, "bos_token_id", config, true, &config->bos, err));
    /* Nothing is ever padded here: a padding token outside the vocabulary, which some files have, hurts nobody. */
    HN_TRY(read_end(keys, "pad_token_id", config, false, &config->pad, err));
    const json_t *eos = hn_keys_get(keys, "eos_token_id");
    for (size_t i = 0; i < json_array_size(eos); i++) {
        HN_TRY(add_eos(keys->path, json_array_get(eos, i), config, err));
    }
    return eos == NULL || json_is_array(eos) ? HN_OK : add_eos(keys->path, eos, config, err);
}

static HnStatus read_config(const char *path, HnLmConfig *config, HnError *err) {
    HnKeys keys;
    HN_TRY(hn_keys_open(path, &keys, err));
    HnStatus status = json_is_object(keys.root) ? HN_OK : hn_fail(err, HN_FORMAT, "%s is no JSON object", path);
    if (status == HN_OK) {
        status = hn_config_refuse(&keys, err);
    }
    if (status == HN_OK) {
        status = hn_config_read_family(&keys, config, err);
    }
    if (status == HN_OK) {
        status = read_ends(&keys, config, err);
    }
    if (status == HN_OK) {
        status = hn_config_check_keys(&keys, err);
    }
    hn_keys_close(&keys);
    return status == HN_OK ? check_heads(path, config, err) : status;
}

/* Only its ends of sequence matter: how to sample is said by who asks for text. */
static HnStatus read_generation(const char *folder, HnLmConfig *config, HnError *err) {
    char *path = hn_path_join(folder, "generation_config.json", err);
    if (path == NULL) {
        return HN_MEMORY;
    }
    HnStatus status = HN_OK;
    HnKeys keys = {0};
    if (hn_file_exists(path)) {
        status = hn_keys_open(path, &keys, err);
        status = status == HN_OK ? read_ends(&keys, config, err) : status;
    }
    hn_keys_close(&keys);
    hn_free(path);
    return status;
}

static HnStatus set_if_absent(char **prefix, HnError *err) {
    *prefix = *prefix != NULL ? *prefix : hn_strdup("", err);
    return *prefix == NULL ? HN_MEMORY : HN_OK;
}

static HnStatus read_folder(const char *folder, HnLmConfig *config, HnError *err) {
    char *path = hn_path_join(folder, "config.json", err);
    if (path == NULL) {
        return HN_MEMORY;
    }
    HnStatus status = read_config(path, config, err);
    hn_free(path);
    if (status == HN_OK) {
        status = read_generation(folder, config, err);
    }
    if (status == HN_OK) {
        status = hn_config_read_sentence(folder, config, err);
    }
    if (status == HN_OK) {
        status = set_if_absent(&config->query_prefix, err);
    }
    return status == HN_OK ? set_if_absent(&config->document_prefix, err) : status;
}

HnStatus hn_lm_config_read(const char *folder, HnLmConfig *config, HnError *err) {
    char *resolved = NULL;
    *config = (HnLmConfig){.bos = HN_LM_NO_TOKEN, .pad = HN_LM_NO_TOKEN};
    HN_TRY(hn_lm_folder_resolve(folder, &resolved, err));
    HnStatus status = read_folder(resolved, config, err);
    hn_free(resolved);
    if (status != HN_OK) {
        hn_lm_config_free(config);
    }
    return status;
}

void hn_lm_config_free(HnLmConfig *config) {
    hn_free(config->windowed);
    hn_free(config->query_prefix);
    hn_free(config->document_prefix);
    config->windowed = NULL;
    config->query_prefix = config->document_prefix = NULL;
}
