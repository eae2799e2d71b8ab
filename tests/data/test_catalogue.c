/* data.catalogue: rows for the ids that occur, or for every number up to the largest. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "fixture.h"
#include "store.h"

static Prepared prepared;

static const char *set(const char *key, const char *name) {
    static char text[4][8192];
    static unsigned next;
    char *out = text[next++ % 4];
    (void)snprintf(out, sizeof text[0], "%s=[%s]", key, fixture_path(name));
    return out;
}

/* Rows 0 .. n-1 are the numbers first .. first+n-1. */
static void assert_numbers(HnTextField field, uint64_t n, uint64_t first) {
    assert_int_equal(field == HN_TEXT_USER_ID ? hn_dataset_users(prepared.dataset) : hn_dataset_items(prepared.dataset),
                     n);
    for (uint64_t row = 0; row < n; row++) {
        char number[24];
        (void)snprintf(number, sizeof number, "%llu", (unsigned long long)(first + row));
        assert_string_equal(fixture_row(prepared.dataset, field, row), number);
    }
}

/* The items of a user, as indices. */
static void assert_items(HnPart part, uint64_t user, size_t n, const int32_t *items) {
    const HnPairs *pairs = &prepared.pairs[part];
    assert_int_equal(pairs->offsets[user + 1] - pairs->offsets[user], n);
    if (n > 0) {
        assert_memory_equal(pairs->items + pairs->offsets[user], items, n * sizeof *items);
    }
}

static bool recipe_has(const char *name, const char *words) {
    HnStore *store = NULL;
    HnError err = HN_ERROR_INIT;
    char *text = NULL;
    assert_int_equal(hn_store_open(fixture_path(name), &HN_SCHEMA_DATASET, &store, &err), HN_OK);
    assert_int_equal(hn_store_get_text(store, "recipe", &text, &err), HN_OK);
    bool has = strstr(text, words) != NULL;
    hn_free(text);
    hn_store_close(&store);
    return has;
}

/* Gaps in both; user 6 and item 9, the largest, are in test alone; user 8's line is empty, so that no code counts it.
 */
static void lists_with_gaps(void **state) {
    (void)state;
    char seen[65], filled[65];
    fixture_text("train.txt", "4 7 2\n0 2\n8\n");
    fixture_text("test.txt", "6 9\n0 7\n");
    const char *train = set("data.interactions", "train.txt"), *test = set("data.test", "test.txt");
    fixture_prepare(&prepared, "seen.h5", "data.format=lightgcn", "data.split=given", train, test, NULL);
    assert_int_equal(prepared.status, HN_OK);
    assert_int_equal(hn_dataset_users(prepared.dataset), 3);
    assert_int_equal(hn_dataset_items(prepared.dataset), 3);
    assert_false(recipe_has("seen.h5", "catalogue"));
    (void)snprintf(seen, sizeof seen, "%s", hn_dataset_id(prepared.dataset));
    fixture_release(&prepared);

    fixture_prepare(&prepared, "filled.h5", "data.format=lightgcn", "data.split=given", "data.catalogue=to_largest",
                    train, test, NULL);
    assert_int_equal(prepared.status, HN_OK);
    assert_numbers(HN_TEXT_USER_ID, 7, 0);
    assert_numbers(HN_TEXT_ITEM_ID, 10, 0);
    assert_items(HN_PART_TRAIN, 0, 1, (const int32_t[]){2});
    assert_items(HN_PART_TRAIN, 4, 2, (const int32_t[]){2, 7});
    assert_items(HN_PART_TRAIN, 6, 0, NULL);
    assert_items(HN_PART_TEST, 6, 1, (const int32_t[]){9});
    assert_items(HN_PART_TEST, 0, 1, (const int32_t[]){7});
    assert_int_equal(prepared.report.n_train, 3);
    assert_int_equal(prepared.report.n_test, 2);
    assert_int_equal(prepared.report.users_untrained, 5);
    assert_int_equal(prepared.report.items_untrained, 8);
    assert_true(recipe_has("filled.h5", "; catalogue: every number up to the largest id;"));
    (void)snprintf(filled, sizeof filled, "%s", hn_dataset_id(prepared.dataset));
    assert_string_not_equal(seen, filled);
    fixture_release(&prepared);
}

/* Without gaps the switch changes nothing. */
static void lists_without_gaps(void **state) {
    (void)state;
    char ids[2][65];
    static const char *const rules[] = {"data.catalogue=seen", "data.catalogue=to_largest"};
    fixture_text("train.txt", "1 0 2\n0 2 1\n");
    fixture_text("test.txt", "0 0\n1 1\n");
    for (int k = 0; k < 2; k++) {
        fixture_prepare(&prepared, "dense.h5", "data.format=lightgcn", "data.split=given", rules[k],
                        set("data.interactions", "train.txt"), set("data.test", "test.txt"), NULL);
        assert_int_equal(prepared.status, HN_OK);
        HnStore *store = NULL;
        HnError err = HN_ERROR_INIT;
        (void)snprintf(ids[k], sizeof ids[k], "%s", hn_dataset_id(prepared.dataset));
        assert_int_equal(hn_store_open(fixture_path("dense.h5"), &HN_SCHEMA_DATASET, &store, &err), HN_OK);
        hn_store_close(&store);
        assert_numbers(HN_TEXT_USER_ID, 2, 0);
        assert_numbers(HN_TEXT_ITEM_ID, 3, 0);
        fixture_release(&prepared);
    }
    assert_string_equal(ids[0], ids[1]);
}

