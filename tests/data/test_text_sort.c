/* The external sort: the same order with one byte of memory as with plenty, and no file left behind. */
#include "data/text_sort.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/rng.h"
#include "fixture.h"

enum { TEXTS = 2000 };

/* Adds TEXTS texts under shuffled keys, some keys twice, and checks what comes out. */
static void sort_with(size_t memory_bytes, uint64_t least_runs) {
    HnError err = HN_ERROR_INIT;
    HnTextSort *sort = NULL;
    HnPermutation order;
    char text[9000];
    assert_int_equal(hn_text_sort_create(fixture_path("sort"), memory_bytes, &sort, &err), HN_OK);
    hn_permutation_start(&order, TEXTS, 3, HN_STREAM_TEST, 7);
    for (uint64_t k = 0; k < TEXTS; k++) {
        uint64_t key = hn_permute(&order, k) / 2 * 10; /* every key twice */
        int n = snprintf(text, sizeof text, "%llu:%llu:%0*d", (unsigned long long)key, (unsigned long long)k,
                         (int)(k % 100 == 0 ? 8000 : 1 + key % 7), 0);
        assert_int_equal(hn_text_sort_add(sort, key, text, (size_t)n, &err), HN_OK);
    }
    assert_int_equal(hn_text_sort_add(sort, 5, "", 0, &err), HN_OK);
    assert_int_equal(hn_text_sort_rewind(sort, &err), HN_OK);
    assert_true(hn_text_sort_runs(sort) >= least_runs);
    uint64_t key = 0, last_key = 0, last_arrival = 0, n_texts = 0;
    const char *bytes;
    size_t n_bytes;
    bool got;
    for (;;) {
        assert_int_equal(hn_text_sort_next(sort, &key, &bytes, &n_bytes, &got, &err), HN_OK);
        if (!got) {
            break;
        }
        n_texts++;
        assert_true(key >= last_key);
        if (key == 5) {
            assert_int_equal(n_bytes, 0);
            continue;
        }
        unsigned long long stated, arrival;
        (void)snprintf(text, sizeof text, "%.*s", (int)n_bytes, bytes);
        assert_int_equal(sscanf(text, "%llu:%llu:", &stated, &arrival), 2);
        assert_true(stated == key);
        assert_true(key != last_key || n_texts == 1 || arrival > last_arrival);
        assert_int_equal(n_bytes, strlen(text));
        last_key = key;
        last_arrival = arrival;
    }
    assert_int_equal(n_texts, TEXTS + 1);
    hn_text_sort_free(&sort);
    char **names = NULL;
    size_t n_names;
    assert_int_equal(hn_folder_list(fixture_folder(), &names, &n_names, &err), HN_OK);
    assert_int_equal(n_names, 0);
    hn_names_free(&names, n_names);
}

static void in_memory(void **state) {
    (void)state;
    sort_with((size_t)1 << 30, 0);
}

static void spilled(void **state) {
    (void)state;
    sort_with(20000, 5);
    sort_with(200000, 2);
}

static void empty(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnTextSort *sort = NULL;
    uint64_t key;
    const char *bytes;
    size_t n_bytes;
    bool got = true;
    assert_int_equal(hn_text_sort_create(fixture_path("sort"), 1, &sort, &err), HN_OK);
    assert_int_equal(hn_text_sort_rewind(sort, &err), HN_OK);
    assert_int_equal(hn_text_sort_next(sort, &key, &bytes, &n_bytes, &got, &err), HN_OK);
    assert_false(got);
    hn_text_sort_free(&sort);
}

static void no_room_for_runs(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnTextSort *sort = NULL;
    assert_int_equal(hn_text_sort_create(fixture_path("absent/sort"), 1, &sort, &err), HN_OK);
    assert_int_equal(hn_text_sort_add(sort, 1, "a", 1, &err), HN_OK);
    assert_int_equal(hn_text_sort_add(sort, 2, "b", 1, &err), HN_IO);
    assert_non_null(strstr(err.message, "temporary file"));
    hn_text_sort_free(&sort);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(in_memory), cmocka_unit_test(spilled), cmocka_unit_test(empty),
                                       cmocka_unit_test(no_room_for_runs)};
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
