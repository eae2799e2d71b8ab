/* Dealing over real messages, 1 to 4 ranks: every item exactly once, whatever the ranks do meanwhile. */
#include "check.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "deal.h"
#include "world.h"

static HnComm *world;

static void nap(uint32_t microseconds) {
    struct timespec time = {0, (long)microseconds * 1000};
    nanosleep(&time, NULL);
}

typedef struct Worker {
    uint32_t nap_us;      /* up to so long on an item */
    uint32_t refuse_1_in; /* gives back one item in so many; 0 = never */
    uint64_t leave_after; /* calls hn_deal_end with work in hand after so many items; 0 = never */
    uint32_t in_hand;     /* takes so many before it does the first */
} Worker;

/* Works until the end; did[i] counts how often this rank finished item i. Returns hn_deal_end's status. */
static HnStatus work(HnDeal *deal, Worker how, int32_t *did, HnRng *rng, HnError *err) {
    uint64_t hand[16], n_hand = 0, n_done = 0;
    bool finished = false, got = true;
    while (!finished || n_hand > 0) {
        if (how.leave_after > 0 && n_done >= how.leave_after) {
            break;
        }
        if (n_hand < how.in_hand + 1 && !finished) {
            HN_TRY(hn_deal_next(deal, &hand[n_hand], &got, &finished, err));
            n_hand += got;
            if (got && n_hand < how.in_hand + 1) {
                continue;
            }
        }
        if (n_hand == 0) {
            nap(20);
            continue;
        }
        uint64_t item = hand[--n_hand];
        if (how.nap_us > 0) {
            nap(hn_rng_below(rng, how.nap_us));
        }
        if (how.refuse_1_in > 0 && hn_rng_below(rng, how.refuse_1_in) == 0) {
            HN_TRY(hn_deal_return(deal, item, err));
        } else {
            did[item]++;
            HN_TRY(hn_deal_done(deal, item, err));
            n_done++;
        }
    }
    return hn_deal_end(&deal, err);
}

/* One whole deal; afterwards every item not done before was done once over all ranks, unless status tells otherwise. */
static HnStatus run_deal(uint64_t n, uint64_t chunk, const uint8_t *done, Worker how, uint32_t round) {
    HnError err = HN_ERROR_INIT;
    HnDeal *deal = NULL;
    HnRng rng;
    hn_rng_start(&rng, 5, HN_STREAM_TEST, (uint32_t)hn_comm_rank(world), round);
    int32_t *did = hn_alloc(n, sizeof *did, "what this rank did", &err);
    assert_non_null(did);
    assert_ok(hn_deal_start(world, n, hn_comm_rank(world) == 0 ? done : NULL, chunk, &deal, &err));
    HnStatus status = work(deal, how, did, &rng, &err);
    HnError sum_err = HN_ERROR_INIT;
    assert_int_equal(hn_comm_sum_i32(world, did, n, &sum_err), HN_OK);
    uint64_t undone = 0;
    for (uint64_t i = 0; i < n; i++) {
        int expected = done == NULL || done[i] == 0;
        assert_true(did[i] == expected || (status != HN_OK && did[i] == 0));
        undone += did[i] < expected;
    }
    hn_free(did);
    if (status == HN_OK) {
        assert_int_equal(undone, 0);
    } else {
        char expected[64];
        (void)snprintf(expected, sizeof expected, "%llu work items are left", (unsigned long long)undone);
        assert_non_null(strstr(err.message, expected));
    }
    return status;
}

static void test_sizes_and_chunks(void **state) {
    (void)state;
    const uint64_t sizes[] = {0, 1, 2, 3, 17, 1000}, chunks[] = {0, 1, 2, 16, 5000};
    for (size_t s = 0; s < 6; s++) {
        for (size_t c = 0; c < 5; c++) {
            assert_int_equal(run_deal(sizes[s], chunks[c], NULL, (Worker){0}, 0), HN_OK);
        }
    }
}

