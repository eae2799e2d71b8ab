/* From small files to a data set whose every number is known. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/text.h"
#include "fixture.h"
#include "store.h"

static Prepared prepared;

static const char *set(const char *key, const char *name) {
    static char text[8][8192];
    static unsigned next;
    char *out = text[next++ % 8];
    (void)snprintf(out, sizeof text[0], "%s=[%s]", key, fixture_path(name));
    return out;
}

/* "user:item,item user:item" by raw ids, users and items in the order of their indices. */
static const char *part_text(HnPart part) {
    static HnText text;
    HnError err = HN_ERROR_INIT;
    hn_text_clear(&text);
    const HnPairs *pairs = &prepared.pairs[part];
    for (uint64_t u = 0; u < pairs->user_end; u++) {
        for (uint64_t p = pairs->offsets[u]; p < pairs->offsets[u + 1]; p++) {
            const char *mark = p > pairs->offsets[u] ? "," : ":";
            if (p == pairs->offsets[u]) {
                (void)hn_text_printf(&text, &err, "%s%s", text.length > 0 ? " " : "",
                                     fixture_row(prepared.dataset, HN_TEXT_USER_ID, u));
            }
            (void)hn_text_printf(&text, &err, "%s%s", mark,
                                 fixture_row(prepared.dataset, HN_TEXT_ITEM_ID, (uint64_t)pairs->items[p]));
        }
    }
    static char copy[4096];
    (void)snprintf(copy, sizeof copy, "%s", hn_text_get(&text));
    hn_text_free(&text);
    return copy;
}

static void lightgcn_given(void **state) {
    (void)state;
    fixture_text("train.txt", "0 0 2\n10 9 1\n2 2\n5\n");
    fixture_text("test.txt", "2 0 2 7\n3 1\n0 1\n");
    fixture_prepare(&prepared, "given.h5", "data.format=lightgcn", "data.split=given",
                    set("data.interactions", "train.txt"), set("data.test", "test.txt"), NULL);
    assert_int_equal(prepared.status, HN_OK);
    /* Numeric order, not order of appearance or of letters; user 5 has no pair at all, user 3 no train pair. */
    assert_string_equal(part_text(HN_PART_TRAIN), "0:0,2 2:2 10:1,9");
    assert_string_equal(part_text(HN_PART_TEST), "0:1 2:0,7 3:1");
    assert_int_equal(hn_dataset_users(prepared.dataset), 4);
    assert_int_equal(hn_dataset_items(prepared.dataset), 5);
    assert_int_equal(prepared.report.pairs_crossing, 1); /* 2 2 is in train */
    assert_int_equal(prepared.report.users_untrained, 1);
    assert_int_equal(prepared.report.users_untested, 1);
    assert_int_equal(prepared.report.items_untrained, 1);
    assert_int_equal(prepared.report.lines_read, 7);
    assert_false(hn_dataset_synthetic(prepared.dataset));
    fixture_release(&prepared);
}

static void a_test_pair_of_train_can_count(void **state) {
    (void)state;
    fixture_text("train.txt", "0 0 2\n2 2\n");
    fixture_text("test.txt", "2 0 2 2\n0 1\n");
    fixture_prepare(&prepared, "given.h5", "data.format=lightgcn", "data.split=given", "data.keep_crossing=true",
                    set("data.interactions", "train.txt"), set("data.test", "test.txt"), NULL);
    assert_int_equal(prepared.status, HN_OK);
    assert_string_equal(part_text(HN_PART_TRAIN), "0:0,2 2:2");
    assert_string_equal(part_text(HN_PART_TEST), "0:1 2:0,2");
    assert_int_equal(prepared.report.pairs_crossing, 1);
    fixture_release(&prepared);
}

