/* What a model is: read from the files of a Hugging Face folder.
 *
 * Every key of config.json is used, on a list of keys that change nothing here, or refused by name. Both spellings are
 * read: that of old checkpoints (rope_theta, rope_scaling, torch_dtype) and of transformers 5 (rope_parameters, dtype,
 * layer_types).
 */
#ifndef HN_LLM_FILES_CONFIG_H
#define HN_LLM_FILES_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "block.h"
#include "element.h"

typedef enum HnLmFamily {
    HN_LM_LLAMA,
    HN_LM_MISTRAL,
    HN_LM_QWEN2,
    HN_LM_QWEN3,
    HN_LM_BERT,
    HN_LM_NOMIC_BERT
} HnLmFamily;

typedef enum HnRopeScaling { HN_ROPE_PLAIN, HN_ROPE_LINEAR, HN_ROPE_LLAMA3 } HnRopeScaling;
typedef enum HnPooling { HN_POOLING_NONE, HN_POOLING_LAST, HN_POOLING_MEAN, HN_POOLING_CLS } HnPooling;

enum { HN_LM_MAX_EOS = 16, HN_LM_NO_TOKEN = -1 };

typedef struct HnLmConfig {
    HnLmFamily family;
    uint32_t n_layers, hidden, n_heads, n_kv_heads, head_dim, ffn; /* ffn = intermediate size */
    uint32_t n_vocab, n_positions;                                 /* n_positions: longest sequence it was made for */
    uint32_t n_types;                                              /* BERT: token types */
    HnElement stored;                                              /* as config.json says; tensors say for themselves */
    HnGate activation;
    bool gated_ffn;  /* down(act(gate) * up); else down(act(up)) */
    bool layer_norm; /* LayerNorm with bias; else RMSNorm */
    bool post_norm;  /* norms after the residual sum (BERT); else before each block, and one at the end */
    bool causal;
    bool qkv_bias, output_bias, ffn_bias;
    bool qk_norm; /* RMSNorm of each query and key head before the rotation (Qwen3) */
    bool tied_head, has_head;
    bool learned_positions; /* BERT; else rotary */
    float norm_eps;
    struct {
        double theta;
        uint32_t rotary; /* rotated elements of a head */
        bool interleaved;
        HnRopeScaling scaling;
        double factor, low_freq_factor, high_freq_factor;
        uint32_t original_positions;
    } rope;
    uint32_t window;                      /* sliding window; 0: none */
    bool *windowed;                       /* [n_layers]: which layers use it */
    int32_t bos, pad, eos[HN_LM_MAX_EOS]; /* token ids, or HN_LM_NO_TOKEN; eos: config.json's and generation_config's */
    uint32_t n_eos;
    /* sentence-transformers' files; HN_POOLING_NONE where there are none */
    HnPooling pooling;
    bool normalise;
    bool lower_case;                      /* of texts: means nothing where the tokenizer lowers them anyway */
    uint32_t max_tokens;                  /* longest input it embeds; 0: n_positions */
    char *query_prefix, *document_prefix; /* "" where none */
} HnLmConfig;

/* folder: a model folder, or a hub cache's models--org--name folder (its newest snapshot). Free with
 * hn_lm_config_free. */
HnStatus hn_lm_config_read(const char *folder, HnLmConfig *config, HnError *err);
void hn_lm_config_free(HnLmConfig *config);
/* The folder that holds the files themselves; the caller frees with hn_free. */
HnStatus hn_lm_folder_resolve(const char *folder, char **resolved, HnError *err);
const char *hn_lm_family_name(HnLmFamily family);

#endif
