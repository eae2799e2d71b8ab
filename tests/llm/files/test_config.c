/* config.json, generation_config.json and hub caches: what is read, and by which words it is refused. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "folder.h"
#include "llm/files/config.h"

static const char llama[] =
    "{\"architectures\":[\"LlamaForCausalLM\"],\"model_type\":\"llama\",\"hidden_size\":64,\"intermediate_size\":96,"
    "\"num_hidden_layers\":3,\"num_attention_heads\":8,\"num_key_value_heads\":2,\"vocab_size\":100,"
    "\"max_position_embeddings\":512,\"rms_norm_eps\":1e-5,\"hidden_act\":\"silu\",\"bos_token_id\":1,"
    "\"eos_token_id\":2,\"rope_theta\":500000.0,\"torch_dtype\":\"bfloat16\",\"tie_word_embeddings\":true}";
static const char qwen2[] =
    "{\"model_type\":\"qwen2\",\"hidden_size\":64,\"intermediate_size\":96,\"num_hidden_layers\":4,"
    "\"num_attention_heads\":8,\"num_key_value_heads\":2,\"vocab_size\":100,\"use_sliding_window\":true,"
    "\"sliding_window\":16,\"max_window_layers\":2}";
static const char mistral[] =
    "{\"model_type\":\"mistral\",\"hidden_size\":64,\"intermediate_size\":96,\"num_hidden_layers\":2,"
    "\"num_attention_heads\":8,\"vocab_size\":100,\"sliding_window\":16}";
static const char bert[] =
    "{\"model_type\":\"bert\",\"hidden_size\":64,\"intermediate_size\":96,\"num_hidden_layers\":2,"
    "\"num_attention_heads\":8,\"vocab_size\":100,\"position_embedding_type\":\"absolute\"}";
/* The keys of nomic-ai's published models. */
static const char nomic[] =
    "{\"activation_function\":\"swiglu\",\"architectures\":[\"NomicBertModel\"],\"attn_pdrop\":0.0,"
    "\"auto_map\":{\"AutoModel\":\"x\"},\"bos_token_id\":null,\"causal\":false,\"dense_seq_output\":true,"
    "\"embd_pdrop\":0.0,\"eos_token_id\":null,\"fused_bias_fc\":true,\"fused_dropout_add_ln\":true,"
    "\"initializer_range\":0.02,\"layer_norm_epsilon\":1e-12,\"max_trained_positions\":2048,\"mlp_fc1_bias\":false,"
    "\"mlp_fc2_bias\":false,\"model_type\":\"nomic_bert\",\"n_embd\":64,\"n_head\":8,\"n_inner\":96,\"n_layer\":2,"
    "\"n_positions\":8192,\"pad_vocab_size_multiple\":64,\"parallel_block\":false,\"parallel_block_tied_norm\":false,"
    "\"prenorm\":false,\"qkv_proj_bias\":false,\"reorder_and_upcast_attn\":false,\"resid_pdrop\":0.0,"
    "\"rotary_emb_base\":1000,\"rotary_emb_fraction\":1.0,\"rotary_emb_interleaved\":false,"
    "\"rotary_emb_scale_base\":null,\"rotary_scaling_factor\":null,\"scale_attn_by_inverse_layer_idx\":false,"
    "\"scale_attn_weights\":true,\"summary_activation\":null,\"summary_first_dropout\":0.0,"
    "\"summary_proj_to_labels\":true,\"summary_type\":\"cls_index\",\"summary_use_proj\":true,"
    "\"torch_dtype\":\"float32\",\"transformers_version\":\"4.37.2\",\"type_vocab_size\":2,\"use_cache\":true,"
    "\"use_flash_attn\":true,\"use_rms_norm\":false,\"use_xentropy\":true,\"vocab_size\":100}";

static HnLmConfig config;

static HnStatus read_from(const char *folder, HnError *err) {
    uint64_t live = hn_alloc_live_blocks();
    HnStatus status = hn_lm_config_read(folder, &config, err);
    if (status != HN_OK) {
        assert_int_equal(hn_alloc_live_blocks(), live);
    }
    return status;
}

