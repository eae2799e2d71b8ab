/* Files that are not what they should be: a status and words that say what is wrong; and files that are rare. */
#include "../../hdf5_schemas/cmocka_all.h"
#include "base/alloc.h"
#include "base/file.h"
#include "folder.h"
#include "llm/tokenizer/tokenizer.h"

static HnError err = HN_ERROR_INIT;

static void replace(HnText *text, const char *what, const char *by) {
    const char *at = strstr(hn_text_get(text), what);
    assert_non_null(at);
    HnText changed = {0};
    ASSERT_OK(hn_text_append(&changed, text->data, (size_t)(at - text->data), &err), &err);
    ASSERT_OK(hn_text_puts(&changed, by, &err), &err);
    ASSERT_OK(
        hn_text_append(&changed, at + strlen(what), text->length - (size_t)(at - text->data) - strlen(what), &err),
        &err);
    hn_text_free(text);
    *text = changed;
}

/* The file of a small tokenizer with a text in it replaced, and another one (NULL: none); they must be there. */
static void put_twice_changed(const char *small, const char *name, const char *text, const char *by, const char *text2,
                              const char *by2) {
    char path[512], *bytes = NULL;
    size_t n = 0;
    HnText changed = {0};
    (void)snprintf(path, sizeof path, "%s/tests/fixtures/tokenizers/%s/%s", HN_SOURCE_DIR, small, name);
    ASSERT_OK(hn_file_read(path, 1 << 20, &bytes, &n, &err), &err);
    ASSERT_OK(hn_text_append(&changed, bytes, n, &err), &err);
    if (text != NULL) {
        replace(&changed, text, by);
    }
    if (text2 != NULL) {
        replace(&changed, text2, by2);
    }
    folder_write(name, changed.data, changed.length);
    hn_text_free(&changed);
    hn_free(bytes);
}

static void put_changed(const char *small, const char *name, const char *text, const char *by) {
    put_twice_changed(small, name, text, by, NULL, NULL);
}

static void put_qwen(void) {
    put_changed("qwen", "vocab.json", NULL, NULL);
    put_changed("qwen", "merges.txt", NULL, NULL);
}

static void expect(HnStatus wanted, const char *words) {
    HnTokenizer *tokenizer = NULL;
    const uint64_t live = hn_alloc_live_blocks();
    ASSERT_FAILS(hn_tokenizer_open(folder_path(""), &tokenizer, &err), wanted, words, &err);
    assert_null(tokenizer);
    assert_int_equal(hn_alloc_live_blocks(), live);
    folder_clear();
}

static void nothing(void **state) {
    (void)state;
    expect(HN_INPUT, "holds no tokenizer");
    put_changed("qwen", "vocab.json", NULL, NULL); /* without its merges */
    expect(HN_INPUT, "holds no tokenizer");
}

