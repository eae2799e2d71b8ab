#include "fixed.h"

#include <float.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

static void test_max_magnitude(void **state) {
    (void)state;
    for (size_t n = 0; n <= 130; n++) {
        float *x = check_block(n, sizeof *x);
        check_fill(x, n, n);
        assert_true(hn_max_magnitude_ref(x, n) == hn_max_magnitude_cpu(x, n));
        for (size_t i = 0; i < n; i += 7) {
            const float kept = x[i];
            x[i] = -1e30f;
            assert_true(hn_max_magnitude_cpu(x, n) == 1e30f);
            x[i] = NAN;
            assert_true(isnan(hn_max_magnitude_cpu(x, n)));
            x[i] = -INFINITY;
            assert_true(isinf(hn_max_magnitude_cpu(x, n)));
            x[i] = kept;
        }
        free(x);
    }
    const float zeros[] = {-0.0f, 0.0f};
    assert_true(hn_max_magnitude_cpu(zeros, 2) == 0.0f && !signbit(hn_max_magnitude_cpu(zeros, 2)));
}

/* |max| * 2^shift lies in [2^30, 2^31), for every exponent that a float has. */
static void test_shift_fills_31_bits(void **state) {
    (void)state;
    assert_int_equal(hn_fixed_shift(0.0f), 0);
    assert_int_equal(hn_fixed_shift(1.0f), 30);
    for (float max = 0x1p-149f; isfinite(max); max *= 1.9f) {
        const double scaled = ldexp((double)max, hn_fixed_shift(max));
        assert_true(scaled >= 0x1p30 && scaled < 0x1p31);
        int32_t q[2];
        const float x[] = {max, -max};
        hn_fixed_from_float_cpu(x, hn_fixed_shift(max), q, 2);
        assert_true((double)q[0] == scaled && (double)q[1] == -scaled);
        if (max < 0x1p-140f) {
            max = max * 2; /* 1.9 times the smallest denormal rounds to itself */
        }
    }
    assert_true(ldexp((double)FLT_MAX, hn_fixed_shift(FLT_MAX)) < 0x1p31);
}

static void test_from_float_rounds_to_even(void **state) {
    (void)state;
    const float x[] = {0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -2.5f, 0.49999997f, -0.0f, 3.75f};
    const int32_t expected[] = {0, 2, 2, 0, -2, -2, 0, 0, 4};
    int32_t q[9];
    hn_fixed_from_float_cpu(x, 0, q, 9);
    assert_memory_equal(q, expected, sizeof expected);
    hn_fixed_from_float_ref(x, 0, q, 9);
    assert_memory_equal(q, expected, sizeof expected);
}

static void test_from_float_equals_ref(void **state) {
    (void)state;
    const size_t sizes[] = {0, 1, 7, 8, 9, 31, 100, 300000};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        const size_t n = sizes[s];
        float *x = check_block(n, sizeof *x);
        int32_t *q_ref = check_block(n, sizeof *q_ref), *q = check_block(n, sizeof *q);
        check_fill(x, n, s);
        const int shift = hn_fixed_shift(hn_max_magnitude_ref(x, n));
        hn_fixed_from_float_ref(x, shift, q_ref, n);
        hn_fixed_from_float_cpu(x, shift, q, n);
        assert_true(n == 0 || memcmp(q_ref, q, n * sizeof *q) == 0);
        free(x), free(q_ref), free(q);
    }
}

/* Sums of every size: small, around 2^24 and 2^51..2^53 where conversions change their way, and the largest. */
static int64_t any_sum(uint64_t *state) {
    const uint64_t bits = (uint64_t)check_below(state, UINT32_MAX) << 32 | check_below(state, UINT32_MAX);
    int64_t value;
    memcpy(&value, &bits, sizeof value);
    return value / (INT64_C(1) << check_below(state, 63));
}

static void compare_to_float(uint64_t n_rows, int dim, int shift, int with_scale, int with_sum, uint64_t seed) {
    const size_t n = n_rows * (size_t)dim;
    int64_t *s = check_block(n, sizeof *s);
    float *scale = check_block(n_rows, sizeof *scale);
    float *y_ref = check_block(n, sizeof *y_ref), *y = check_block(n, sizeof *y);
    float *sum_ref = check_block(n, sizeof *sum_ref), *sum = check_block(n, sizeof *sum);
    uint64_t state = seed;
    for (size_t i = 0; i < n; i++) {
        s[i] = any_sum(&state);
    }
    check_fill(scale, n_rows, seed);
    check_fill(sum_ref, n, seed + 1);
    check_fill(sum, n, seed + 1);
    hn_fixed_to_float_ref(s, shift, with_scale ? scale : NULL, y_ref, with_sum ? sum_ref : NULL, n_rows, dim);
    hn_fixed_to_float_cpu(s, shift, with_scale ? scale : NULL, y, with_sum ? sum : NULL, n_rows, dim);
    check_same_floats(y_ref, y, n, "y");
    check_same_floats(sum_ref, sum, n, "sum");
    free(s), free(scale), free(y_ref), free(y), free(sum_ref), free(sum);
}

