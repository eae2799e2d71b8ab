/* A trained model (stories260K, llama2.c's format): the 200 greedy tokens, alone and beside seven other prompts. Skips
 * without the data. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/text.h"

enum { DIM = 64, FFN = 172, LAYERS = 5, HEADS = 8, KV_HEADS = 4, HEAD = 8, VOCAB = 512, POSITIONS = 512 };
enum { N_GREEDY = 200, N_BESIDE = 8, HEADER_INTS = 7 };

/* safetensors, written tensor by tensor: names and ranges in `header`, bytes in `data`. */
typedef struct Writer {
    HnText header, data;
} Writer;

static void add(Writer *writer, const char *name, const float *values, uint64_t rows, uint64_t columns) {
    const size_t begin = writer->data.length, n_bytes = rows * columns * sizeof *values;
    char shape[64];
    (void)snprintf(shape, sizeof shape, columns == 1 ? "[%d]" : "[%d,%d]", (int)rows, (int)columns);
    assert_int_equal(hn_text_append(&writer->data, (const char *)values, n_bytes, NULL), HN_OK);
    assert_int_equal(hn_text_printf(&writer->header, NULL,
                                    "%s\"%s\":{\"dtype\":\"F32\",\"shape\":%s,\"data_offsets\":[%zu,%zu]}",
                                    writer->header.length > 0 ? "," : "{", name, shape, begin, begin + n_bytes),
                     HN_OK);
}

/* llama2.c rotates pairs (2i, 2i+1); the half-split rotation wants element 2i at i, and 2i+1 at half + i. */
static void split_halves(const float *in, uint64_t n_heads, float *out) {
    for (uint64_t head = 0; head < n_heads; head++) {
        for (uint64_t i = 0; i < HEAD; i++) {
            const uint64_t to = head * HEAD + i / 2 + (i % 2) * (HEAD / 2);
            memcpy(out + to * DIM, in + (head * HEAD + i) * DIM, DIM * sizeof *out);
        }
    }
}

/* All layers' matrices of one kind, which lie one behind the other. */
static const float *add_layers(Writer *writer, const char *part, const float *at, uint64_t rows, uint64_t columns,
                               bool rotated) {
    for (int l = 0; l < LAYERS; l++) {
        char name[128];
        float turned[DIM * DIM];
        (void)snprintf(name, sizeof name, "model.layers.%d.%s.weight", l, part);
        if (rotated) {
            split_halves(at, rows / HEAD, turned);
        }
        add(writer, name, rotated ? turned : at, rows, columns);
        at += rows * columns;
    }
    return at;
}

static const char config_json[] =
    "{\"model_type\":\"llama\",\"architectures\":[\"LlamaForCausalLM\"],\"hidden_size\":64,\"intermediate_size\":172,"
    "\"num_hidden_layers\":5,\"num_attention_heads\":8,\"num_key_value_heads\":4,\"vocab_size\":512,"
    "\"max_position_embeddings\":512,\"rms_norm_eps\":1e-05,\"hidden_act\":\"silu\",\"rope_theta\":10000.0,"
    "\"tie_word_embeddings\":true,\"bos_token_id\":1,\"eos_token_id\":2,\"torch_dtype\":\"float32\"}";

static const char *shared(const char *name) {
    char path[256];
    (void)snprintf(path, sizeof path, "stories260K/%s", name);
    const char *found = fixture_shared(path);
    assert_non_null(found);
    return found;
}

/* A Hugging Face folder from stories260K.bin. */
static const char *convert(void) {
    char *bytes = NULL;
    size_t n_bytes = 0;
    assert_int_equal(hn_file_read(shared("stories260K.bin"), 1 << 24, &bytes, &n_bytes, NULL), HN_OK);
    int32_t sizes[HEADER_INTS];
    memcpy(sizes, bytes, sizeof sizes);
    const int32_t expected[HEADER_INTS] = {DIM, FFN, LAYERS, HEADS, KV_HEADS, VOCAB, POSITIONS};
    assert_memory_equal(sizes, expected, sizeof sizes);
    Writer writer = {0};
    const float *at = (const float *)(const void *)(bytes + sizeof sizes);
    add(&writer, "model.embed_tokens.weight", at, VOCAB, DIM);
    at = add_layers(&writer, "input_layernorm", at + VOCAB * DIM, DIM, 1, false);
    at = add_layers(&writer, "self_attn.q_proj", at, DIM, DIM, true);
    at = add_layers(&writer, "self_attn.k_proj", at, KV_HEADS * HEAD, DIM, true);
    at = add_layers(&writer, "self_attn.v_proj", at, KV_HEADS * HEAD, DIM, false);
    at = add_layers(&writer, "self_attn.o_proj", at, DIM, DIM, false);
    at = add_layers(&writer, "post_attention_layernorm", at, DIM, 1, false);
    at = add_layers(&writer, "mlp.gate_proj", at, FFN, DIM, false);
    at = add_layers(&writer, "mlp.down_proj", at, DIM, FFN, false);
    at = add_layers(&writer, "mlp.up_proj", at, FFN, DIM, false);
    add(&writer, "model.norm.weight", at, DIM, 1);
    assert_int_equal((const char *)(at + DIM + POSITIONS * HEAD) - bytes, n_bytes);
    hn_free(bytes);
    const char *folder = fixture_new();
    assert_int_equal(hn_text_puts(&writer.header, "}", NULL), HN_OK);
    HnText file = {0};
    const uint64_t n_header = writer.header.length;
    assert_int_equal(hn_text_append(&file, (const char *)&n_header, sizeof n_header, NULL), HN_OK);
    assert_int_equal(hn_text_append(&file, writer.header.data, writer.header.length, NULL), HN_OK);
    assert_int_equal(hn_text_append(&file, writer.data.data, writer.data.length, NULL), HN_OK);
    fixture_write(folder, "model.safetensors", file.data, file.length);
    fixture_write(folder, "config.json", config_json, strlen(config_json));
    hn_text_free(&file);
    hn_text_free(&writer.header);
    hn_text_free(&writer.data);
    return folder;
}

