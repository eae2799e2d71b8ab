/* Which rank does what: the table of cases, and what must hold for every combination that is accepted. */
#include "check.h"

#include <string.h>

#include "world.h"

enum { W = HN_ROLE_WORKER, T = HN_ROLE_TRAINER, B = HN_ROLE_WORKER | HN_ROLE_TRAINER };

typedef struct Case {
    int size, workers, trainers, forced[4], roles[4];
} Case;

static void test_table(void **state) {
    (void)state;
    const Case cases[] = {
        {1, 0, 0, {0}, {B}},
        {1, 1, 1, {0}, {B}},
        {1, 1, 0, {0}, {B}},
        {4, 0, 0, {0}, {B, B, B, B}},
        {4, 1, 0, {0}, {T, T, T, W}},
        {4, 0, 1, {0}, {T, W, W, W}},
        {4, 4, 0, {0}, {B, B, B, B}}, /* all are workers, so all train as well */
        {4, 0, 4, {0}, {B, B, B, B}},
        {4, 1, 3, {0}, {T, T, T, W}},
        {4, 3, 3, {0}, {T, B, B, W}},
        {4, 4, 1, {0}, {B, W, W, W}},
        {4, 0, 0, {W, 0, 0, 0}, {W, T, T, T}},
        {4, 0, 0, {0, 0, T, 0}, {W, W, T, W}},
        {4, 0, 0, {W, 0, T, 0}, {W, B, T, B}},
        {4, 0, 0, {W, T, T, B}, {W, T, T, B}},
        {4, 2, 0, {W, 0, 0, 0}, {W, T, T, W}},
        {4, 2, 2, {W, 0, 0, 0}, {W, T, T, W}},
        {4, 2, 3, {W, 0, 0, 0}, {W, T, T, B}},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        HnError err = HN_ERROR_INIT;
        int roles[4] = {-1, -1, -1, -1};
        assert_ok(hn_roles_assign(cases[c].size, cases[c].workers, cases[c].trainers, cases[c].forced, roles, &err));
        for (int r = 0; r < cases[c].size; r++) {
            if (roles[r] != cases[c].roles[r]) {
                fail_msg("case %zu: rank %d is %d, not %d", c, r, roles[r], cases[c].roles[r]);
            }
        }
    }
}

static void test_refusals(void **state) {
    (void)state;
    const struct {
        Case asked;
        const char *says;
    } cases[] = {
        {{4, 5, 0, {0}, {0}}, "5 worker ranks are asked for, but the job has 4"},
        {{4, 0, 5, {0}, {0}}, "5 trainer ranks are asked for, but the job has 4"},
        {{4, -1, 0, {0}, {0}}, "-1 worker ranks"},
        {{4, 1, 1, {0}, {0}}, "leave 2 of 4 ranks without work"},
        {{2, 0, 0, {W, W}, {0}}, "no trainer rank among 2"},
        {{2, 0, 0, {T, T}, {0}}, "no worker rank among 2"},
        {{2, 0, 0, {7, 0}, {0}}, "HNLMREC_ROLE of rank 0"},
        {{4, 1, 0, {W, W, 0, 0}, {0}}, "HNLMREC_ROLE makes that impossible"},
        {{4, 0, 4, {W, 0, 0, 0}, {0}}, "HNLMREC_ROLE makes that impossible"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        HnError err = HN_ERROR_INIT;
        int roles[4];
        const Case *asked = &cases[c].asked;
        assert_int_equal(hn_roles_assign(asked->size, asked->workers, asked->trainers, asked->forced, roles, &err),
                         HN_CONFIG);
        if (strstr(err.message, cases[c].says) == NULL) {
            fail_msg("case %zu: %s", c, err.message);
        }
    }
}

/* Whatever is accepted: every rank has work, both kinds exist, explicit numbers and forced ranks are kept. */
static void test_all_small_worlds(void **state) {
    (void)state;
    int accepted = 0;
    for (int size = 1; size <= 4; size++) {
        int combinations = 1 << (2 * size);
        for (int bits = 0; bits < combinations; bits++) {
            for (int wanted = 0; wanted < (size + 1) * (size + 1); wanted++) {
                int forced[4], roles[4], workers = wanted % (size + 1), trainers = wanted / (size + 1);
                for (int r = 0; r < size; r++) {
                    forced[r] = bits >> (2 * r) & 3;
                }
                HnError err = HN_ERROR_INIT;
                if (hn_roles_assign(size, workers, trainers, forced, roles, &err) != HN_OK) {
                    assert_true(err.message[0] != '\0');
                    continue;
                }
                int n_workers = 0, n_trainers = 0;
                for (int r = 0; r < size; r++) {
                    assert_true(roles[r] != 0 && (forced[r] == 0 || roles[r] == forced[r]));
                    n_workers += (roles[r] & W) != 0;
                    n_trainers += (roles[r] & T) != 0;
                }
                assert_true(n_workers > 0 && n_trainers > 0);
                assert_true(workers == 0 || n_workers == workers);
                assert_true(trainers == 0 || n_trainers == trainers);
                accepted++;
            }
        }
    }
    assert_true(accepted > 500);
}

static void test_no_forced_array(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    int roles[3];
    assert_ok(hn_roles_assign(3, 1, 2, NULL, roles, &err));
    assert_true(roles[0] == T && roles[1] == T && roles[2] == W);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_all_small_worlds),
        cmocka_unit_test(test_no_forced_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
