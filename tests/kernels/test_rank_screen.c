/* The screened ranking: bit-equal to the reference on rows made to defeat its bounds, and screened indeed. */
#include "rank_screen.h"

#include <float.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "check.h"
#include "rank.h"
#include "rank_rows.h"

typedef struct Problem {
    HnRankTask task; /* top and scores: the reference's */
    float *users, *items;
    uint64_t *offsets;
    int32_t *masked;
} Problem;

static Problem problem_make(uint64_t n_users, uint64_t n_items, int dim, int k, RankRows of_users, RankRows of_items,
                            uint32_t mask_one_in, uint64_t seed) {
    Problem p = {.users = check_block(n_users * (size_t)dim, sizeof(float)),
                 .items = check_block(n_items * (size_t)dim, sizeof(float)),
                 .offsets = check_block(n_users + 1, sizeof(uint64_t)),
                 .masked = check_block(3 + n_users * n_items, sizeof(int32_t))};
    uint64_t state = seed, n = 3;
    rank_rows_fill(p.users, n_users, dim, of_users, seed + 1);
    rank_rows_fill(p.items, n_items, dim, of_items, seed + 2);
    p.offsets[0] = n;
    for (uint64_t u = 0; u < n_users; u++) {
        for (uint64_t i = 0; mask_one_in > 0 && i < n_items; i++) {
            if (check_below(&state, mask_one_in) == 0) {
                p.masked[n++] = (int32_t)i;
            }
        }
        p.offsets[u + 1] = n;
    }
    p.task = (HnRankTask){p.users, p.items, n_users, n_items, dim, k, p.offsets, p.masked, NULL, NULL};
    p.task.top = check_block(n_users * (size_t)k, sizeof(int32_t));
    p.task.scores = check_block(n_users * (size_t)k, sizeof(float));
    return p;
}

static void problem_free(Problem *p) {
    free(p->users), free(p->items), free(p->offsets), free(p->masked), free(p->task.top), free(p->task.scores);
}

static HnRankScreened screened_like_ref(Problem *p) {
    const HnRankTask *ref = &p->task;
    const size_t n = ref->n_users * (size_t)ref->k;
    HnRankTask task = *ref;
    HnRankScreened screened;
    HnError err = HN_ERROR_INIT;
    hn_rank_ref(ref->users, ref->n_users, ref->items, ref->n_items, ref->dim, ref->mask_offsets, ref->mask_items,
                ref->k, ref->top, ref->scores);
    task.top = check_block(n, sizeof *task.top);
    task.scores = check_block(n, sizeof *task.scores);
    assert_int_equal(hn_rank_screen(&task, &screened, &err), HN_OK);
    assert_memory_equal(task.top, ref->top, n * sizeof *task.top);
    check_same_floats(ref->scores, task.scores, n, "score");
    free(task.top), free(task.scores);
    return screened;
}

static void need_vnni(void) {
    if (!hn_cpu_has_vnni()) {
        print_message("SKIP: no AVX512-VNNI on this path, so nothing is screened\n");
        skip();
    }
}

static void test_equals_ref_at_every_width(void **state) {
    (void)state;
    need_vnni();
    const int dims[] = {1, 3, 4, 5, 15, 16, 17, 63, 64, 65, 128, 200};
    const uint64_t user_counts[] = {1, 11, 12, 49, 100}, item_counts[] = {1, 31, 32, 33, 257, 600};
    for (size_t d = 0; d < 12; d++) {
        for (size_t i = 0; i < 6; i++) {
            const int k = i % 3 == 0 ? 20 : i % 3 == 1 ? 1 : 100;
            Problem p = problem_make(user_counts[(d + i) % 5], item_counts[i], dims[d], k, PLAIN, PLAIN, 4, d * 6 + i);
            screened_like_ref(&p);
            problem_free(&p);
        }
    }
}

static void test_equals_ref_on_rows_made_to_defeat_it(void **state) {
    (void)state;
    need_vnni();
    for (int users = 0; users < N_ROWS; users++) {
        for (int items = 0; items < N_ROWS; items++) {
            const int dim = 5 + 11 * ((users + items) % 4);
            Problem p = problem_make(27, 300, dim, 20, (RankRows)users, (RankRows)items, items % 2 == 0 ? 0 : 5,
                                     (uint64_t)(users * N_ROWS + items));
            screened_like_ref(&p);
            problem_free(&p);
        }
    }
}

static void test_equals_ref_for_many_seeds(void **state) {
    (void)state;
    need_vnni();
    for (uint64_t seed = 0; seed < 60; seed++) {
        uint64_t random = seed;
        const RankRows users = (RankRows)check_below(&random, N_ROWS), items = (RankRows)check_below(&random, N_ROWS);
        const uint64_t n_users = 1 + check_below(&random, 60), n_items = 1 + check_below(&random, 500);
        const int dim = 1 + (int)check_below(&random, 70), k = 1 + (int)check_below(&random, 60);
        Problem p = problem_make(n_users, n_items, dim, k, users, items, check_below(&random, 8), seed);
        screened_like_ref(&p);
        problem_free(&p);
    }
}

static void test_more_asked_than_left(void **state) {
    (void)state;
    need_vnni();
    Problem all_masked = problem_make(60, 90, 8, 20, PLAIN, PLAIN, 1, 1);
    Problem most_masked = problem_make(60, 90, 8, 80, PLAIN, PLAIN, 2, 2);
    screened_like_ref(&all_masked);
    screened_like_ref(&most_masked);
    for (int i = 0; i < 60 * 20; i++) {
        assert_int_equal(all_masked.task.top[i], -1);
    }
    problem_free(&all_masked);
    problem_free(&most_masked);
}

