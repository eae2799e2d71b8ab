/* What each family's config.json says, key by key, with the reference's defaults (configuration_*.py of transformers 5,
 * and NomicBertConfig of nomic-ai, whose keys are GPT-2's). */
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "config_private.h"

typedef struct Family {
    const char *model_type;
    HnLmFamily family;
    bool encoder, qkv_bias, qk_norm;
    /* Defaults. n_kv_heads 0: as n_heads; head_dim 0: hidden / n_heads; window 0: none. */
    uint32_t n_vocab, hidden, ffn, n_layers, n_heads, n_kv_heads, head_dim, n_positions, window;
    const char *activation;
    double norm_eps, theta;
} Family;

static const Family families[] = {
    {"llama", HN_LM_LLAMA, false, false, false, 32000, 4096, 11008, 32, 32, 0, 0, 2048, 0, "silu", 1e-6, 1e4},
    {"mistral", HN_LM_MISTRAL, false, false, false, 32000, 4096, 14336, 32, 32, 8, 0, 131072, 4096, "silu", 1e-6, 1e4},
    {"qwen2", HN_LM_QWEN2, false, true, false, 151936, 4096, 22016, 32, 32, 32, 0, 32768, 4096, "silu", 1e-6, 1e4},
    {"qwen3", HN_LM_QWEN3, false, false, true, 151936, 4096, 22016, 32, 32, 32, 128, 32768, 4096, "silu", 1e-6, 1e4},
    {"bert", HN_LM_BERT, true, true, false, 30522, 768, 3072, 12, 12, 0, 0, 512, 0, "gelu", 1e-12, 0},
    {"nomic_bert", HN_LM_NOMIC_BERT, true, false, false, 30528, 768, 3072, 12, 12, 0, 0, 2048, 0, "silu", 1e-12, 1e3},
};
enum { N_FAMILIES = sizeof families / sizeof families[0] };

const char *hn_lm_family_name(HnLmFamily family) {
    for (size_t k = 0; k < N_FAMILIES; k++) {
        if (families[k].family == family) {
            return families[k].model_type;
        }
    }
    return "unknown";
}

static HnStatus find_family(HnKeys *keys, const Family **family, HnError *err) {
    const char *type = NULL;
    HN_TRY(hn_keys_text(keys, "model_type", &type, err));
    if (type == NULL) {
        return hn_fail(err, HN_FORMAT, "%s has no \"model_type\"", keys->path);
    }
    HnText names = {0};
    HnStatus status = HN_OK;
    for (size_t k = 0; k < N_FAMILIES && status == HN_OK; k++) {
        if (strcmp(type, families[k].model_type) == 0) {
            *family = &families[k];
            hn_text_free(&names);
            return HN_OK;
        }
        status = hn_text_printf(&names, err, "%s%s", k > 0 ? ", " : "", families[k].model_type);
    }
    if (status == HN_OK) {
        status = hn_fail(err, HN_UNSUPPORTED, "%s: models of the type \"%s\" are not supported (%s are)", keys->path,
                         type, hn_text_get(&names));
    }
    hn_text_free(&names);
    return status;
}

/* Absent: the family's default. null: 0, which stands for none, or for what other keys give. */
static HnStatus read_unless_null(HnKeys *keys, const char *key, uint32_t max, uint32_t otherwise, uint32_t *value,
                                 HnError *err) {
    *value = json_object_get(keys->root, key) == NULL ? otherwise : 0;
    return hn_keys_u32(keys, key, 1, max, value, err);
}

/* One number under either of two names; where both stand they must agree. other may be NULL. */
static HnStatus read_size(HnKeys *keys, const char *key, const char *other, uint32_t max, uint32_t otherwise,
                          uint32_t *value, HnError *err) {
    *value = otherwise;
    HN_TRY(hn_keys_u32(keys, key, 1, max, value, err));
    if (other == NULL || hn_keys_get(keys, other) == NULL) {
        return HN_OK;
    }
    uint32_t first = *value;
    HN_TRY(hn_keys_u32(keys, other, 1, max, value, err));
    if (hn_keys_get(keys, key) != NULL && first != *value) {
        return hn_fail(err, HN_FORMAT, "%s: \"%s\" is %" PRIu32 " and \"%s\" is %" PRIu32 ", but they mean the same",
                       keys->path, key, first, other, *value);
    }
    return HN_OK;
}

