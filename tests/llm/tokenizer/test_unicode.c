/* Normal forms, ill-formed bytes, and where texts are cut. */
#include <utf8proc.h>

#include "../../hdf5_schemas/cmocka_all.h"
#include "base/alloc.h"
#include "corpus.h"
#include "llm/tokenizer/split.h"
#include "llm/tokenizer/unicode.h"

static void expect_nfc(const char *text, const char *wanted) {
    HnError err = HN_ERROR_INIT;
    HnText out = {0};
    ASSERT_OK(hn_unicode_nfc(text, strlen(text), &out, &err), &err);
    assert_string_equal(hn_text_get(&out), wanted);
    assert_true(hn_unicode_is_stable(text, strlen(text)) == false || strcmp(text, wanted) == 0);
    hn_text_free(&out);
}

static void nfc(void **state) {
    (void)state;
    expect_nfc("", "");
    expect_nfc("plain", "plain");
    expect_nfc("e\xCC\x81", "\xC3\xA9");                                /* e, acute */
    expect_nfc("a\xCC\x87\xCC\xA3", "\xE1\xBA\xA1\xCC\x87");            /* a, dot above, dot below: sorted */
    expect_nfc("\xCC\x81x", "\xCC\x81x");                               /* begins with a mark */
    expect_nfc("\xE1\x84\x80\xE1\x85\xA1\xE1\x86\xA8", "\xEA\xB0\x81"); /* Hangul, three letters */
    expect_nfc("\xE2\x84\xAB", "\xC3\x85");                             /* Angstrom sign */
    expect_nfc("\xE0\xA4\x95\xE0\xA4\xBC", "\xE0\xA4\x95\xE0\xA4\xBC"); /* excluded from composition */
    expect_nfc("\xE0\xAD\x87\xE0\xAD\x96", "\xE0\xAD\x88");             /* two starters */
    expect_nfc("a\xCC\x95\xCC\x80\xD6\xAE\xCC\x80"
               "b",
               "\xC3\xA0\xD6\xAE\xCC\x80\xCC\x95"
               "b"); /* from Unicode's own test */
}

/* utf8proc is another implementation, of a version of Unicode that is not far: what both know must be the same. */
static void same_as_utf8proc(void **state) {
    (void)state;
    Corpus corpus = {0};
    HnText text = {0}, out = {0};
    HnError err = HN_ERROR_INIT;
    size_t n_same = 0;
    corpus_read(&corpus);
    for (uint64_t number = 0; number < 100; number++) {
        corpus_chunk(&corpus, number, &text);
        bool known = true;
        for (size_t at = 0, length; at < text.length; at += length) {
            const uint32_t point = hn_char_at(text.data + at, &length);
            known = known && point != 0 && utf8proc_category((utf8proc_int32_t)point) != UTF8PROC_CATEGORY_CN;
        }
        hn_text_clear(&out);
        ASSERT_OK(hn_unicode_nfc(text.data, text.length, &out, &err), &err);
        utf8proc_uint8_t *theirs = NULL;
        (void)utf8proc_map((const utf8proc_uint8_t *)text.data, (utf8proc_ssize_t)text.length, &theirs,
                           UTF8PROC_STABLE | UTF8PROC_COMPOSE);
        const bool same = theirs != NULL && strcmp((const char *)theirs, out.data) == 0;
        n_same += same ? 1 : 0;
        free(theirs);
        assert_true(same || !known);
        hn_text_clear(&text);
        ASSERT_OK(hn_unicode_nfc(out.data, out.length, &text, &err), &err);
        assert_string_equal(text.data, out.data); /* once more changes nothing */
    }
    assert_true(n_same > 20);
    hn_text_free(&text);
    hn_text_free(&out);
    corpus_free(&corpus);
}

