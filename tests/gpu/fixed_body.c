/* What every version of the fixed point kernels must do. */
#include "twin.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "../kernels/check.h"
#include "fixed.h"

static const FixedTwin *twin;

static const uint64_t sizes[] = {0, 1, 31, 32, 33, 255, 256, 257, 1000, 5003};
enum { N_SIZES = sizeof sizes / sizeof sizes[0] };

static void test_max(void **state) {
    (void)state;
    for (size_t i = 0; i < N_SIZES; i++) {
        float *x = check_block(sizes[i], sizeof *x), result = -1.0f;
        check_fill(x, sizes[i], i);
        assert_int_equal(twin->max_magnitude(x, sizes[i], &result), 0);
        const float expected = hn_max_magnitude_ref(x, sizes[i]);
        check_same_floats(&expected, &result, 1, "maximum");
        free(x);
    }
}

/* The largest value may stand anywhere, and a NaN anywhere is what comes out. */
static void test_max_anywhere(void **state) {
    (void)state;
    enum { N = 600 };
    float x[N];
    for (int where = 0; where < N; where += 37) {
        float result = 0.0f;
        for (int i = 0; i < N; i++) {
            x[i] = 0.25f;
        }
        x[where] = -3.0f;
        assert_int_equal(twin->max_magnitude(x, N, &result), 0);
        assert_true(result == 3.0f);
        x[where] = INFINITY;
        assert_int_equal(twin->max_magnitude(x, N, &result), 0);
        assert_true(isinf(result));
        x[N - 1 - where] = where % 2 == 0 ? NAN : -NAN;
        assert_int_equal(twin->max_magnitude(x, N, &result), 0);
        assert_true(isnan(result));
    }
}

static void test_from_float(void **state) {
    (void)state;
    const float maxima[] = {1.0f, 0x1p-149f, 3.4e38f, 1e-5f};
    for (size_t i = 0; i < N_SIZES; i++) {
        for (size_t m = 0; m < 4; m++) {
            const uint64_t n = sizes[i];
            float *x = check_block(n, sizeof *x);
            int32_t *q = check_block(n, sizeof *q), *expected = check_block(n, sizeof *expected);
            check_fill_plain(x, n, i);
            for (uint64_t k = 0; k < n; k++) {
                x[k] *= maxima[m];
            }
            const int shift = hn_fixed_shift(maxima[m]);
            hn_fixed_from_float_ref(x, shift, expected, n);
            assert_int_equal(twin->from_float(x, shift, q, n), 0);
            for (uint64_t k = 0; k < n; k++) {
                assert_int_equal(q[k], expected[k]);
            }
            free(x), free(q), free(expected);
        }
    }
}

/* Halves go to the even neighbour. */
static void test_ties(void **state) {
    (void)state;
    const float x[] = {0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -2.5f, 0.75f};
    const int32_t expected[] = {0, 2, 2, 0, -2, -2, 1};
    int32_t q[7];
    assert_int_equal(twin->from_float(x, 0, q, 7), 0);
    for (int i = 0; i < 7; i++) {
        assert_int_equal(q[i], expected[i]);
    }
}

static void compare_to_float(uint64_t n_rows, int dim, int shift, bool with_scale, bool with_sum) {
    const uint64_t n = n_rows * (uint64_t)dim;
    uint64_t seed = n_rows + (uint64_t)dim;
    int64_t *s = check_block(n, sizeof *s);
    float *scale = check_block(n_rows, sizeof *scale);
    float *y = check_block(n, sizeof *y), *y_ref = check_block(n, sizeof *y_ref);
    float *sum = check_block(n, sizeof *sum), *sum_ref = check_block(n, sizeof *sum_ref);
    for (uint64_t i = 0; i < n; i++) {
        const int64_t high = (int64_t)check_below(&seed, UINT32_MAX) - INT32_MAX;
        s[i] = high * (check_below(&seed, 2) == 0 ? 1 : INT32_MAX); /* small sums, and ones that floats round */
    }
    check_fill(scale, n_rows, 1);
    check_fill(sum, n, 2);
    check_fill(sum_ref, n, 2);
    hn_fixed_to_float_ref(s, shift, with_scale ? scale : NULL, y_ref, with_sum ? sum_ref : NULL, n_rows, dim);
    assert_int_equal(twin->to_float(s, shift, with_scale ? scale : NULL, y, with_sum ? sum : NULL, n_rows, dim), 0);
    check_same_floats(y_ref, y, n, "y");
    check_same_floats(sum_ref, sum, n, "sum");
    free(s), free(scale), free(y), free(y_ref), free(sum), free(sum_ref);
}

static void test_to_float(void **state) {
    (void)state;
    const int shifts[] = {0, 31, 30, -97, 179};
    for (size_t i = 0; i < sizeof shifts / sizeof shifts[0]; i++) {
        compare_to_float(0, 5, shifts[i], true, true);
        compare_to_float(1, 1, shifts[i], true, false);
        compare_to_float(37, 7, shifts[i], true, true);
        compare_to_float(9, 64, shifts[i], false, true);
    }
}

/* More elements than the grid has threads, so that each takes several. */
static void test_more_than_a_grid(void **state) {
    (void)state;
    enum { N = 300000 };
    float *x = check_block(N, sizeof *x), result = 0.0f;
    int32_t *q = check_block(N, sizeof *q), *expected = check_block(N, sizeof *expected);
    check_fill_plain(x, N, 1);
    x[N - 1] = -2.0f;
    assert_int_equal(twin->max_magnitude(x, N, &result), 0);
    assert_true(result == 2.0f);
    hn_fixed_from_float_ref(x, 29, expected, N);
    assert_int_equal(twin->from_float(x, 29, q, N), 0);
    for (int i = 0; i < N; i++) {
        assert_int_equal(q[i], expected[i]);
    }
    free(x), free(q), free(expected);
}

int fixed_body_run(const FixedTwin *of, const char *name) {
    twin = of;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_max),  cmocka_unit_test(test_max_anywhere), cmocka_unit_test(test_from_float),
        cmocka_unit_test(test_ties), cmocka_unit_test(test_to_float),     cmocka_unit_test(test_more_than_a_grid),
    };
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}