static void expect(HnStatus wanted, const char *word) {
    HnError err = HN_ERROR_INIT;
    HnStatus status = read_from(folder_path(""), &err);
    folder_expect(status, wanted, &err, word, word != NULL ? "config.json" : NULL, NULL);
    hn_lm_config_free(&config);
}

/* base with keys replaced or added by those of the object `change`; null takes a key out. */
static void write_changed(const char *base, const char *change) {
    json_error_t fault;
    json_t *object = json_loads(base, 0, NULL), *other = json_loads(change, 0, &fault), *value;
    const char *key;
    assert_non_null(object);
    if (other == NULL) {
        print_error("%s: %s\n", change, fault.text);
    }
    assert_non_null(other);
    json_object_update(object, other);
    json_object_foreach(other, key, value) {
        if (json_is_null(value)) {
            json_object_del(object, key);
        }
    }
    char *text = json_dumps(object, 0);
    folder_text("config.json", text);
    free(text);
    json_decref(object);
    json_decref(other);
}

static void must_read(const char *base, const char *change) {
    HnError err = HN_ERROR_INIT;
    write_changed(base, change);
    folder_expect(read_from(folder_path(""), &err), HN_OK, &err, NULL);
}

static void reads_llama(void **state) {
    (void)state;
    folder_clear();
    must_read(llama, "{}");
    assert_int_equal(config.family, HN_LM_LLAMA);
    assert_string_equal(hn_lm_family_name(config.family), "llama");
    assert_int_equal(config.head_dim, 8);
    assert_int_equal(config.rope.rotary, 8);
    assert_int_equal(config.n_kv_heads, 2);
    assert_int_equal(config.stored, HN_ELEMENT_BF16);
    assert_true(config.causal && config.gated_ffn && config.tied_head && config.has_head);
    assert_false(config.layer_norm || config.post_norm || config.qkv_bias || config.qk_norm ||
                 config.learned_positions);
    assert_true(config.rope.theta == 500000.0 && config.norm_eps == 1e-5f);
    assert_int_equal(config.bos, 1);
    assert_int_equal(config.n_eos, 1);
    assert_int_equal(config.eos[0], 2);
    assert_int_equal(config.pad, HN_LM_NO_TOKEN);
    assert_int_equal(config.pooling, HN_POOLING_NONE);
    assert_string_equal(config.query_prefix, "");
    hn_lm_config_free(&config);
    must_read(llama, "{\"architectures\":[\"LlamaModel\"],\"num_key_value_heads\":null,\"head_dim\":24,"
                     "\"attention_bias\":true,\"mlp_bias\":true,\"pretraining_tp\":2,\"pad_token_id\":-1}");
    assert_false(config.has_head);
    assert_int_equal(config.n_kv_heads, 8);
    assert_int_equal(config.head_dim, 24);
    assert_true(config.qkv_bias && config.output_bias && config.ffn_bias);
    hn_lm_config_free(&config);
}

static void reads_rope(void **state) {
    (void)state;
    folder_clear();
    static const char scaled[] =
        "{\"%s\":{\"%s\":\"llama3\",\"factor\":8.0,\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,"
        "\"original_max_position_embeddings\":128%s}}";
    char change[400];
    for (int form = 0; form < 3; form++) { /* before transformers 4.43, before 5, 5 */
        (void)snprintf(change, sizeof change, scaled, form == 2 ? "rope_parameters" : "rope_scaling",
                       form == 0 ? "type" : "rope_type", form == 2 ? ",\"rope_theta\":7000.0" : "");
        must_read(llama, change);
        assert_int_equal(config.rope.scaling, HN_ROPE_LLAMA3);
        assert_true(config.rope.factor == 8 && config.rope.low_freq_factor == 1 && config.rope.high_freq_factor == 4);
        assert_int_equal(config.rope.original_positions, 128);
        assert_true(config.rope.theta == (form == 2 ? 7000.0 : 500000.0));
        hn_lm_config_free(&config);
    }
    must_read(llama, "{\"rope_scaling\":{\"type\":\"linear\",\"factor\":2}}");
    assert_int_equal(config.rope.scaling, HN_ROPE_LINEAR);
    assert_true(config.rope.factor == 2);
    assert_int_equal(config.rope.original_positions, 512);
    hn_lm_config_free(&config);
    must_read(llama, "{\"rope_scaling\":{\"type\":\"linear\",\"factor\":3},\"rope_parameters\":{\"rope_theta\":7}}");
    assert_true(config.rope.scaling == HN_ROPE_LINEAR && config.rope.factor == 3 && config.rope.theta == 500000);
    hn_lm_config_free(&config);
    must_read(llama, "{\"rope_theta\":null}");
    assert_true(config.rope.theta == 10000.0);
    hn_lm_config_free(&config);
}