static void pairs_with_filters(void **state) {
    (void)state;
    /* b x is repeated, d has one pair only, y falls under the rating, the last line under the date. */
    fixture_text("p.csv",
                 "b,x,5,100000\na,x,4,100000\nb,x,3.5,86400\na,z,5,90000\nb,z,4,100001\nb,y,2,100002\nd,w,5,100003\n"
                 "a,q,5,86399\na,q,5,172800\n");
    fixture_prepare(&prepared, "filters.h5", "data.format=pairs", set("data.interactions", "p.csv"),
                    "data.min_rating=3.5", "data.date_from=1970-01-02", "data.date_to=1970-01-02", "data.core_users=2",
                    "data.core_items=2", "data.split_ratio=[1.0,0.0,0.0]", NULL);
    assert_int_equal(prepared.status, HN_OK);
    assert_string_equal(part_text(HN_PART_TRAIN), "b:x,z a:x,z"); /* first appearance */
    assert_int_equal(prepared.report.pairs_read, 9);
    assert_int_equal(prepared.report.pairs_filtered, 3);
    assert_int_equal(prepared.report.pairs_repeated, 1);
    assert_int_equal(prepared.report.pairs_core, 1);
    assert_int_equal(prepared.report.users_untested, 2);
    /* The earliest of the repeated pairs is kept, with its own rating and time. */
    HnStore *store = NULL;
    HnError err = HN_ERROR_INIT;
    float ratings[4];
    int64_t times[4];
    assert_int_equal(hn_store_open(fixture_path("filters.h5"), &HN_SCHEMA_DATASET, &store, &err), HN_OK);
    assert_int_equal(hn_store_read_rows(store, "train/rating", 0, 4, ratings, &err), HN_OK);
    assert_int_equal(hn_store_read_rows(store, "train/time", 0, 4, times, &err), HN_OK);
    const float expected_ratings[] = {3.5F, 4, 4, 5};
    const int64_t expected_times[] = {86400, 100001, 100000, 90000};
    assert_memory_equal(ratings, expected_ratings, sizeof ratings);
    assert_memory_equal(times, expected_times, sizeof times);
    hn_store_close(&store);
    fixture_release(&prepared);
}

/* data.train_share: the train part shrinks, other parts and all numbers of users and items stay. */
static void share_of_train(void **state) {
    (void)state;
    fixture_text("t.txt", "0 0 1 2 3 4 5 6 7 8 9\n1 3\n2 10 11 12\n");
    fixture_text("v.txt", "0 10\n");
    fixture_text("x.txt", "0 11\n1 12 0\n");
    for (int share = 2; share <= 10; share += 4) {
        char key[40], recipe[80];
        snprintf(key, sizeof key, "data.train_share=%g", share / 10.0);
        snprintf(recipe, sizeof recipe, "; %d %% of each user's train pairs", 10 * share);
        fixture_prepare(&prepared, "share.h5", "data.format=lightgcn", set("data.interactions", "t.txt"),
                        set("data.valid", "v.txt"), set("data.test", "x.txt"), "data.split=given", key, NULL);
        assert_int_equal(prepared.status, HN_OK);
        assert_int_equal(hn_dataset_users(prepared.dataset), 3);
        assert_int_equal(hn_dataset_items(prepared.dataset), 13);
        const uint64_t *offsets = prepared.pairs[HN_PART_TRAIN].offsets;
        assert_int_equal(offsets[1], share);
        assert_int_equal(offsets[2] - offsets[1], 1); /* at least one */
        assert_int_equal(offsets[3] - offsets[2], share == 2 ? 1 : share == 6 ? 2 : 3);
        assert_string_equal(part_text(HN_PART_VALID), "0:10");
        assert_string_equal(part_text(HN_PART_TEST), "0:11 1:0,12");
        HnStore *store = NULL;
        HnError err = HN_ERROR_INIT;
        char *text = NULL;
        assert_int_equal(hn_store_open(fixture_path("share.h5"), &HN_SCHEMA_DATASET, &store, &err), HN_OK);
        assert_int_equal(hn_store_get_text(store, "recipe", &text, &err), HN_OK);
        assert_true((strstr(text, recipe) != NULL) == (share < 10));
        hn_free(text);
        hn_store_close(&store);
        fixture_release(&prepared);
    }
}

/* data.valid_share: train pairs of given files become validation; train and validation together are what train was, and
 * data.train_share takes from the rest. */
