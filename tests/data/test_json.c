/* The line scanner: what RFC 8259 allows and forbids, the Python dialect, decoding, iterating. jansson is the second
 * opinion on every JSON line. */
#include "data/json.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/rng.h"
#include "fixture.h"

static const char *const keys[] = {"a", "b", "list", "object"};
static HnJsonValue v[4];
static char why[HN_WHY_BYTES];

static bool read_line(const char *line) {
    return hn_json_line(line, strlen(line), keys, 4, v, why);
}

static const char *decoded(const HnJsonValue *value) {
    static HnText text;
    HnError err = HN_ERROR_INIT;
    static char copy[256];
    hn_text_clear(&text);
    assert_int_equal(hn_json_decode(value, &text, &err), HN_OK);
    (void)snprintf(copy, sizeof copy, "%s", hn_text_get(&text));
    hn_text_free(&text);
    return copy;
}

static void values(void **state) {
    (void)state;
    assert_true(read_line(" {\"a\": \"x\", \"skip\": [1, {\"a\": 2}], \"b\": -1.5e2, \"list\": [] , \"object\":{}} "));
    assert_int_equal(v[0].kind, HN_JSON_STRING);
    assert_string_equal(decoded(&v[0]), "x");
    double number;
    assert_true(hn_json_double(&v[1], &number));
    assert_true(number == -150);
    int64_t whole;
    assert_false(hn_json_i64(&v[1], &whole));
    assert_int_equal(v[2].kind, HN_JSON_ARRAY);
    assert_int_equal(v[3].kind, HN_JSON_OBJECT);
    assert_true(read_line("{}"));
    assert_int_equal(v[0].kind, HN_JSON_ABSENT);
    assert_true(read_line("{\"a\":null,\"b\":true}"));
    assert_int_equal(v[0].kind, HN_JSON_NULL);
    assert_int_equal(v[1].kind, HN_JSON_BOOL);
    assert_true(read_line("{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20ac\\ud83d\\ude00\"}"));
    assert_string_equal(decoded(&v[0]), "\"\\/\b\f\n\r\t\303\251\342\202\254\360\237\230\200");
    assert_true(read_line("{\"a\":9223372036854775807}"));
    assert_true(hn_json_i64(&v[0], &whole));
    assert_true(whole == INT64_MAX);
    assert_true(read_line("{\"a\":1e999}")); /* well formed, but no finite number */
    assert_false(hn_json_double(&v[0], &number));
}

static void iteration(void **state) {
    (void)state;
    assert_true(read_line("{\"list\": [ \"x\" , 2, [3], {\"k\": 4} ,null], \"object\": {\"k\" : \"v\", \"\": []}}"));
    HnJsonValue key, value;
    const HnJsonKind kinds[] = {HN_JSON_STRING, HN_JSON_NUMBER, HN_JSON_ARRAY, HN_JSON_OBJECT, HN_JSON_NULL};
    size_t at = 0, n = 0;
    while (hn_json_next(&v[2], &at, &key, &value)) {
        assert_true(n < 5);
        assert_int_equal(key.kind, HN_JSON_ABSENT);
        assert_int_equal(value.kind, kinds[n++]);
    }
    assert_int_equal(n, 5);
    at = 0;
    assert_true(hn_json_next(&v[3], &at, &key, &value));
    assert_string_equal(decoded(&key), "k");
    assert_string_equal(decoded(&value), "v");
    assert_true(hn_json_next(&v[3], &at, &key, &value));
    assert_int_equal(value.kind, HN_JSON_ARRAY);
    assert_false(hn_json_next(&v[3], &at, &key, &value));
    at = 0;
    assert_false(hn_json_next(&value, &at, NULL, &key)); /* [] */
    at = 0;
    assert_false(hn_json_next(&v[0], &at, NULL, &value)); /* absent */
}