static void reads_windows(void **state) {
    (void)state;
    folder_clear();
    must_read(qwen2, "{}");
    assert_true(config.qkv_bias && !config.output_bias && config.window == 16);
    assert_true(!config.windowed[0] && !config.windowed[1] && config.windowed[2] && config.windowed[3]);
    hn_lm_config_free(&config);
    must_read(qwen2, "{\"use_sliding_window\":false}");
    assert_true(config.window == 0 && !config.windowed[3]);
    hn_lm_config_free(&config);
    must_read(qwen2, "{\"layer_types\":[\"sliding_attention\",\"full_attention\",\"full_attention\","
                     "\"sliding_attention\"]}");
    assert_true(config.windowed[0] && !config.windowed[1] && !config.windowed[2] && config.windowed[3]);
    hn_lm_config_free(&config);
    must_read(qwen2, "{\"model_type\":\"qwen3\"}");
    assert_true(config.qk_norm && !config.qkv_bias && config.head_dim == 128);
    hn_lm_config_free(&config);
    must_read(mistral, "{}");
    assert_true(config.window == 16 && config.windowed[0] && config.windowed[1] && config.n_kv_heads == 8);
    hn_lm_config_free(&config);
    must_read(mistral, "{\"sliding_window\":null}"); /* taken out: the reference's default */
    assert_int_equal(config.window, 4096);
    hn_lm_config_free(&config);
    /* null is not the same: no window, and as many heads of keys as of queries. */
    folder_text("config.json", "{\"model_type\":\"mistral\",\"sliding_window\":null,\"num_key_value_heads\":null}");
    HnError err = HN_ERROR_INIT;
    assert_int_equal(read_from(folder_path(""), &err), HN_OK);
    assert_true(config.window == 0 && config.n_kv_heads == 32);
    hn_lm_config_free(&config);
}

static void reads_encoders(void **state) {
    (void)state;
    folder_clear();
    must_read(bert, "{\"hidden_act\":\"gelu_new\",\"architectures\":[\"BertForMaskedLM\"]}");
    assert_true(config.layer_norm && config.post_norm && config.learned_positions && config.qkv_bias &&
                config.output_bias && config.ffn_bias);
    assert_false(config.causal || config.gated_ffn || config.has_head);
    assert_int_equal(config.activation, HN_GATE_GELU_TANH);
    assert_int_equal(config.n_types, 2);
    assert_true(config.norm_eps == 1e-12f);
    hn_lm_config_free(&config);
    must_read(nomic, "{}");
    assert_true(config.layer_norm && config.post_norm && config.gated_ffn && !config.learned_positions);
    assert_false(config.qkv_bias || config.output_bias || config.ffn_bias || config.rope.interleaved);
    assert_int_equal(config.activation, HN_GATE_SILU);
    assert_int_equal(config.rope.rotary, 8);
    assert_true(config.rope.theta == 1000);
    assert_int_equal(config.n_positions, 8192);
    hn_lm_config_free(&config);
    must_read(nomic, "{\"rotary_emb_fraction\":0.5,\"activation_function\":\"geglu\",\"qkv_proj_bias\":true,"
                     "\"mlp_fc1_bias\":null,\"mlp_fc2_bias\":null,\"rotary_emb_base\":null,"
                     "\"rotary_emb_interleaved\":true}");
    assert_int_equal(config.rope.rotary, 4);
    assert_int_equal(config.activation, HN_GATE_GELU);
    assert_true(config.qkv_bias && config.output_bias && config.ffn_bias && config.rope.interleaved);
    assert_true(config.rope.theta == 10000);
    hn_lm_config_free(&config);
    /* Both spellings at once, as the hub has it now. */
    must_read(nomic, "{\"hidden_size\":64,\"num_hidden_layers\":2,\"num_attention_heads\":8,\"intermediate_size\":96,"
                     "\"hidden_act\":\"silu\",\"max_position_embeddings\":2048,\"layer_norm_eps\":1e-12,"
                     "\"rope_parameters\":{\"rope_theta\":1000.0,\"rope_type\":\"default\"}}");
    assert_true(config.rope.theta == 1000 && !config.qkv_bias);
    hn_lm_config_free(&config);
}

