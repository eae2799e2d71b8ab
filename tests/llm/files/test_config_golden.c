/* config.json as transformers writes it, in the spellings of its versions 4 and 5, against what it reads itself. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "folder.h"
#include "llm/files/config.h"

static const json_t *wanted; /* the case's reading */

static json_int_t number(const char *key) {
    const json_t *value = json_object_get(wanted, key);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static double real(const char *key) {
    const json_t *value = json_object_get(wanted, key);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

static bool flag(const char *key) {
    const json_t *value = json_object_get(wanted, key);
    assert_true(json_is_boolean(value));
    return json_is_true(value);
}

static size_t place(const char *key, const char *const *names, size_t n) {
    const char *word = json_string_value(json_object_get(wanted, key));
    for (size_t k = 0; k < n; k++) {
        if (strcmp(word, names[k]) == 0) {
            return k;
        }
    }
    print_error("\"%s\" is not expected\n", word);
    fail();
    return n;
}

static void compare(const HnLmConfig *config) {
    static const char *const stored[] = {"float32", "float16", "bfloat16"};
    static const char *const activations[] = {"silu", "gelu", "gelu_new", "relu"};
    static const char *const scalings[] = {"default", "linear", "llama3"};
    bool encoder = config->family == HN_LM_BERT || config->family == HN_LM_NOMIC_BERT;
    assert_string_equal(hn_lm_family_name(config->family), json_string_value(json_object_get(wanted, "family")));
    assert_int_equal(config->n_layers, number("n_layers"));
    assert_int_equal(config->hidden, number("hidden"));
    assert_int_equal(config->n_heads, number("n_heads"));
    assert_int_equal(config->n_kv_heads, number("n_kv_heads"));
    assert_int_equal(config->head_dim, number("head_dim"));
    assert_int_equal(config->ffn, number("ffn"));
    assert_int_equal(config->n_vocab, number("n_vocab"));
    assert_int_equal(config->n_positions, number("n_positions"));
    assert_int_equal(config->n_types, number("n_types"));
    assert_int_equal(config->stored, place("stored", stored, 3));
    assert_int_equal(config->activation, place("activation", activations, 4));
    assert_int_equal(config->qkv_bias, flag("qkv_bias"));
    assert_int_equal(config->ffn_bias, flag("ffn_bias"));
    assert_true(encoder || config->tied_head == flag("tied"));
    assert_true(config->norm_eps == (float)real("eps"));
    assert_true(config->rope.theta == real("theta"));
    assert_int_equal(config->rope.scaling, place("rope_type", scalings, 3));
    assert_true(config->rope.scaling == HN_ROPE_PLAIN || config->rope.factor == real("factor"));
    if (config->rope.scaling == HN_ROPE_LLAMA3) {
        assert_int_equal(config->rope.original_positions, number("original_positions"));
    }
    assert_int_equal(config->window, number("window"));
    for (uint32_t layer = 0; layer < config->n_layers; layer++) {
        assert_int_equal(config->windowed[layer],
                         json_is_true(json_array_get(json_object_get(wanted, "windowed"), layer)));
    }
    assert_int_equal(config->bos, number("bos"));
    const json_t *eos = json_object_get(wanted, "eos");
    assert_int_equal(config->n_eos, json_array_size(eos));
    for (uint32_t k = 0; k < config->n_eos; k++) {
        assert_int_equal(config->eos[k], json_integer_value(json_array_get(eos, k)));
    }
}

static void as_the_reference_reads(void **state) {
    (void)state;
    json_error_t fault;
    json_t *golden = json_load_file(HN_SOURCE_DIR "/tests/fixtures/golden/lm_config.json", 0, &fault);
    assert_non_null(golden);
    const json_t *cases = json_object_get(golden, "cases");
    assert_true(json_array_size(cases) >= 30);
    for (size_t k = 0; k < json_array_size(cases); k++) {
        const json_t *one = json_array_get(cases, k);
        char *text = json_dumps(json_object_get(one, "file"), 0);
        HnError err = HN_ERROR_INIT;
        HnLmConfig config;
        wanted = json_object_get(one, "reading");
        print_message("%s\n", json_string_value(json_object_get(one, "name")));
        folder_text("config.json", text);
        free(text);
        folder_expect(hn_lm_config_read(folder_path(""), &config, &err), HN_OK, &err, NULL);
        compare(&config);
        hn_lm_config_free(&config);
    }
    json_decref(golden);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_the_reference_reads)};
    return cmocka_run_group_tests(tests, folder_open, folder_close);
}