static void validation_out_of_train(void **state) {
    (void)state;
    fixture_text("t.txt", "0 0 1 2 3 4 5 6 7 8 9\n1 3\n2 10 11 12 13\n");
    fixture_text("x.txt", "0 11\n1 12 0\n");
    for (int half = 0; half <= 1; half++) {
        fixture_prepare(&prepared, "valid.h5", "data.format=lightgcn", set("data.interactions", "t.txt"),
                        set("data.test", "x.txt"), "data.split=given", "data.valid_share=0.5", "data.split_seed=9",
                        half ? "data.train_share=0.5" : "data.train_share=1", NULL);
        assert_int_equal(prepared.status, HN_OK);
        assert_string_equal(part_text(HN_PART_TEST), "0:11 1:0,12");
        const uint64_t *train = prepared.pairs[HN_PART_TRAIN].offsets, *valid = prepared.pairs[HN_PART_VALID].offsets;
        assert_int_equal(valid[1], 5);
        assert_int_equal(valid[2], 5); /* user 1 keeps its only pair */
        assert_int_equal(valid[3], 7);
        assert_int_equal(train[1], half ? 3 : 5);
        assert_int_equal(train[2] - train[1], 1);
        assert_int_equal(train[3] - train[2], half ? 1 : 2);
        for (uint64_t v = 0; v < 5; v++) {
            for (uint64_t t = 0; t < train[1]; t++) {
                assert_int_not_equal(prepared.pairs[HN_PART_VALID].items[v], prepared.pairs[HN_PART_TRAIN].items[t]);
            }
        }
        HnStore *store = NULL;
        HnError err = HN_ERROR_INIT;
        char *text = NULL;
        assert_int_equal(hn_store_open(fixture_path("valid.h5"), &HN_SCHEMA_DATASET, &store, &err), HN_OK);
        assert_int_equal(hn_store_get_text(store, "recipe", &text, &err), HN_OK);
        assert_non_null(strstr(text, "; split: given files; 50 % of each user's train pairs as validation, seed 9"));
        hn_free(text);
        hn_store_close(&store);
        fixture_release(&prepared);
    }
}

static void provenance(void **state) {
    (void)state;
    fixture_text("p.csv", "user,item\na,x\na,y\nb,x\nb,y\n");
    fixture_prepare(&prepared, "who.h5", "data.format=pairs", set("data.interactions", "p.csv"),
                    "data.split=leave_one_out", NULL);
    assert_int_equal(prepared.status, HN_OK);
    HnStore *store = NULL;
    HnError err = HN_ERROR_INIT;
    char hex[65], *text = NULL, *bytes = NULL;
    uint64_t *offsets = NULL;
    int64_t count;
    double density;
    assert_int_equal(hn_sha256_file(fixture_path("p.csv"), hex, &err), HN_OK);
    assert_int_equal(hn_store_open(fixture_path("who.h5"), &HN_SCHEMA_DATASET, &store, &err), HN_OK);
    assert_int_equal(hn_store_read_strings(store, "input/sha256", 0, 1, &bytes, &offsets, &err), HN_OK);
    assert_memory_equal(bytes, hex, 64);
    hn_free(bytes);
    hn_free(offsets);
    assert_int_equal(hn_store_read_strings(store, "input/name", 0, 1, &bytes, &offsets, &err), HN_OK);
    assert_int_equal(offsets[1], 5);
    assert_memory_equal(bytes, "p.csv", 5);
    hn_free(bytes);
    hn_free(offsets);
    assert_int_equal(hn_store_get_text(store, "recipe", &text, &err), HN_OK);
    assert_non_null(strstr(text, "leave one out, a random pair"));
    hn_free(text);
    assert_int_equal(hn_store_get_i64(store, "n_test", &count, &err), HN_OK);
    assert_int_equal(count, 2);
    assert_int_equal(hn_store_get_i64(store, "lines_read", &count, &err), HN_OK);
    assert_int_equal(count, 5);
    assert_int_equal(hn_store_get_f64(store, "density", &density, &err), HN_OK);
    assert_true(density == 1);
    assert_false(hn_store_has(store, "train/rating"));
    assert_false(hn_store_has(store, "train/review"));
    hn_store_close(&store);
    fixture_release(&prepared);
}

static const char reviews[] =
    "{\"reviewerID\":\"A\",\"asin\":\"1\",\"overall\":5,\"unixReviewTime\":3,\"reviewText\":\"late\",\"summary\":\"s\"}"
    "\n"
    "{\"reviewerID\":\"B\",\"asin\":\"1\",\"overall\":5,\"unixReviewTime\":1,\"reviewText\":\"of B\"}\n"
    "{\"reviewerID\":\"A\",\"asin\":\"2\",\"overall\":5,\"unixReviewTime\":5}\n"
    "{\"reviewerID\":\"A\",\"asin\":\"1\",\"overall\":5,\"unixReviewTime\":2,\"reviewText\":\"early\",\"summary\":"
    "\"s\"}\n"
    "{\"reviewerID\":\"A\",\"asin\":\"3\",\"overall\":5,\"unixReviewTime\":9,\"reviewText\":\"TEST SECRET\"}\n"
    "{\"reviewerID\":\"A\",\"asin\":\"4\",\"overall\":5,\"unixReviewTime\":8,\"reviewText\":\"VALID SECRET\"}\n"
    "{\"reviewerID\":\"B\",\"asin\":\"2\",\"overall\":5,\"unixReviewTime\":9,\"reviewText\":\"TEST SECRET\"}\n";
