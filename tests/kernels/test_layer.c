#include "layer.h"

#include <math.h>
#include <omp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

static void compare(uint64_t n_rows, uint64_t width, bool bend, float slope) {
    const size_t n = n_rows * width;
    float *expected = check_block(n, sizeof *expected), *actual = check_block(n, sizeof *actual);
    float *bias = check_block(width, sizeof *bias), *y = check_block(n, sizeof *y);
    check_fill(expected, n, width);
    check_fill(actual, n, width);
    check_fill(bias, width, 3);
    check_fill(y, n, 4);
    hn_layer_finish_ref(expected, bias, n_rows, width, bend, slope);
    hn_layer_finish_cpu(actual, bias, n_rows, width, bend, slope);
    check_same_floats(expected, actual, n, "finished row");
    hn_layer_unbend_ref(expected, y, n, slope);
    hn_layer_unbend_cpu(actual, y, n, slope);
    check_same_floats(expected, actual, n, "gradient");

    float *sums_ref = check_block(width, sizeof *sums_ref), *sums = check_block(width, sizeof *sums);
    const uint64_t begin = width / 5, end = width - width / 7;
    hn_layer_column_sums_ref(actual, n_rows, width, begin, end, sums_ref);
    hn_layer_column_sums_cpu(actual, n_rows, width, begin, end, sums);
    check_same_floats(sums_ref, sums, width, "column sum");
    free(expected), free(actual), free(bias), free(y), free(sums_ref), free(sums);
}

static void test_equals_ref(void **state) {
    (void)state;
    for (uint64_t width = 0; width <= 70; width++) {
        compare(width % 9, width, width % 2 == 0, 0.01f);
    }
    compare(40, 128, true, 0.0f);
    compare(33, 300, true, 0.2f);
    compare(0, 64, true, 0.01f);
}

static void test_threads_do_not_matter(void **state) {
    (void)state;
    const int before = omp_get_max_threads();
    for (int threads = 1; threads <= 3; threads++) {
        omp_set_num_threads(threads);
        compare(500, 401, true, 0.01f);
    }
    omp_set_num_threads(before);
}

static void test_known_answer(void **state) {
    (void)state;
    float rows[] = {1, -3, 0, -1, 5, NAN}, d[] = {1, 2, 3, 4, 5, 6}, sums[] = {-7, -7, -7};
    const float bias[] = {1, 1, -2}, finished[] = {2, -1, -1, 0, 6}, gradient[] = {1, 1, 1.5f, 2, 5, 3};
    hn_layer_finish_cpu(rows, bias, 2, 3, true, 0.5f);
    check_same_floats(finished, rows, 5, "row");
    assert_true(isnan(rows[5]));
    hn_layer_unbend_cpu(d, rows, 6, 0.5f);
    check_same_floats(gradient, d, 6, "gradient");
    hn_layer_column_sums_cpu(d, 2, 3, 1, 3, sums);
    assert_true(sums[0] == -7.0f && sums[1] == 6.0f && sums[2] == 4.5f);
    float plain[] = {-3};
    hn_layer_finish_cpu(plain, bias, 1, 1, false, 0.5f);
    assert_true(plain[0] == -2.0f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equals_ref),
        cmocka_unit_test(test_threads_do_not_matter),
        cmocka_unit_test(test_known_answer),
    };
    return CHECK_ON_EVERY_PATH(tests);
}
