/* Prompt files and what they are filled with. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "fixture.h"
#include "semantic/json_text.h"
#include "semantic/pool.h"
#include "semantic/prompt.h"

/* The index of an item or user by its raw id. */
static uint32_t index_of(HnTextField field, const char *id) {
    HnError err = HN_ERROR_INIT;
    uint64_t n = field == HN_TEXT_USER_ID ? hn_dataset_users(fixture_dataset) : hn_dataset_items(fixture_dataset),
             *offsets = NULL;
    char *bytes = NULL;
    uint32_t found = UINT32_MAX;
    assert_int_equal(hn_dataset_text(fixture_dataset, field, 0, n, &bytes, &offsets, &err), HN_OK);
    for (uint32_t i = 0; i < n; i++) {
        if (offsets[i + 1] - offsets[i] == strlen(id) && memcmp(bytes + offsets[i], id, strlen(id)) == 0) {
            found = i;
        }
    }
    hn_free(bytes);
    hn_free(offsets);
    assert_true(found != UINT32_MAX);
    return found;
}

static uint32_t item(const char *id) {
    return index_of(HN_TEXT_ITEM_ID, id);
}

static uint32_t user(const char *id) {
    return index_of(HN_TEXT_USER_ID, id);
}

/* Renders and reads the input back as JSON: it must be valid whatever the texts hold. */
static json_t *render(HnTask task, const char *folder, uint32_t u, uint32_t i, HnText *system) {
    HnPrompt *prompt = NULL;
    HnText input = {0};
    HnError err = HN_ERROR_INIT;
    HnSubject subject = {fixture_evidence, u, i, 77};
    if (hn_prompt_load(folder, task, &prompt, &err) != HN_OK ||
        hn_prompt_render(prompt, &subject, system, &input, &err) != HN_OK) {
        fail_msg("%s", err.message);
    }
    json_error_t error;
    json_t *root = json_loads(hn_text_get(&input), JSON_REJECT_DUPLICATES, &error);
    if (!root) {
        fail_msg("%s: %s", error.text, hn_text_get(&input));
    }
    assert_int_equal(strlen(hn_prompt_id(prompt)), 64);
    hn_text_free(&input);
    hn_prompt_free(&prompt);
    return root;
}

static void shipped_item(void **state) {
    (void)state;
    HnText system = {0};
    json_t *root = render(HN_TASK_ITEM_PROFILE, NULL, UINT32_MAX, item("I0"), &system);
    assert_string_equal(json_string_value(json_object_get(root, "item_id")), "I0");
    assert_string_equal(json_string_value(json_object_get(root, "title")), "Red Kite");
    assert_non_null(strstr(json_string_value(json_object_get(root, "description")), "flies high"));
    const json_t *reviews = json_object_get(root, "reviews");
    assert_int_equal(json_array_size(reviews), 2);
    bool quoted = false;
    for (size_t i = 0; i < 2; i++) {
        const char *text = json_string_value(json_array_get(reviews, i));
        quoted = quoted || strstr(text, "Flies \"high\"") != NULL;
        assert_true(hn_first_words(text, strlen(text), 5) == strlen(text)); /* cut to max_review_words */
    }
    assert_true(quoted);
    assert_non_null(strstr(hn_text_get(&system), "At most 77 words"));
    assert_non_null(strstr(hn_text_get(&system), "\"summarization\""));
    assert_null(strstr(hn_text_get(&system), "{{"));
    json_decref(root);
    hn_text_free(&system);
}

static void shipped_user(void **state) {
    (void)state;
    HnText system = {0};
    json_t *root = render(HN_TASK_USER_PROFILE, NULL, user("U1"), UINT32_MAX, &system);
    const json_t *list = json_object_get(root, "purchased");
    assert_int_equal(json_array_size(list), 2);
    for (size_t i = 0; i < 2; i++) {
        const json_t *entry = json_array_get(list, i);
        const char *title = json_string_value(json_object_get(entry, "title"));
        bool chess = strcmp(title, "Chess \"Classic\"") == 0;
        assert_true(chess || strcmp(title, "Blue Kite") == 0);
        assert_string_equal(json_string_value(json_object_get(entry, "review")),
                            chess ? "good figures" : "calm wind kite");
        assert_non_null(json_string_value(json_object_get(entry, "description")));
    }
    json_decref(root);
    hn_text_free(&system);
}

static void shipped_negative(void **state) {
    (void)state;
    HnText system = {0};
    json_t *root = render(HN_TASK_HARD_NEGATIVE, NULL, user("U4"), item("I6"), &system);
    const json_t *product = json_object_get(root, "interacted_product");
    assert_string_equal(json_string_value(json_object_get(json_object_get(root, "user_information"), "user_id")), "U4");
    assert_string_equal(json_string_value(json_object_get(product, "title")), "I6"); /* no title: the id stands in */
    assert_string_equal(json_string_value(json_object_get(product, "item_profile")), "");
    assert_non_null(strstr(hn_text_get(&system), "None"));
    json_decref(root);
    hn_text_free(&system);
}