static const char meta[] = "{\"asin\":\"2\",\"title\":\"Two\",\"description\":[\"d2\"]}\n"
                           "{\"asin\":\"2\",\"title\":\"Again\",\"brand\":\"late\"}\n"
                           "{\"asin\":\"9\",\"title\":\"Nobody's\"}\n"
                           "{\"asin\":\"1\",\"title\":\"One\",\"category\":[\"C\"]}\n";

static void texts(void **state) {
    (void)state;
    fixture_text("r.json.gz", reviews);
    fixture_text("m.json", meta);
    fixture_prepare(&prepared, "texts.h5", "data.format=amazon", set("data.interactions", "r.json.gz"),
                    set("data.items", "m.json"), "data.split=leave_one_out", NULL);
    assert_int_equal(prepared.status, HN_OK);
    assert_string_equal(part_text(HN_PART_TRAIN), "A:1,2 B:1");
    assert_string_equal(part_text(HN_PART_VALID), "A:4");
    assert_string_equal(part_text(HN_PART_TEST), "A:3 B:2");
    assert_string_equal(fixture_row(prepared.dataset, HN_TEXT_REVIEW, 0), "s\nearly");
    assert_string_equal(fixture_row(prepared.dataset, HN_TEXT_REVIEW, 1), "");
    assert_string_equal(fixture_row(prepared.dataset, HN_TEXT_REVIEW, 2), "of B");
    assert_string_equal(fixture_row(prepared.dataset, HN_TEXT_TITLE, 0), "One");
    assert_string_equal(fixture_row(prepared.dataset, HN_TEXT_TITLE, 1), "Two");
    assert_string_equal(fixture_row(prepared.dataset, HN_TEXT_TITLE, 2), "");
    assert_string_equal(fixture_row(prepared.dataset, HN_TEXT_DESCRIPTION, 1), "d2");
    assert_string_equal(fixture_row(prepared.dataset, HN_TEXT_CATEGORIES, 0), "C");
    assert_string_equal(fixture_row(prepared.dataset, HN_TEXT_ATTRIBUTES, 1), "brand: late");
    assert_int_equal(prepared.report.n_reviews, 2);
    assert_int_equal(prepared.report.n_titles, 2);
    /* Nothing of a validation or test review may be anywhere in the store: it would leak into the profiles. */
    FILE *file = fopen(fixture_path("texts.h5"), "rb");
    static char bytes[1 << 20];
    size_t n = fread(bytes, 1, sizeof bytes, file);
    assert_true(n > 0 && n < sizeof bytes);
    assert_int_equal(fclose(file), 0);
    for (size_t at = 0; at + 6 <= n; at++) {
        assert_int_not_equal(memcmp(bytes + at, "SECRET", 6), 0);
    }
    fixture_release(&prepared);
}

static void keep_lists(void **state) {
    (void)state;
    fixture_text("p.tsv", "1\t8\n1\t9\n2\t8\n3\t8\n3\t7\n");
    fixture_text("users.jsonl", "{\"uid\": 1, \"profile\": \"p\"}\n{\"user_id\": \"3\"}\n{\"uid\": 77}\n");
    fixture_text("items.jsonl", "{\"iid\": 8, \"title\": \"Luke\", \"profile\": \"People who ...\"}\n{\"iid\": 7}\n");
    char users[8192], items[8192];
    (void)snprintf(users, sizeof users, "data.keep_users=%s", fixture_path("users.jsonl"));
    (void)snprintf(items, sizeof items, "data.keep_items=%s", fixture_path("items.jsonl"));
    fixture_prepare(&prepared, "keep.h5", "data.format=pairs", set("data.interactions", "p.tsv"), users, items,
                    "data.split_ratio=[1.0,0.0,0.0]", NULL);
    assert_int_equal(prepared.status, HN_OK);
    assert_string_equal(part_text(HN_PART_TRAIN), "1:8 3:8,7");
    assert_string_equal(fixture_row(prepared.dataset, HN_TEXT_TITLE, 0), "Luke");
    assert_string_equal(fixture_row(prepared.dataset, HN_TEXT_DESCRIPTION, 0), "People who ...");
    assert_int_equal(prepared.report.kept_users_unseen, 1);
    assert_int_equal(prepared.report.pairs_filtered, 2);
    fixture_release(&prepared);
    /* Bare ids, one a line; the item list carries no text then. */
    fixture_text("users.jsonl", "1\n2\r\n\n");
    fixture_text("items.jsonl", "8\n9\n");
    fixture_prepare(&prepared, "keep.h5", "data.format=pairs", set("data.interactions", "p.tsv"), users, items,
                    "data.split_ratio=[1.0,0.0,0.0]", NULL);
    assert_int_equal(prepared.status, HN_OK);
    assert_string_equal(part_text(HN_PART_TRAIN), "1:8,9 2:8");
    assert_false(hn_dataset_has_text(prepared.dataset, HN_TEXT_TITLE));
    fixture_release(&prepared);
}