/* Tables of pairs are numbered by appearance; a catalogue is in the order of its numbers. Filters come first: item 9 is
 * outside the core, and with it goes the largest id; item 1, which is outside too, is a gap. Titles find their rows. */
static void pairs_after_filters(void **state) {
    (void)state;
    fixture_text("p.txt", "3 4\n3 2\n1 4\n1 2\n1 9\n0 1\n");
    fixture_text("titles.jsonl", "{\"iid\": 3, \"title\": \"gap\"}\n{\"iid\": 4, \"title\": \"four\"}\n");
    fixture_prepare(&prepared, "p.h5", "data.format=pairs", "data.catalogue=to_largest", "data.core_items=2",
                    set("data.interactions", "p.txt"), set("data.items", "titles.jsonl"),
                    "data.split_ratio=[1.0,0.0,0.0]", NULL);
    assert_int_equal(prepared.status, HN_OK);
    assert_numbers(HN_TEXT_USER_ID, 4, 0);
    assert_numbers(HN_TEXT_ITEM_ID, 5, 0);
    assert_items(HN_PART_TRAIN, 0, 0, NULL);
    assert_items(HN_PART_TRAIN, 1, 2, (const int32_t[]){2, 4});
    assert_items(HN_PART_TRAIN, 3, 2, (const int32_t[]){2, 4});
    assert_string_equal(fixture_row(prepared.dataset, HN_TEXT_TITLE, 3), "gap");
    assert_string_equal(fixture_row(prepared.dataset, HN_TEXT_TITLE, 4), "four");
    assert_string_equal(fixture_row(prepared.dataset, HN_TEXT_TITLE, 2), "");
    fixture_release(&prepared);
}

/* Items behind the users: 3 users (0, 1, 2), so items count from 3. */
static void joint_numbers(void **state) {
    (void)state;
    fixture_text("p.txt", "0 4\n0 7\n2 4\n");
    fixture_prepare(&prepared, "joint.h5", "data.format=pairs", "data.catalogue=joint",
                    set("data.interactions", "p.txt"), "data.split_ratio=[1.0,0.0,0.0]", NULL);
    assert_int_equal(prepared.status, HN_OK);
    assert_numbers(HN_TEXT_USER_ID, 3, 0);
    assert_numbers(HN_TEXT_ITEM_ID, 5, 3);
    assert_items(HN_PART_TRAIN, 0, 2, (const int32_t[]){1, 4});
    assert_items(HN_PART_TRAIN, 1, 0, NULL);
    assert_true(recipe_has("joint.h5", "items behind the users"));
    fixture_release(&prepared);

    fixture_text("p.txt", "0 4\n0 2\n2 4\n");
    fixture_prepare(&prepared, "joint.h5", "data.format=pairs", "data.catalogue=joint",
                    set("data.interactions", "p.txt"), NULL);
    fixture_failed(&prepared, HN_INPUT, "from 3 on", "item 2", "to_largest", NULL);
}

static void refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {{"1 2\nbob 3\n", "user id \"bob\""},    {"1 2\n1 -3\n", "item id \"-3\""},
                 {"1 2\n1 07\n", "item id \"07\""},      {"1 2\n1 2.0\n", "item id \"2.0\""},
                 {"1 2\n3000 3\n", "user id 3000"},      {"1 2\n1 99999999999999999999999\n", "item id 9999999999"},
                 {"1 2\n100000001 3\n", "to 100000000,"}};
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        fixture_text("p.txt", cases[k].text);
        const char *in = set("data.interactions", "p.txt");
        fixture_prepare(&prepared, "bad.h5", "data.format=pairs", "data.catalogue=to_largest", in, NULL);
        fixture_failed(&prepared, HN_INPUT, cases[k].part, "data.catalogue: seen", NULL);
        fixture_prepare(&prepared, "bad.h5", "data.format=pairs", in, NULL);
        assert_int_equal(prepared.status, HN_OK);
        fixture_release(&prepared);
    }
    /* 2 pairs bear 2999. */
    fixture_text("p.txt", "1 2\n2999 3\n");
    fixture_prepare(&prepared, "most.h5", "data.format=pairs", "data.catalogue=to_largest",
                    set("data.interactions", "p.txt"), NULL);
    assert_int_equal(prepared.status, HN_OK);
    assert_numbers(HN_TEXT_USER_ID, 3000, 0);
    fixture_release(&prepared);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(lists_with_gaps), cmocka_unit_test(lists_without_gaps),
                                       cmocka_unit_test(pairs_after_filters), cmocka_unit_test(joint_numbers),
                                       cmocka_unit_test(refused)};
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