static void malformed(void **state) {
    (void)state;
    const char *const lines[] = {"",
                                 "x",
                                 "[]",
                                 "{",
                                 "{\"a\"",
                                 "{\"a\":",
                                 "{\"a\":1",
                                 "{\"a\":1,",
                                 "{\"a\":1,}",
                                 "{,}",
                                 "{\"a\" 1}",
                                 "{a:1}",
                                 "{\"a\":1} x",
                                 "{\"a\":1}}",
                                 "{\"a\":01}",
                                 "{\"a\":1.}",
                                 "{\"a\":.5}",
                                 "{\"a\":-}",
                                 "{\"a\":+1}",
                                 "{\"a\":1e}",
                                 "{\"a\":NaN}",
                                 "{\"a\":Infinity}",
                                 "{\"a\":-Infinity}",
                                 "{\"a\":nul}",
                                 "{\"a\":True}",
                                 "{\"a\":'x'}",
                                 "{\"a\":\"x}",
                                 "{\"a\":\"\\x41\"}",
                                 "{\"a\":\"\\u12g4\"}",
                                 "{\"a\":\"\\ud83d\"}",
                                 "{\"a\":\"\\ude00\"}",
                                 "{\"a\":\"\\u0000\"}",
                                 "{\"a\":\"tab\there\"}",
                                 "{\"a\":[1 2]}",
                                 "{\"a\":[1,]}",
                                 "{\"a\":[}",
                                 "{\"a\":{]}",
                                 "{\"a\":\"\\",
                                 "{\"a\":1,\"a\":2}"};
    for (size_t k = 0; k < sizeof lines / sizeof lines[0]; k++) {
        why[0] = '\0';
        if (read_line(lines[k])) {
            print_error("accepted: %s\n", lines[k]);
            fail();
        }
        assert_true(why[0] != '\0');
    }
    char deep[4096];
    (void)snprintf(deep, sizeof deep, "{\"a\":");
    for (size_t k = 5; k < 3000; k++) {
        deep[k] = '[';
    }
    deep[3000] = '\0';
    assert_false(read_line(deep)); /* refused at 64, long before the stack ends */
}

static void python(void **state) {
    (void)state;
    assert_true(
        read_line("{'a': \"it's\", 'b': 'say \\'hi\\' \\x41\\u20ac', u'list': [u'x', None, True], 'object': {}}"));
    assert_string_equal(decoded(&v[0]), "it's");
    assert_string_equal(decoded(&v[1]), "say 'hi' A\342\202\254");
    assert_int_equal(v[2].kind, HN_JSON_ARRAY);
    assert_false(read_line("{'a': null}"));
    assert_false(read_line("{'a': 'x'"));
    assert_false(read_line("{'a': ('x',)}"));
    assert_false(read_line("{'a': '\\N{BULLET}'}"));
    assert_false(read_line("{'a': nan}"));
}

/* Random edits of a valid line: whenever jansson refuses, so do we, and the other way round but for what our reader
 * forbids beyond JSON (NUL escapes, repeated wanted keys, depth). */
static void against_jansson(void **state) {
    (void)state;
    static const char seed[] =
        "{\"a\": \"x\\u00e9\\n\", \"b\": [1, -2.5e+3, {\"list\": null}], \"object\": {\"k\": true}}";
    static const char alphabet[] = "{}[]\",:\\ 0123456789.-+eEtrufalsn\tx";
    HnRng rng;
    hn_rng_start(&rng, 1, HN_STREAM_TEST, 1, 0);
    uint64_t accepted = 0;
    for (int round = 0; round < 200000; round++) {
        char line[sizeof seed];
        memcpy(line, seed, sizeof seed);
        size_t n = sizeof seed - 1;
        for (uint32_t edits = 1 + hn_rng_below(&rng, 3); edits > 0; edits--) {
            line[hn_rng_below(&rng, (uint32_t)n)] = alphabet[hn_rng_below(&rng, sizeof alphabet - 1)];
        }
        json_error_t fault;
        json_t *tree = json_loadb(line, n, 0, &fault);
        bool ours = read_line(line);
        bool theirs = tree != NULL && json_is_object(tree);
        if (ours != theirs && strstr(why, "twice") == NULL && strstr(line, "\\u0000") == NULL &&
            (tree != NULL || json_error_code(&fault) != json_error_numeric_overflow)) {
            print_error("ours %d, jansson %d (%s): %s\n", ours, theirs, tree == NULL ? fault.text : "", line);
            fail();
        }
        accepted += ours;
        json_decref(tree);
        why[0] = '\0';
    }
    assert_true(accepted > 1000); /* the comparison was not all refusals */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values), cmocka_unit_test(iteration),       cmocka_unit_test(malformed),
        cmocka_unit_test(python), cmocka_unit_test(against_jansson),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