static HnStatus read_head_dim(HnKeys *keys, const Family *family, HnLmConfig *config, HnError *err) {
    if (family->family != HN_LM_BERT) { /* has no such key */
        HN_TRY(read_unless_null(keys, "head_dim", 1 << 14, family->head_dim, &config->head_dim, err));
    }
    if (config->head_dim == 0 && config->hidden % config->n_heads != 0) {
        return hn_fail(err, HN_FORMAT, "%s: a hidden size of %" PRIu32 " cannot be cut into %" PRIu32 " heads",
                       keys->path, config->hidden, config->n_heads);
    }
    config->head_dim = config->head_dim == 0 ? config->hidden / config->n_heads : config->head_dim;
    return HN_OK;
}

static HnStatus read_sizes(HnKeys *keys, const Family *family, HnLmConfig *config, HnError *err) {
    bool gpt2 = family->family == HN_LM_NOMIC_BERT; /* its older files use GPT-2's names */
    HN_TRY(read_size(keys, "vocab_size", NULL, HN_CONFIG_MAX_VOCAB, family->n_vocab, &config->n_vocab, err));
    HN_TRY(read_size(keys, "hidden_size", gpt2 ? "n_embd" : NULL, HN_CONFIG_MAX_WIDTH, family->hidden, &config->hidden,
                     err));
    HN_TRY(read_size(keys, "intermediate_size", gpt2 ? "n_inner" : NULL, HN_CONFIG_MAX_WIDTH, family->ffn, &config->ffn,
                     err));
    HN_TRY(read_size(keys, "num_hidden_layers", gpt2 ? "n_layer" : NULL, HN_CONFIG_MAX_LAYERS, family->n_layers,
                     &config->n_layers, err));
    HN_TRY(read_size(keys, "num_attention_heads", gpt2 ? "n_head" : NULL, HN_CONFIG_MAX_HEADS, family->n_heads,
                     &config->n_heads, err));
    HN_TRY(read_size(keys, "max_position_embeddings", NULL, HN_CONFIG_MAX_POSITIONS, family->n_positions,
                     &config->n_positions, err));
    if (!family->encoder) {
        HN_TRY(read_unless_null(keys, "num_key_value_heads", HN_CONFIG_MAX_HEADS, family->n_kv_heads,
                                &config->n_kv_heads, err));
    }
    config->n_kv_heads = config->n_kv_heads == 0 ? config->n_heads : config->n_kv_heads;
    return read_head_dim(keys, family, config, err);
}

static HnStatus read_eps(HnKeys *keys, const char *key, double *eps, HnError *err) {
    return hn_keys_double(keys, key, 1e-20, 1, eps, err);
}

static HnStatus read_activation(HnKeys *keys, const char *name, HnLmConfig *config, HnError *err) {
    static const struct {
        const char *name;
        HnGate gate;
    } gates[] = {
        {"silu", HN_GATE_SILU},           {"swish", HN_GATE_SILU},
        {"swiglu", HN_GATE_SILU}, /* nomic's names of gated parts */
        {"geglu", HN_GATE_GELU},          {"gelu", HN_GATE_GELU},
        {"gelu_python", HN_GATE_GELU},    {"gelu_new", HN_GATE_GELU_TANH},
        {"gelu_fast", HN_GATE_GELU_TANH}, {"gelu_pytorch_tanh", HN_GATE_GELU_TANH},
        {"relu", HN_GATE_RELU},
    };
    for (size_t k = 0; k < sizeof gates / sizeof gates[0]; k++) {
        if (strcmp(name, gates[k].name) == 0) {
            config->activation = gates[k].gate;
            return HN_OK;
        }
    }
    return hn_fail(err, HN_UNSUPPORTED, "%s: the activation \"%s\" is not supported", keys->path, name);
}

static HnStatus read_stored(HnKeys *keys, HnLmConfig *config, HnError *err) {
    const char *name = "float32";
    HN_TRY(hn_keys_text(keys, "torch_dtype", &name, err));
    HN_TRY(hn_keys_text(keys, "dtype", &name, err));
    static const struct {
        const char *name;
        HnElement element;
    } types[] = {{"float32", HN_ELEMENT_F32}, {"float16", HN_ELEMENT_F16}, {"bfloat16", HN_ELEMENT_BF16}};
    for (size_t k = 0; k < sizeof types / sizeof types[0]; k++) {
        if (strcmp(name, types[k].name) == 0) {
            config->stored = types[k].element;
            return HN_OK;
        }
    }
    return hn_fail(err, HN_UNSUPPORTED, "%s: weights of the type \"%s\" are not read (float32, float16, bfloat16 are)",
                   keys->path, name);
}

