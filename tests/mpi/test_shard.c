/* Sharding arithmetic: properties that must hold for any input, and cases with a known answer. */
#include "check.h"

#include <string.h>

#include "shard.h"

#include "base/alloc.h"
#include "base/rng.h"

static void check_cover(const uint64_t *begin, int n_shards, uint64_t n_rows) {
    assert_int_equal(begin[0], 0);
    assert_int_equal(begin[n_shards], n_rows);
    for (int s = 0; s < n_shards; s++) {
        assert_true(begin[s] <= begin[s + 1]);
    }
}

/* No shard is heavier than its share by more than one (its heaviest) row, so the balance is as good as rows allow. */
static void check_balance(const uint64_t *offsets, uint64_t n_rows, const uint64_t *begin, int n_shards) {
    uint64_t heaviest = 0;
    for (uint64_t r = 0; r < n_rows; r++) {
        uint64_t weight = offsets[r + 1] - offsets[r] + 1;
        heaviest = weight > heaviest ? weight : heaviest;
    }
    uint64_t total = offsets[n_rows] - offsets[0] + n_rows;
    for (int s = 0; s < n_shards; s++) {
        uint64_t weight = offsets[begin[s + 1]] - offsets[begin[s]] + begin[s + 1] - begin[s];
        assert_true(weight <= total / (uint64_t)n_shards + 1 + heaviest);
    }
}

static void test_random_weights(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnRng rng;
    hn_rng_start(&rng, 1, HN_STREAM_TEST, 0, 0);
    for (int round = 0; round < 400; round++) {
        uint64_t n_rows = hn_rng_below(&rng, 60);
        int n_shards = 1 + (int)hn_rng_below(&rng, 70); /* often more shards than rows */
        uint64_t *offsets = hn_alloc(n_rows + 1, sizeof *offsets, "offsets", &err);
        uint64_t *begin = hn_alloc((size_t)n_shards + 1, sizeof *begin, "shards", &err);
        assert_true(offsets != NULL && begin != NULL);
        offsets[0] = hn_rng_below(&rng, 1000); /* a cut of a larger graph need not begin at 0 */
        for (uint64_t r = 0; r < n_rows; r++) {
            uint64_t long_tail = hn_rng_below(&rng, 10) == 0 ? 500 : 5;
            offsets[r + 1] = offsets[r] + hn_rng_below64(&rng, long_tail);
        }
        hn_shard_by_weight(offsets, n_rows, n_shards, begin);
        check_cover(begin, n_shards, n_rows);
        check_balance(offsets, n_rows, begin, n_shards);
        hn_free(offsets);
        hn_free(begin);
    }
}

static void test_known_weights(void **state) {
    (void)state;
    uint64_t even[] = {0, 3, 6, 9, 12}, begin[5];
    hn_shard_by_weight(even, 4, 2, begin);
    assert_int_equal(begin[1], 2);
    hn_shard_by_weight(even, 4, 4, begin);
    for (uint64_t s = 0; s <= 4; s++) {
        assert_int_equal(begin[s], s);
    }
    uint64_t one_heavy[] = {0, 100, 100, 100, 100}; /* weights 101, 1, 1, 1: the heavy row stands alone */
    hn_shard_by_weight(one_heavy, 4, 2, begin);
    assert_int_equal(begin[1], 1);
    uint64_t huge[] = {0, UINT64_MAX / 4, UINT64_MAX / 2}; /* products of these with a shard number would overflow */
    hn_shard_by_weight(huge, 2, 2, begin);
    assert_int_equal(begin[1], 1);
    uint64_t none[] = {0};
    hn_shard_by_weight(none, 0, 3, begin);
    check_cover(begin, 3, 0);
}

static void test_shards_of_ranks(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    for (int n_shards = 1; n_shards <= 40; n_shards++) {
        for (int n_ranks = 1; n_ranks <= n_shards; n_ranks++) {
            int next = 0, least = n_shards, most = 0;
            for (int rank = 0; rank < n_ranks; rank++) {
                int first, last;
                assert_ok(hn_shard_of_rank(n_shards, n_ranks, rank, &first, &last, &err));
                assert_int_equal(first, next);
                next = last;
                least = last - first < least ? last - first : least;
                most = last - first > most ? last - first : most;
            }
            assert_int_equal(next, n_shards);
            assert_true(least >= 1 && most - least <= 1);
        }
    }
}

static void test_refused_ranks(void **state) {
    (void)state;
    int first, last;
    HnError err = HN_ERROR_INIT;
    assert_int_equal(hn_shard_of_rank(3, 4, 0, &first, &last, &err), HN_CONFIG);
    assert_non_null(strstr(err.message, "4 trainer ranks share 3"));
    hn_error_clear(&err);
    assert_int_equal(hn_shard_of_rank(8, 4, 4, &first, &last, &err), HN_INTERNAL);
    hn_error_clear(&err);
    assert_int_equal(hn_shard_of_rank(8, 4, -1, &first, &last, &err), HN_INTERNAL);
    hn_error_clear(&err);
    assert_int_equal(hn_shard_of_rank(8, 0, 0, &first, &last, &err), HN_INTERNAL);
}

static void test_blocks(void **state) {
    (void)state;
    const uint64_t sizes[] = {0, 1, 2, 7, 64, 1000003, UINT64_MAX - 1};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (int n_parts = 1; n_parts < 12; n_parts++) {
            uint64_t next = 0;
            for (int part = 0; part < n_parts; part++) {
                uint64_t begin, end;
                hn_shard_block(sizes[i], n_parts, part, &begin, &end);
                assert_int_equal(begin, next);
                assert_true(end - begin <= sizes[i] / (uint64_t)n_parts + 1);
                assert_true(end - begin >= sizes[i] / (uint64_t)n_parts);
                next = end;
            }
            assert_int_equal(next, sizes[i]);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_weights),  cmocka_unit_test(test_known_weights),
        cmocka_unit_test(test_shards_of_ranks), cmocka_unit_test(test_refused_ranks),
        cmocka_unit_test(test_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