static uint32_t best(const float *logits) {
    uint32_t token = 0;
    for (uint32_t t = 1; t < VOCAB; t++) {
        token = logits[t] > logits[token] ? t : token;
    }
    return token;
}

/* Greedy tokens of several sequences that run side by side; the prompt of number 0 is BOS, others have one more token.
 */
static void generate(HnLm *lm, uint32_t n, uint32_t *tokens) {
    HnError err = HN_ERROR_INIT;
    HnKv *kv = NULL;
    HnLmRun runs[N_BESIDE];
    uint32_t next[N_BESIDE][2];
    static float hidden[N_BESIDE * DIM], logits[N_BESIDE * VOCAB];
    assert_int_equal(hn_kv_create(lm, N_BESIDE * 8, N_BESIDE, &kv, &err), HN_OK);
    for (uint32_t s = 0; s < n; s++) {
        next[s][0] = 1;
        next[s][1] = 300 + 13 * s;
        runs[s] = (HnLmRun){hn_kv_begin(kv), s == 0 ? 1 : 2, next[s]};
    }
    for (int step = 0; step < N_GREEDY; step++) {
        assert_int_equal(hn_lm_forward(lm, kv, runs, n, HN_LM_LAST, hidden, &err), HN_OK);
        assert_int_equal(hn_lm_logits(lm, n, hidden, logits, &err), HN_OK);
        for (uint32_t s = 0; s < n; s++) {
            next[s][0] = best(logits + s * VOCAB);
            runs[s].n_tokens = 1;
        }
        tokens[step] = next[0][0];
    }
    hn_kv_free(&kv);
}

static void greedy_tokens(void **state) {
    (void)state;
    uint32_t expected[N_GREEDY], tokens[N_GREEDY];
    FILE *file = fopen(shared("greedy_token_ids.txt"), "r");
    const char *folder = convert();
    assert_non_null(file);
    for (int i = 0; i < N_GREEDY; i++) {
        assert_int_equal(fscanf(file, "%u", &expected[i]), 1);
    }
    assert_int_equal(fclose(file), 0);
    HnLm *lm = fixture_lm(folder, HN_WEIGHT_F32, true, 0);
    generate(lm, 1, tokens);
    assert_memory_equal(tokens, expected, sizeof tokens);
    generate(lm, N_BESIDE, tokens);
    assert_memory_equal(tokens, expected, sizeof tokens);
    hn_lm_close(&lm);
    assert_int_equal(hn_alloc_live_blocks(), 0);
}

static void first_logits(void **state) {
    (void)state;
    static float expected[VOCAB], logits[VOCAB], hidden[DIM];
    FILE *file = fopen(shared("reference_logits_bos.txt"), "r");
    assert_non_null(file);
    for (int i = 0; i < VOCAB; i++) {
        assert_int_equal(fscanf(file, "%f", &expected[i]), 1);
    }
    assert_int_equal(fclose(file), 0);
    HnError err = HN_ERROR_INIT;
    const uint32_t bos = 1;
    HnLm *lm = fixture_lm(convert(), HN_WEIGHT_F32, true, 0);
    fixture_hidden(lm, &bos, 1, hidden);
    assert_int_equal(hn_lm_logits(lm, 1, hidden, logits, &err), HN_OK);
    assert_true(fixture_difference(logits, expected, VOCAB).max <= 1e-5);
    hn_lm_close(&lm);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(greedy_tokens), cmocka_unit_test(first_logits)};
    if (fixture_shared("stories260K") == NULL) {
        print_message("SKIP: no shared data; set HNLMREC_TEST_DATA to its folder\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