static void test_to_float_equals_ref(void **state) {
    (void)state;
    for (int dim = 1; dim <= 130; dim++) {
        compare_to_float(9, dim, dim % 60, dim % 2, dim % 3 != 0, (uint64_t)dim);
    }
    const int shifts[] = {-97, -1, 0, 31, 126, 127, 128, 180};
    for (size_t i = 0; i < sizeof shifts / sizeof shifts[0]; i++) {
        compare_to_float(33, 64, shifts[i], 1, 1, i);
    }
    compare_to_float(0, 64, 3, 1, 1, 1);
    compare_to_float(4000, 64, 33, 1, 1, 1);
}

/* Magnitudes where a conversion through double would round twice: 2^54 + 2^30 + 1 must go up, not to even. */
static void test_to_float_rounds_once(void **state) {
    (void)state;
    const int64_t s[] = {(INT64_C(1) << 54) + (INT64_C(1) << 30) + 1, (INT64_C(1) << 54) + (INT64_C(1) << 30),
                         -(INT64_C(1) << 54) - (INT64_C(1) << 30) - 1, (INT64_C(1) << 51) - 1, INT64_MIN};
    const float expected[] = {0x1p54f + 0x1p31f, 0x1p54f, -0x1p54f - 0x1p31f, 0x1p51f, -0x1p63f};
    float y[5];
    hn_fixed_to_float_cpu(s, 0, NULL, y, NULL, 1, 5);
    check_same_floats(expected, y, 5, "y");
}

/* The purpose of it all: whatever the order of the summands, the same bits; and close to the true sum. */
static void test_sums_do_not_depend_on_order(void **state) {
    (void)state;
    enum { N = 5000 };
    float *x = check_block(N, sizeof *x);
    int32_t *q = check_block(N, sizeof *q);
    check_fill_plain(x, N, 3);
    const float max = hn_max_magnitude_cpu(x, N);
    const int shift = hn_fixed_shift(max);
    hn_fixed_from_float_cpu(x, shift, q, N);
    int64_t forward = 0, backward = 0;
    double exact = 0.0;
    for (int i = 0; i < N; i++) {
        forward += q[i];
        backward += q[N - 1 - i];
        exact += (double)x[i];
    }
    assert_true(forward == backward);
    float y;
    hn_fixed_to_float_cpu(&forward, shift, NULL, &y, NULL, 1, 1);
    assert_true(fabs((double)y - exact) <= N * 0x1p-32 + fabs(exact) * 0x1p-24);
    free(x), free(q);
}

static void test_add_equals_ref(void **state) {
    (void)state;
    for (size_t n = 0; n <= 40; n++) {
        float *x = check_block(n, sizeof *x);
        int64_t expected[40], actual[40];
        check_fill_plain(x, n, n);
        for (size_t i = 0; i < n; i++) {
            expected[i] = actual[i] = INT64_C(-7000000000) * (int64_t)i;
        }
        for (int shift = 0; shift <= 60; shift += 20) {
            hn_fixed_add_ref(x, shift, expected, n);
            hn_fixed_add_cpu(x, shift, actual, n);
            assert_memory_equal(expected, actual, n * sizeof *expected);
        }
        free(x);
    }
    const float x[] = {1.5f, -2.5f, 0x1p-30f};
    int64_t totals[] = {1, 1, 1};
    hn_fixed_add_cpu(x, 32, totals, 3);
    assert_true(totals[0] == 1 + (INT64_C(3) << 31) && totals[1] == 1 - (INT64_C(5) << 31) && totals[2] == 5);
}

static void test_threads_do_not_matter(void **state) {
    (void)state;
    const int before = omp_get_max_threads();
    for (int threads = 1; threads <= 3; threads++) {
        omp_set_num_threads(threads);
        test_from_float_equals_ref(state);
        compare_to_float(4000, 64, 33, 1, 1, 1);
    }
    omp_set_num_threads(before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_max_magnitude),
        cmocka_unit_test(test_shift_fills_31_bits),
        cmocka_unit_test(test_from_float_rounds_to_even),
        cmocka_unit_test(test_from_float_equals_ref),
        cmocka_unit_test(test_to_float_equals_ref),
        cmocka_unit_test(test_to_float_rounds_once),
        cmocka_unit_test(test_sums_do_not_depend_on_order),
        cmocka_unit_test(test_add_equals_ref),
        cmocka_unit_test(test_threads_do_not_matter),
    };
    return CHECK_ON_EVERY_PATH(tests);
}
