/* Constrained decoding: whatever is drawn, the strict parser takes it; masks equal those of a plain search. */
#include "vocabularies.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "base/text.h"
#include "semantic/answer.h"

static const HnNamed NAMES[] = {
    {"red", 3, 0},      {"red kite", 8, 1},           {"Red", 3, 2},         {"kite", 4, 3},
    {"kite", 4, 4},     {"say \"No\"\\", 9, 5},       {"caf\xC3\xA9", 5, 6}, {"\xF0\x9F\x98\x80", 4, 7},
    {"a\x01\tb", 4, 8}, {"None of the above", 17, 9}, {"aNone", 5, 10},      {"\xE2\x82\xAC", 3, 11},
};
enum { N_NAMES = sizeof NAMES / sizeof *NAMES };

static HnItemNames *make_names(void) {
    HnError err = HN_ERROR_INIT;
    HnItemNames *names = NULL;
    assert_int_equal(hn_item_names_create(NAMES, N_NAMES, &names, &err), HN_OK);
    return names;
}

static HnGrammar *make_grammar(const HnTokenTree *v, const HnGrammarField *fields, size_t n, const HnItemNames *names) {
    HnError err = HN_ERROR_INIT;
    HnGrammar *grammar = NULL;
    HnStatus status = hn_grammar_create(v, fields, n, names, &grammar, &err);
    if (status != HN_OK) {
        print_message("%s\n", err.message);
    }
    assert_int_equal(status, HN_OK);
    return grammar;
}

static void assert_strict(HnTask task, const char *text, bool good) {
    HnError err = HN_ERROR_INIT;
    HnParsed parsed;
    assert_int_equal(hn_answer_parse(task, text, &parsed, &err), HN_OK);
    if ((parsed.good && !parsed.repaired) != good) {
        print_message("%s: %s\n", text, parsed.why);
    }
    assert_int_equal(parsed.good && !parsed.repaired, good);
    hn_parsed_free(&parsed);
}

static void test_profiles_always_parse(void **state) {
    (void)state;
    for (int kind = 0; kind < N_VOCABULARIES; kind++) {
        HnTokenTree *v = NULL;
        HnText text = {0};
        vocabulary_make((VocabularyKind)kind, &v);
        HnGrammar *g = make_grammar(v, PROFILE_FIELDS, 2, NULL);
        uint32_t least = hn_grammar_least_budget(g);
        for (uint32_t round = 0; round < 400; round++) {
            HnRng rng;
            hn_rng_start(&rng, 1, HN_STREAM_TEST, (uint32_t)kind, round);
            grammar_walk(g, v, NULL, round < 200 ? least + round % 40 : least + round, &rng, &text);
            assert_strict(HN_TASK_USER_PROFILE, hn_text_get(&text), true);
        }
        hn_text_free(&text);
        hn_grammar_free(&g);
        hn_token_tree_free(&v);
    }
}

/* The token whose whole text is this byte. */
static uint32_t token_of(const HnTokenTree *v, char byte) {
    for (uint32_t t = 0; t < v->n_tokens; t++) {
        size_t n_bytes = 0;
        const char *bytes = hn_token_tree_bytes(v, t, &n_bytes);
        if (n_bytes == 1 && bytes[0] == byte) {
            return t;
        }
    }
    return 0;
}

/* A writer that never ends a string of its own accord: how many of its letters each of the two strings holds. */
static void write_on(HnGrammar *g, const HnTokenTree *v, uint32_t budget, uint32_t share, size_t letters[2]) {
    HnGrammarState state = hn_grammar_begin(g);
    HnError err = HN_ERROR_INIT;
    HnParsed parsed;
    HnText text = {0};
    const uint32_t letter = token_of(v, 'x');
    for (uint32_t used = 0; !hn_grammar_at_end(g, &state); used++) {
        const uint64_t *mask = hn_grammar_mask(g, NULL, &state, budget - used, share);
        uint32_t token = letter;
        for (uint32_t t = 0; !mask_has(mask, token) && t < v->n_tokens; t++) {
            size_t n_bytes = 0;
            const char *bytes = hn_token_tree_bytes(v, t, &n_bytes);
            token = n_bytes > 0 && strchr(" \t\n", bytes[0]) == NULL ? t : token;
        }
        size_t n_bytes = 0;
        const char *bytes = hn_token_tree_bytes(v, token, &n_bytes);
        assert_true(used < budget && mask_has(mask, token));
        assert_int_equal(hn_text_append(&text, bytes, n_bytes, &err), HN_OK);
        assert_true(hn_grammar_advance(g, NULL, &state, token));
    }
    assert_int_equal(hn_answer_parse(HN_TASK_USER_PROFILE, hn_text_get(&text), &parsed, &err), HN_OK);
    assert_true(parsed.good && !parsed.repaired);
    letters[0] = strlen(parsed.text);
    letters[1] = strlen(parsed.reasoning);
    hn_parsed_free(&parsed);
    hn_text_free(&text);
}

