#include "route.h"

#include <omp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

/* A random graph with empty rows, and numbers of its edges in another order. */
typedef struct Case {
    HnRoute route;
    uint64_t *offsets;
    int32_t *columns;
    int64_t *edges;
    float *weights, *x, *rows;
    uint64_t n_edges;
} Case;

static Case case_make(uint64_t n_rows, uint64_t n_cols, int factors, int chunk, bool numbered) {
    uint64_t state = n_rows + 13 * n_cols;
    const uint64_t dim = (uint64_t)(factors * chunk);
    Case one = {.offsets = check_block(n_rows + 1, sizeof(uint64_t))};
    one.offsets[0] = 0;
    for (uint64_t r = 0; r < n_rows; r++) {
        one.offsets[r + 1] = one.offsets[r] + (r % 5 == 2 ? 0 : check_below(&state, 12));
    }
    one.n_edges = one.offsets[n_rows];
    one.columns = check_block(one.n_edges, sizeof(int32_t));
    one.edges = check_block(one.n_edges, sizeof(int64_t));
    for (uint64_t k = 0; k < one.n_edges; k++) {
        one.columns[k] = (int32_t)check_below(&state, (uint32_t)n_cols);
        one.edges[k] = (int64_t)(one.n_edges - 1 - k);
    }
    one.weights = check_block(one.n_edges * (uint64_t)factors, sizeof(float));
    one.x = check_block(n_cols * dim, sizeof(float));
    one.rows = check_block(n_rows * dim, sizeof(float));
    check_fill_plain(one.weights, one.n_edges * (uint64_t)factors, 3);
    check_fill_plain(one.x, n_cols * dim, 4);
    check_fill_plain(one.rows, n_rows * dim, 5);
    one.route = (HnRoute){
        {n_rows, n_cols, one.offsets, one.columns, NULL}, numbered ? one.edges : NULL, factors, factors * chunk};
    return one;
}

static void case_free(Case *one) {
    free(one->offsets), free(one->columns), free(one->edges), free(one->weights), free(one->x), free(one->rows);
}

static void compare(uint64_t n_rows, uint64_t n_cols, int factors, int chunk, bool numbered) {
    Case one = case_make(n_rows, n_cols, factors, chunk, numbered);
    const size_t n = n_rows * (size_t)one.route.dim, n_dots = one.n_edges * (size_t)factors;
    float *expected = check_block(n, sizeof *expected), *actual = check_block(n, sizeof *actual);
    hn_route_sum_ref(&one.route, one.weights, one.x, expected);
    hn_route_sum_cpu(&one.route, one.weights, one.x, actual);
    check_same_floats(expected, actual, n, "sum");
    int64_t *fixed_ref = check_block(n, sizeof *fixed_ref), *fixed = check_block(n, sizeof *fixed);
    hn_route_fixed_ref(&one.route, one.weights, one.x, 30, fixed_ref);
    hn_route_fixed_cpu(&one.route, one.weights, one.x, 30, fixed);
    assert_true(n == 0 || memcmp(fixed_ref, fixed, n * sizeof *fixed) == 0);
    float *dots_ref = check_block(n_dots, sizeof *dots_ref), *dots = check_block(n_dots, sizeof *dots);
    for (int add = 0; add <= 1; add++) {
        hn_route_dots_ref(&one.route, one.rows, one.x, add, dots_ref);
        hn_route_dots_cpu(&one.route, one.rows, one.x, add, dots);
        check_same_floats(dots_ref, dots, n_dots, "dot");
    }
    free(expected), free(actual), free(fixed_ref), free(fixed), free(dots_ref), free(dots);
    case_free(&one);
}

static void test_equals_ref(void **state) {
    (void)state;
    for (int chunk = 1; chunk <= 35; chunk++) {
        compare((uint64_t)(chunk * 7 % 40), 9, 1 + chunk % 5, chunk, chunk % 2 == 0);
    }
    compare(300, 70, 4, 16, true);
    compare(60, 20, 3, 32, false);
    compare(60, 20, 5, 16, true);
    compare(0, 5, 4, 16, false);
    compare(3, 1, 4, 16, true);
}

static void test_threads_do_not_matter(void **state) {
    (void)state;
    const int before = omp_get_max_threads();
    for (int threads = 1; threads <= 3; threads++) {
        omp_set_num_threads(threads);
        compare(900, 400, 4, 16, true);
    }
    omp_set_num_threads(before);
}

static void test_known_answer(void **state) {
    (void)state;
    const uint64_t offsets[] = {0, 2};
    const int32_t columns[] = {0, 2};
    const int64_t edges[] = {1, 0};
    const float weights[] = {3, -1, 2, 0.5f}, x[] = {1, 10, 0, 0, 5, 4}, rows[] = {2, 3}, dots[] = {2, 30, 10, 12};
    HnRoute route = {{1, 3, offsets, columns, NULL}, edges, 2, 2};
    float y[2], got[4];
    int64_t fixed[2];
    hn_route_sum_cpu(&route, weights, x, y);
    assert_true(y[0] == 2.0f * 1.0f + 3.0f * 5.0f && y[1] == 0.5f * 10.0f - 4.0f);
    hn_route_fixed_cpu(&route, weights, x, 1, fixed);
    assert_true(fixed[0] == 34 && fixed[1] == 2);
    route.edges = NULL;
    hn_route_dots_cpu(&route, rows, x, 0, got);
    check_same_floats(dots, got, 4, "dot");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equals_ref),
        cmocka_unit_test(test_threads_do_not_matter),
        cmocka_unit_test(test_known_answer),
    };
    return CHECK_ON_EVERY_PATH(tests);
}
