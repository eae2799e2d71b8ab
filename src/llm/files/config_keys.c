/* Keys of config.json that this program does not use: those that change nothing it computes, those that do so only at
 * another value than the usual one, and those that name what it cannot do. */
#include <string.h>

#include "base/text.h"
#include "config_private.h"

/* Key and why it changes nothing here. */
static const struct {
    const char *key, *reason;
} ignorable[] = {
    {"_name_or_path", "provenance"},
    {"_commit_hash", "provenance"},
    {"transformers_version", "provenance"},
    {"unsloth_version", "provenance"},
    {"unsloth_fixed", "provenance"},
    {"model_name", "provenance"},
    {"custom_pipelines", "code of the reference library"},
    {"transformers.js_config", "another library's"},
    {"sentence_transformers", "provenance: which version saved the model, or a reranker's activation"},
    {"keys_to_ignore_at_inference", "outputs of the reference library"},
    {"output_attentions", "outputs of the reference library"},
    {"output_hidden_states", "outputs of the reference library"},
    {"return_dict", "outputs of the reference library"},
    {"output_past", "outputs of the reference library"},
    {"torchscript", "another way of running the same"},
    {"use_cache", "another way of computing the same"},
    {"use_bfloat16", "another way of running the same"},
    {"_attn_implementation", "another way of computing the same"},
    {"_attn_implementation_autoset", "another way of computing the same"},
    {"attn_implementation", "another way of computing the same"},
    {"_flash_attn_2_enabled", "another way of computing the same"},
    {"use_flash_attn", "another way of computing the same"},
    {"use_memory_efficient_attention", "another way of computing the same"},
    {"unpad_inputs", "another way of computing the same"},
    {"fused_bias_fc", "another way of computing the same"},
    {"fused_dropout_add_ln", "another way of computing the same"},
    {"use_xentropy", "another way of computing the same"},
    {"dense_seq_output", "another way of computing the same"},
    {"pretraining_tp", "the order of sums only"},
    {"chunk_size_feed_forward", "another way of computing the same"},
    {"gradient_checkpointing", "training"},
    {"initializer_range", "training"},
    {"initializer_factor", "training"},
    {"attention_dropout", "training"},
    {"hidden_dropout", "training"},
    {"hidden_dropout_prob", "training"},
    {"attention_probs_dropout_prob", "training"},
    {"classifier_dropout", "training"},
    {"attn_pdrop", "training"},
    {"embd_pdrop", "training"},
    {"resid_pdrop", "training"},
    {"reorder_and_upcast_attn", "training"},
    {"layer_norm_training", "training"},
    {"finetuning_task", "training"},
    {"problem_type", "training"},
    {"id2label", "heads that are not read"},
    {"label2id", "heads that are not read"},
    {"num_labels", "heads that are not read"},
    {"task_specific_params", "heads that are not read"},
    {"summary_activation", "heads that are not read"},
    {"summary_first_dropout", "heads that are not read"},
    {"summary_proj_to_labels", "heads that are not read"},
    {"summary_type", "heads that are not read"},
    {"summary_use_proj", "heads that are not read"},
    {"pooler_fc_size", "the pooler, which is not read"},
    {"pooler_num_attention_heads", "the pooler, which is not read"},
    {"pooler_num_fc_layers", "the pooler, which is not read"},
    {"pooler_size_per_head", "the pooler, which is not read"},
    {"pooler_type", "the pooler, which is not read"},
    {"directionality", "never read by the reference"},
    {"pad_vocab_size_multiple", "vocab_size counts the padding"},
    {"max_trained_positions", "n_positions says how far it reaches"},
    {"parallel_block_tied_norm", "of parallel blocks, which are refused"},
    {"tie_last_hidden_states", "outputs of the reference library"},
    {"max_sequence_length", "max_position_embeddings says it"},
    {"model_max_length", "the tokenizer's own files say it"},
    {"tokenizer_class", "the tokenizer's own files say it"},
    {"prefix", "prompts are said by who asks"},
    {"sep_token_id", "the tokenizer's own files say it"},
    {"cls_token_id", "the tokenizer's own files say it"},
    {"mask_token_id", "the tokenizer's own files say it"},
    {"decoder_start_token_id", "of encoder-decoders, which are refused"},
    /* How to sample is said by who asks for text. */
    {"assistant_confidence_threshold", "sampling"},
    {"assistant_lookbehind", "sampling"},
    {"bad_words_ids", "sampling"},
    {"begin_suppress_tokens", "sampling"},
    {"diversity_penalty", "sampling"},
    {"do_sample", "sampling"},
    {"early_stopping", "sampling"},
    {"encoder_no_repeat_ngram_size", "sampling"},
    {"encoder_repetition_penalty", "sampling"},
    {"epsilon_cutoff", "sampling"},
    {"eta_cutoff", "sampling"},
    {"exponential_decay_length_penalty", "sampling"},
    {"forced_bos_token_id", "sampling"},
    {"forced_eos_token_id", "sampling"},
    {"length_penalty", "sampling"},
    {"max_length", "sampling"},
    {"max_new_tokens", "sampling"},
    {"min_length", "sampling"},
    {"no_repeat_ngram_size", "sampling"},
    {"num_assistant_tokens", "sampling"},
    {"num_assistant_tokens_schedule", "sampling"},
    {"num_beam_groups", "sampling"},
    {"num_beams", "sampling"},
    {"num_return_sequences", "sampling"},
    {"output_scores", "sampling"},
    {"remove_invalid_values", "sampling"},
    {"repetition_penalty", "sampling"},
    {"return_dict_in_generate", "sampling"},
    {"suppress_tokens", "sampling"},
    {"target_lookbehind", "sampling"},
    {"temperature", "sampling"},
    {"top_k", "sampling"},
    {"top_p", "sampling"},
    {"typical_p", "sampling"},
};

