#include "lm_names.h"

#include <stdio.h>

static const HnLmNames decoder = {.prefixes = {"model.", "", NULL},
                                  .embed = "embed_tokens",
                                  .final_norm = "norm",
                                  .layers = "layers.",
                                  .q = "self_attn.q_proj",
                                  .k = "self_attn.k_proj",
                                  .v = "self_attn.v_proj",
                                  .out = "self_attn.o_proj",
                                  .q_norm = "self_attn.q_norm",
                                  .k_norm = "self_attn.k_norm",
                                  .gate = "mlp.gate_proj",
                                  .up = "mlp.up_proj",
                                  .down = "mlp.down_proj",
                                  .attention_norm = "input_layernorm",
                                  .ffn_norm = "post_attention_layernorm"};

static const HnLmNames bert = {.prefixes = {"", "bert.", "model.", NULL},
                               .embed = "embeddings.word_embeddings",
                               .positions = "embeddings.position_embeddings",
                               .types = "embeddings.token_type_embeddings",
                               .embed_norm = "embeddings.LayerNorm",
                               .layers = "encoder.layer.",
                               .q = "attention.self.query",
                               .k = "attention.self.key",
                               .v = "attention.self.value",
                               .out = "attention.output.dense",
                               .up = "intermediate.dense",
                               .down = "output.dense",
                               .attention_norm = "attention.output.LayerNorm",
                               .ffn_norm = "output.LayerNorm"};

/* As its authors publish it. */
static const HnLmNames nomic = {.prefixes = {"", "bert.", "nomic_bert.", NULL},
                                .embed = "embeddings.word_embeddings",
                                .types = "embeddings.token_type_embeddings",
                                .embed_norm = "emb_ln",
                                .layers = "encoder.layers.",
                                .qkv = "attn.Wqkv",
                                .out = "attn.out_proj",
                                .gate = "mlp.fc12",
                                .up = "mlp.fc11",
                                .down = "mlp.fc2",
                                .attention_norm = "norm1",
                                .ffn_norm = "norm2"};

/* As transformers 5 names its own rendering of it. */
static const HnLmNames nomic_renamed = {.prefixes = {"", "nomic_bert.", "model.", NULL},
                                        .embed = "embeddings.word_embeddings",
                                        .types = "embeddings.token_type_embeddings",
                                        .embed_norm = "embeddings.LayerNorm",
                                        .layers = "layers.",
                                        .q = "self_attn.q_proj",
                                        .k = "self_attn.k_proj",
                                        .v = "self_attn.v_proj",
                                        .out = "self_attn.o_proj",
                                        .gate = "mlp.gate_proj",
                                        .up = "mlp.up_proj",
                                        .down = "mlp.down_proj",
                                        .attention_norm = "post_attention_layernorm",
                                        .ffn_norm = "post_mlp_layernorm"};

/* Position numbers and rotary frequencies are computed; poolers and heads of pre-training play no part in hidden
 * states. A tied lm_head must equal the embedding (hn_tensors_finish). */
const char *const hn_lm_known_leftovers[] = {"position_ids",
                                             "rotary_emb.inv_freq",
                                             "pooler.dense.weight",
                                             "pooler.dense.bias",
                                             "cls.predictions.bias",
                                             "cls.predictions.decoder.weight",
                                             "cls.predictions.decoder.bias",
                                             "cls.predictions.transform.dense.weight",
                                             "cls.predictions.transform.dense.bias",
                                             "cls.predictions.transform.LayerNorm.weight",
                                             "cls.predictions.transform.LayerNorm.bias",
                                             "cls.predictions.transform.LayerNorm.gamma",
                                             "cls.predictions.transform.LayerNorm.beta",
                                             "cls.predictions.transform.layer_norm.weight",
                                             "cls.predictions.transform.layer_norm.bias",
                                             "cls.seq_relationship.weight",
                                             "cls.seq_relationship.bias"};
const size_t hn_lm_n_known_leftovers = sizeof hn_lm_known_leftovers / sizeof hn_lm_known_leftovers[0];

/* Whether the embedding and the first layer's query weight are there under this prefix. */
static bool fits(const HnLm *lm, const HnLmNames *names, const char *prefix) {
    char embed[256], query[256];
    (void)snprintf(embed, sizeof embed, "%s%s.weight", prefix, names->embed);
    (void)snprintf(query, sizeof query, "%s%s0.%s.weight", prefix, names->layers,
                   names->qkv != NULL ? names->qkv : names->q);
    return hn_tensors_has(lm->tensors, embed) && hn_tensors_has(lm->tensors, query);
}

HnStatus hn_lm_names(const HnLm *lm, const HnLmNames **names, const char **prefix, HnError *err) {
    const HnLmNames *const candidates[] = {lm->config.family == HN_LM_BERT         ? &bert
                                           : lm->config.family == HN_LM_NOMIC_BERT ? &nomic
                                                                                   : &decoder,
                                           lm->config.family == HN_LM_NOMIC_BERT ? &nomic_renamed : NULL};
    for (size_t c = 0; c < 2 && candidates[c] != NULL; c++) {
        for (size_t p = 0; candidates[c]->prefixes[p] != NULL; p++) {
            if (fits(lm, candidates[c], candidates[c]->prefixes[p])) {
                *names = candidates[c];
                *prefix = candidates[c]->prefixes[p];
                return HN_OK;
            }
        }
    }
    return hn_fail(err, HN_FORMAT,
                   "%s: no tensor \"%s%s.weight\" with layers beside it; config.json says %s: is this the model's own "
                   "folder?",
                   lm->folder, candidates[0]->prefixes[0], candidates[0]->embed, hn_lm_family_name(lm->config.family));
}