typedef struct Bad {
    const char *text, *message;
} Bad;

static void bad_files(void **state) {
    (void)state;
    static const Bad table[] = {
        {"[system]\nx\n[input]\n{{item_titel}}\n", "line 4: unknown field {{item_titel}} (did you mean item_title?)"},
        {"[system]\nx\n[input]\n\n{{purchased}}\n", "line 5: unknown field {{purchased}}"}, /* of another task */
        {"[system]\n{{item_title}}\n[input]\n{{item_id}}\n", "line 2: field {{item_title}} belongs below [input]"},
        {"[system]\nx\n[input]\n{{item_id\n}}\n", "line 4: {{ without }}"},
        {"[system]\nx\n[input]\n{{}}\n", "line 4: unknown field {{}}"},
        {"[system]\nonly an instruction\n", "needs a line [system]"},
        {"[input]\n{{item_id}}\n", "line 1: only comments"},
        {"hello\n[system]\nx\n[input]\ny\n", "line 1: only comments"},
        {"", "needs a line [system]"},
        {"[system]\nx\n[input]\n", "nothing stands below [input]"},
        {"[system]\n\xFF\n[input]\nx\n", "UTF-8"},
    };
    assert_int_equal(hn_folder_make(fixture_path("prompts"), NULL), HN_OK);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        HnPrompt *prompt = NULL;
        HnError err = HN_ERROR_INIT;
        const char *path = fixture_text("prompts/item-profile.txt", table[i].text);
        assert_int_equal(hn_prompt_load(fixture_path("prompts"), HN_TASK_ITEM_PROFILE, &prompt, &err), HN_INPUT);
        assert_non_null(strstr(err.message, path));
        if (!strstr(err.message, table[i].message)) {
            fail_msg("case %zu: %s", i, err.message);
        }
        assert_null(prompt);
    }
    HnPrompt *prompt = NULL;
    HnError err = HN_ERROR_INIT;
    assert_int_equal(hn_prompt_load(fixture_path("prompts"), HN_TASK_USER_PROFILE, &prompt, &err), HN_INPUT);
    assert_non_null(
        strstr(err.message, "llm.prompt_folder")); /* a configured folder is not replaced by the shipped one */
}

static void own_file(void **state) {
    (void)state;
    HnText system = {0};
    assert_int_equal(hn_folder_make(fixture_path("own"), NULL), HN_OK);
    fixture_text("own/item-profile.txt", "# mine\n[system]\nIn {{profile_words}} words.\n[input]\n[{{ item_title }}, "
                                         "{{item_categories}}, {{profile_words}}]\n");
    json_t *root = render(HN_TASK_ITEM_PROFILE, fixture_path("own"), UINT32_MAX, item("I2"), &system);
    assert_string_equal(hn_text_get(&system), "In 77 words.\n");
    assert_string_equal(json_string_value(json_array_get(root, 0)), "Chess \"Classic\"");
    assert_string_equal(json_string_value(json_array_get(root, 1)), "Games");
    assert_int_equal(json_integer_value(json_array_get(root, 2)), 77);
    json_decref(root);
    hn_text_free(&system);
}

static void json_strings(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        const char *expected;
    } table[] = {
        {"", 0, "\"\""},
        {"a\"b\\c\n\r\t", 8, "\"a\\\"b\\\\c\\n\\r\\t\""},
        {"\x01\x1f\x7f", 3, "\"\\u0001\\u001f\\u007f\""},
        {"a\0b", 3, "\"a\\u0000b\""},
        {"\xC3\xA9\xF0\x9F\x8D\x95", 6, "\"\xC3\xA9\xF0\x9F\x8D\x95\""},
        {"x\xFFy\xC3", 4, "\"x\xEF\xBF\xBDy\xEF\xBF\xBD\""},
        {"\xED\xA0\x80", 3, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""}, /* a surrogate is no character */
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        HnText out = {0};
        HnError err = HN_ERROR_INIT;
        assert_int_equal(hn_json_string(&out, table[i].bytes, table[i].n, &err), HN_OK);
        assert_string_equal(hn_text_get(&out), table[i].expected);
        hn_text_free(&out);
    }
}

static void first_words(void **state) {
    (void)state;
    assert_int_equal(hn_first_words("one two  three", 14, 2), 7);
    assert_int_equal(hn_first_words("  one", 5, 1), 5);
    assert_int_equal(hn_first_words("one ", 4, 9), 3);
    assert_int_equal(hn_first_words("", 0, 3), 0);
    assert_int_equal(hn_first_words("a b", 3, 0), 0);
    assert_int_equal(hn_first_words("a\0b c", 5, 1), 3);
}

