/* Splits: counts, shares, order of time, independence of other users. */
#include "data/split.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "data/dataset.h"
#include "fixture.h"

enum { MOST = 200 };

static HnSplitKey keys[MOST];

static void count_parts(const uint8_t *parts, uint64_t n, uint64_t counts[3]) {
    memset(counts, 0, 3 * sizeof *counts);
    for (uint64_t p = 0; p < n; p++) {
        assert_true(parts[p] <= HN_PART_TEST);
        counts[parts[p]]++;
    }
}

static void ratio(void **state) {
    (void)state;
    HnSplit split = {.rule = HN_SPLIT_BY_RATIO, .ratio = {0.8, 0.1, 0.1}, .seed = 3};
    for (uint64_t n = 1; n <= 40; n++) {
        double sum[3] = {0, 0, 0};
        const int users = 4000;
        for (uint32_t user = 0; user < (uint32_t)users; user++) {
            uint8_t parts[MOST];
            uint64_t counts[3], seen[3];
            hn_split_counts(&split, user, n, counts);
            hn_split_user(&split, user, n, NULL, parts, keys);
            count_parts(parts, n, seen);
            assert_memory_equal(seen, counts, sizeof seen);
            assert_true(counts[HN_PART_TRAIN] >= 1);
            assert_true(fabs((double)counts[HN_PART_TEST] - 0.1 * (double)n) < 1);
            for (int part = 0; part < 3; part++) {
                sum[part] += (double)counts[part];
            }
        }
        /* On average the asked share, for every activity: 4 standard deviations of 4000 coin flips. */
        double bound = n == 1 ? 1 : 4 * 0.5 / sqrt(users);
        assert_true(fabs(sum[HN_PART_TEST] / users - 0.1 * (double)n) < (n <= 2 ? 0.2 : bound));
        assert_true(fabs(sum[HN_PART_VALID] / users - 0.1 * (double)n) < (n <= 2 ? 0.2 : bound));
        if (n % 10 == 0) {
            assert_true(sum[HN_PART_TEST] == (double)users * (double)n / 10); /* nothing to round */
        }
    }
    /* Every position is as likely to be the test one. */
    uint64_t hits[10] = {0};
    for (uint32_t user = 0; user < 20000; user++) {
        uint8_t parts[10];
        hn_split_user(&split, user, 10, NULL, parts, keys);
        for (int p = 0; p < 10; p++) {
            hits[p] += parts[p] == HN_PART_TEST;
        }
    }
    for (int p = 0; p < 10; p++) {
        assert_true(fabs((double)hits[p] - 2000) < 4 * sqrt(20000 * 0.1 * 0.9));
    }
}

static void seeds(void **state) {
    (void)state;
    HnSplit a = {.rule = HN_SPLIT_BY_RATIO, .ratio = {0.5, 0.25, 0.25}, .seed = 1}, b = a;
    uint8_t one[MOST], again[MOST], other[MOST];
    hn_split_user(&a, 7, MOST, NULL, one, keys);
    hn_split_user(&a, 7, MOST, NULL, again, keys);
    assert_memory_equal(one, again, MOST);
    hn_split_user(&a, 8, MOST, NULL, other, keys);
    assert_memory_not_equal(one, other, MOST);
    b.seed = 2;
    hn_split_user(&b, 7, MOST, NULL, other, keys);
    assert_memory_not_equal(one, other, MOST);
}

static void by_time(void **state) {
    (void)state;
    HnSplit split = {.rule = HN_SPLIT_BY_TIME, .ratio = {0.6, 0.2, 0.2}, .seed = 9};
    for (uint32_t user = 0; user < 300; user++) {
        HnRng rng;
        int64_t times[MOST];
        uint8_t parts[MOST];
        uint64_t n = 1 + user % 60;
        hn_rng_start(&rng, 1, HN_STREAM_TEST, 2, user);
        for (uint64_t p = 0; p < n; p++) {
            times[p] = (int64_t)hn_rng_below(&rng, 30); /* with ties */
        }
        hn_split_user(&split, user, n, times, parts, keys);
        for (uint64_t p = 0; p < n; p++) {
            for (uint64_t q = 0; q < n; q++) {
                assert_false(parts[p] < parts[q] && times[p] > times[q]);
            }
        }
    }
}

static void leave_one_out(void **state) {
    (void)state;
    HnSplit split = {.rule = HN_SPLIT_LEAVE_ONE_OUT};
    const int64_t times[] = {50, 10, 90, 70};
    uint8_t parts[4];
    hn_split_user(&split, 0, 4, times, parts, keys);
    const uint8_t expected[] = {HN_PART_TRAIN, HN_PART_TRAIN, HN_PART_TEST, HN_PART_VALID};
    assert_memory_equal(parts, expected, 4);
    uint64_t counts[3];
    const uint64_t wanted[][3] = {{1, 0, 0}, {1, 0, 1}, {1, 1, 1}, {2, 1, 1}};
    for (uint64_t n = 1; n <= 4; n++) {
        hn_split_counts(&split, 0, n, counts);
        assert_memory_equal(counts, wanted[n - 1], sizeof counts);
    }
    /* Without times the pair left out is a random one. */
    uint64_t hits[4] = {0};
    for (uint32_t user = 0; user < 4000; user++) {
        hn_split_user(&split, user, 4, NULL, parts, keys);
        for (int p = 0; p < 4; p++) {
            hits[p] += parts[p] == HN_PART_TEST;
        }
    }
    for (int p = 0; p < 4; p++) {
        assert_true(hits[p] > 850 && hits[p] < 1150);
    }
}