static void json(void **state) {
    (void)state;
    static const struct {
        const char *small, *text, *by;
        HnStatus status;
        const char *words;
    } cases[] = {
        {"json-bytes", "\"type\":\"BPE\"", "\"type\":\"Unigram\"", HN_UNSUPPORTED, "Unigram"},
        {"json-bytes", "\"type\":\"BPE\"", "\"type\":\"WordLevel\"", HN_UNSUPPORTED, "WordLevel"},
        {"json-bytes", "\"dropout\":null", "\"dropout\":0.1", HN_UNSUPPORTED, "dropout"},
        {"json-bytes", "\"end_of_word_suffix\":null", "\"end_of_word_suffix\":\"</w>\"", HN_UNSUPPORTED, "</w>"},
        {"json-bytes", "\\\\p{N}{1,3}", "\\\\p{N}{1,2}", HN_UNSUPPORTED, "{1,2}"},
        {"json-bytes", "\"behavior\":\"Isolated\"", "\"behavior\":\"Removed\"", HN_UNSUPPORTED, "Removed"},
        {"json-bytes", "\"normalizer\":null", "\"normalizer\":{\"type\":\"NFKC\"}", HN_UNSUPPORTED, "NFKC"},
        {"json-bytes", "\"normalizer\":null", "\"normalizer\":{\"type\":\"Precompiled\"}", HN_UNSUPPORTED,
         "Precompiled"},
        {"json-bytes", "\"merges\":[[", "\"merges\":[[\"zz\",\"qqq\"],[", HN_FORMAT, "merge 0 names \"zz\""},
        {"json-bytes", "\"merges\":[[", "\"merges\":[[\"z\",\"\xC2\xA7\"],[", HN_FORMAT, "makes no token"},
        {"json-bytes", "\"merges\":[[", "\"merges\":[7,[", HN_FORMAT, "merge 0 is no two tokens"},
        {"json-bytes", "\"!\":0", "\"!\":1", HN_FORMAT, "stands for two tokens"},
        {"json-bytes", "\"!\":0", "\"!\":-1", HN_FORMAT, "has no id"},
        {"json-bytes", "\"!\":0", "\"!\":5000000", HN_FORMAT, "ids go up to"},
        {"json-bytes", "\"!\":0,", "", HN_FORMAT, "gap: no token for the byte 0x21"},
        {"json-bytes", "\"!\":0", "\"\xE2\x82\xAC\":0", HN_FORMAT, "letters of byte-level BPE"},
        {"json-bytes", "\"content\":\"<|end|>\",\"single_word\":false", "\"content\":\"\",\"single_word\":false",
         HN_FORMAT, "has no text"},
        {"json-bytes", "\"content\":\"<tool_call>\\n\",\"single_word\":false",
         "\"content\":\"<tool_call>\\n\",\"single_word\":true", HN_UNSUPPORTED, "single_word"},
        {"json-bytes", "\"content\":\"<|end|>\"", "\"content\":\"a\"", HN_FORMAT, "has two ids"},
        {"json-bytes", "\"ids\":[", "\"ids\":[999999,", HN_FORMAT, "outside the vocabulary"},
        {"json-pieces", "\"type\":\"Prepend\"", "\"type\":\"Lowercase\"", HN_UNSUPPORTED, "Lowercase"},
        {"json-pieces", "\"<0x41>\"", "\"<0x4g>\"", HN_FORMAT, "marked as a byte"},
        {"json-pieces", "\"type\":\"Strip\"", "\"type\":\"CTC\"", HN_UNSUPPORTED, "CTC"},
        {"json-pieces", "\"pre_tokenizer\":null", "\"pre_tokenizer\":{\"type\":\"Whitespace\"}", HN_UNSUPPORTED,
         "Whitespace"},
        {"json-metaspace", "\"split\":false", "\"split\":true", HN_UNSUPPORTED, "Metaspace"},
        {"json-words", "\"type\":\"BertPreTokenizer\"", "\"type\":\"Whitespace\"", HN_UNSUPPORTED, "Whitespace"},
        {"json-words", "\"continuing_subword_prefix\":\"##\"", "\"continuing_subword_prefix\":\"@\"", HN_UNSUPPORTED,
         "\"@\""},
        {"json-words", "\"unk_token\":\"[UNK]\"", "\"unk_token\":\"nobody\"", HN_FORMAT, "unk_token"},
        {"json-words", "\"max_input_chars_per_word\":20", "\"max_input_chars_per_word\":0", HN_FORMAT, "max_input"},
        {"json-words", "{", "[", HN_FORMAT, "is not JSON"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put_changed(cases[i].small, "tokenizer.json", cases[i].text, cases[i].by);
        expect(cases[i].status, cases[i].words);
    }
    folder_text("tokenizer.json", "[1]");
    expect(HN_FORMAT, "no JSON object");
    folder_text("tokenizer.json", "{\"model\":{\"type\":\"BPE\"},\"model\":{}}");
    expect(HN_FORMAT, "line 1 is not JSON");
}

static void lists(void **state) {
    (void)state;
    put_qwen();
    expect(HN_UNSUPPORTED, "does not say how text is cut");
    put_qwen();
    put_changed("qwen", "tokenizer_config.json", "Qwen2Tokenizer", "RobertaTokenizer");
    expect(HN_UNSUPPORTED, "RobertaTokenizer");
    put_changed("qwen", "vocab.json", NULL, NULL);
    put_changed("qwen", "merges.txt", "#version: 0.2\n", "#version: 0.2\nzz qqq\n");
    expect(HN_FORMAT, "merges.txt:2: merge 1 names \"zz\"");
    put_changed("qwen", "vocab.json", NULL, NULL);
    put_changed("qwen", "merges.txt", "#version: 0.2\n", "#version: 0.2\na b c\n");
    expect(HN_FORMAT, "is no two tokens");
    put_qwen();
    put_changed("qwen", "tokenizer_config.json", "\"640\"", "\"x\"");
    expect(HN_FORMAT, "\"x\" is no id");
    put_qwen();
    put_changed("qwen", "tokenizer_config.json", "\"640\"", "\"12\"");
    expect(HN_FORMAT, "among the added tokens");
    put_qwen();
    put_changed("qwen", "tokenizer_config.json", "\"eos_token\": \"<|im_start|>\"", "\"eos_token\": \"<gone>\"");
    expect(HN_FORMAT, "eos_token is \"<gone>\"");
    folder_text("vocab.txt", "[UNK]\n[CLS]\n");
    expect(HN_FORMAT, "has no [SEP]");
    folder_text("vocab.txt", "[UNK]\n[CLS]\n[SEP]\na\na\n");
    expect(HN_FORMAT, "vocab.txt:5: tokens 3 and 4 are the same: \"a\"");
    folder_text("vocab.txt", "[UNK]\n\xFF\n");
    expect(HN_FORMAT, "not UTF-8 at byte 6");
}

static void models(void **state) {
    (void)state;
    static const char unigram[] = "\x0a\x05\x0a\x01"
                                  "a\x18\x01\x12\x02\x18\x01";
    folder_text("tokenizer.model", unigram);
    expect(HN_UNSUPPORTED, "UNIGRAM");
    static const char no_bytes[] = "\x0a\x05\x0a\x01"
                                   "a\x18\x01\x12\x05\x18\x02\x98\x02\x01";
    folder_text("tokenizer.model", no_bytes);
    expect(HN_FORMAT, "gap: no piece <0x00>");
    static const char mapped[] = "\x0a\x05\x0a\x01"
                                 "a\x18\x01\x12\x02\x18\x02\x1a\x0d\x0a\x08nmt_nfkc\x12\x01x";
    folder_text("tokenizer.model", mapped);
    expect(HN_UNSUPPORTED, "normalizer nmt_nfkc");
    static const char user[] = "\x0a\x05\x0a\x01"
                               "a\x18\x04";
    folder_text("tokenizer.model", user);
    expect(HN_UNSUPPORTED, "USER_DEFINED");
    folder_text("tokenizer.model", "\x0a\x70\x0a");
    expect(HN_FORMAT, "not a whole SentencePiece model");
    folder_text("tokenizer.model", "");
    expect(HN_FORMAT, "not a whole SentencePiece model");
    put_changed("tiktoken", "tokenizer.model", "IQ== 33\n", "IQ== 34\n");
    expect(HN_FORMAT, "stands for two tokens");
    put_changed("tiktoken", "tokenizer.model", "IQ== 33\n", "Ig== 33\n");
    expect(HN_FORMAT, "are the same");
    put_changed("tiktoken", "tokenizer.model", "IQ== 33\n", "");
    expect(HN_FORMAT, "no token of rank 33");
    put_changed("tiktoken", "tokenizer.model", "IQ== 33\n", "I*== 33\n");
    expect(HN_FORMAT, "line 34 is no \"base64 rank\"");
}

/* Older checkpoints list added tokens in a file of their own, and what is special elsewhere. */
static void old_added(void **state) {
    (void)state;
    static const char added[] = "{\"<|im_start|>\": 640, \"<tool>\": 641, \"<|pad|>\": 642}",
                      config[] = "{\"tokenizer_class\": \"Qwen2Tokenizer\", \"pad_token\": {\"content\": \"<|pad|>\"}}",
                      map[] = "{\"additional_special_tokens\": [\"<|im_start|>\"], \"eos_token\": \"<|im_start|>\"}";
    HnTokenizer *tokenizer = NULL;
    put_qwen();
    folder_text("added_tokens.json", added);
    folder_text("tokenizer_config.json", config);
    folder_text("special_tokens_map.json", map);
    ASSERT_OK(hn_tokenizer_open(folder_path(""), &tokenizer, &err), &err);
    assert_int_equal(hn_tokenizer_special(tokenizer, "<|im_start|>"), 640);
    assert_int_equal(hn_tokenizer_special(tokenizer, "<tool>"), -1);
    assert_int_equal(hn_tokenizer_special(tokenizer, "<|pad|>"), 642);
    assert_int_equal(hn_tokenizer_ends(tokenizer).eos, 640);
    assert_int_equal(hn_tokenizer_ends(tokenizer).pad, 642);
    HnTokens tokens = {0};
    ASSERT_OK(hn_tokenizer_encode(tokenizer, "<tool>", 6, true, &tokens, &err), &err);
    assert_true(tokens.n == 1 && tokens.ids[0] == 641);
    hn_tokens_free(&tokens);
    hn_tokenizer_close(&tokenizer);
    folder_text("added_tokens.json", "{\"<tool>\": \"x\"}");
    expect(HN_FORMAT, "\"<tool>\" has no id");
}

/* The number of tokens of a text, and whether the last one is this. */
static size_t count(const char *text, const char *last) {
    HnTokenizer *tokenizer = NULL;
    HnTokens tokens = {0};
    size_t n_bytes = 0;
    ASSERT_OK(hn_tokenizer_open(folder_path(""), &tokenizer, &err), &err);
    ASSERT_OK(hn_tokenizer_encode(tokenizer, text, strlen(text), false, &tokens, &err), &err);
    assert_true(tokens.n > 0);
    const char *bytes = hn_tokenizer_bytes(tokenizer, tokens.ids[tokens.n - 1], &n_bytes);
    assert_true(n_bytes == strlen(last) && memcmp(bytes, last, n_bytes) == 0);
    const size_t n = tokens.n;
    hn_tokens_free(&tokens);
    hn_tokenizer_close(&tokenizer);
    return n;
}

/* What no rule of the reference forbids, though trained vocabularies do not have it: a token that no merges lead to,
 * and one that crosses words. */
static void odd_vocabularies(void **state) {
    (void)state;
    put_twice_changed("json-bytes", "tokenizer.json", "\"vocab\":{", "\"vocab\":{\"zqzqj\":5000,", NULL, NULL);
    assert_int_equal(count("zqzqj", "zqzqj"), 1); /* ignore_merges */
    put_twice_changed("json-bytes", "tokenizer.json", "\"vocab\":{", "\"vocab\":{\"zqzqj\":5000,",
                      "\"ignore_merges\":true", "\"ignore_merges\":false");
    assert_true(count("zqzqj", "j") > 1);
    folder_clear();
    put_twice_changed("json-metaspace", "tokenizer.json", "\"vocab\":{",
                      "\"vocab\":{\"e\xE2\x96\x81\":5000,\"e\xE2\x96\x81t\":5001,", "\"merges\":[",
                      "\"merges\":[\"e \xE2\x96\x81\",\"e\xE2\x96\x81 t\",");
    assert_int_equal(count("e t", "e t"), 2);
    folder_clear();
}

/* A hub cache: refs/main names the snapshot. */
static void hub_cache(void **state) {
    (void)state;
    HnTokenizer *tokenizer = NULL;
    folder_text("refs/main", "abc");
    folder_text("snapshots/abc/config.json", "{}");
    put_changed("wordpiece", "vocab.txt", NULL, NULL);
    assert_int_equal(rename(folder_path("vocab.txt"), folder_path("snapshots/abc/vocab.txt")), 0);
    ASSERT_OK(hn_tokenizer_open(folder_path(""), &tokenizer, &err), &err);
    hn_tokenizer_close(&tokenizer);
    folder_clear();
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing),   cmocka_unit_test(json),
                                       cmocka_unit_test(lists),     cmocka_unit_test(models),
                                       cmocka_unit_test(old_added), cmocka_unit_test(odd_vocabularies),
                                       cmocka_unit_test(hub_cache)};
    return cmocka_run_group_tests(tests, folder_open, folder_close);
}