/* Which item a phrase names, and for whom. */
static void pool(void **state) {
    (void)state;
    HnItemPool *pool = NULL;
    HnError err = HN_ERROR_INIT;
    int32_t first_twin = (int32_t)(item("I3") < item("I4") ? item("I3") : item("I4"));
    int32_t second_twin = (int32_t)(item("I3") < item("I4") ? item("I4") : item("I3"));
    int32_t both[] = {first_twin, second_twin}, kite[] = {(int32_t)item("I0")};
    const struct {
        const char *name;
        const int32_t *taken;
        size_t n_taken;
        HnPoolMatch match;
        int32_t item;
    } table[] = {
        {"Red Kite", NULL, 0, HN_POOL_FOUND, (int32_t)item("I0")},
        {"  red   KITE ", NULL, 0, HN_POOL_FOUND, (int32_t)item("I0")},
        {"Red Kite", kite, 1, HN_POOL_TAKEN, (int32_t)item("I0")},
        {"Green Kite", NULL, 0, HN_POOL_UNKNOWN, -1},
        {"", NULL, 0, HN_POOL_UNKNOWN, -1},
        {"Twin", NULL, 0, HN_POOL_FOUND, first_twin},
        {"twin", both, 1, HN_POOL_FOUND, second_twin}, /* the first one is the user's: the other is meant */
        {"Twin", both, 2, HN_POOL_TAKEN, first_twin},
        {"I6", NULL, 0, HN_POOL_FOUND, (int32_t)item("I6")}, /* ids name items too */
        {"i4", NULL, 0, HN_POOL_FOUND, (int32_t)item("I4")},
        {"one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
         "eighteen nineteen twenty twentyone",
         NULL, 0, HN_POOL_FOUND, (int32_t)item("I5")},
        {"one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
         "eighteen nineteen twenty",
         NULL, 0, HN_POOL_FOUND, (int32_t)item("I5")}, /* the contract's 20 words */
        {"one two three", NULL, 0, HN_POOL_UNKNOWN, -1},
        {"\xFF\xFE", NULL, 0, HN_POOL_UNKNOWN, -1},
    };
    assert_int_equal(hn_item_pool_create(fixture_evidence, &pool, &err), HN_OK);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        HnPoolMatch match;
        int32_t found = -2;
        assert_int_equal(hn_item_pool_find(pool, table[i].name, table[i].taken, table[i].n_taken, &match, &found, &err),
                         HN_OK);
        assert_int_equal(match, table[i].match);
        assert_int_equal(found, table[i].item);
    }
    hn_item_pool_free(&pool);
}

/* Reviews are chosen by the data alone, at most max_reviews, only such with text for items, in pair order. */
static void chosen_reviews(void **state) {
    (void)state;
    HnEvidence *big = NULL;
    HnDataset *world = NULL;
    HnError err = HN_ERROR_INIT;
    fixture_synthetic_world("synthetic.h5", 60, 20, 550);
    assert_int_equal(hn_dataset_open(fixture_path("synthetic.h5"), &world, &err), HN_OK);
    assert_int_equal(hn_evidence_open(world, 4, 10, NULL, NULL, &big, &err), HN_OK);
    HnPairs pairs;
    assert_int_equal(hn_dataset_pairs(world, HN_PART_TRAIN, 0, 60, &pairs, &err), HN_OK);
    for (uint32_t i = 0; i < 20; i++) {
        const HnWitness *chosen = NULL;
        size_t n = 0;
        uint64_t degree = 0;
        for (uint64_t p = 0; p < pairs.offsets[60]; p++) {
            degree += pairs.items[p] == (int32_t)i;
        }
        assert_int_equal(hn_evidence_for_item(big, i, &chosen, &n, &err), HN_OK);
        assert_int_equal(n, degree < 4 ? degree : 4);
        for (size_t k = 0; k < n; k++) {
            assert_int_equal(pairs.items[chosen[k].pair], i);
            assert_true(chosen[k].has_review && (k == 0 || chosen[k].pair > chosen[k - 1].pair));
            assert_true(chosen[k].pair >= pairs.offsets[chosen[k].user] &&
                        chosen[k].pair < pairs.offsets[chosen[k].user + 1]);
        }
    }
    hn_pairs_free(&pairs);
    hn_evidence_close(&big);
    hn_dataset_close(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shipped_item), cmocka_unit_test(shipped_user), cmocka_unit_test(shipped_negative),
        cmocka_unit_test(bad_files),    cmocka_unit_test(own_file),     cmocka_unit_test(json_strings),
        cmocka_unit_test(first_words),  cmocka_unit_test(pool),         cmocka_unit_test(chosen_reviews),
    };
    return cmocka_run_group_tests(tests, fixture_open_small, fixture_close_small);
}