/* As the reference's BertNormalizer gives them. */
static void bert(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t n_bytes;
        const char *wanted;
    } cases[] = {
        {"", 0, ""},
        {"A\xE3\x80\xAE\xF0\x9D\x85\xA5", 8, "a\xF0\x9D\x85\xA5\xE3\x80\xAE"}, /* combining, no marks: sorted */
        {"A\xE3\x80\xAE\xCC\x81\xF0\x9D\x85\xA5\xCC\xA3"
         "B",
         13,
         "a\xF0\x9D\x85\xA5\xE3\x80\xAE"
         "b"},
        {"\xE4\xBD\xA0\xC3\x89\xC4\xB0\xE1\xBA\x9E\0\xC2\x85\xE2\x80\x83.", 17, " \xE4\xBD\xA0 ei\xC3\x9F ."},
        {"\xF0\x9D\x85\xA5\xCC\x81", 6, "\xF0\x9D\x85\xA5"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        HnError err = HN_ERROR_INIT;
        HnText out = {0};
        ASSERT_OK(hn_unicode_bert((HnBertText){true, true, true, true}, cases[i].text, cases[i].n_bytes, &out, &err),
                  &err);
        assert_string_equal(hn_text_get(&out), cases[i].wanted);
        hn_text_free(&out);
    }
}

static void repair(void **state) {
    (void)state;
    static const struct {
        const char *bytes, *wanted;
    } cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"\xFF", "\xEF\xBF\xBD"},
        {"a\x80z", "a\xEF\xBF\xBDz"},
        {"\xF0\x9F\x98", "\xEF\xBF\xBD"}, /* cut off: one part */
        {"\xE2\x82"
         "a",
         "\xEF\xBF\xBD"
         "a"},                                                                    /* cut short by a letter */
        {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},                 /* a surrogate: no part of anything */
        {"\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD"},                                 /* overlong */
        {"\xF0\x80\x80\x41", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\x41"},         /* overlong */
        {"\xF4\x90\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"}, /* past the last */
        {"\xE2\x82\xE2\x82\xAC", "\xEF\xBF\xBD\xE2\x82\xAC"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        HnError err = HN_ERROR_INIT;
        HnText out = {0};
        ASSERT_OK(hn_unicode_repair(cases[i].bytes, strlen(cases[i].bytes), &out, &err), &err);
        assert_string_equal(hn_text_get(&out), cases[i].wanted);
        hn_text_free(&out);
    }
}

/* Pieces between bars. */
static void expect_split(HnSplit split, const char *barred) {
    char text[256], got[512] = "";
    size_t n = 0, n_got = 0;
    for (const char *c = barred; *c != '\0'; c++) {
        if (*c != '|') {
            text[n++] = *c;
        }
    }
    for (size_t at = 0; at < n;) {
        const size_t end = hn_split_end(split, text, n, at);
        assert_true(end > at && end <= n);
        got[n_got] = '|';
        n_got += at > 0 ? 1 : 0;
        memcpy(got + n_got, text + at, end - at);
        n_got += end - at;
        at = end;
    }
    got[n_got] = '\0';
    assert_string_equal(got, barred);
}

static void splits(void **state) {
    (void)state;
    expect_split(HN_SPLIT_GPT2, "Hello| world|,| it|'s| | me|!");
    expect_split(HN_SPLIT_GPT2, "  | two");
    expect_split(HN_SPLIT_GPT2, "a|\n\n|\n|b| \t|\t|c");
    expect_split(HN_SPLIT_GPT2, "I|'|LL| go| 12345|.|   ");
    expect_split(HN_SPLIT_GPT2, "'ve");
    expect_split(HN_SPLIT_LLAMA3, "I|'LL| go| |123|45|.|   ");
    expect_split(HN_SPLIT_LLAMA3, "x|'\xC5\xBF|y");
    expect_split(HN_SPLIT_LLAMA3, "a|\r\n\r\n|  |\tb|!!\n\n|c| \n|d|   | e");
    expect_split(HN_SPLIT_LLAMA3, "'hello|'| '|x");
    expect_split(HN_SPLIT_LLAMA3, "a|\n|b|\t\r|c"); /* a newline goes with no letter */
    expect_split(HN_SPLIT_QWEN, "a|1|2|3|...\n|(b|)");
    expect_split(HN_SPLIT_QWEN, "\xC2\xA0\xC2\xA0|\xC2\xA0"
                                "a"); /* no-break spaces: the last goes with the word */
    expect_split(HN_SPLIT_NONE, "all of it");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(nfc), cmocka_unit_test(same_as_utf8proc),
                                       cmocka_unit_test(bert), cmocka_unit_test(repair), cmocka_unit_test(splits)};
    hn_unicode_prepare();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
