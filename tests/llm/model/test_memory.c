/* The plan against what the process really takes, with a checkpoint of some size: no weight twice. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { HIDDEN = 512, FFN = 2048, LAYERS = 6, KV = 128, VOCAB = 16000 };

#define MIB ((uint64_t)1 << 20)

/* A sanitizer's own memory would be counted, too. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

/* One figure of /proc/self/status in bytes; UINT64_MAX where it is not given. */
static uint64_t status_bytes(const char *key) {
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    uint64_t bytes = UINT64_MAX;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, key, strlen(key)) == 0) {
            bytes = (uint64_t)strtoull(line + strlen(key), NULL, 10) * 1024;
        }
    }
    if (file != NULL) {
        assert_int_equal(fclose(file), 0);
    }
    return bytes;
}

typedef struct Shape {
    const char *part;
    int rows, columns;
} Shape;

static const Shape in_layer[] = {
    {"self_attn.q_proj", HIDDEN, HIDDEN}, {"self_attn.k_proj", KV, HIDDEN}, {"self_attn.v_proj", KV, HIDDEN},
    {"self_attn.o_proj", HIDDEN, HIDDEN}, {"mlp.gate_proj", FFN, HIDDEN},   {"mlp.up_proj", FFN, HIDDEN},
    {"mlp.down_proj", HIDDEN, FFN},       {"input_layernorm", HIDDEN, 0},   {"post_attention_layernorm", HIDDEN, 0}};

static size_t describe(HnText *header, size_t at, const char *name, int rows, int columns) {
    const size_t n_bytes = 2 * (size_t)rows * (size_t)(columns > 0 ? columns : 1);
    char shape[64];
    (void)snprintf(shape, sizeof shape, columns > 0 ? "[%d,%d]" : "[%d]", rows, columns);
    assert_int_equal(hn_text_printf(header, NULL,
                                    "%s\"%s\":{\"dtype\":\"BF16\",\"shape\":%s,\"data_offsets\":[%zu,%zu]}",
                                    at > 0 ? "," : "{", name, shape, at, at + n_bytes),
                     HN_OK);
    return at + n_bytes;
}

static const char config_json[] =
    "{\"model_type\":\"llama\",\"hidden_size\":512,\"intermediate_size\":2048,\"num_hidden_layers\":6,"
    "\"num_attention_heads\":8,\"num_key_value_heads\":2,\"vocab_size\":16000,\"max_position_embeddings\":512,"
    "\"rms_norm_eps\":1e-05,\"hidden_act\":\"silu\",\"tie_word_embeddings\":true,\"torch_dtype\":\"bfloat16\"}";

static const char *make_model(void) {
    HnText header = {0};
    const char *folder = fixture_new();
    size_t at = describe(&header, 0, "model.embed_tokens.weight", VOCAB, HIDDEN);
    at = describe(&header, at, "model.norm.weight", HIDDEN, 0);
    for (int l = 0; l < LAYERS; l++) {
        for (size_t s = 0; s < sizeof in_layer / sizeof in_layer[0]; s++) {
            char name[128];
            (void)snprintf(name, sizeof name, "model.layers.%d.%s.weight", l, in_layer[s].part);
            at = describe(&header, at, name, in_layer[s].rows, in_layer[s].columns);
        }
    }
    assert_int_equal(hn_text_puts(&header, "}", NULL), HN_OK);
    const uint64_t n_header = header.length;
    char *file = malloc(8 + n_header + at);
    assert_non_null(file);
    memcpy(file, &n_header, 8);
    memcpy(file + 8, header.data, n_header);
    for (size_t i = 0; i < at / 2; i++) { /* bf16 of magnitudes 2^-7 .. 2^-4, both signs */
        const uint32_t bits = (uint32_t)i * 2654435761u >> 16;
        const uint16_t value = (uint16_t)(0x3c00u + (bits & 0x1ffu) + (bits & 0x8000u));
        memcpy(file + 8 + n_header + 2 * i, &value, 2);
    }
    fixture_write(folder, "model.safetensors", file, 8 + n_header + at);
    fixture_write(folder, "config.json", config_json, strlen(config_json));
    free(file);
    hn_text_free(&header);
    return folder;
}

static void check(const char *folder, HnWeightType weights, bool head) {
    HnError err = HN_ERROR_INIT;
    HnLmPlan plan;
    const HnLmOptions options = {.weights = weights, .head = head, .max_rows = 256};
    assert_int_equal(hn_lm_plan(folder, &options, &plan, &err), HN_OK);
    const uint64_t planned = plan.weights + plan.activations;
    const uint64_t anonymous = status_bytes("RssAnon:"), file = status_bytes("RssFile:");
    HnLm *lm = fixture_lm(folder, weights, head, 256);
    const uint64_t more = status_bytes("RssAnon:") - anonymous;
    uint32_t tokens[300];
    static float hidden[300 * HIDDEN];
    for (uint32_t t = 0; t < 300; t++) {
        tokens[t] = t * 50;
    }
    fixture_hidden(lm, tokens, 300, hidden);
    const uint64_t mapped = status_bytes("RssFile:");
    print_message("type %d, head %d: planned %.1f MiB, taken %.1f; of the mapped file %.1f\n", (int)weights, (int)head,
                  (double)planned / (double)MIB, (double)more / (double)MIB,
                  ((double)mapped - (double)file) / (double)MIB);
    assert_true(more <= planned + 4 * MIB);
    /* Small blocks may lie in memory that was freed before and stayed with the process. */
    assert_true(planned < 64 * MIB || more + 4 * MIB >= planned);
    /* What is read anew stays below the rows that occur, with the pages around them. */
    assert_true(mapped <= file + (head ? 2 * MIB : plan.mapped + 2 * MIB));
    hn_lm_close(&lm);
}

static void plan_is_what_is_taken(void **state) {
    (void)state;
    const char *folder = make_model();
    HnLmPlan plan;
    const HnLmOptions options = {.weights = HN_WEIGHT_BF16, .head = true};
    assert_int_equal(hn_lm_plan(folder, &options, &plan, NULL), HN_OK);
    const uint64_t layer = 2 * HIDDEN + HIDDEN * (uint64_t)(2 * HIDDEN + 2 * KV + 3 * FFN);
    assert_int_equal(plan.n_parameters, LAYERS * layer + HIDDEN * (uint64_t)(VOCAB + 1));
    assert_int_equal(plan.stored, 2 * plan.n_parameters);
    assert_int_equal(plan.kv_token, 2 * KV * sizeof(float) * LAYERS);
    if (status_bytes("RssAnon:") == UINT64_MAX || SANITIZED) {
        print_message("SKIP: this system does not tell what the process takes\n");
        skip();
    }
    check(folder, HN_WEIGHT_BF16, true);
    check(folder, HN_WEIGHT_F32, false);
    check(folder, HN_WEIGHT_NF4, true);
    const uint64_t peak = status_bytes("VmHWM:"), stored = plan.stored;
    print_message("peak %.1f MiB, file %.1f\n", (double)peak / (double)MIB, (double)stored / (double)MIB);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(plan_is_what_is_taken)};
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