/* layer_types, where it stands, decides; otherwise the layers from first_windowed on. */
static HnStatus read_layer_types(HnKeys *keys, uint32_t first_windowed, HnLmConfig *config, HnError *err) {
    config->windowed = hn_alloc(config->n_layers, sizeof *config->windowed, "windows of layers", err);
    if (config->windowed == NULL) {
        return HN_MEMORY;
    }
    const json_t *types = hn_keys_get(keys, "layer_types");
    if (types != NULL && json_array_size(types) != config->n_layers) {
        return hn_fail(err, HN_FORMAT, "%s: \"layer_types\" lists no %" PRIu32 " layers", keys->path, config->n_layers);
    }
    for (uint32_t layer = 0; layer < config->n_layers; layer++) {
        config->windowed[layer] = config->window > 0 && layer >= first_windowed;
        if (types == NULL) {
            continue;
        }
        const char *type = json_string_value(json_array_get(types, layer));
        bool windowed = type != NULL && strcmp(type, "sliding_attention") == 0;
        if (!windowed && (type == NULL || strcmp(type, "full_attention") != 0)) {
            return hn_fail(err, HN_UNSUPPORTED, "%s: layers of the type \"%s\" are not supported", keys->path,
                           type != NULL ? type : "");
        }
        if (windowed && config->window == 0) {
            return hn_fail(err, HN_FORMAT, "%s: \"layer_types\" has a sliding window, but no window's length is in use",
                           keys->path);
        }
        if (config->family == HN_LM_MISTRAL && windowed != config->windowed[layer]) {
            return hn_fail(err, HN_UNSUPPORTED,
                           "%s: Mistral's layers use its sliding window all or none; \"layer_types\" says otherwise",
                           keys->path);
        }
        config->windowed[layer] = windowed;
    }
    return HN_OK;
}

static HnStatus read_window(HnKeys *keys, const Family *family, HnLmConfig *config, HnError *err) {
    uint32_t first = 0;
    bool in_use = true;
    if (family->window > 0) {
        HN_TRY(read_unless_null(keys, "sliding_window", HN_CONFIG_MAX_POSITIONS, family->window, &config->window, err));
    }
    if (family->family == HN_LM_QWEN2 || family->family == HN_LM_QWEN3) {
        first = 28;
        in_use = false;
        HN_TRY(hn_keys_bool(keys, "use_sliding_window", &in_use, err));
        HN_TRY(hn_keys_u32(keys, "max_window_layers", 0, UINT32_MAX, &first, err));
    }
    config->window = in_use ? config->window : 0;
    return read_layer_types(keys, first, config, err);
}

static HnStatus read_decoder(HnKeys *keys, const Family *family, HnLmConfig *config, HnError *err) {
    double eps = family->norm_eps;
    config->causal = config->gated_ffn = true;
    config->qk_norm = family->qk_norm;
    config->qkv_bias = family->qkv_bias;
    HN_TRY(read_eps(keys, "rms_norm_eps", &eps, err));
    config->norm_eps = (float)eps;
    if (family->family == HN_LM_LLAMA || family->family == HN_LM_QWEN3) {
        HN_TRY(hn_keys_bool(keys, "attention_bias", &config->qkv_bias, err));
        config->output_bias = config->qkv_bias;
    }
    if (family->family == HN_LM_LLAMA) {
        HN_TRY(hn_keys_bool(keys, "mlp_bias", &config->ffn_bias, err));
    }
    HN_TRY(hn_keys_bool(keys, "tie_word_embeddings", &config->tied_head, err));
    /* "LlamaModel" has no head; without a name it is taken for a model that writes. */
    const json_t *names = hn_keys_get(keys, "architectures");
    config->has_head = json_array_size(names) == 0;
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        config->has_head = config->has_head || (name != NULL && strstr(name, "ForCausalLM") != NULL);
    }
    HN_TRY(hn_config_read_rope(keys, family->theta, config, err));
    config->rope.rotary = config->head_dim;
    return HN_OK;
}

/* nomic-ai's own spelling: GPT-2's names, and flags for what the family's later class takes for granted. Newer files
 * have both spellings. old: this one alone, with its class's defaults. */
