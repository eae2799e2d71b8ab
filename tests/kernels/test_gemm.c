#include "gemm.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

typedef struct Shape {
    int64_t m, n, k;
} Shape;

static const Shape shapes[] = {{1, 1, 1}, {1, 64, 7}, {3, 5, 130}, {64, 64, 64}, {65, 33, 100}, {200, 17, 3}};
enum { N_SHAPES = sizeof shapes / sizeof shapes[0] };

/* One product with padded rows, by both twins; every element within the error that k roundings allow, padding kept. */
static void compare(Shape s, bool trans_a, bool trans_b, float alpha, float beta, bool single) {
    const int64_t lda = (trans_a ? s.m : s.k) + 3, ldb = (trans_b ? s.k : s.n) + 1, ldc = s.n + 2;
    const size_t n_a = (size_t)((trans_a ? s.k : s.m) * lda), n_b = (size_t)((trans_b ? s.n : s.k) * ldb);
    const size_t n_c = (size_t)(s.m * ldc);
    float *a = check_block(n_a, sizeof *a), *b = check_block(n_b, sizeof *b);
    float *expected = check_block(n_c, sizeof *expected), *actual = check_block(n_c, sizeof *actual);
    HnError err = HN_ERROR_INIT;
    check_fill_plain(a, n_a, 1);
    check_fill_plain(b, n_b, 2);
    check_fill_plain(expected, n_c, 3);
    check_fill_plain(actual, n_c, 3);
    hn_gemm_ref(trans_a, trans_b, s.m, s.n, s.k, alpha, a, lda, b, ldb, beta, expected, ldc);
    const HnStatus status =
        single ? hn_gemm_single(trans_a, trans_b, s.m, s.n, s.k, alpha, a, lda, b, ldb, beta, actual, ldc, &err)
               : hn_gemm(trans_a, trans_b, s.m, s.n, s.k, alpha, a, lda, b, ldb, beta, actual, ldc, &err);
    assert_int_equal(status, HN_OK);
    const double bound = 0x1p-23 * (double)(s.k + 4) * (fabs((double)alpha) + fabs((double)beta));
    for (size_t i = 0; i < n_c; i++) {
        assert_true(fabs((double)expected[i] - (double)actual[i]) <= bound);
    }
    free(a), free(b), free(expected), free(actual);
}

static void test_equals_ref(void **state) {
    (void)state;
    for (int i = 0; i < N_SHAPES; i++) {
        for (int t = 0; t < 4; t++) {
            compare(shapes[i], t % 2 == 1, t / 2 == 1, 1.0f, 0.0f, false);
            compare(shapes[i], t % 2 == 1, t / 2 == 1, -0.5f, 1.0f, true);
            compare(shapes[i], t % 2 == 1, t / 2 == 1, 2.0f, 0.25f, false);
        }
    }
}

/* beta 0 overwrites: what was in C, NaN included, is not read. */
static void test_beta_zero_overwrites(void **state) {
    (void)state;
    const float a[] = {1, 2, 3, 4}, b[] = {5, 6, 7, 8}, expected[] = {19, 22, 43, 50};
    float c[] = {NAN, NAN, INFINITY, NAN};
    assert_int_equal(hn_gemm(false, false, 2, 2, 2, 1.0f, a, 2, b, 2, 0.0f, c, 2, NULL), HN_OK);
    check_same_floats(expected, c, 4, "c");
    float c_ref[] = {NAN, NAN, INFINITY, NAN};
    hn_gemm_ref(false, false, 2, 2, 2, 1.0f, a, 2, b, 2, 0.0f, c_ref, 2);
    check_same_floats(expected, c_ref, 4, "c");
}

static void test_empty_products(void **state) {
    (void)state;
    const float a[] = {1}, b[] = {1};
    float c[] = {3, 4};
    assert_int_equal(hn_gemm(false, false, 0, 2, 1, 1.0f, a, 1, b, 2, 0.0f, c, 2, NULL), HN_OK);
    assert_int_equal(hn_gemm(false, false, 1, 0, 1, 1.0f, a, 1, b, 1, 0.0f, c, 1, NULL), HN_OK);
    assert_true(c[0] == 3.0f && c[1] == 4.0f);
    assert_int_equal(hn_gemm(false, false, 1, 2, 0, 1.0f, a, 1, b, 2, 1.0f, c, 2, NULL), HN_OK);
    assert_true(c[0] == 3.0f && c[1] == 4.0f);
    assert_int_equal(hn_gemm(false, false, 1, 2, 0, 1.0f, a, 1, b, 2, 0.5f, c, 2, NULL), HN_OK);
    assert_true(c[0] == 1.5f && c[1] == 2.0f);
    assert_int_equal(hn_gemm(false, false, 1, 2, 0, 1.0f, a, 1, b, 2, 0.0f, c, 2, NULL), HN_OK);
    assert_true(c[0] == 0.0f && c[1] == 0.0f);
}

static void test_impossible_shape_is_refused(void **state) {
    (void)state;
    const float a[] = {1, 1}, b[] = {1, 1};
    float c[] = {0, 0};
    HnError err = HN_ERROR_INIT;
    assert_int_not_equal(hn_gemm(false, false, 1, 2, 2, 1.0f, a, 1, b, 2, 0.0f, c, 2, &err), HN_OK);
    assert_non_null(strstr(err.message, "1 x 2 x 2"));
}

/* One thread each, whoever calls: the same bits outside and inside parallel regions, whatever the thread count. */
static void test_single_does_not_depend_on_threads(void **state) {
    (void)state;
    enum { M = 64, N = 100, K = 333 };
    const int before = omp_get_max_threads();
    float *a = check_block(M * K, sizeof *a), *b = check_block(K * N, sizeof *b);
    float *expected = check_block(M * N, sizeof *expected);
    check_fill_plain(a, M * K, 1);
    check_fill_plain(b, K * N, 2);
    omp_set_num_threads(1);
    assert_int_equal(hn_gemm_single(false, false, M, N, K, 1.0f, a, K, b, N, 0.0f, expected, N, NULL), HN_OK);
    for (int threads = 2; threads <= 4; threads++) {
        float *actual = check_block(4 * M * N, sizeof *actual);
        int failures = 0;
        omp_set_num_threads(threads);
        assert_int_equal(hn_gemm_single(false, false, M, N, K, 1.0f, a, K, b, N, 0.0f, actual, N, NULL), HN_OK);
        check_same_floats(expected, actual, M * N, "c outside");
        assert_int_equal(omp_get_max_threads(), threads);
#pragma omp parallel for reduction(+ : failures)
        for (int i = 0; i < 4; i++) {
            failures +=
                hn_gemm_single(false, false, M, N, K, 1.0f, a, K, b, N, 0.0f, actual + i * M * N, N, NULL) != HN_OK;
        }
        assert_int_equal(failures, 0);
        for (int i = 0; i < 4; i++) {
            check_same_floats(expected, actual + i * M * N, M * N, "c inside");
        }
        free(actual);
    }
    omp_set_num_threads(before);
    free(a), free(b), free(expected);
}

static void test_library_says_its_name(void **state) {
    (void)state;
    assert_non_null(strstr(hn_gemm_library(), "oneDNN "));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equals_ref),
        cmocka_unit_test(test_beta_zero_overwrites),
        cmocka_unit_test(test_empty_products),
        cmocka_unit_test(test_impossible_shape_is_refused),
        cmocka_unit_test(test_single_does_not_depend_on_threads),
        cmocka_unit_test(test_library_says_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
