/* The text of an answer as it comes: characters whole, stop strings held back, ill-formed bytes replaced. */
#include "vocabularies.h"

#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "base/text.h"
#include "llm/generate/text_stream.h"

#define BAD "\xEF\xBF\xBD"

typedef struct Case {
    const char *bytes, *text;
    const char *stops[3];
    bool stopped;
} Case;

static const Case CASES[] = {
    {"", "", {0}, false},
    {"plain", "plain", {0}, false},
    {"\xF0\x9F\x98\x80\xE2\x82\xAC\xC3\xA9", "\xF0\x9F\x98\x80\xE2\x82\xAC\xC3\xA9", {0}, false},
    /* Unicode 15, tables 3-8 to 3-11: one replacement a maximal part */
    {"\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41", BAD BAD BAD BAD BAD BAD BAD BAD "A", {0}, false},
    {"\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41", BAD BAD BAD BAD BAD BAD BAD BAD "A", {0}, false},
    {"\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42", BAD BAD BAD BAD BAD "A" BAD BAD "B", {0}, false},
    {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", BAD BAD BAD BAD "A", {0}, false},
    {"end\xE2\x82", "end" BAD, {0}, false},
    /* stop strings */
    {"one\n\ntwo", "one", {"\n\n"}, true},
    {"one\n", "one\n", {"\n\n"}, false},
    {"aab", "", {"aab"}, true},
    {"aaab", "a", {"aab"}, true},
    {"ababac", "ab", {"abac"}, true},
    {"xabcY", "xa", {"abcX", "bc"}, true},
    {"xabc", "xa", {"abcX", "bc"}, true},
    {"xabcd", "x", {"cd", "abc"}, true},
    {"x\xC3\xA9y", "x", {"\xA9y", "\xC3\xA9"}, true},
    {"x\xC3\xA9y", "x" BAD, {"\xA9"}, true},
    {"stop at the end", "stop at the ", {"end"}, true},
    {"User:", "", {"User:", "U"}, true},
};

/* In pieces that the round draws; round 0: byte by byte, round 1: all at once. */
static void check(const Case *c, uint32_t round) {
    HnRng rng;
    HnError err = HN_ERROR_INIT;
    HnTextStream stream;
    size_t n_stops = 0, n = strlen(c->bytes), seen = 0;
    bool stopped = false;
    while (n_stops < 3 && c->stops[n_stops]) {
        n_stops++;
    }
    hn_rng_start(&rng, 1, HN_STREAM_TEST, 0, round);
    assert_int_equal(hn_text_stream_begin(&stream, c->stops, n_stops, &err), HN_OK);
    for (size_t at = 0, length = 0; at < n && !stopped; at += length) {
        length = round == 0 ? 1 : round == 1 ? n : 1 + hn_rng_below(&rng, 4);
        length = length < n - at ? length : n - at;
        assert_int_equal(hn_text_stream_push(&stream, c->bytes + at, length, &stopped, &err), HN_OK);
        /* What was handed on stays, is whole, and is right whatever comes. */
        assert_true(stream.text.length >= seen && hn_utf8_valid(hn_text_get(&stream.text), stream.text.length, NULL));
        seen = stream.text.length;
        assert_true(round == 1 || strncmp(hn_text_get(&stream.text), c->text, seen) == 0);
    }
    assert_int_equal(hn_text_stream_end(&stream, &err), HN_OK);
    assert_int_equal(stopped, c->stopped);
    assert_string_equal(stream.text.data, c->text);
    hn_text_stream_free(&stream);
}

static void test_cases(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        for (uint32_t round = 0; round < 30; round++) {
            check(&CASES[i], round);
        }
    }
}

static void test_empty_stop(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnTextStream stream;
    const char *stops[] = {"a", ""};
    uint64_t live = hn_alloc_live_blocks();
    assert_int_equal(hn_text_stream_begin(&stream, stops, 2, &err), HN_INPUT);
    assert_int_equal(hn_alloc_live_blocks(), live);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases), cmocka_unit_test(test_empty_stop)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
