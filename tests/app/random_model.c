/* random_model OUT TOKENIZER.json N_VOCAB: a small Llama with random weights as a Hugging Face folder, for tests of
 * what stands around a model. It writes nonsense, but the same nonsense everywhere. */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/rng.h"
#include "base/text.h"

enum { HIDDEN = 32, LAYERS = 2, HEADS = 4, KV_HEADS = 2, HEAD_DIM = 8, FFN = 48, MOST_TENSORS = 64 };

typedef struct Tensor {
    char name[96];
    int rows, columns; /* columns 0: one dimension */
} Tensor;

static Tensor tensors[MOST_TENSORS];
static int n_tensors;

static void add(int layer, const char *name, int rows, int columns) {
    Tensor *tensor = &tensors[n_tensors++];
    if (layer >= 0) {
        snprintf(tensor->name, sizeof tensor->name, "model.layers.%d.%s.weight", layer, name);
    } else {
        snprintf(tensor->name, sizeof tensor->name, "model.%s.weight", name);
    }
    tensor->rows = rows;
    tensor->columns = columns;
}

static size_t count(const Tensor *tensor) {
    return (size_t)tensor->rows * (size_t)(tensor->columns ? tensor->columns : 1);
}

static void list_tensors(int n_vocab) {
    add(-1, "embed_tokens", n_vocab, HIDDEN);
    for (int layer = 0; layer < LAYERS; layer++) {
        add(layer, "input_layernorm", HIDDEN, 0);
        add(layer, "self_attn.q_proj", HEADS * HEAD_DIM, HIDDEN);
        add(layer, "self_attn.k_proj", KV_HEADS * HEAD_DIM, HIDDEN);
        add(layer, "self_attn.v_proj", KV_HEADS * HEAD_DIM, HIDDEN);
        add(layer, "self_attn.o_proj", HIDDEN, HEADS * HEAD_DIM);
        add(layer, "post_attention_layernorm", HIDDEN, 0);
        add(layer, "mlp.gate_proj", FFN, HIDDEN);
        add(layer, "mlp.up_proj", FFN, HIDDEN);
        add(layer, "mlp.down_proj", HIDDEN, FFN);
    }
    add(-1, "norm", HIDDEN, 0);
}

static void header(HnText *text) {
    size_t at = 0;
    hn_text_puts(text, "{", NULL);
    for (int t = 0; t < n_tensors; t++) {
        size_t end = at + count(&tensors[t]) * sizeof(float);
        hn_text_printf(text, NULL, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%d", t ? "," : "", tensors[t].name,
                       tensors[t].rows);
        if (tensors[t].columns) {
            hn_text_printf(text, NULL, ",%d", tensors[t].columns);
        }
        hn_text_printf(text, NULL, "],\"data_offsets\":[%zu,%zu]}", at, end);
        at = end;
    }
    hn_text_puts(text, "}", NULL);
}

static int write_weights(const char *path) {
    HnText text = {0};
    header(&text);
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        return 1;
    }
    uint64_t n = text.length; /* little-endian, as all machines that this is built for */
    fwrite(&n, sizeof n, 1, file);
    fwrite(text.data, 1, text.length, file);
    for (int t = 0; t < n_tensors; t++) {
        HnRng rng;
        hn_rng_start(&rng, 1, HN_STREAM_TEST, (uint32_t)t, 0);
        for (size_t i = 0; i < count(&tensors[t]); i++) {
            float value = tensors[t].columns ? 0.6f * (hn_rng_float(&rng) - 0.5f) : 1.0f;
            fwrite(&value, sizeof value, 1, file);
        }
    }
    hn_text_free(&text);
    return fclose(file);
}

int main(int argc, char **argv) {
    if (argc != 4 || hn_folder_make(argv[1], NULL) != HN_OK) {
        return 2;
    }
    char *tokenizer = NULL, path[1024];
    size_t n = 0;
    HnText config = {0};
    int64_t n_vocab = 0;
    if (!hn_parse_i64(argv[3], &n_vocab)) {
        return 2;
    }
    list_tensors((int)n_vocab);
    hn_text_printf(&config, NULL,
                   "{\"architectures\":[\"LlamaForCausalLM\"],\"model_type\":\"llama\",\"hidden_size\":%d,"
                   "\"num_hidden_layers\":%d,\"num_attention_heads\":%d,\"num_key_value_heads\":%d,\"head_dim\":%d,"
                   "\"intermediate_size\":%d,\"vocab_size\":%s,\"max_position_embeddings\":4096,\"rms_norm_eps\":1e-5,"
                   "\"rope_theta\":10000.0,\"tie_word_embeddings\":true,\"hidden_act\":\"silu\",\"torch_dtype\":"
                   "\"float32\"}\n",
                   HIDDEN, LAYERS, HEADS, KV_HEADS, HEAD_DIM, FFN, argv[3]);
    snprintf(path, sizeof path, "%s/config.json", argv[1]);
    int bad = hn_file_write_atomic(path, config.data, config.length, NULL) != HN_OK;
    bad |= hn_file_read(argv[2], 1 << 24, &tokenizer, &n, NULL) != HN_OK;
    snprintf(path, sizeof path, "%s/tokenizer.json", argv[1]);
    bad = bad || hn_file_write_atomic(path, tokenizer, n, NULL) != HN_OK;
    snprintf(path, sizeof path, "%s/model.safetensors", argv[1]);
    return bad || write_weights(path) ? 1 : 0;
}
