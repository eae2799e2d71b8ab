/* Real public data: the counts that its own documentation, or an independent count, gives. Skips what is absent. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "fixture.h"

static Prepared prepared;

/* "key=[path, path]" of files of the shared data, or skips the test. */
static const char *set_files(const char *key, bool list, const char *one, const char *two) {
    static char text[8][8192];
    static unsigned next;
    char *out = text[next++ % 8];
    const char *first = fixture_shared(one), *second = two != NULL ? fixture_shared(two) : NULL;
    if (first == NULL || (two != NULL && second == NULL)) {
        print_message("SKIP: no %s\n", one);
        skip();
    }
    (void)snprintf(out, sizeof text[0], list ? "%s=[%s%s%s]" : "%s=%s%s%s", key, first, second != NULL ? ", " : "",
                   second != NULL ? second : "");
    return out;
}

static void expect(uint64_t users, uint64_t items, uint64_t train, uint64_t valid, uint64_t test) {
    if (prepared.status != HN_OK) {
        print_error("%s\n", prepared.err.message);
    }
    assert_int_equal(prepared.status, HN_OK);
    assert_int_equal(prepared.report.lines_bad, 0);
    assert_int_equal(hn_dataset_users(prepared.dataset), users);
    assert_int_equal(hn_dataset_items(prepared.dataset), items);
    if (train > 0) {
        assert_int_equal(hn_dataset_count(prepared.dataset, HN_PART_TRAIN), train);
        assert_int_equal(hn_dataset_count(prepared.dataset, HN_PART_VALID), valid);
        assert_int_equal(hn_dataset_count(prepared.dataset, HN_PART_TEST), test);
    }
}

/* Every pair once and in order, whatever part it is in; together as many as were kept. */
static void expect_partition(void) {
    uint64_t n = 0;
    for (uint64_t u = 0; u < hn_dataset_users(prepared.dataset); u++) {
        uint64_t at[3], end[3];
        for (int part = 0; part < 3; part++) {
            at[part] = prepared.pairs[part].offsets[u];
            end[part] = prepared.pairs[part].offsets[u + 1];
            n += end[part] - at[part];
            for (uint64_t p = at[part] + 1; p < end[part]; p++) {
                assert_true(prepared.pairs[part].items[p - 1] < prepared.pairs[part].items[p]);
            }
        }
        for (uint64_t p = at[0]; p < end[0]; p++) { /* no train item is tested */
            for (int part = 1; part < 3; part++) {
                for (uint64_t q = at[part]; q < end[part]; q++) {
                    assert_int_not_equal(prepared.pairs[0].items[p], prepared.pairs[part].items[q]);
                }
            }
        }
    }
    assert_int_equal(n, prepared.report.pairs_kept);
}

static void gift_cards(void **state) {
    (void)state;
    fixture_prepare(&prepared, "real.h5", "data.format=amazon",
                    set_files("data.interactions", true, "amazon-reviews-5core/Gift_Cards_5.json.gz", NULL),
                    set_files("data.items", true, "amazon-reviews-5core/meta_Gift_Cards.json.gz", NULL), NULL);
    expect(458, 148, 0, 0, 0);
    expect_partition();
    assert_int_equal(prepared.report.pairs_read, 2972);
    assert_int_equal(prepared.report.pairs_kept, 2965);
    assert_int_equal(prepared.report.lines_read, 2972 + 1547);
    assert_int_equal(prepared.report.n_titles, 148);
    assert_int_equal(prepared.report.n_descriptions, 145);
    assert_true(prepared.report.n_reviews >= prepared.report.n_train - 6);
    assert_true(hn_dataset_has_text(prepared.dataset, HN_TEXT_REVIEW));
    fixture_release(&prepared);
    /* All pairs in the train part: the texts can be counted against the folder's table. Ratings below 3 are few. */
    fixture_prepare(&prepared, "all.h5", "data.format=amazon", "data.split_ratio=[1.0,0.0,0.0]",
                    set_files("data.interactions", true, "amazon-reviews-5core/Gift_Cards_5.json.gz", NULL), NULL);
    expect(458, 148, 2965, 0, 0);
    assert_int_equal(prepared.report.n_reviews, 2965); /* a review without a text has its summary */
    fixture_release(&prepared);
}

static void magazines(void **state) {
    (void)state;
    fixture_prepare(&prepared, "real.h5", "data.format=amazon",
                    set_files("data.interactions", true, "amazon-reviews-5core/Magazine_Subscriptions_5.json.gz", NULL),
                    set_files("data.items", true, "amazon-reviews-5core/meta_Magazine_Subscriptions.json.gz", NULL),
                    NULL);
    expect(348, 157, 0, 0, 0);
    expect_partition();
    assert_int_equal(prepared.report.pairs_kept, 2302);
    assert_int_equal(prepared.report.pairs_repeated, 73);
    assert_int_equal(prepared.report.n_titles, 3);         /* the other 148 are page source */
    assert_int_equal(prepared.report.n_descriptions, 145); /* one of 146 is a list of empty strings */
    fixture_release(&prepared);
}