static void small_worlds(void **state) {
    (void)state;
    fixture_text("one.txt", "0 0 1 2 3 4 5 6 7 8 9\n");
    fixture_prepare(&prepared, "one.h5", "data.format=lightgcn", set("data.interactions", "one.txt"), NULL);
    assert_int_equal(prepared.status, HN_OK);
    assert_int_equal(hn_dataset_users(prepared.dataset), 1);
    assert_int_equal(prepared.report.n_train, 8);
    assert_int_equal(prepared.report.n_valid, 1);
    assert_int_equal(prepared.report.n_test, 1);
    fixture_release(&prepared);
    fixture_text("lone.txt", "0 0\n");
    fixture_prepare(&prepared, "lone.h5", "data.format=lightgcn", set("data.interactions", "lone.txt"), NULL);
    assert_int_equal(prepared.status, HN_OK);
    assert_int_equal(prepared.report.n_train, 1); /* always a train pair, hence no test pair */
    assert_int_equal(prepared.report.users_untested, 1);
    fixture_release(&prepared);
}

/* The same input gives the same content; parts of a file are read as the whole is. */
static void deterministic(void **state) {
    (void)state;
    HnText text = {NULL, 0, 0, 0};
    HnError err = HN_ERROR_INIT;
    for (int u = 0; u < 50; u++) {
        for (int i = 0; i < 12; i++) {
            assert_int_equal(hn_text_printf(&text, &err, "u%d i%d\n", u, (u * 7 + i * i) % 40), HN_OK);
        }
    }
    size_t half = text.length / 2;
    while (text.data[half - 1] != '\n') {
        half++;
    }
    fixture_write("whole.txt", text.data, text.length);
    fixture_write("a.txt.gz", text.data, half);
    fixture_write("b.txt", text.data + half, text.length - half);
    char id[65];
    fixture_prepare(&prepared, "whole.h5", "data.format=pairs", set("data.interactions", "whole.txt"), NULL);
    assert_int_equal(prepared.status, HN_OK);
    (void)snprintf(id, sizeof id, "%s", hn_dataset_id(prepared.dataset));
    fixture_release(&prepared);
    fixture_prepare(&prepared, "again.h5", "data.format=pairs", set("data.interactions", "whole.txt"), NULL);
    assert_string_equal(hn_dataset_id(prepared.dataset), id);
    HnPairs whole = prepared.pairs[HN_PART_TEST];
    prepared.pairs[HN_PART_TEST] = (HnPairs){0, 0, NULL, NULL};
    fixture_release(&prepared);
    char both[8192];
    (void)snprintf(both, sizeof both, "data.interactions=[%s, %s]", fixture_path("a.txt.gz"), fixture_path("b.txt"));
    fixture_prepare(&prepared, "parts.h5", "data.format=pairs", both, NULL);
    assert_int_equal(prepared.status, HN_OK);
    const HnPairs *parts = &prepared.pairs[HN_PART_TEST];
    assert_memory_equal(parts->offsets, whole.offsets, (whole.user_end + 1) * sizeof *whole.offsets);
    assert_memory_equal(parts->items, whole.items, whole.offsets[whole.user_end] * sizeof *whole.items);
    hn_pairs_free(&whole);
    fixture_release(&prepared);
    fixture_prepare(&prepared, "seed.h5", "data.format=pairs", set("data.interactions", "whole.txt"),
                    "data.split_seed=5", NULL);
    assert_string_not_equal(hn_dataset_id(prepared.dataset), id);
    fixture_release(&prepared);
    hn_text_free(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lightgcn_given),
        cmocka_unit_test(a_test_pair_of_train_can_count),
        cmocka_unit_test(pairs_with_filters),
        cmocka_unit_test(share_of_train),
        cmocka_unit_test(validation_out_of_train),
        cmocka_unit_test(provenance),
        cmocka_unit_test(texts),
        cmocka_unit_test(keep_lists),
        cmocka_unit_test(small_worlds),
        cmocka_unit_test(deterministic),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
