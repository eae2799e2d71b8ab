/* Rotary positions: rope_parameters (transformers 5), or rope_theta and rope_scaling (before). Where both stand,
 * rope_scaling wins, and a theta inside wins over rope_theta: the reference's order. */
#include <string.h>

#include "config_private.h"

static HnStatus read_type(HnKeys *scaling, HnLmConfig *config, HnError *err) {
    const char *type = "default", *old = NULL;
    HN_TRY(hn_keys_text(scaling, "type", &old, err));
    type = old != NULL ? old : type;
    HN_TRY(hn_keys_text(scaling, "rope_type", &type, err));
    static const struct {
        const char *name;
        HnRopeScaling scaling;
    } types[] = {{"default", HN_ROPE_PLAIN}, {"linear", HN_ROPE_LINEAR}, {"llama3", HN_ROPE_LLAMA3}};
    for (size_t k = 0; k < sizeof types / sizeof types[0]; k++) {
        if (strcmp(type, types[k].name) == 0) {
            config->rope.scaling = types[k].scaling;
            return HN_OK;
        }
    }
    return hn_fail(err, HN_UNSUPPORTED,
                   "%s: rotary positions of the type \"%s\" are not supported (default, linear and llama3 are)",
                   scaling->path, type);
}

static HnStatus need(HnKeys *scaling, const char *key, double min, double *value, HnError *err) {
    if (hn_keys_get(scaling, key) == NULL) {
        return hn_fail(err, HN_FORMAT, "%s: the scaling of rotary positions lacks \"%s\"", scaling->path, key);
    }
    return hn_keys_double(scaling, key, min, 1e9, value, err);
}

static HnStatus read_scaling(HnKeys *scaling, HnLmConfig *config, HnError *err) {
    HN_TRY(read_type(scaling, config, err));
    HN_TRY(hn_keys_double(scaling, "rope_theta", 1, 1e12, &config->rope.theta, err));
    if (config->rope.scaling != HN_ROPE_PLAIN) {
        HN_TRY(need(scaling, "factor", 1, &config->rope.factor, err));
    }
    if (config->rope.scaling == HN_ROPE_LLAMA3) {
        HN_TRY(need(scaling, "low_freq_factor", 1e-6, &config->rope.low_freq_factor, err));
        HN_TRY(need(scaling, "high_freq_factor", 1e-6, &config->rope.high_freq_factor, err));
        HN_TRY(hn_keys_u32(scaling, "original_max_position_embeddings", 1, HN_CONFIG_MAX_POSITIONS,
                           &config->rope.original_positions, err));
        if (config->rope.high_freq_factor <= config->rope.low_freq_factor) {
            return hn_fail(err, HN_FORMAT, "%s: high_freq_factor must be above low_freq_factor", scaling->path);
        }
    }
    double part = 1;
    HN_TRY(hn_keys_double(scaling, "partial_rotary_factor", 0, 1, &part, err));
    if (part != 1) {
        return hn_fail(err, HN_UNSUPPORTED, "%s: \"partial_rotary_factor\": partly rotated heads are not supported",
                       scaling->path);
    }
    const char *key;
    json_t *value;
    json_object_foreach(scaling->root, key, value) {
        if (!json_is_null(value) && !hn_keys_used(scaling, key)) {
            return hn_fail(err, HN_UNSUPPORTED, "%s: the scaling of rotary positions has \"%s\", which is not known",
                           scaling->path, key);
        }
    }
    return HN_OK;
}

HnStatus hn_config_read_rope(HnKeys *keys, double theta, HnLmConfig *config, HnError *err) {
    config->rope.theta = theta;
    config->rope.factor = config->rope.low_freq_factor = config->rope.high_freq_factor = 1;
    config->rope.original_positions = config->n_positions;
    HN_TRY(hn_keys_double(keys, "rope_theta", 1, 1e12, &config->rope.theta, err));
    json_t *old = hn_keys_get(keys, "rope_scaling"), *new = hn_keys_get(keys, "rope_parameters");
    json_t *found = json_object_size(old) > 0 ? old : new;
    if ((old != NULL && !json_is_object(old)) || (new != NULL && !json_is_object(new))) {
        return hn_fail(err, HN_FORMAT, "%s: %s is no object", keys->path,
                       json_is_object(old) || old == NULL ? "rope_parameters" : "rope_scaling");
    }
    if (json_object_get(found, "full_attention") != NULL || json_object_get(found, "sliding_attention") != NULL) {
        return hn_fail(err, HN_UNSUPPORTED, "%s: rotary positions that differ between layers are not supported",
                       keys->path);
    }
    if (found == NULL) {
        return HN_OK;
    }
    HnKeys scaling = hn_keys_of(keys->path, found);
    return read_scaling(&scaling, config, err);
}
