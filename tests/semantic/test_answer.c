/* The validation table: what counts as an answer, what is repaired, what is noise. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "fixture.h"
#include "semantic/answer.h"

typedef struct Case {
    HnTask task;
    const char *raw;
    bool good, repaired, none;
    const char *text;
} Case;

#define NEG HN_TASK_HARD_NEGATIVE
#define PRO HN_TASK_ITEM_PROFILE

static const Case TABLE[] = {
    /* strict */
    {PRO, "{\"summarization\": \"Likes kites.\", \"reasoning\": \"r\"}", true, false, false, "Likes kites."},
    {PRO, "  {\"reasoning\": \"\", \"summarization\": \" x \"}\n", true, false, false, "x"},
    {NEG, "{\"hard_negative_item\": \"Blue Kite\", \"reasoning\": \"r\"}", true, false, false, "Blue Kite"},
    {NEG, "{\"hard_negative_item\": \"\\u65e5\\u672c\", \"reasoning\": \"\\\"\"}", true, false, false,
     "\xE6\x97\xA5\xE6\x9C\xAC"},
    /* none */
    {NEG, "{\"hard_negative_item\": \"None\", \"reasoning\": \"r\"}", true, false, true, "None"},
    {NEG, "{\"hard_negative_item\": \"'none.'\", \"reasoning\": \"r\"}", true, false, true, "'none.'"},
    {NEG, "{\"hard_negative_item\": \"\", \"reasoning\": \"r\"}", true, false, true, ""},
    {NEG, "{\"hard_negative_item\": null, \"reasoning\": \"r\"}", true, false, true, ""},
    {NEG, "{\"hard_negative_item\": \"None of these\", \"reasoning\": \"r\"}", true, false, false, "None of these"},
    /* repaired */
    {PRO, "```json\n{\"summarization\": \"x\", \"reasoning\": \"r\"}\n```", true, true, false, "x"},
    {PRO, "Sure {see below}: {\"summarization\": \"x\", \"reasoning\": \"r\"} Done.", true, true, false, "x"},
    {PRO, "{\"summarization\": \"a } brace { in \\\" it\", \"reasoning\": \"r\"} tail", true, true, false,
     "a } brace { in \" it"},
    {PRO, "{\"summarization\": \"x\", \"reasoning\": \"r\", \"extra\": [1, {\"y\": 2}]}", true, true, false, "x"},
    {PRO, "{{\"summarization\": \"x\", \"reasoning\": \"r\"}}", true, true, false, "x"},
    /* noise */
    {PRO, "", false, false, false, NULL},
    {PRO, "I cannot do that.", false, false, false, NULL},
    {PRO, "{", false, false, false, NULL},
    {PRO, "}{", false, false, false, NULL},
    {PRO, "null", false, false, false, NULL},
    {PRO, "[]", false, false, false, NULL},
    {PRO, "\"text\"", false, false, false, NULL},
    {PRO, "{}", false, false, false, NULL},
    {PRO, "{\"summarization\": \"x\"}", false, false, false, NULL},
    {PRO, "{\"reasoning\": \"x\"}", false, false, false, NULL},
    {PRO, "{\"summarization\": \"  \", \"reasoning\": \"r\"}", false, false, false, NULL},
    {PRO, "{\"summarization\": null, \"reasoning\": \"r\"}", false, false, false, NULL},
    {PRO, "{\"summarization\": 5, \"reasoning\": \"r\"}", false, false, false, NULL},
    {PRO, "{\"summarization\": [\"x\"], \"reasoning\": \"r\"}", false, false, false, NULL},
    {PRO, "{\"Summarization\": \"x\", \"reasoning\": \"r\"}", false, false, false, NULL},
    {PRO, "{\"summarization\": \"x\", \"summarization\": \"y\", \"reasoning\": \"r\"}", false, false, false, NULL},
    {PRO, "{\"summarization\": \"x\", \"reasoning\": \"r\"", false, false, false, NULL},
    {PRO, "{\"summarization\": \"cut", false, false, false, NULL},
    {PRO, "{\"summarization\": \"\xC3\", \"reasoning\": \"r\"}", false, false, false, NULL},
    {PRO, "{\"summarization\": \"a\\u0000b\", \"reasoning\": \"r\"}", false, false, false, NULL},
    {PRO, "{\"hard_negative_item\": \"x\", \"reasoning\": \"r\"}", false, false, false, NULL},
    {NEG, "{\"summarization\": \"x\", \"reasoning\": \"r\"}", false, false, false, NULL},
    {NEG, "{\"hard_negative_item\": [\"a\", \"b\"], \"reasoning\": \"r\"}", false, false, false, NULL},
    /* the first whole object decides; a second one is not searched for a better answer */
    {PRO, "{\"a\": 1} {\"summarization\": \"x\", \"reasoning\": \"r\"}", false, false, false, NULL},
};