static void test_strings_share_the_budget(void **state) {
    (void)state;
    static const uint32_t spare[] = {0, 1, 3, 4, 40, 400};
    HnTokenTree *v = NULL;
    vocabulary_make(VOCABULARY_BYTES, &v);
    HnGrammar *g = make_grammar(v, PROFILE_FIELDS, 2, NULL);
    uint32_t least = hn_grammar_least_budget(g);
    for (size_t i = 0; i < sizeof spare / sizeof spare[0]; i++) {
        size_t letters[2];
        assert_int_equal(hn_grammar_share(g, least + spare[i]), spare[i] / 4);
        write_on(g, v, least + spare[i], hn_grammar_share(g, least + spare[i]), letters);
        /* The shortest answer has one letter. What is kept for the second string it gets, no less and no more. */
        assert_int_equal(letters[0], 1 + spare[i] - spare[i] / 4);
        assert_int_equal(letters[1], spare[i] / 4);
        write_on(g, v, least + spare[i], 0, letters);
        assert_int_equal(letters[0], 1 + spare[i]); /* all of it */
        assert_int_equal(letters[1], 0);
    }
    hn_grammar_free(&g);
    hn_token_tree_free(&v);
}

/* What the item pool would do with a name: the same name, folded, of an item that is not taken; or None. */
static void assert_named(const char *text, const int32_t *taken, size_t n_taken, bool *seen) {
    HnError err = HN_ERROR_INIT;
    HnParsed parsed;
    HnText said = {0}, name = {0};
    assert_int_equal(hn_answer_parse(HN_TASK_HARD_NEGATIVE, text, &parsed, &err), HN_OK);
    assert_true(parsed.good && !parsed.repaired);
    bool found = parsed.none;
    seen[N_NAMES] |= parsed.none;
    assert_int_equal(hn_utf8_fold(parsed.text, strlen(parsed.text), &said, &err), HN_OK);
    for (size_t i = 0; i < N_NAMES; i++) {
        bool is_taken = false;
        for (size_t t = 0; t < n_taken; t++) {
            is_taken |= taken[t] == NAMES[i].item;
        }
        hn_text_clear(&name);
        assert_int_equal(hn_utf8_fold(NAMES[i].name, NAMES[i].n_bytes, &name, &err), HN_OK);
        if (!is_taken && name.length == said.length && memcmp(name.data, said.data, said.length) == 0) {
            found = seen[i] = true;
        }
    }
    if (!found) {
        print_message("not to be named: %s\n", text);
    }
    assert_true(found);
    hn_text_free(&said);
    hn_text_free(&name);
    hn_parsed_free(&parsed);
}

static const int32_t TAKEN[4][9] = {{0}, {0, 3, 7}, {0, 2, 3, 4, 5}, {0, 1, 2, 3, 4, 5, 6, 8, 11}};
static const size_t N_TAKEN[4] = {0, 3, 5, 9};