static void test_few_scores_are_computed_in_full(void **state) {
    (void)state;
    need_vnni();
    Problem p = problem_make(200, 2000, 64, 20, PLAIN, PLAIN, 50, 3);
    assert_true(hn_rank_screen_pays(&p.task));
    HnRankScreened screened = screened_like_ref(&p);
    assert_int_equal(screened.n_screened, 200);
    assert_true(screened.n_rescored >= 200 * 20);
    assert_true(screened.n_rescored < 200 * 60); /* of 2000 */
    problem_free(&p);
    /* Where norms fall, lists fill from the first panels, and the rest is not even multiplied. */
    p = problem_make(200, 2000, 64, 20, PLAIN, NORMS, 50, 4);
    screened = screened_like_ref(&p);
    assert_int_equal(screened.n_screened, 200);
    assert_true(screened.n_rescored < 200 * 60);
    problem_free(&p);
}

static void test_what_cannot_be_screened_is_ranked_in_floats(void **state) {
    (void)state;
    need_vnni();
    const float bad[] = {NAN, INFINITY, -INFINITY, 0x1.8p40f, -FLT_MAX};
    for (size_t b = 0; b < sizeof bad / sizeof bad[0]; b++) {
        Problem p = problem_make(150, 700, 16, 20, PLAIN, PLAIN, 9, 5);
        p.users[70 * 16 + 15] = bad[b];
        const HnRankScreened one_user = screened_like_ref(&p);
        assert_true(one_user.n_screened > 0 && one_user.n_screened < 150); /* its block only */
        p.items[699 * 16] = bad[b];
        const HnRankScreened one_item = screened_like_ref(&p);
        assert_int_equal(one_item.n_screened, 0);
        problem_free(&p);
    }
    Problem p = problem_make(150, 3000, 16, 5, PLAIN, EQUAL, 0, 6); /* every score would be computed in full */
    const HnRankScreened ties = screened_like_ref(&p);
    assert_int_equal(ties.n_screened, 0);
    problem_free(&p);
}

static void test_threads_and_neighbours_do_not_matter(void **state) {
    (void)state;
    need_vnni();
    const int before = omp_get_max_threads();
    Problem p = problem_make(301, 600, 64, 10, PLAIN, PLAIN, 10, 6);
    for (int threads = 1; threads <= 3; threads++) {
        omp_set_num_threads(threads);
        screened_like_ref(&p);
    }
    omp_set_num_threads(before);
    for (uint64_t u = 0; u < 301; u += 50) {
        int32_t top[10];
        float scores[10];
        HnRankTask alone = p.task;
        HnRankScreened screened;
        alone.users += u * 64, alone.mask_offsets += u, alone.n_users = 1, alone.top = top, alone.scores = scores;
        assert_int_equal(hn_rank_screen(&alone, &screened, NULL), HN_OK);
        assert_int_equal(screened.n_screened, 1);
        assert_memory_equal(top, p.task.top + u * 10, sizeof top);
        assert_memory_equal(scores, p.task.scores + u * 10, sizeof scores);
        alone.scores = NULL;
        assert_int_equal(hn_rank_screen(&alone, &screened, NULL), HN_OK);
        assert_memory_equal(top, p.task.top + u * 10, sizeof top);
    }
    problem_free(&p);
}

static void test_every_allocation_may_fail(void **state) {
    (void)state;
    need_vnni();
    Problem p = problem_make(100, 40, 4, 3, PLAIN, PLAIN, 9, 7);
    p.users[0] = NAN; /* so that floats are needed, too */
    HnStatus status = HN_MEMORY;
    const uint64_t live = hn_alloc_live_blocks();
    for (uint64_t n = 1; status != HN_OK; n++) {
        HnError err = HN_ERROR_INIT;
        HnRankScreened screened;
        assert_true(n < 1000);
        hn_alloc_fail_at(n);
        status = hn_rank_screen(&p.task, &screened, &err);
        assert_true(status == HN_OK || status == HN_MEMORY);
        assert_int_equal(hn_alloc_live_blocks(), live);
    }
    hn_alloc_fail_at(0);
    screened_like_ref(&p);
    problem_free(&p);
}

/* Last: a cap is for good. */
static void test_a_lower_path_does_not_screen(void **state) {
    (void)state;
    Problem p = problem_make(100, 700, 64, 20, PLAIN, PLAIN, 9, 8);
    assert_int_equal(hn_rank_screen_pays(&p.task), hn_cpu_has_vnni());
    hn_cpu_path_cap(HN_CPU_AVX2);
    assert_false(hn_cpu_has_vnni());
    assert_false(hn_rank_screen_pays(&p.task));
    problem_free(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equals_ref_at_every_width),
        cmocka_unit_test(test_equals_ref_on_rows_made_to_defeat_it),
        cmocka_unit_test(test_equals_ref_for_many_seeds),
        cmocka_unit_test(test_more_asked_than_left),
        cmocka_unit_test(test_few_scores_are_computed_in_full),
        cmocka_unit_test(test_what_cannot_be_screened_is_ranked_in_floats),
        cmocka_unit_test(test_threads_and_neighbours_do_not_matter),
        cmocka_unit_test(test_every_allocation_may_fail),
        cmocka_unit_test(test_a_lower_path_does_not_screen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
