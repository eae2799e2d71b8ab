/* sentence-transformers' files: pooling in both spellings, lengths, prompts. */
#include <stdio.h>

#include "base/alloc.h"
#include "folder.h"
#include "llm/files/config.h"

#define MODULE(place, path, type) \
    "{\"idx\":" place ",\"name\":\"" place "\",\"path\":\"" path "\",\"type\":\"sentence_transformers." type "\"}"
static const char modules[] = "[" MODULE("0", "", "models.Transformer") "," MODULE(
    "1", "1_Pooling", "models.Pooling") "," MODULE("2", "2_Normalize", "models.Normalize") "]";

static HnLmConfig config;

static void start(void) {
    folder_clear();
    folder_text("config.json", "{\"model_type\":\"bert\",\"hidden_size\":64,\"num_attention_heads\":4,"
                               "\"max_position_embeddings\":128,\"vocab_size\":100}");
    folder_text("modules.json", modules);
    folder_text("1_Pooling/config.json", "{\"word_embedding_dimension\":64,\"pooling_mode_cls_token\":false,"
                                         "\"pooling_mode_mean_tokens\":true,\"pooling_mode_max_tokens\":false}");
}

static void expect(HnStatus wanted, const char *word) {
    HnError err = HN_ERROR_INIT;
    hn_lm_config_free(&config);
    uint64_t live = hn_alloc_live_blocks();
    HnStatus status = hn_lm_config_read(folder_path(""), &config, &err);
    folder_expect(status, wanted, &err, word, NULL);
    assert_true(status == HN_OK || hn_alloc_live_blocks() == live);
}

static void reads_pooling(void **state) {
    (void)state;
    start();
    expect(HN_OK, NULL);
    assert_int_equal(config.pooling, HN_POOLING_MEAN);
    assert_true(config.normalise);
    assert_int_equal(config.max_tokens, 0);
    static const struct {
        const char *text;
        HnPooling pooling;
    } cases[] = {
        {"{\"pooling_mode_cls_token\":true,\"pooling_mode_mean_tokens\":false}", HN_POOLING_CLS},
        {"{\"pooling_mode_lasttoken\":true,\"include_prompt\":true}", HN_POOLING_LAST},
        {"{\"embedding_dimension\":64,\"pooling_mode\":\"lasttoken\"}", HN_POOLING_LAST},
        {"{\"pooling_mode\":[\"cls\"]}", HN_POOLING_CLS},
        {"{\"pooling_mode\":\"mean\",\"pooling_mode_cls_token\":true}", HN_POOLING_MEAN},
        {"{}", HN_POOLING_MEAN},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        folder_text("1_Pooling/config.json", cases[k].text);
        expect(HN_OK, NULL);
        assert_int_equal(config.pooling, cases[k].pooling);
    }
    folder_text("modules.json", "[" MODULE("0", "", "base.modules.transformer.Transformer") "," MODULE(
                                    "1", "1_Pooling", "sentence_transformer.modules.pooling.Pooling") "]");
    expect(HN_OK, NULL);
    assert_false(config.normalise);
    assert_int_equal(remove(folder_path("modules.json")), 0);
    expect(HN_OK, NULL);
    assert_int_equal(config.pooling, HN_POOLING_NONE);
}