static void test_names_always_allowed(void **state) {
    (void)state;
    HnItemNames *names = make_names();
    for (int kind = 0; kind < N_VOCABULARIES; kind++) {
        HnTokenTree *v = NULL;
        HnText text = {0};
        vocabulary_make((VocabularyKind)kind, &v);
        HnGrammar *g = make_grammar(v, NEGATIVE_FIELDS, 2, names);
        for (size_t user = 0; user < 4; user++) {
            HnError err = HN_ERROR_INIT;
            HnNameFilter filter = {0};
            bool seen[N_NAMES + 1] = {false};
            assert_int_equal(hn_item_names_exclude(names, TAKEN[user], N_TAKEN[user], &filter, &err), HN_OK);
            for (uint32_t round = 0; round < 300; round++) {
                HnRng rng;
                hn_rng_start(&rng, 2 + user, HN_STREAM_TEST, (uint32_t)kind, round);
                uint32_t budget = hn_grammar_least_budget(g) + (round < 150 ? round % 30 : round);
                grammar_walk(g, v, &filter, budget, &rng, &text);
                assert_named(hn_text_get(&text), TAKEN[user], N_TAKEN[user], seen);
            }
            assert_true(seen[N_NAMES]);
            hn_name_filter_free(&filter);
        }
        hn_text_free(&text);
        hn_grammar_free(&g);
        hn_token_tree_free(&v);
    }
    hn_item_names_free(&names);
}

/* Whether some cutting of text into tokens passes the masks; and, with every: all cuttings do. */
static bool passes(HnGrammar *g, const HnTokenTree *v, const HnNameFilter *filter, const char *text, bool every) {
    size_t n = strlen(text);
    bool reached[400] = {true};
    HnGrammarState states[400];
    assert_true(n < 400);
    states[0] = hn_grammar_begin(g);
    for (size_t at = 0; at < n; at++) {
        if (!reached[at]) {
            continue;
        }
        const uint64_t *mask = hn_grammar_mask(g, filter, &states[at], 10000, 0);
        for (uint32_t t = 0; t < v->n_tokens; t++) {
            size_t n_bytes = 0;
            const char *bytes = hn_token_tree_bytes(v, t, &n_bytes);
            if (n_bytes == 0 || n_bytes > n - at || memcmp(bytes, text + at, n_bytes) != 0) {
                continue;
            }
            HnGrammarState next = states[at];
            bool allowed = mask_has(mask, t);
            if (every) {
                assert_true(allowed);
            }
            if (allowed) {
                assert_true(hn_grammar_advance(g, filter, &next, t));
                reached[at + n_bytes] = true;
                states[at + n_bytes] = next;
            }
        }
    }
    return reached[n] && hn_grammar_at_end(g, &states[n]);
}

static void test_every_tokenisation(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnItemNames *names = make_names();
    for (int kind = 0; kind < N_VOCABULARIES - 1; kind++) {
        HnTokenTree *v = NULL;
        vocabulary_make((VocabularyKind)kind, &v);
        HnGrammar *g = make_grammar(v, NEGATIVE_FIELDS, 2, names);
        for (size_t user = 0; user < 4; user++) {
            HnNameFilter filter = {0};
            assert_int_equal(hn_item_names_exclude(names, TAKEN[user], N_TAKEN[user], &filter, &err), HN_OK);
            for (uint32_t i = 0; i < hn_item_names_count(names); i++) {
                char text[400];
                uint32_t n_bytes = 0;
                const unsigned char *entry = hn_item_names_entry(names, i, &n_bytes);
                bool out = hn_name_filter_count(&filter, i, i + 1) == 1;
                snprintf(text, sizeof text, "{\"hard_negative_item\": \"%.*s,\n \"reasoning\": \"a\\u00e9\"}",
                         (int)n_bytes, (const char *)entry);
                assert_int_equal(passes(g, v, &filter, text, !out), !out);
            }
            hn_name_filter_free(&filter);
        }
        assert_false(passes(g, v, NULL, "{\"hard_negative_item\": \"re\", \"reasoning\": \"\"}", false));
        assert_false(passes(g, v, NULL, "{\"hard_negative_item\": \"RED\", \"reasoning\": \"\"}", false));
        assert_false(passes(g, v, NULL, "{\"hard_negative_item\": \"none\", \"reasoning\": \"\"}", false));
        assert_false(passes(g, v, NULL, "{\"hard_negative_item\": \"red kit\", \"reasoning\": \"\"}", false));
        hn_grammar_free(&g);
        hn_token_tree_free(&v);
    }
    hn_item_names_free(&names);
}

/* Moves over single bytes; the vocabulary is VOCABULARY_BYTES, where byte c is token c + 2. */
static bool accepts(const HnGrammar *g, const char *text, size_t n) {
    HnGrammarState state = hn_grammar_begin(g);
    for (size_t i = 0; i < n; i++) {
        if (!hn_grammar_advance(g, NULL, &state, (unsigned char)text[i] + 2U)) {
            return false;
        }
    }
    return hn_grammar_at_end(g, &state);
}