static void table(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof TABLE / sizeof TABLE[0]; i++) {
        const Case *c = &TABLE[i];
        HnParsed parsed;
        HnError err = HN_ERROR_INIT;
        assert_int_equal(hn_answer_parse(c->task, c->raw, &parsed, &err), HN_OK);
        if (parsed.good != c->good || parsed.repaired != c->repaired || parsed.none != c->none) {
            fail_msg("case %zu (%s): good %d repaired %d none %d", i, c->raw, parsed.good, parsed.repaired,
                     parsed.none);
        }
        if (c->good) {
            assert_string_equal(parsed.text, c->text);
            assert_non_null(parsed.reasoning);
        } else {
            assert_null(parsed.text);
            assert_true(parsed.why[0] != '\0'); /* noise always says why */
        }
        hn_parsed_free(&parsed);
    }
}

/* Nested openings must not take for ever, nor run out of the stack. */
static void hostile(void **state) {
    (void)state;
    enum { N = 200000 };
    char *raw = hn_alloc(N + 1, 1, "raw", NULL);
    HnParsed parsed;
    HnError err = HN_ERROR_INIT;
    memset(raw, '{', N);
    assert_int_equal(hn_answer_parse(PRO, raw, &parsed, &err), HN_OK);
    assert_false(parsed.good);
    hn_parsed_free(&parsed);
    memset(raw, '[', N);
    assert_int_equal(hn_answer_parse(PRO, raw, &parsed, &err), HN_OK);
    assert_false(parsed.good);
    hn_parsed_free(&parsed);
    hn_free(raw);
}

/* Whatever bytes come: no crash, no leak, and good answers keep the contract. */
static void random_bytes(void **state) {
    (void)state;
    static const char alphabet[] = "{}[]\":,\\ nulsumarization reasoning\xC3\xA9\x01";
    static const char seed[] = "{\"summarization\": \"abc\", \"reasoning\": \"def\"}";
    HnRng rng;
    hn_rng_start(&rng, 9, HN_STREAM_TEST, 1, 0);
    uint64_t live = hn_alloc_live_blocks();
    for (int round = 0; round < 20000; round++) {
        char raw[sizeof seed];
        memcpy(raw, seed, sizeof raw);
        for (uint32_t edit = hn_rng_below(&rng, 4); edit > 0; edit--) {
            raw[hn_rng_below(&rng, sizeof raw - 1)] = alphabet[hn_rng_below(&rng, sizeof alphabet - 1)];
        }
        HnParsed parsed;
        HnError err = HN_ERROR_INIT;
        assert_int_equal(hn_answer_parse(round % 2 ? PRO : NEG, raw, &parsed, &err), HN_OK);
        assert_true(parsed.good == (parsed.text != NULL));
        hn_parsed_free(&parsed);
    }
    assert_int_equal(hn_alloc_live_blocks(), live);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),
        cmocka_unit_test(hostile),
        cmocka_unit_test(random_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
