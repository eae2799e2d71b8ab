#include "rank.h"

#include <math.h>
#include <omp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "check.h"

/* One ranking problem. Mask offsets start at 3: three foreign entries stand before the first user's. */
typedef struct Problem {
    uint64_t n_users, n_items;
    int dim;
    float *users, *items;
    uint64_t *mask_offsets;
    int32_t *mask_items;
} Problem;

/* With `ties`, coordinates are -1, 0 or 1, so that many scores are equal. Each item is masked with chance 1/mask_one_in
 * for each user; 0 masks nothing. */
static Problem problem_make(uint64_t n_users, uint64_t n_items, int dim, bool ties, uint32_t mask_one_in,
                            uint64_t seed) {
    Problem p = {.n_users = n_users, .n_items = n_items, .dim = dim};
    uint64_t state = seed, n_mask = 3;
    p.users = check_block(n_users * (size_t)dim, sizeof *p.users);
    p.items = check_block(n_items * (size_t)dim, sizeof *p.items);
    p.mask_offsets = check_block(n_users + 1, sizeof *p.mask_offsets);
    p.mask_items = check_block(3 + n_users * n_items, sizeof *p.mask_items);
    check_fill_plain(p.users, n_users * (size_t)dim, seed + 1);
    check_fill_plain(p.items, n_items * (size_t)dim, seed + 2);
    for (size_t i = 0; ties && i < n_users * (size_t)dim; i++) {
        p.users[i] = roundf(p.users[i]);
    }
    for (size_t i = 0; ties && i < n_items * (size_t)dim; i++) {
        p.items[i] = roundf(p.items[i]);
    }
    p.mask_offsets[0] = n_mask;
    for (uint64_t u = 0; u < n_users; u++) {
        for (uint64_t i = 0; mask_one_in > 0 && i < n_items; i++) {
            if (check_below(&state, mask_one_in) == 0) {
                p.mask_items[n_mask++] = (int32_t)i;
            }
        }
        p.mask_offsets[u + 1] = n_mask;
    }
    return p;
}

static void problem_free(Problem *p) {
    free(p->users), free(p->items), free(p->mask_offsets), free(p->mask_items);
}

static void compare(const Problem *p, int k, bool with_scores) {
    const size_t n = p->n_users * (size_t)k;
    int32_t *top_ref = check_block(n, sizeof *top_ref), *top = check_block(n, sizeof *top);
    float *scores_ref = check_block(n, sizeof *scores_ref), *scores = check_block(n, sizeof *scores);
    HnError err = HN_ERROR_INIT;
    hn_rank_ref(p->users, p->n_users, p->items, p->n_items, p->dim, p->mask_offsets, p->mask_items, k, top_ref,
                with_scores ? scores_ref : NULL);
    assert_int_equal(hn_rank_cpu(p->users, p->n_users, p->items, p->n_items, p->dim, p->mask_offsets, p->mask_items, k,
                                 top, with_scores ? scores : NULL, &err),
                     HN_OK);
    assert_true(n == 0 || memcmp(top_ref, top, n * sizeof *top) == 0);
    check_same_floats(scores_ref, scores, n, "score");
    free(top_ref), free(top), free(scores_ref), free(scores);
}

static void test_equals_ref(void **state) {
    (void)state;
    const int dims[] = {1, 2, 7, 16, 33, 64, 130};
    const uint64_t user_counts[] = {1, 5, 12, 13, 100}, item_counts[] = {1, 15, 32, 33, 500};
    for (size_t d = 0; d < 7; d++) {
        for (size_t i = 0; i < 5; i++) {
            Problem p = problem_make(user_counts[(d + i) % 5], item_counts[i], dims[d], d % 2 == 0, 4, d * 5 + i);
            compare(&p, 20, true);
            compare(&p, 1, false);
            problem_free(&p);
        }
    }
}

static void test_ties_go_to_lower_items(void **state) {
    (void)state;
    Problem p = problem_make(40, 700, 4, true, 3, 9);
    for (int k = 1; k <= 140; k += 23) {
        compare(&p, k, true);
    }
    problem_free(&p);

    const float user[] = {1.0f}, items[] = {2, 3, -0.0f, 3, 0.0f, 2};
    const uint64_t offsets[] = {0, 0};
    const int32_t expected[] = {1, 3, 0, 5, 2, 4, -1};
    int32_t top[7];
    assert_int_equal(hn_rank_cpu(user, 1, items, 6, 1, offsets, NULL, 7, top, NULL, NULL), HN_OK);
    assert_memory_equal(top, expected, sizeof expected);
}

static void test_more_asked_than_left(void **state) {
    (void)state;
    Problem all_masked = problem_make(20, 50, 8, false, 1, 1), most_masked = problem_make(20, 50, 8, false, 2, 2);
    compare(&all_masked, 20, true);
    compare(&most_masked, 45, true);
    compare(&most_masked, 5000, true);
    problem_free(&all_masked);
    problem_free(&most_masked);
}