static HnStatus read_gpt2_spelling(HnKeys *keys, bool old, HnLmConfig *config, double *eps, HnError *err) {
    bool second_bias = old;
    double fraction = old ? 0 : 1, theta = config->rope.theta;
    HN_TRY(read_eps(keys, "layer_norm_epsilon", eps, err));
    config->qkv_bias = config->ffn_bias = old;
    HN_TRY(hn_keys_bool(keys, "qkv_proj_bias", &config->qkv_bias, err));
    config->output_bias = config->qkv_bias;
    HN_TRY(hn_keys_bool(keys, "mlp_fc1_bias", &config->ffn_bias, err));
    HN_TRY(hn_keys_bool(keys, "mlp_fc2_bias", &second_bias, err));
    if (config->ffn_bias != second_bias) {
        return hn_fail(err, HN_UNSUPPORTED, "%s: mlp_fc1_bias and mlp_fc2_bias differ, which is not supported",
                       keys->path);
    }
    HN_TRY(hn_keys_bool(keys, "rotary_emb_interleaved", &config->rope.interleaved, err));
    HN_TRY(hn_keys_double(keys, "rotary_emb_fraction", 0, 1, &fraction, err));
    config->rope.rotary = (uint32_t)(fraction * config->head_dim);
    if (config->rope.rotary == 0) {
        return hn_fail(err, HN_UNSUPPORTED,
                       "%s: nomic_bert without rotary positions (rotary_emb_fraction) is not supported", keys->path);
    }
    config->rope.theta = old ? 1e4 : theta;
    HN_TRY(hn_keys_double(keys, "rotary_emb_base", 1, 1e12, &config->rope.theta, err));
    if (!old && config->rope.theta != theta) {
        return hn_fail(err, HN_FORMAT, "%s: rotary_emb_base and rope_theta mean the same, but differ", keys->path);
    }
    return hn_keys_u32(keys, "n_positions", 1, HN_CONFIG_MAX_POSITIONS, &config->n_positions, err);
}

static HnStatus read_nomic(HnKeys *keys, const Family *family, HnLmConfig *config, double *eps, HnError *err) {
    bool old = hn_keys_get(keys, "n_embd") != NULL && hn_keys_get(keys, "hidden_size") == NULL;
    const char *name = old ? "gelu_new" : "silu", *gate = NULL;
    config->gated_ffn = true;
    (void)hn_keys_get(keys, "auto_map"); /* its first models came with code that the reference has now */
    HN_TRY(hn_config_read_rope(keys, family->theta, config, err));
    HN_TRY(read_gpt2_spelling(keys, old, config, eps, err));
    HN_TRY(hn_keys_text(keys, "hidden_act", &name, err));
    HN_TRY(hn_keys_text(keys, "activation_function", &gate, err));
    if ((old || gate != NULL) && (gate == NULL || (strcmp(gate, "swiglu") != 0 && strcmp(gate, "geglu") != 0))) {
        return hn_fail(err, HN_UNSUPPORTED, "%s: nomic_bert with the activation_function \"%s\" is not supported",
                       keys->path, gate != NULL ? gate : name);
    }
    return read_activation(keys, gate != NULL ? gate : name, config, err);
}

static HnStatus read_encoder(HnKeys *keys, const Family *family, HnLmConfig *config, HnError *err) {
    double eps = family->norm_eps;
    bool tied = true;
    config->layer_norm = config->post_norm = true;
    config->n_types = 2;
    HN_TRY(read_eps(keys, "layer_norm_eps", &eps, err));
    HN_TRY(hn_keys_u32(keys, "type_vocab_size", family->family == HN_LM_NOMIC_BERT ? 0 : 1, 1 << 10, &config->n_types,
                       err));
    HN_TRY(hn_keys_bool(keys, "tie_word_embeddings", &tied, err)); /* of a head that is not read */
    if (family->family == HN_LM_NOMIC_BERT) {
        HN_TRY(read_nomic(keys, family, config, &eps, err));
    } else {
        config->learned_positions = true;
        config->qkv_bias = config->output_bias = config->ffn_bias = true;
    }
    config->norm_eps = (float)eps;
    return HN_OK;
}

HnStatus hn_config_read_family(HnKeys *keys, HnLmConfig *config, HnError *err) {
    const Family *family = NULL;
    HN_TRY(find_family(keys, &family, err));
    config->family = family->family;
    HN_TRY(read_sizes(keys, family, config, err));
    HN_TRY(read_stored(keys, config, err));
    if (family->family != HN_LM_NOMIC_BERT) {
        const char *activation = family->activation;
        HN_TRY(hn_keys_text(keys, "hidden_act", &activation, err));
        HN_TRY(read_activation(keys, activation, config, err));
    }
    HN_TRY(family->encoder ? read_encoder(keys, family, config, err) : read_decoder(keys, family, config, err));
    return read_window(keys, family, config, err);
}