static void reads_ends(void **state) {
    (void)state;
    folder_clear();
    folder_text("generation_config.json", "{\"eos_token_id\":[7,2,9],\"bos_token_id\":5,\"temperature\":0.6}");
    must_read(llama, "{\"bos_token_id\":null,\"eos_token_id\":[2,3]}");
    static const int32_t wanted[] = {2, 3, 7, 9};
    assert_int_equal(config.n_eos, 4);
    assert_memory_equal(config.eos, wanted, sizeof wanted);
    assert_int_equal(config.bos, 5);
    hn_lm_config_free(&config);
    folder_text("generation_config.json", "{\"eos_token_id\":100}");
    expect(HN_FORMAT, "generation_config.json: \"eos_token_id\" has 100");
    folder_text("generation_config.json", "{");
    expect(HN_FORMAT, "no valid JSON");
    assert_int_equal(remove(folder_path("generation_config.json")), 0);
    write_changed(llama, "{\"eos_token_id\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}");
    expect(HN_FORMAT, "more than 16");
    write_changed(llama, "{\"eos_token_id\":\"</s>\"}");
    expect(HN_FORMAT, "\"eos_token_id\" has \"</s>\"");
    write_changed(llama, "{\"bos_token_id\":100}");
    expect(HN_FORMAT, "\"bos_token_id\" is 100");
    must_read(llama, "{\"pad_token_id\":100,\"eos_token_id\":-1}");
    assert_int_equal(config.pad, HN_LM_NO_TOKEN);
    assert_int_equal(config.n_eos, 0);
    hn_lm_config_free(&config);
}

