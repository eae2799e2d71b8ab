/* Records and the spool: journals in, rows in key order out. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/rng.h"
#include "fixture.h"
#include "semantic/spool.h"
#include "store.h"

static void encode(HnText *out, uint8_t status, bool lost, const char *text, const float *vector, uint32_t dim) {
    HnError err = HN_ERROR_INIT;
    HnRecord record = {.status = status,
                       .lost = lost,
                       .item = -1,
                       .attempts = 3,
                       .text = text,
                       .n_text = (uint32_t)strlen(text),
                       .raw = "raw",
                       .n_raw = 3,
                       .vector = vector,
                       .dim = dim};
    assert_int_equal(hn_record_encode(&record, out, &err), HN_OK);
}

static void record(void **state) {
    (void)state;
    const float vector[] = {1.5F, -0.25F, 3e-30F};
    float back[3];
    HnText bytes = {0};
    HnRecord got;
    HnError err = HN_ERROR_INIT;
    encode(&bytes, 5, true, "\xC3\xA9t\xC3\xA9", vector, 3);
    assert_int_equal(hn_record_decode(bytes.data, bytes.length, &got, &err), HN_OK);
    assert_int_equal(got.status, 5);
    assert_int_equal(got.lost, 1);
    assert_int_equal(got.item, -1);
    assert_int_equal(got.attempts, 3);
    assert_int_equal(got.n_text, 5);
    assert_memory_equal(got.text, "\xC3\xA9t\xC3\xA9", 5);
    assert_int_equal(got.n_reasoning, 0);
    assert_memory_equal(got.raw, "raw", 3);
    memcpy(back, got.vector, sizeof back);
    assert_memory_equal(back, vector, sizeof vector);
    for (size_t n = 0; n < bytes.length; n++) { /* every cut is noticed */
        HnError cut = HN_ERROR_INIT;
        assert_int_equal(hn_record_decode(bytes.data, n, &got, &cut), HN_CORRUPT);
    }
    hn_text_free(&bytes);
}

static void add(HnSpool *spool, uint64_t key, uint8_t status, bool lost, const char *text, bool expected) {
    HnText bytes = {0};
    HnError err = HN_ERROR_INIT;
    bool used = !expected;
    encode(&bytes, status, lost, text, NULL, 0);
    assert_int_equal(hn_spool_add(spool, key, bytes.data, (uint32_t)bytes.length, &used, &err), HN_OK);
    assert_int_equal(used, expected);
    hn_text_free(&bytes);
}

static void expect(HnSpool *spool, uint64_t key, const char *text) {
    HnRecord got;
    HnError err = HN_ERROR_INIT;
    assert_int_equal(hn_spool_get(spool, key, &got, &err), HN_OK);
    assert_int_equal(got.n_text, strlen(text));
    assert_memory_equal(got.text, text, got.n_text);
}

/* The first record that is not lost wins. */
static void which_wins(void **state) {
    (void)state;
    HnSpool *spool = NULL;
    HnRecord got;
    HnError err = HN_ERROR_INIT;
    assert_int_equal(hn_spool_create(fixture_path(""), 4, &spool, &err), HN_OK);
    add(spool, 2, 0, false, "first", true);
    add(spool, 2, 0, false, "second", false);
    add(spool, 0, 4, true, "lost", true);
    add(spool, 0, 4, true, "lost again", false);
    add(spool, 0, 0, false, "found", true);
    add(spool, 0, 4, true, "lost once more", false);
    add(spool, 1, 4, true, "only lost", true);
    expect(spool, 0, "found");
    expect(spool, 1, "only lost");
    expect(spool, 2, "first");
    assert_false(hn_spool_has(spool, 3));
    assert_int_equal(hn_spool_get(spool, 3, &got, &err), HN_CORRUPT);
    HnText bytes = {0};
    HnError outside = HN_ERROR_INIT;
    bool used;
    encode(&bytes, 0, false, "x", NULL, 0);
    assert_int_equal(hn_spool_add(spool, 4, bytes.data, (uint32_t)bytes.length, &used, &outside), HN_CORRUPT);
    hn_text_free(&bytes);
    hn_spool_free(&spool);
}

/* Several journals, random order, records smaller and larger than the write buffer. */
static void through_journals(void **state) {
    (void)state;
    enum { N = 700, N_JOURNALS = 3, LARGE = 3 << 20 };
    char *large = hn_alloc(LARGE + 1, 1, "large", NULL), name[32], text[32];
    HnJournal *journals[N_JOURNALS];
    HnPermutation order;
    HnSpool *spool = NULL;
    HnText bytes = {0};
    HnError err = HN_ERROR_INIT;
    const char *folder = hn_path_join(fixture_path(""), "journals", NULL);
    memset(large, 'x', LARGE);
    for (int j = 0; j < N_JOURNALS; j++) {
        (void)snprintf(name, sizeof name, "rank-%d", j);
        assert_int_equal(hn_journal_open(folder, name, &journals[j], &err), HN_OK);
    }
    hn_permutation_start(&order, N, 1, HN_STREAM_TEST, 0);
    for (uint64_t i = 0; i < N; i++) {
        uint64_t key = hn_permute(&order, i);
        (void)snprintf(text, sizeof text, "text %llu", (unsigned long long)key);
        encode(&bytes, 0, false, key == 17 ? large : text, NULL, 0);
        assert_int_equal(hn_journal_append(journals[i % N_JOURNALS], key, 1, bytes.data, (uint32_t)bytes.length, &err),
                         HN_OK);
    }
    for (int j = 0; j < N_JOURNALS; j++) {
        assert_int_equal(hn_journal_close(&journals[j], &err), HN_OK);
    }
    assert_int_equal(hn_spool_create(fixture_path(""), N, &spool, &err), HN_OK);
    assert_int_equal(hn_spool_add_journals(spool, folder, &err), HN_OK);
    for (uint64_t key = 0; key < N; key++) {
        (void)snprintf(text, sizeof text, "text %llu", (unsigned long long)key);
        expect(spool, key, key == 17 ? large : text);
    }
    hn_spool_free(&spool);
    /* A stage with fewer items than the journal speaks of: not the same stage. */
    HnError other = HN_ERROR_INIT;
    assert_int_equal(hn_spool_create(fixture_path(""), 10, &spool, &err), HN_OK);
    assert_int_equal(hn_spool_add_journals(spool, folder, &other), HN_CORRUPT);
    hn_spool_free(&spool);
    hn_text_free(&bytes);
    hn_free((void *)(uintptr_t)folder);
    hn_free(large);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(record),
        cmocka_unit_test(which_wins),
        cmocka_unit_test(through_journals),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