static void check_string(const HnGrammar *g, const char *inside, size_t n) {
    char text[128];
    static const char head[] = "{\"summarization\": \"x", tail[] = "\", \"reasoning\": \"\"}";
    memcpy(text, head, sizeof head - 1);
    memcpy(text + sizeof head - 1, inside, n);
    memcpy(text + sizeof head - 1 + n, tail, sizeof tail);
    size_t length = sizeof head - 1 + n + sizeof tail - 1;
    json_error_t error;
    json_t *read = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    /* A quote inside may make another object of it; then it is not about the string. */
    bool object = read && json_object_size(read) == 2;
    if (object != accepts(g, text, length)) {
        print_message("%zu bytes %02x %02x %02x %02x\n", n, (unsigned char)inside[0], (unsigned char)inside[1],
                      (unsigned char)inside[2], (unsigned char)inside[3]);
    }
    assert_int_equal(object, accepts(g, text, length));
    json_decref(read);
}

/* Inside a string the automaton and jansson agree on every pair of bytes, every character, every escape. */
static void test_strings_as_jansson(void **state) {
    (void)state;
    HnTokenTree *v = NULL;
    vocabulary_make(VOCABULARY_BYTES, &v);
    HnGrammar *g = make_grammar(v, PROFILE_FIELDS, 2, NULL);
    char inside[32] = {0};
    for (uint32_t pair = 0; pair < 65536; pair++) {
        inside[0] = (char)(pair >> 8);
        inside[1] = (char)pair;
        check_string(g, inside, 1);
        check_string(g, inside, 2);
        int n = snprintf(inside, sizeof inside, pair % 2 ? "\\u%04x" : "\\u%04X", pair);
        check_string(g, inside, (size_t)n);
        n = snprintf(inside, sizeof inside, "\\ud83d\\u%04x", pair);
        check_string(g, inside, (size_t)n);
        n = snprintf(inside, sizeof inside, "\\u%04x\\udE00", pair);
        check_string(g, inside, (size_t)n);
    }
    HnRng rng;
    hn_rng_start(&rng, 1, HN_STREAM_TEST, 0, 0);
    static const unsigned char edges[] = {0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xDF, 0xE0,
                                          0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 'a'};
    for (uint32_t i = 0; i < sizeof edges * sizeof edges * sizeof edges * sizeof edges; i++) {
        for (uint32_t j = 0, rest = i; j < 4; j++, rest /= sizeof edges) {
            inside[j] = (char)edges[rest % sizeof edges];
        }
        check_string(g, inside, 3);
        check_string(g, inside, 4);
    }
    hn_grammar_free(&g);
    hn_token_tree_free(&v);
}

/* Answers damaged at random: what the automaton still accepts, the strict parser accepts. */
static void test_accepted_means_strict(void **state) {
    (void)state;
    static const char *const answers[] = {
        "{\"summarization\": \"Likes \\\"kites\\\".\", \"reasoning\": \"\\u00e9\\n\"}",
        " \n{\n \"summarization\" : \"\\\\ \\/\" , \"reasoning\" :\t\"caf\xC3\xA9\"\n}",
        "{\"summarization\":\"x\",\"reasoning\":\"\"}"};
    static const char bytes[] = "\"\\{}:, \n\tux0\xC3\xA9\r";
    HnTokenTree *v = NULL;
    vocabulary_make(VOCABULARY_BYTES, &v);
    HnGrammar *g = make_grammar(v, PROFILE_FIELDS, 2, NULL);
    uint32_t n_accepted = 0;
    for (uint32_t round = 0; round < 60000; round++) {
        HnRng rng;
        char text[128] = {0};
        hn_rng_start(&rng, 4, HN_STREAM_TEST, 0, round);
        snprintf(text, sizeof text, "%s", answers[round % 3]);
        assert_true(accepts(g, text, strlen(text)));
        size_t n = strlen(text);
        for (uint32_t changes = 1 + hn_rng_below(&rng, 2); changes > 0; changes--, n = strlen(text)) {
            size_t at = hn_rng_below(&rng, (uint32_t)n);
            if (hn_rng_below(&rng, 3) == 0) {
                memmove(text + at, text + at + 1, n - at);
            } else {
                if (hn_rng_below(&rng, 2) == 0) {
                    memmove(text + at + 1, text + at, n - at + 1);
                }
                text[at] = bytes[hn_rng_below(&rng, sizeof bytes - 1)];
            }
        }
        if (accepts(g, text, n)) {
            assert_strict(HN_TASK_ITEM_PROFILE, text, true);
            n_accepted++;
        }
    }
    assert_in_range(n_accepted, 3000, 50000);
    hn_grammar_free(&g);
    hn_token_tree_free(&v);
}