static void test_many_items(void **state) {
    (void)state;
    assert_int_equal(run_deal(200000, 64, NULL, (Worker){0}, 1), HN_OK);
}

static void test_random_delays(void **state) {
    (void)state;
    uint32_t rank = (uint32_t)hn_comm_rank(world);
    for (uint32_t round = 0; round < 3; round++) {
        Worker how = {.nap_us = 1 + 400 * ((rank + round) % 3), .in_hand = 5 * (rank % 2)};
        assert_int_equal(run_deal(300, 4, NULL, how, 2 + round), HN_OK);
    }
}

static void test_done_map(void **state) {
    (void)state;
    enum { N = 5000 };
    uint8_t done[N];
    HnRng rng;
    for (uint32_t kind = 0; kind < 4; kind++) {
        hn_rng_start(&rng, 3, HN_STREAM_TEST, 99, kind);
        for (int i = 0; i < N; i++) {
            done[i] = kind == 0 ? 1 : kind == 1 ? i >= 3 : hn_rng_below(&rng, kind == 2 ? 2 : 50) == 0;
        }
        assert_int_equal(run_deal(N, 16, done, (Worker){0}, 10 + kind), HN_OK);
    }
}

/* Every rank but the last refuses now and then; what it refuses, another one does. */
static void test_returns(void **state) {
    (void)state;
    bool able = hn_comm_rank(world) == hn_comm_size(world) - 1;
    for (uint32_t round = 0; round < 3; round++) {
        Worker how = {.refuse_1_in = able ? 0 : 2 + round, .in_hand = 3, .nap_us = able ? 0 : 20};
        assert_int_equal(run_deal(500, 8, NULL, how, 20 + round), HN_OK);
    }
}

/* One rank after the other is lost with work in its hands, the dealer's rank among them; the last one does the rest. */
static void test_lost_workers(void **state) {
    (void)state;
    int rank = hn_comm_rank(world), size = hn_comm_size(world);
    for (int survivor = 0; survivor < size; survivor++) {
        Worker how = {.leave_after = rank == survivor ? 0 : 5 * (uint64_t)rank + 1, .in_hand = 4, .nap_us = 30};
        assert_int_equal(run_deal(400, 16, NULL, how, 30 + (uint32_t)survivor), HN_OK);
    }
}

static void test_all_lost(void **state) {
    (void)state;
    Worker how = {.leave_after = 3, .in_hand = 2, .nap_us = 30};
    assert_int_equal(run_deal(1000, 8, NULL, how, 40), HN_NETWORK);
    assert_int_equal(run_deal(100, 8, NULL, (Worker){.refuse_1_in = 1}, 41), HN_NETWORK); /* all refuse all */
    assert_int_equal(run_deal(50, 8, NULL, (Worker){0}, 42), HN_OK);                      /* and the next deal works */
}

/* One rank, each in turn, stops all of them; what was done before is done once, and the next deal works. */
static void test_cancel(void **state) {
    (void)state;
    enum { N = 100000 };
    int size = hn_comm_size(world), rank = hn_comm_rank(world);
    static int32_t did[N];
    for (int who = 0; who < size; who++) {
        HnError err = HN_ERROR_INIT;
        HnDeal *deal = NULL;
        memset(did, 0, sizeof did);
        assert_ok(hn_deal_start(world, N, NULL, 32, &deal, &err));
        bool finished = false, got = false;
        uint64_t item = 0, n_done = 0;
        while (!finished) {
            assert_ok(hn_deal_next(deal, &item, &got, &finished, &err));
            assert_false(got && finished);
            if (got) {
                nap(10);
                did[item]++;
                assert_ok(hn_deal_done(deal, item, &err));
                if (++n_done == 20 && rank == who) {
                    assert_ok(hn_deal_cancel(deal, &err));
                    assert_ok(hn_deal_cancel(deal, &err)); /* twice is fine */
                }
            }
        }
        assert_int_equal(hn_deal_end(&deal, &err), HN_INTERRUPTED);
        int64_t total = (int64_t)n_done;
        hn_error_clear(&err);
        assert_ok(hn_comm_sum_i64(world, &total, 1, &err));
        assert_true(total >= 20 && total < N);
        assert_ok(hn_comm_sum_i32(world, did, N, &err));
        for (int i = 0; i < N; i++) {
            total -= did[i];
            assert_true(did[i] <= 1);
        }
        assert_int_equal(total, 0);
    }
    assert_int_equal(run_deal(50, 8, NULL, (Worker){0}, 50), HN_OK);
}