static void movielens(void **state) {
    (void)state;
    const char *ratings = set_files("data.interactions", true, "movielens-100k/u.data", NULL);
    const char *movies = set_files("data.items", true, "movielens-100k/u.item", NULL);
    fixture_prepare(&prepared, "real.h5", "data.format=movielens", ratings, movies, NULL);
    expect(943, 1682, 0, 0, 0);
    expect_partition();
    assert_int_equal(prepared.report.pairs_kept, 100000);
    assert_int_equal(prepared.report.n_titles, 1682);
    /* Random 8:1:1 per user, right on average: five standard deviations of the rounding. */
    assert_true(prepared.report.n_test > 9900 && prepared.report.n_test < 10100);
    for (uint64_t i = 0; i < 1682; i++) {
        if (strcmp(fixture_row(prepared.dataset, HN_TEXT_ITEM_ID, i), "543") == 0) {
            assert_string_equal(fixture_row(prepared.dataset, HN_TEXT_TITLE, i), "Miserables, Les (1995)");
            assert_string_equal(fixture_row(prepared.dataset, HN_TEXT_CATEGORIES, i), "Drama, Musical");
        }
    }
    fixture_release(&prepared);
    fixture_prepare(&prepared, "real.h5", "data.format=movielens", ratings, movies, "data.min_rating=4", NULL);
    assert_int_equal(prepared.report.pairs_kept, 55375);
    fixture_release(&prepared);
    /* By time: no test pair of a user is earlier than one of its train pairs; checked through leave-one-out's count. */
    fixture_prepare(&prepared, "real.h5", "data.format=movielens", ratings, "data.split=leave_one_out", NULL);
    expect(943, 1682, 100000 - 2 * 943, 943, 943);
    fixture_release(&prepared);
}

static void movielens_table(void **state) {
    (void)state;
    fixture_prepare(&prepared, "real.h5", "data.format=movielens",
                    set_files("data.interactions", true, "movielens-100k/u.data", NULL),
                    set_files("data.items", true, "movielens-1m-items/ml-1m.item", NULL), NULL);
    expect(943, 1682, 0, 0, 0);
    assert_int_equal(prepared.report.lines_read, 100000 + 3883 + 1);
    fixture_release(&prepared);
}

static void ahns_phone(void **state) {
    (void)state;
    fixture_prepare(&prepared, "real.h5", "data.format=lightgcn", "data.split=given",
                    set_files("data.interactions", true, "ahns/phone/train.txt", NULL),
                    set_files("data.test", true, "ahns/phone/test.txt", NULL), NULL);
    expect(27879, 10429, 155163, 0, 39276);
    expect_partition();
    assert_int_equal(prepared.report.users_untrained, 4);
    assert_int_equal(prepared.report.items_untrained, 2);
    assert_int_equal(prepared.report.users_untested, 27879 - 20899);
    /* Dense ids: the index is the id. */
    assert_string_equal(fixture_row(prepared.dataset, HN_TEXT_USER_ID, 12345), "12345");
    assert_string_equal(fixture_row(prepared.dataset, HN_TEXT_ITEM_ID, 10428), "10428");
    assert_int_equal(prepared.pairs[0].items[1], 1344);
    fixture_release(&prepared);
}

static void xrec(void **state) {
    (void)state;
    fixture_prepare(&prepared, "real.h5", "data.format=pairs", "data.split=given",
                    set_files("data.interactions", true, "xrec-profiles/yelp_trn.csv.gz", NULL),
                    set_files("data.valid", true, "xrec-profiles/yelp_val.csv.gz", NULL),
                    set_files("data.test", true, "xrec-profiles/yelp_tst.csv.gz", NULL),
                    set_files("data.keep_users", false, "xrec-profiles/yelp_user_profiles.jsonl", NULL),
                    set_files("data.keep_items", false, "xrec-profiles/yelp_item_profiles.jsonl", NULL), NULL);
    expect(2228, 2473, 28089, 3533, 3451);
    expect_partition();
    assert_int_equal(prepared.report.pairs_read, 393680);
    assert_int_equal(prepared.report.pairs_crossing, 0);
    assert_int_equal(prepared.report.n_titles, 2473);
    assert_int_equal(prepared.report.kept_users_unseen, 0);
    fixture_release(&prepared);
}

static void yelp(void **state) {
    (void)state;
    /* The sample holds 999 reviews of 993 users on 822 businesses, 77 of them of businesses in the business file (its
     * README says 1000 and 999; counted with Python). */
    fixture_prepare(
        &prepared, "real.h5", "data.format=yelp",
        set_files("data.interactions", true, "yelp-academic-sample/yelp_academic_dataset_review.json.gz", NULL),
        set_files("data.items", true, "yelp-academic-sample/yelp_academic_dataset_business.json.gz", NULL),
        "data.split_ratio=[1.0,0.0,0.0]", NULL);
    expect(993, 822, 999, 0, 0);
    assert_int_equal(prepared.report.n_reviews, 999);
    assert_int_equal(prepared.report.n_titles, 63);
    fixture_release(&prepared);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gift_cards), cmocka_unit_test(magazines),
        cmocka_unit_test(movielens),  cmocka_unit_test(movielens_table),
        cmocka_unit_test(ahns_phone), cmocka_unit_test(xrec),
        cmocka_unit_test(yelp),
    };
    if (fixture_shared("README.md") == NULL) {
        print_message("SKIP: no shared data; set HNLMREC_TEST_DATA to its folder\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