static void test_refusals(void **state) {
    (void)state;
    static const HnGrammarField odd[] = {{"a\"b", HN_FIELD_ANY}}, two[] = {{"a", HN_FIELD_NAME}, {"b", HN_FIELD_NAME}};
    static const char *const pieces[] = {"{", "}", "a"};
    static const size_t lengths[] = {1, 1, 1};
    HnError err = HN_ERROR_INIT;
    HnTokenTree *v = NULL;
    HnGrammar *g = NULL;
    HnItemNames *names = make_names();
    vocabulary_make(VOCABULARY_BYTES, &v);
    uint64_t live = hn_alloc_live_blocks();
    assert_int_equal(hn_grammar_create(v, odd, 1, NULL, &g, &err), HN_RANGE);
    hn_error_clear(&err);
    assert_int_equal(hn_grammar_create(v, two, 2, names, &g, &err), HN_RANGE);
    hn_error_clear(&err);
    assert_int_equal(hn_grammar_create(v, two, 0, names, &g, &err), HN_RANGE);
    hn_error_clear(&err);
    assert_int_equal(hn_grammar_create(v, NEGATIVE_FIELDS, 2, NULL, &g, &err), HN_RANGE);
    hn_error_clear(&err);
    assert_null(g);
    assert_int_equal(hn_alloc_live_blocks(), live);
    hn_token_tree_free(&v);
    assert_int_equal(hn_token_tree_create(3, pieces, lengths, &v, &err), HN_OK);
    assert_int_equal(hn_grammar_create(v, PROFILE_FIELDS, 2, NULL, &g, &err), HN_UNSUPPORTED);
    assert_non_null(strstr(err.message, "summarization"));
    hn_token_tree_free(&v);
    hn_item_names_free(&names);
}

static void test_no_memory(void **state) {
    (void)state;
    HnStatus status = HN_MEMORY;
    for (uint64_t n = 1; status != HN_OK; n++) {
        HnError err = HN_ERROR_INIT;
        HnTokenTree *v = NULL;
        HnItemNames *names = NULL;
        HnGrammar *g = NULL;
        HnNameFilter filter = {0};
        static const char *const pieces[] = {"{\"a\":\"", "None\"", "b\"", "}", "b\"}"};
        static const size_t lengths[] = {6, 5, 2, 1, 3};
        static const HnGrammarField fields[] = {{"a", HN_FIELD_NAME}};
        uint64_t live = hn_alloc_live_blocks();
        hn_alloc_fail_at(n);
        status = hn_token_tree_create(5, pieces, lengths, &v, &err);
        status = status == HN_OK ? hn_item_names_create(NAMES, N_NAMES, &names, &err) : status;
        status = status == HN_OK ? hn_item_names_exclude(names, TAKEN[1], N_TAKEN[1], &filter, &err) : status;
        status = status == HN_OK ? hn_grammar_create(v, fields, 1, names, &g, &err) : status;
        hn_alloc_fail_at(0);
        assert_true(status == HN_OK || status == HN_MEMORY);
        assert_true(status != HN_OK || hn_grammar_least_budget(g) == 3);
        hn_grammar_free(&g);
        hn_name_filter_free(&filter);
        hn_item_names_free(&names);
        hn_token_tree_free(&v);
        assert_int_equal(hn_alloc_live_blocks(), live);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_profiles_always_parse),
        cmocka_unit_test(test_strings_share_the_budget),
        cmocka_unit_test(test_names_always_allowed),
        cmocka_unit_test(test_every_tokenisation),
        cmocka_unit_test(test_strings_as_jansson),
        cmocka_unit_test(test_accepted_means_strict),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
