/* The one-rank group, linked without MPI. */
#include "check.h"

#include "base/alloc.h"
#include "comm_body.h"
#include "deal.h"

/* A whole deal on a group of one; every allocation in it fails once. */
static HnStatus deal_all(HnError *err) {
    HnComm *comm = NULL;
    HnDeal *deal = NULL;
    const uint8_t done[10] = {0, 1};
    HnStatus status = hn_comm_self(&comm, err);
    if (status == HN_OK) {
        status = hn_deal_start(comm, 10, done, 3, &deal, err);
    }
    bool finished = false, got = false;
    uint64_t item = 0;
    while (status == HN_OK && !finished) {
        status = hn_deal_next(deal, &item, &got, &finished, err);
        if (status == HN_OK && got) {
            status = hn_deal_done(deal, item, err);
        }
    }
    if (deal != NULL) {
        HnError end_err = HN_ERROR_INIT;
        HnStatus ended = hn_deal_end(&deal, &end_err);
        status = status == HN_OK ? ended : status;
    }
    hn_comm_free(&comm);
    return status;
}

static void test_memory_runs_out(void **state) {
    (void)state;
    uint64_t before = hn_alloc_live_blocks();
    HnStatus status = HN_MEMORY;
    uint64_t n = 0;
    while (status != HN_OK) {
        HnError err = HN_ERROR_INIT;
        hn_alloc_fail_at(++n);
        status = deal_all(&err);
        hn_alloc_fail_at(0);
        assert_true(status == HN_OK || status == HN_MEMORY);
        assert_int_equal(err.status, status);
        assert_int_equal(hn_alloc_live_blocks(), before);
        assert_true(n < 100);
    }
    assert_true(n > 5);
}

int main(void) {
    HnError err = HN_ERROR_INIT;
    if (hn_comm_self(&test_world, &err) != HN_OK) {
        return 1;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_memory_runs_out)};
    int failures = comm_body_run() + cmocka_run_group_tests_name("memory", tests, NULL, NULL);
    hn_comm_free(&test_world);
    return failures + (hn_alloc_live_blocks() != 0);
}
