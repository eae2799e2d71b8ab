/* The dealer's books alone. */
#include "check.h"

#include "deal_pool.h"

#include "base/alloc.h"
#include "base/rng.h"

static void test_runs_skip_what_is_done(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnPool *pool = NULL;
    const uint8_t done[] = {1, 0, 0, 1, 0, 1, 1, 0};
    assert_ok(hn_pool_create(8, done, 2, &pool, &err));
    assert_int_equal(hn_pool_open_count(pool), 4);
    assert_int_equal(hn_pool_finished_count(pool), 4);
    HnPoolGrant grant;
    assert_true(hn_pool_take(pool, 0, 9, &grant));
    assert_true(grant.first == 1 && grant.count == 2 && grant.ticket == 0);
    assert_true(hn_pool_take(pool, 0, 9, &grant));
    assert_true(grant.first == 4 && grant.count == 1);
    assert_true(hn_pool_take(pool, 0, 9, &grant));
    assert_true(grant.first == 7 && grant.count == 1);
    assert_false(hn_pool_take(pool, 0, 9, &grant));
    uint64_t left, first_left;
    bool gone[2] = {false, false};
    assert_false(hn_pool_is_settled(pool, gone, &left, &first_left));
    hn_pool_finish(pool, 4);
    assert_true(hn_pool_is_settled(pool, gone, &left, &first_left));
    assert_int_equal(left, 0);
    hn_pool_free(&pool);
}

static void test_refused_by_all(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnPool *pool = NULL;
    assert_ok(hn_pool_create(1, NULL, 3, &pool, &err));
    bool gone[3] = {false, false, false};
    uint64_t left, first_left;
    HnPoolGrant grant;
    for (int rank = 0; rank < 3; rank++) {
        assert_false(hn_pool_is_settled(pool, gone, &left, &first_left));
        assert_true(hn_pool_take(pool, rank, 1, &grant));
        assert_ok(hn_pool_put_back(pool, grant.first, grant.ticket, rank, &err));
        assert_false(hn_pool_take(pool, rank, 1, &grant)); /* never again to the same */
    }
    assert_true(hn_pool_is_settled(pool, gone, &left, &first_left));
    assert_true(left == 1 && first_left == 0);
    hn_pool_free(&pool);
}

static void test_last_able_rank_left(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnPool *pool = NULL;
    assert_ok(hn_pool_create(10, NULL, 2, &pool, &err));
    bool gone[2] = {false, false};
    uint64_t left, first_left;
    HnPoolGrant grant;
    assert_true(hn_pool_take(pool, 0, 3, &grant));
    hn_pool_finish(pool, 3);
    gone[0] = true;
    assert_false(hn_pool_is_settled(pool, gone, &left, &first_left));
    gone[1] = true;
    assert_true(hn_pool_is_settled(pool, gone, &left, &first_left));
    assert_true(left == 7 && first_left == 3);
    hn_pool_free(&pool);
}

static void test_what_was_never_dealt(void **state) {
    (void)state;
    HnPool *pool = NULL;
    HnPoolGrant grant;
    HnError err = HN_ERROR_INIT;
    assert_ok(hn_pool_create(10, NULL, 1, &pool, &err));
    assert_int_equal(hn_pool_put_back(pool, 2, 0, -1, &err), HN_INTERNAL); /* nothing is out */
    assert_true(hn_pool_take(pool, 0, 2, &grant));
    hn_error_clear(&err);
    assert_int_equal(hn_pool_put_back(pool, 10, 0, -1, &err), HN_INTERNAL);
    hn_error_clear(&err);
    assert_int_equal(hn_pool_put_back(pool, 1, 1, -1, &err), HN_INTERNAL);
    hn_pool_free(&pool);
}

/* Many ranks take, finish, refuse and put back at random; every item ends finished exactly once. */
static void test_random_traffic(void **state) {
    (void)state;
    enum { N = 2000, RANKS = 70 };
    HnError err = HN_ERROR_INIT;
    HnPool *pool = NULL;
    HnRng rng;
    hn_rng_start(&rng, 7, HN_STREAM_TEST, 1, 0);
    uint8_t done[N];
    int finished[N] = {0};
    for (int i = 0; i < N; i++) {
        done[i] = hn_rng_below(&rng, 3) == 0;
        finished[i] = done[i];
    }
    assert_ok(hn_pool_create(N, done, RANKS, &pool, &err));
    bool gone[RANKS] = {false};
    uint64_t left, first_left;
    while (!hn_pool_is_settled(pool, gone, &left, &first_left)) {
        HnPoolGrant grant;
        int rank = (int)hn_rng_below(&rng, RANKS);
        if (!hn_pool_take(pool, rank, 1 + hn_rng_below(&rng, 9), &grant)) {
            continue;
        }
        for (uint64_t i = 0; i < grant.count; i++) {
            uint64_t item = grant.first + i;
            if (hn_rng_below(&rng, 4) == 0) {
                assert_ok(hn_pool_put_back(pool, item, grant.ticket, hn_rng_below(&rng, 2) ? rank : -1, &err));
            } else {
                finished[item]++;
                hn_pool_finish(pool, 1);
            }
        }
    }
    assert_int_equal(left, 0);
    assert_int_equal(hn_pool_finished_count(pool), N);
    for (int i = 0; i < N; i++) {
        assert_int_equal(finished[i], 1);
    }
    hn_pool_free(&pool);
    assert_int_equal(hn_alloc_live_blocks(), 0);
}

static void test_memory_runs_out(void **state) {
    (void)state;
    const uint8_t done[100] = {1};
    HnStatus status = HN_MEMORY;
    for (uint64_t n = 1; status != HN_OK; n++) {
        HnError err = HN_ERROR_INIT;
        HnPool *pool = NULL;
        hn_alloc_fail_at(n);
        status = hn_pool_create(100, done, 2, &pool, &err);
        hn_alloc_fail_at(0);
        assert_int_equal(pool != NULL, status == HN_OK);
        hn_pool_free(&pool);
        assert_int_equal(hn_alloc_live_blocks(), 0);
        assert_true(n < 10);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_skip_what_is_done), cmocka_unit_test(test_refused_by_all),
        cmocka_unit_test(test_last_able_rank_left),    cmocka_unit_test(test_what_was_never_dealt),
        cmocka_unit_test(test_random_traffic),         cmocka_unit_test(test_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