static void test_nothing_to_rank(void **state) {
    (void)state;
    Problem no_users = problem_make(0, 50, 8, false, 0, 1), no_items = problem_make(5, 0, 8, false, 0, 1);
    compare(&no_users, 20, true);
    compare(&no_items, 20, true);
    problem_free(&no_users);
    problem_free(&no_items);
}

static void test_nan_is_never_ranked_and_infinities_are(void **state) {
    (void)state;
    Problem p = problem_make(30, 200, 8, false, 5, 4);
    for (int i = 0; i < 200; i += 3) {
        p.items[i * 8] = i % 2 == 0 ? NAN : i % 4 == 1 ? INFINITY : -INFINITY;
    }
    compare(&p, 20, true);
    compare(&p, 190, true);
    int32_t top[30 * 190];
    assert_int_equal(hn_rank_cpu(p.users, 30, p.items, 200, 8, p.mask_offsets, p.mask_items, 190, top, NULL, NULL),
                     HN_OK);
    for (int i = 0; i < 30 * 190; i++) {
        assert_true(top[i] < 0 || !isnan(p.items[top[i] * 8]));
    }
    p.users[0] = NAN;
    compare(&p, 20, true);
    problem_free(&p);
}

/* Items in ascending order of score: every one passes the threshold of its time. */
static void test_every_item_beats_those_before(void **state) {
    (void)state;
    Problem p = problem_make(13, 2000, 1, false, 0, 4);
    for (int i = 0; i < 2000; i++) {
        p.items[i] = (float)(i / 3);
    }
    compare(&p, 20, true);
    problem_free(&p);
}

static void test_threads_and_neighbours_do_not_matter(void **state) {
    (void)state;
    const int before = omp_get_max_threads();
    enum { USERS = 301, K = 10 };
    Problem p = problem_make(USERS, 333, 64, false, 10, 6);
    static int32_t top[USERS * K];
    static float scores[USERS * K];
    assert_int_equal(hn_rank_cpu(p.users, USERS, p.items, 333, 64, p.mask_offsets, p.mask_items, K, top, scores, NULL),
                     HN_OK);
    for (int threads = 1; threads <= 3; threads++) {
        omp_set_num_threads(threads);
        compare(&p, K, true);
    }
    omp_set_num_threads(before);
    for (int u = 0; u < USERS; u += 50) {
        int32_t alone[K];
        float alone_scores[K];
        assert_int_equal(hn_rank_cpu(p.users + u * 64, 1, p.items, 333, 64, p.mask_offsets + u, p.mask_items, K, alone,
                                     alone_scores, NULL),
                         HN_OK);
        assert_memory_equal(alone, top + u * K, sizeof alone);
        assert_memory_equal(alone_scores, scores + u * K, sizeof alone_scores);
    }
    problem_free(&p);
}

static void test_refuses_what_makes_no_sense(void **state) {
    (void)state;
    const float one[] = {1.0f};
    const uint64_t offsets[] = {0, 0};
    int32_t top[1];
    HnError err = HN_ERROR_INIT;
    assert_int_equal(hn_rank_cpu(one, 1, one, 1, 1, offsets, NULL, 0, top, NULL, &err), HN_RANGE);
    hn_error_clear(&err);
    assert_int_equal(hn_rank_cpu(one, 1, one, 1, 0, offsets, NULL, 1, top, NULL, &err), HN_RANGE);
    hn_error_clear(&err);
    assert_int_equal(hn_rank_cpu(one, 1, one, UINT64_C(1) << 31, 1, offsets, NULL, 1, top, NULL, &err), HN_RANGE);
}

static void test_every_allocation_may_fail(void **state) {
    (void)state;
    const float one[] = {1.0f};
    const uint64_t offsets[] = {0, 0};
    const uint64_t live = hn_alloc_live_blocks();
    int32_t top[1];
    HnStatus status = HN_MEMORY;
    for (uint64_t n = 1; status != HN_OK; n++) {
        HnError err = HN_ERROR_INIT;
        assert_true(n < 100);
        hn_alloc_fail_at(n);
        status = hn_rank_cpu(one, 1, one, 1, 1, offsets, NULL, 1, top, NULL, &err);
        assert_true(status == HN_OK || status == HN_MEMORY);
        assert_int_equal(hn_alloc_live_blocks(), live);
    }
    hn_alloc_fail_at(0);
    assert_int_equal(top[0], 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equals_ref),
        cmocka_unit_test(test_ties_go_to_lower_items),
        cmocka_unit_test(test_more_asked_than_left),
        cmocka_unit_test(test_nothing_to_rank),
        cmocka_unit_test(test_nan_is_never_ranked_and_infinities_are),
        cmocka_unit_test(test_every_item_beats_those_before),
        cmocka_unit_test(test_threads_and_neighbours_do_not_matter),
        cmocka_unit_test(test_refuses_what_makes_no_sense),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return CHECK_ON_EVERY_PATH(tests);
}