static const struct {
    const char *base, *change;
    HnStatus status;
    const char *word;
} refusals[] = {
    {llama, "{\"model_type\":\"gemma2\"}", HN_UNSUPPORTED, "\"gemma2\" are not supported (llama, mistral"},
    {bert, "{\"model_type\":\"roberta\"}", HN_UNSUPPORTED, "\"roberta\""},
    {bert, "{\"model_type\":\"distilbert\"}", HN_UNSUPPORTED, "\"distilbert\""},
    {llama, "{\"model_type\":null}", HN_FORMAT, "no \"model_type\""},
    {llama, "{\"model_type\":7}", HN_FORMAT, "\"model_type\" is 7"},
    {llama, "{\"quantization_config\":{\"quant_method\":\"awq\"}}", HN_UNSUPPORTED, "quantised by awq"},
    {llama, "{\"quantization_config\":{\"quant_method\":\"gptq\"}}", HN_UNSUPPORTED, "quantised by gptq"},
    {llama, "{\"quantization_config\":{\"quant_method\":\"fp8\"}}", HN_UNSUPPORTED, "quantised by fp8"},
    {llama, "{\"quantization_config\":{\"load_in_4bit\":true}}", HN_UNSUPPORTED, "quantised by bitsandbytes"},
    {llama, "{\"quantization_config\":{}}", HN_UNSUPPORTED, "does not name"},
    {llama, "{\"quantization\":{\"bits\":4}}", HN_UNSUPPORTED, "quantised by"},
    {qwen2, "{\"auto_map\":{\"AutoModel\":\"modeling_qwen.Qwen2Model\"}}", HN_UNSUPPORTED, "code of its own"},
    {bert, "{\"architectures\":[\"BertForSequenceClassification\"]}", HN_UNSUPPORTED,
     "BertForSequenceClassification is not supported"},
    {llama, "{\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":4.0}}", HN_UNSUPPORTED, "type \"yarn\""},
    {llama, "{\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":4.0}}", HN_UNSUPPORTED, "type \"dynamic\""},
    {llama, "{\"rope_parameters\":{\"rope_type\":\"longrope\"}}", HN_UNSUPPORTED, "type \"longrope\""},
    {llama, "{\"rope_scaling\":{\"type\":\"linear\"}}", HN_FORMAT, "lacks \"factor\""},
    {llama, "{\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8.0}}", HN_FORMAT, "lacks \"low_freq_factor\""},
    {llama,
     "{\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8.0,\"low_freq_factor\":4,"
     "\"high_freq_factor\":4}}",
     HN_FORMAT, "high_freq_factor must be above"},
    {llama, "{\"rope_scaling\":{\"rope_type\":\"linear\",\"factor\":0.5}}", HN_FORMAT, "\"factor\" is 0.5"},
    {llama, "{\"rope_scaling\":{\"rope_type\":\"linear\",\"factor\":2,\"beta_fast\":32}}", HN_UNSUPPORTED,
     "\"beta_fast\", which is not known"},
    {llama, "{\"rope_scaling\":[1]}", HN_FORMAT, "is no object"},
    {llama, "{\"rope_parameters\":{\"full_attention\":{}}}", HN_UNSUPPORTED, "differ between layers"},
    {llama, "{\"rope_parameters\":{\"rope_theta\":1e4,\"partial_rotary_factor\":0.5}}", HN_UNSUPPORTED,
     "partly rotated"},
    {llama, "{\"partial_rotary_factor\":0.5}", HN_UNSUPPORTED, "partial_rotary_factor"},
    {llama, "{\"hidden_size\":0}", HN_FORMAT, "\"hidden_size\" is 0; expected is an integer from 1"},
    {llama, "{\"hidden_size\":-64}", HN_FORMAT, "\"hidden_size\" is -64"},
    {llama, "{\"hidden_size\":64.0}", HN_FORMAT, "\"hidden_size\" is 64.0"},
    {llama, "{\"hidden_size\":\"64\"}", HN_FORMAT, "\"hidden_size\" is \"64\""},
    {llama, "{\"hidden_size\":2000000}", HN_FORMAT, "\"hidden_size\" is 2000000"},
    {llama, "{\"num_hidden_layers\":1000000000}", HN_FORMAT, "\"num_hidden_layers\""},
    {llama, "{\"vocab_size\":1000000000000}", HN_FORMAT, "\"vocab_size\""},
    {llama, "{\"hidden_size\":65}", HN_FORMAT, "a hidden size of 65 cannot be cut into 8 heads"},
    {llama, "{\"hidden_size\":72}", HN_FORMAT, "turn pairs"},
    {llama, "{\"num_key_value_heads\":3}", HN_FORMAT, "8 attention heads cannot share 3"},
    {llama, "{\"num_key_value_heads\":16}", HN_FORMAT, "8 attention heads cannot share 16"},
    {llama, "{\"rms_norm_eps\":0}", HN_FORMAT, "\"rms_norm_eps\" is 0"},
    {llama, "{\"rms_norm_eps\":\"1e-5\"}", HN_FORMAT, "\"rms_norm_eps\""},
    {llama, "{\"rope_theta\":0}", HN_FORMAT, "\"rope_theta\" is 0"},
    {llama, "{\"hidden_act\":\"mish\"}", HN_UNSUPPORTED, "activation \"mish\""},
    {llama, "{\"torch_dtype\":\"float64\"}", HN_UNSUPPORTED, "type \"float64\""},
    {llama, "{\"dtype\":\"float8_e4m3fn\"}", HN_UNSUPPORTED, "type \"float8_e4m3fn\""},
    {llama, "{\"tie_word_embeddings\":1}", HN_FORMAT, "expected is true or false"},
    {llama, "{\"sliding_window\":16}", HN_UNSUPPORTED, "\"sliding_window\" (16) is not known"},
    {llama, "{\"logit_scale\":2.0}", HN_UNSUPPORTED, "\"logit_scale\" (2.0) is not known"},
    {llama, "{\"is_encoder_decoder\":true}", HN_UNSUPPORTED, "encoder-decoders"},
    {llama, "{\"layer_types\":[\"full_attention\"]}", HN_FORMAT, "lists no 3 layers"},
    {llama, "{\"layer_types\":[\"full_attention\",\"linear_attention\",\"full_attention\"]}", HN_UNSUPPORTED,
     "type \"linear_attention\""},
    {llama, "{\"layer_types\":[\"full_attention\",\"sliding_attention\",\"full_attention\"]}", HN_FORMAT,
     "no window's length"},
    {mistral, "{\"layer_types\":[\"full_attention\",\"sliding_attention\"]}", HN_UNSUPPORTED, "all or none"},
    {qwen2, "{\"attention_bias\":true}", HN_UNSUPPORTED, "attention_bias"},
    {bert, "{\"is_decoder\":true}", HN_UNSUPPORTED, "BERT as a decoder"},
    {bert, "{\"position_embedding_type\":\"relative_key\"}", HN_UNSUPPORTED, "relative positions"},
    {bert, "{\"hidden_size\":65}", HN_FORMAT, "cannot be cut into 8 heads"},
    {nomic, "{\"num_experts\":8}", HN_UNSUPPORTED, "mixtures of experts"},
    {nomic, "{\"prenorm\":true}", HN_UNSUPPORTED, "prenorm"},
    {nomic, "{\"use_rms_norm\":true}", HN_UNSUPPORTED, "use_rms_norm"},
    {nomic, "{\"rotary_emb_scale_base\":512}", HN_UNSUPPORTED, "xPos"},
    {nomic, "{\"rotary_scaling_factor\":2}", HN_UNSUPPORTED, "rotary_scaling_factor"},
    {nomic, "{\"rotary_emb_fraction\":0.0}", HN_UNSUPPORTED, "without rotary positions"},
    {nomic, "{\"activation_function\":\"gelu\"}", HN_UNSUPPORTED, "\"gelu\" is not supported"},
    {nomic, "{\"mlp_fc1_bias\":true}", HN_UNSUPPORTED, "mlp_fc1_bias and mlp_fc2_bias differ"},
    {nomic, "{\"hidden_size\":128}", HN_FORMAT, "\"hidden_size\" is 128 and \"n_embd\" is 64"},
    {nomic, "{\"hidden_size\":64,\"rope_parameters\":{\"rope_theta\":10000.0}}", HN_FORMAT,
     "rotary_emb_base and rope_theta"},
};