/* A stop that comes when all is done, or that a rank leaves behind as it goes. */
static void test_late_cancel(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnDeal *deal = NULL;
    assert_ok(hn_deal_start(world, 0, NULL, 1, &deal, &err));
    bool finished = false, got = false;
    uint64_t item = 0;
    while (!finished) {
        assert_ok(hn_deal_next(deal, &item, &got, &finished, &err));
    }
    assert_ok(hn_deal_cancel(deal, &err));
    assert_ok(hn_deal_end(&deal, &err));
    assert_ok(hn_deal_start(world, 1000, NULL, 4, &deal, &err));
    if (hn_comm_rank(world) == hn_comm_size(world) - 1) {
        assert_ok(hn_deal_cancel(deal, &err)); /* and is gone, with items in its queue */
    } else {
        for (finished = false; !finished; nap(10)) {
            assert_ok(hn_deal_next(deal, &item, &got, &finished, &err)); /* takes, and never does */
        }
    }
    assert_int_equal(hn_deal_end(&deal, &err), HN_INTERRUPTED);
}

static void test_foreign_items(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnDeal *deal = NULL, *second = NULL;
    assert_ok(hn_deal_start(world, 100, NULL, 4, &deal, &err));
    assert_int_equal(hn_deal_done(deal, 100, &err), HN_INTERNAL); /* never dealt to anyone */
    hn_error_clear(&err);
    assert_int_equal(hn_deal_return(deal, 100, &err), HN_INTERNAL);
    hn_error_clear(&err);
    assert_int_equal(hn_deal_start(world, 5, NULL, 1, &second, &err), HN_INTERNAL); /* one at a time */
    assert_null(second);
    hn_error_clear(&err);
    int32_t did[100] = {0};
    HnRng rng;
    hn_rng_start(&rng, 5, HN_STREAM_TEST, 0, 0);
    assert_ok(work(deal, (Worker){0}, did, &rng, &err));
}

/* Rank 0 alone knows how far all are; at the end that is everything. */
static void test_finished_count(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnDeal *deal = NULL;
    enum { N = 300 };
    assert_ok(hn_deal_start(world, N, NULL, 4, &deal, &err));
    bool finished = false, got = false;
    uint64_t item = 0, last = 0;
    while (!finished) {
        assert_ok(hn_deal_next(deal, &item, &got, &finished, &err));
        if (got) {
            assert_ok(hn_deal_done(deal, item, &err));
        }
        uint64_t now = hn_deal_finished_count(deal);
        assert_true(now >= last && now <= N);
        last = now;
    }
    assert_int_equal(last, hn_comm_rank(world) == 0 ? N : 0);
    assert_ok(hn_deal_end(&deal, &err));
    assert_null(deal);
}

int main(int argc, char **argv) {
    HnError err = HN_ERROR_INIT;
    if (hn_world_start(&argc, &argv, &world, &err) != HN_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes_and_chunks), cmocka_unit_test(test_many_items),
        cmocka_unit_test(test_random_delays),    cmocka_unit_test(test_done_map),
        cmocka_unit_test(test_returns),          cmocka_unit_test(test_lost_workers),
        cmocka_unit_test(test_all_lost),         cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_late_cancel),      cmocka_unit_test(test_foreign_items),
        cmocka_unit_test(test_finished_count),
    };
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    hn_world_end(&world);
    return failures + (hn_alloc_live_blocks() != 0);
}