/* Keys that change what is computed unless they stand at this value (as compact JSON; null is always fine). */
static const struct {
    const char *key, *neutral, *otherwise;
} neutral[] = {
    {"is_encoder_decoder", "false", "encoder-decoders are not supported"},
    {"is_decoder", "false", "BERT as a decoder is not supported"},
    {"add_cross_attention", "false", "cross attention is not supported"},
    {"cross_attention_hidden_size", "null", "cross attention is not supported"},
    {"tie_encoder_decoder", "false", "encoder-decoders are not supported"},
    {"pruned_heads", "{}", "pruned heads are not supported"},
    {"position_embedding_type", "\"absolute\"", "relative positions are not supported"},
    {"auto_map", "null", "a model with code of its own is not supported, whatever its model_type"},
    {"rope_interleaved", "false", "rotary pairs of neighbours are not supported in this family"},
    {"partial_rotary_factor", "1.0", "partly rotated heads are not supported in this family"},
    {"prenorm", "false", "norms before the blocks are not supported in this family"},
    {"parallel_block", "false", "parallel blocks are not supported"},
    {"use_rms_norm", "false", "RMSNorm is not supported in this family"},
    {"causal", "false", "a causal encoder is not supported"},
    {"rotary_emb_scale_base", "null", "scaled rotary positions (xPos) are not supported"},
    {"rotary_scaling_factor", "null", "dynamically scaled rotary positions are not supported"},
    {"scale_attn_weights", "true", "unscaled attention is not supported"},
    {"scale_attn_by_inverse_layer_idx", "false", "attention scaled by layers is not supported"},
    {"num_experts", "0", "mixtures of experts are not supported"},
    {"num_local_experts", "0", "mixtures of experts are not supported"},
    {"moe_every_n_layers", "0", "mixtures of experts are not supported"},
    {"per_layer_config", "null", "layers of different shapes are not supported"},
    {"use_mrope", "false", "rotary positions in several axes are not supported"},
    {"attention_bias", "false", "biases of attention are not a choice in this family"},
    {"mlp_bias", "false", "biases of the feed-forward part are not supported in this family"},
    {"use_qk_norm", "false", "norms of queries and keys are not supported in this family"},
};

static bool is_ignorable(const char *key) {
    for (size_t k = 0; k < sizeof ignorable / sizeof ignorable[0]; k++) {
        if (strcmp(key, ignorable[k].key) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_neutral(const json_t *value, const char *shown, const char *wanted) {
    double number; /* 1 and 1.0 are the same */
    return json_is_number(value) && hn_parse_double(wanted, &number) ? json_number_value(value) == number
                                                                     : strcmp(shown, wanted) == 0;
}

static HnStatus check_key(const char *path, const char *key, const json_t *value, HnError *err) {
    char shown[80];
    hn_keys_show(value, shown);
    for (size_t k = 0; k < sizeof neutral / sizeof neutral[0]; k++) {
        if (strcmp(key, neutral[k].key) == 0) {
            return is_neutral(value, shown, neutral[k].neutral)
                       ? HN_OK
                       : hn_fail(err, HN_UNSUPPORTED, "%s: \"%s\": %s: %s", path, key, shown, neutral[k].otherwise);
        }
    }
    return hn_fail(err, HN_UNSUPPORTED,
                   "%s: the key \"%s\" (%s) is not known for this model_type, and it may change what the model "
                   "computes; take it out if it does not",
                   path, key, shown);
}

HnStatus hn_config_check_keys(const HnKeys *keys, HnError *err) {
    const char *key;
    json_t *value;
    json_object_foreach(keys->root, key, value) {
        if (!json_is_null(value) && !hn_keys_used(keys, key) && !is_ignorable(key)) {
            HN_TRY(check_key(keys->path, key, value, err));
        }
    }
    return HN_OK;
}

static HnStatus refuse_quantised(HnKeys *keys, HnError *err) {
    json_t *found = hn_keys_get(keys, "quantization_config");
    found = found != NULL ? found : hn_keys_get(keys, "compression_config");
    found = found != NULL ? found : hn_keys_get(keys, "quantization"); /* MLX's */
    if (found == NULL) {
        return HN_OK;
    }
    const char *method = json_string_value(json_object_get(found, "quant_method"));
    if (method == NULL) {
        bool bits = json_object_get(found, "load_in_4bit") != NULL || json_object_get(found, "load_in_8bit") != NULL;
        method = bits ? "bitsandbytes" : "a method that it does not name";
    }
    return hn_fail(
        err, HN_UNSUPPORTED,
        "%s: the weights are quantised by %s (\"quantization_config\"), which is not read; take the original "
        "checkpoint: this program packs it as int8 or nf4 itself",
        keys->path, method);
}

HnStatus hn_config_refuse(HnKeys *keys, HnError *err) {
    HN_TRY(refuse_quantised(keys, err));
    const json_t *names = hn_keys_get(keys, "architectures");
    static const char *const heads[] = {
        "ForSequenceClassification", "ForTokenClassification",   "ForQuestionAnswering", "ForMultipleChoice",
        "ForNextSentencePrediction", "ForConditionalGeneration", "RewardModel"};
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        for (size_t k = 0; name != NULL && k < sizeof heads / sizeof heads[0]; k++) {
            if (strstr(name, heads[k]) != NULL) {
                return hn_fail(err, HN_UNSUPPORTED,
                               "%s: %s is not supported: models that write text, and encoders for embeddings, are",
                               keys->path, name);
            }
        }
    }
    return HN_OK;
}