static void refuses(void **state) {
    (void)state;
    folder_clear();
    for (size_t k = 0; k < sizeof refusals / sizeof refusals[0]; k++) {
        write_changed(refusals[k].base, refusals[k].change);
        expect(refusals[k].status, refusals[k].word);
    }
    folder_text("config.json", "[]");
    expect(HN_FORMAT, "no JSON object");
    folder_text("config.json", "{\"model_type\":\"llama\",\"model_type\":\"bert\"}");
    expect(HN_FORMAT, "duplicate");
    folder_text("config.json", "");
    expect(HN_FORMAT, "no valid JSON");
}

/* Every key of every family with values of all kinds: a status, never a crash, never memory lost. */
static void survives_nasty_values(void **state) {
    (void)state;
    static const char *const nasty[] = {
        "null", "-1",   "0",     "1",  "3",     "1e300",          "1.5", "9223372036854775807",
        "true", "\"\"", "\"x\"", "[]", "[[1]]", "[1,\"x\",null]", "{}",  "{\"a\":{}}"};
    static const char *const bases[] = {llama, qwen2, mistral, bert, nomic};
    static const char *const more[] = {"rope_scaling", "rope_parameters", "layer_types",   "quantization_config",
                                       "dtype",        "head_dim",        "architectures", "eos_token_id"};
    size_t n_more = sizeof more / sizeof more[0], n_ok = 0, n = 0;
    folder_clear();
    for (size_t b = 0; b < sizeof bases / sizeof bases[0]; b++) {
        json_t *base = json_loads(bases[b], 0, NULL), *value;
        size_t n_keys = json_object_size(base);
        const char *keys[100], *key;
        size_t at = 0;
        json_object_foreach(base, key, value) {
            keys[at++] = key;
        }
        for (size_t k = 0; k < n_keys + n_more; k++) {
            for (size_t v = 0; v < sizeof nasty / sizeof nasty[0]; v++, n++) {
                char change[200];
                HnError err = HN_ERROR_INIT;
                (void)snprintf(change, sizeof change, "{\"%s\":%s}", k < n_keys ? keys[k] : more[k - n_keys], nasty[v]);
                write_changed(bases[b], change);
                HnStatus status = read_from(folder_path(""), &err);
                assert_true(status == HN_OK || status == HN_FORMAT || status == HN_UNSUPPORTED);
                assert_true(status == HN_OK || strlen(err.message) > 20);
                n_ok += status == HN_OK;
                hn_lm_config_free(&config);
            }
        }
        json_decref(base);
    }
    assert_true(n > 1000 && n_ok > n / 20 && n_ok < n);
}

