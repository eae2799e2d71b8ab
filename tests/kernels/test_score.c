#include "score.h"

#include <math.h>
#include <stdlib.h>

#include "check.h"

static void test_scores_equal_ref(void **state) {
    (void)state;
    enum { N_ROWS = 90, MOST = 70, GAP = 3 };
    for (int columns = 0; columns <= 130; columns++) {
        const HnScoreTable shape = {NULL, (size_t)columns + GAP, columns};
        const size_t n_floats = (N_ROWS - 1) * shape.stride + (size_t)columns;
        float *rows = check_block(n_floats, sizeof *rows), *row = check_block((size_t)columns, sizeof *row);
        const HnScoreTable table = {rows, shape.stride, columns};
        int32_t chosen[MOST];
        uint64_t seed = (uint64_t)columns;
        check_fill(rows, n_floats, seed + 7);
        check_fill(row, (size_t)columns, seed);
        for (int m = 0; m < MOST; m++) {
            chosen[m] = (int32_t)check_below(&seed, N_ROWS);
        }
        for (int n = columns % 9; n <= MOST; n += 9) {
            float *expected = check_block((size_t)n, sizeof *expected),
                  *actual = check_block((size_t)n, sizeof *actual);
            hn_scores_ref(&table, row, chosen, n, expected);
            hn_scores_cpu(&table, row, chosen, n, actual);
            check_same_floats(expected, actual, (size_t)n, "scores");
            free(expected), free(actual);
        }
        free(rows), free(row);
    }
}

/* Few different values, so that many are equal; now and then one that is no number, or infinite. */
static void fill_scores(float *scores, int n, uint64_t seed) {
    const float kinds[] = {0.0f, -0.0f, 1.0f, -1.0f, 2.5f, INFINITY, -INFINITY, NAN};
    const uint32_t n_kinds = seed % 3 == 0 ? 8 : 5;
    for (int m = 0; m < n; m++) {
        scores[m] = kinds[check_below(&seed, n_kinds)];
    }
}

static void test_places_equal_ref(void **state) {
    (void)state;
    const double wanted[] = {0.0, 0.3, -4.0, 1e30, INFINITY, -INFINITY, NAN};
    for (int n = 1; n <= 80; n++) {
        for (uint64_t seed = 1; seed <= 30; seed++) {
            float *scores = check_block((size_t)n, sizeof *scores);
            if (seed % 5 == 0) {
                check_fill(scores, (size_t)n, seed);
            } else {
                fill_scores(scores, n, seed + 100 * (uint64_t)n);
            }
            assert_int_equal(hn_score_largest_cpu(scores, n), hn_score_largest_ref(scores, n));
            for (size_t w = 0; w < sizeof wanted / sizeof wanted[0]; w++) {
                assert_int_equal(hn_score_nearest_cpu(scores, n, wanted[w]),
                                 hn_score_nearest_ref(scores, n, wanted[w]));
            }
            free(scores);
        }
    }
}

static void test_known_answer(void **state) {
    (void)state;
    const float rows[] = {1, 2, 99, 3, 4, 99, 5, 6, 99}, row[] = {10, 1};
    const int32_t chosen[] = {2, 0, 1, 2};
    const HnScoreTable table = {rows, 3, 2};
    float scores[4];
    hn_scores_cpu(&table, row, chosen, 4, scores);
    assert_true(scores[0] == 56.0f && scores[1] == 12.0f && scores[2] == 34.0f && scores[3] == 56.0f);
    assert_int_equal(hn_score_largest_cpu(scores, 4), 0);
    assert_int_equal(hn_score_nearest_cpu(scores, 4, 23.5), 2);
    assert_int_equal(hn_score_nearest_cpu(scores, 4, 23.0), 1); /* as far from 34 */
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_scores_equal_ref), cmocka_unit_test(test_places_equal_ref),
                                       cmocka_unit_test(test_known_answer)};
    return CHECK_ON_EVERY_PATH(tests);
}