static void reads_lengths_and_prompts(void **state) {
    (void)state;
    start();
    folder_text("sentence_bert_config.json", "{\"max_seq_length\":100,\"do_lower_case\":false}");
    folder_text("config_sentence_transformers.json",
                "{\"__version__\":{},\"prompts\":{\"query\":\"query: \",\"passage\":\"passage: \"},"
                "\"default_prompt_name\":null,\"similarity_fn_name\":\"cosine\"}");
    expect(HN_OK, NULL);
    assert_int_equal(config.max_tokens, 100);
    assert_false(config.lower_case);
    assert_string_equal(config.query_prefix, "query: ");
    assert_string_equal(config.document_prefix, "passage: ");
    folder_text("sentence_bert_config.json", "{\"max_seq_length\":512,\"do_lower_case\":true}"); /* bge's */
    folder_text("config_sentence_transformers.json",
                "{\"prompts\":{\"search_query\":\"q\",\"search_document\":\"d\",\"document\":\"\"}}");
    expect(HN_OK, NULL);
    assert_int_equal(config.max_tokens, 128); /* no further than there are positions */
    assert_true(config.lower_case);
    assert_string_equal(config.query_prefix, "q");
    assert_string_equal(config.document_prefix, "");
    folder_text("config_sentence_transformers.json",
                "{\"prompts\":{\"query\":\"q\",\"s2p\":\"both\"},\"default_prompt_name\":\"s2p\"}");
    expect(HN_OK, NULL);
    assert_string_equal(config.query_prefix, "q");
    assert_string_equal(config.document_prefix, "both");
    folder_text("config_sentence_transformers.json", "{\"prompts\":null}");
    expect(HN_OK, NULL);
    assert_string_equal(config.query_prefix, "");
}

static void refuses(void **state) {
    (void)state;
    static const struct {
        const char *file, *text;
        HnStatus status;
        const char *word;
    } cases[] = {
        {"1_Pooling/config.json", "{\"pooling_mode\":\"weightedmean\"}", HN_UNSUPPORTED, "weightedmean"},
        {"1_Pooling/config.json", "{\"pooling_mode\":[\"cls\",\"mean\"]}", HN_UNSUPPORTED, "[\"cls\",\"mean\"]"},
        {"1_Pooling/config.json", "{\"pooling_mode_max_tokens\":true}", HN_UNSUPPORTED, "\"max\""},
        {"1_Pooling/config.json", "{\"pooling_mode_cls_token\":true,\"pooling_mode_mean_tokens\":true}", HN_UNSUPPORTED,
         "both cls and mean"},
        {"1_Pooling/config.json", "{\"include_prompt\":false}", HN_UNSUPPORTED, "include_prompt"},
        {"1_Pooling/config.json", "{\"word_embedding_dimension\":32}", HN_FORMAT, "vectors of 32"},
        {"1_Pooling/config.json", "[]", HN_FORMAT, "no JSON object"},
        {"modules.json", "[]", HN_FORMAT, "lists no modules"},
        {"modules.json", "{}", HN_FORMAT, "lists no modules"},
        {"modules.json", "[{\"type\":\"models.Transformer\"}]", HN_FORMAT, "module 0 has no"},
        {"modules.json", "[" MODULE("0", "0_Transformer", "models.Transformer") "]", HN_UNSUPPORTED, "0_Transformer"},
        {"modules.json", "[" MODULE("0", "", "models.CLIPModel") "]", HN_UNSUPPORTED, "CLIPModel"},
        {"modules.json", "[" MODULE("0", "", "models.Transformer") "," MODULE("1", "../x", "models.Pooling") "]",
         HN_FORMAT, "inside the folder"},
        {"modules.json", "[" MODULE("0", "", "models.Transformer") "," MODULE("1", "9", "models.Pooling") "]",
         HN_FORMAT, "is not there"},
        {"modules.json",
         "[" MODULE("0", "", "models.Transformer") "," MODULE("1", "1_Pooling", "models.Pooling") "," MODULE(
             "2", "2_Dense", "models.Dense") "]",
         HN_UNSUPPORTED, "models.Dense"},
        {"sentence_bert_config.json", "{\"max_seq_length\":0}", HN_FORMAT, "max_seq_length"},
        {"sentence_bert_config.json", "{\"do_lower_case\":1}", HN_FORMAT, "do_lower_case"},
        {"config_sentence_transformers.json", "{\"prompts\":{\"query\":7}}", HN_FORMAT, "a prompt is no string"},
        {"config_sentence_transformers.json", "{\"prompts\":7}", HN_FORMAT, "\"prompts\" is no object"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        start();
        folder_text(cases[k].file, cases[k].text);
        expect(cases[k].status, cases[k].word);
    }
}

static int close_all(void **state) {
    hn_lm_config_free(&config);
    return folder_close(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_pooling),
        cmocka_unit_test(reads_lengths_and_prompts),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, folder_open, close_all);
}