static void hub_cache(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    char *resolved = NULL;
    const char *cache = "models--a--b";
    folder_clear();
    folder_text("models--a--b/snapshots/0123abc/config.json", llama);
    assert_int_equal(hn_lm_folder_resolve(folder_path(cache), &resolved, &err), HN_OK); /* the only one */
    assert_string_equal(resolved, folder_path("models--a--b/snapshots/0123abc"));
    hn_free(resolved);
    folder_text("models--a--b/snapshots/4567def/config.json", llama);
    folder_expect(hn_lm_folder_resolve(folder_path(cache), &resolved, &err), HN_INPUT, &err, "2 snapshots", NULL);
    assert_null(resolved);
    hn_error_clear(&err);
    folder_text("models--a--b/refs/main", "4567def\n");
    assert_int_equal(read_from(folder_path(cache), &err), HN_OK);
    hn_lm_config_free(&config);
    assert_int_equal(hn_lm_folder_resolve(folder_path(cache), &resolved, &err), HN_OK);
    assert_string_equal(resolved, folder_path("models--a--b/snapshots/4567def"));
    hn_free(resolved);
    folder_text("models--a--b/refs/main", "fffffff");
    folder_expect(hn_lm_folder_resolve(folder_path(cache), &resolved, &err), HN_INPUT, &err, "fffffff", NULL);
    hn_error_clear(&err);
    folder_text("models--a--b/refs/main", "../../../etc");
    folder_expect(hn_lm_folder_resolve(folder_path(cache), &resolved, &err), HN_FORMAT, &err, "names no snapshot",
                  NULL);
    hn_error_clear(&err);
    assert_int_equal(hn_lm_folder_resolve(folder_path("models--a--b/snapshots/0123abc"), &resolved, &err), HN_OK);
    hn_free(resolved);
}

static void no_model_folder(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    folder_clear();
    folder_expect(read_from(folder_path("absent"), &err), HN_INPUT, &err, "there is no folder", NULL);
    hn_error_clear(&err);
    folder_expect(read_from(folder_path(""), &err), HN_INPUT, &err, "no config.json", NULL);
    hn_error_clear(&err);
    folder_text("m.gguf", "GGUF");
    folder_expect(read_from(folder_path("m.gguf"), &err), HN_UNSUPPORTED, &err, "GGUF, which is not read", NULL);
    hn_error_clear(&err);
    folder_text("adapter_config.json", "{}");
    folder_expect(read_from(folder_path(""), &err), HN_UNSUPPORTED, &err, "an adapter", NULL);
    hn_error_clear(&err);
    folder_text("params.json", "{}");
    folder_expect(read_from(folder_path(""), &err), HN_UNSUPPORTED, &err, "params.json", NULL);
}

static void failing_allocations(void **state) {
    (void)state;
    folder_clear();
    folder_text("generation_config.json", "{}");
    write_changed(llama, "{}");
    uint64_t live = hn_alloc_live_blocks(), n = 0;
    HnStatus status = HN_MEMORY;
    for (n = 1; status == HN_MEMORY; n++) {
        HnError err = HN_ERROR_INIT;
        hn_alloc_fail_at(n);
        status = hn_lm_config_read(folder_path(""), &config, &err);
        hn_alloc_fail_at(0);
        hn_lm_config_free(&config);
        assert_int_equal(hn_alloc_live_blocks(), live);
    }
    assert_int_equal(status, HN_OK);
    assert_true(n > 6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_llama),           cmocka_unit_test(reads_rope), cmocka_unit_test(reads_windows),
        cmocka_unit_test(reads_encoders),        cmocka_unit_test(reads_ends), cmocka_unit_test(refuses),
        cmocka_unit_test(survives_nasty_values), cmocka_unit_test(hub_cache),  cmocka_unit_test(no_model_folder),
        cmocka_unit_test(failing_allocations),
    };
    return cmocka_run_group_tests(tests, folder_open, folder_close);
}