/* A share of the train pairs: counts as promised, validation and test as without, and each share within the next. */
static void shares_are_nested(void **state) {
    (void)state;
    static const double shares[] = {0.001, 0.2, 0.4, 0.5, 0.6, 0.8, 1.0};
    for (uint32_t user = 0; user < 300; user++) {
        HnSplit split = {.rule = HN_SPLIT_BY_RATIO, .ratio = {0.8, 0.1, 0.1}, .seed = 3};
        uint64_t n = user % 43, counts[3], whole_counts[3];
        uint8_t whole[MOST], before[MOST], parts[MOST];
        hn_split_user(&split, user, n, NULL, whole, keys);
        count_parts(whole, n, whole_counts);
        memset(before, HN_PART_NONE, sizeof before);
        for (size_t k = 0; k < sizeof shares / sizeof *shares; k++) {
            uint64_t seen[4] = {0, 0, 0, 0};
            split.left_out = 1.0 - shares[k];
            hn_split_counts(&split, user, n, counts);
            hn_split_user(&split, user, n, NULL, parts, keys);
            for (uint64_t p = 0; p < n; p++) {
                seen[parts[p]]++;
                assert_true(before[p] == HN_PART_NONE || parts[p] == before[p]); /* what was kept is kept */
                assert_true(parts[p] == whole[p] || (parts[p] == HN_PART_NONE && whole[p] == HN_PART_TRAIN));
            }
            assert_memory_equal(seen, counts, sizeof counts);
            uint64_t want = (uint64_t)ceil(shares[k] * (double)whole_counts[HN_PART_TRAIN] - 1e-6);
            assert_int_equal(counts[HN_PART_TRAIN], want > 0 || n == 0 ? want : 1);
            memcpy(before, parts, sizeof before);
        }
        assert_memory_equal(before, whole, n); /* the last share is all */
    }
}

/* A share of given train pairs for validation: right on average for any activity, at least one train pair stays, other
 * parts are not touched, and where test pairs lie between them changes nothing. */
static void valid_out_of_given_train(void **state) {
    (void)state;
    HnSplit split = {.rule = HN_SPLIT_GIVEN, .seed = 3, .valid_share = 0.15};
    uint64_t hits[10] = {0};
    for (uint64_t n = 1; n <= 30; n++) {
        const int users = 4000;
        double sum = 0.0;
        for (uint32_t user = 0; user < (uint32_t)users; user++) {
            uint8_t parts[MOST], again[MOST], mixed[MOST];
            uint64_t counts[3], train = 0;
            memset(parts, HN_PART_TRAIN, n);
            memset(again, HN_PART_TRAIN, n);
            for (uint64_t p = 0; p < 2 * n; p++) {
                mixed[p] = p % 2 == 0 ? HN_PART_TEST : HN_PART_TRAIN;
            }
            hn_split_given(&split, user, n, parts, keys);
            hn_split_given(&split, user, n, again, keys);
            hn_split_given(&split, user, 2 * n, mixed, keys);
            count_parts(parts, n, counts);
            assert_memory_equal(parts, again, n);
            for (uint64_t p = 0; p < n; p++) {
                assert_int_equal(mixed[2 * p], HN_PART_TEST);
                assert_int_equal(mixed[2 * p + 1], parts[p]);
                train += parts[p] == HN_PART_TRAIN;
                hits[p % 10] += n == 10 && parts[p] == HN_PART_VALID;
            }
            assert_true(train >= 1 && counts[HN_PART_TEST] == 0);
            assert_true(n == 1 || fabs((double)counts[HN_PART_VALID] - 0.15 * (double)n) < 1);
            sum += (double)counts[HN_PART_VALID];
        }
        assert_true(fabs(sum / users - (n == 1 ? 0.0 : 0.15 * (double)n)) < 4 * 0.5 / sqrt(users));
    }
    for (int p = 0; p < 10; p++) {
        assert_true(fabs((double)hits[p] - 600) < 4 * sqrt(4000 * 0.15 * 0.85));
    }
    uint8_t one[MOST] = {0}, other[MOST] = {0};
    hn_split_given(&split, 1, MOST, one, keys);
    split.seed = 4;
    hn_split_given(&split, 1, MOST, other, keys);
    assert_memory_not_equal(one, other, MOST);
}

static void setup_refuses(void **state) {
    (void)state;
    double shares[3];
    HnDataConfig config;
    memset(&config, 0, sizeof config);
    config.split = HN_SPLIT_BY_RATIO;
    config.split_ratio = (HnDoubleList){shares, 3};
    const double bad[][3] = {{0.8, 0.1, 0.2}, {0, 0.5, 0.5}, {1.2, -0.1, -0.1}, {NAN, 0.5, 0.5}};
    for (size_t k = 0; k < 4; k++) {
        HnSplit split;
        HnError err = HN_ERROR_INIT;
        memcpy(shares, bad[k], sizeof shares);
        assert_int_equal(hn_split_setup(&config, &split, &err), HN_CONFIG);
        assert_non_null(strstr(err.message, "data.split_ratio"));
    }
    HnSplit split;
    HnError err = HN_ERROR_INIT;
    config.split_ratio.n = 2;
    assert_int_equal(hn_split_setup(&config, &split, &err), HN_CONFIG);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(ratio),
                                       cmocka_unit_test(seeds),
                                       cmocka_unit_test(by_time),
                                       cmocka_unit_test(leave_one_out),
                                       cmocka_unit_test(shares_are_nested),
                                       cmocka_unit_test(valid_out_of_given_train),
                                       cmocka_unit_test(setup_refuses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
