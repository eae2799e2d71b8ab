/* What a constrained answer may name is what the item pool finds: for every set of items that a user may have. */
#include "../../semantic/fixture.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/sorted.h"
#include "llm/generate/names.h"
#include "semantic/answer.h"
#include "semantic/pool.h"

enum { MOST_ITEMS = 10 };

/* Titles of at most 20 words, ids where there is none; and an id beside a title. */
static HnItemNames *make_names(uint32_t n_items) {
    HnError err = HN_ERROR_INIT;
    HnText texts[2 * MOST_ITEMS] = {{0}};
    HnNamed named[2 * MOST_ITEMS];
    HnItemNames *names = NULL;
    for (uint32_t i = 0; i < n_items; i++) {
        HnText *text = &texts[i], *id = &texts[n_items + i];
        assert_int_equal(hn_evidence_item_name(fixture_evidence, i, text, &err), HN_OK);
        assert_int_equal(hn_evidence_item_id(fixture_evidence, i, id, &err), HN_OK);
        size_t n = hn_first_words(hn_text_get(text), text->length, HN_MAX_ITEM_WORDS);
        named[i] = (HnNamed){hn_text_get(text), n, (int32_t)i};
        named[n_items + i] = (HnNamed){hn_text_get(id), id->length, (int32_t)i};
    }
    assert_int_equal(hn_item_names_create(named, 2 * n_items, &names, &err), HN_OK);
    assert_int_equal(hn_item_names_left_out(names), 0);
    for (uint32_t i = 0; i < 2 * n_items; i++) {
        hn_text_free(&texts[i]);
    }
    return names;
}

/* As a reader of the answer has it. */
static void read_entry(const HnItemNames *names, uint32_t index, char *name, size_t room) {
    char quoted[256];
    uint32_t n_bytes = 0;
    json_error_t error;
    const unsigned char *entry = hn_item_names_entry(names, index, &n_bytes);
    int n = snprintf(quoted, sizeof quoted, "\"%.*s", (int)n_bytes, (const char *)entry);
    json_t *value = json_loadb(quoted, (size_t)n, JSON_DECODE_ANY, &error);
    assert_non_null(value);
    assert_true(json_string_length(value) < room);
    memcpy(name, json_string_value(value), json_string_length(value) + 1);
    json_decref(value);
}

static void test_as_pool(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnItemPool *pool = NULL;
    uint32_t n_items = (uint32_t)hn_dataset_items(fixture_dataset), n_allowed = 0, n_refused = 0;
    assert_in_range(n_items, 5, MOST_ITEMS);
    HnItemNames *names = make_names(n_items);
    assert_int_equal(hn_item_pool_create(fixture_evidence, &pool, &err), HN_OK);
    for (uint32_t set = 0; set < 1U << n_items; set++) {
        int32_t taken[MOST_ITEMS];
        size_t n_taken = 0;
        HnNameFilter filter = {0};
        for (uint32_t i = 0; i < n_items; i++) {
            if (set >> i & 1) {
                taken[n_taken++] = (int32_t)i;
            }
        }
        assert_int_equal(hn_item_names_exclude(names, taken, n_taken, &filter, &err), HN_OK);
        for (uint32_t i = 0; i < hn_item_names_count(names); i++) {
            char name[256];
            HnPoolMatch match;
            int32_t item = -1;
            if (i == hn_item_names_none(names)) {
                continue;
            }
            bool allowed = hn_name_filter_count(&filter, i, i + 1) == 0;
            read_entry(names, i, name, sizeof name);
            assert_int_equal(hn_item_pool_find(pool, name, taken, n_taken, &match, &item, &err), HN_OK);
            assert_int_equal(match, allowed ? HN_POOL_FOUND : HN_POOL_TAKEN);
            assert_true(!allowed || !hn_sorted_has(taken, n_taken, item));
            n_allowed += allowed;
            n_refused += !allowed;
        }
        hn_name_filter_free(&filter);
    }
    assert_true(n_allowed > 100 && n_refused > 100);
    hn_item_pool_free(&pool);
    hn_item_names_free(&names);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_as_pool)};
    return cmocka_run_group_tests(tests, fixture_open_small, fixture_close_small);
}
