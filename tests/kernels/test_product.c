#include "product.h"

#include <math.h>
#include <omp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "check.h"

/* One product with padded rows by both twins: the same bits, and the padding of C untouched. */
static void compare(int64_t m, int64_t n, int64_t k, bool trans_a, bool trans_b, bool accumulate, bool own_scratch) {
    const int64_t lda = (trans_a ? m : k) + 3, ldb = (trans_b ? k : n) + 1, ldc = n + 2;
    const size_t n_a = (size_t)((trans_a ? k : m) * lda), n_b = (size_t)((trans_b ? n : k) * ldb);
    const size_t n_c = (size_t)(m * ldc);
    float *a = check_block(n_a, sizeof *a), *b = check_block(n_b, sizeof *b);
    float *expected = check_block(n_c, sizeof *expected), *actual = check_block(n_c, sizeof *actual);
    void *scratch = own_scratch ? hn_alloc(hn_product_scratch_bytes(m, n, k), 1, "scratch", NULL) : NULL;
    check_fill(a, n_a, 1);
    check_fill(b, n_b, 2);
    check_fill(expected, n_c, 3);
    check_fill(actual, n_c, 3);
    if (own_scratch) {
        memset(scratch, 0xFF, hn_product_scratch_bytes(m, n, k)); /* NaN: any content will do */
    }
    hn_product_ref(trans_a, trans_b, m, n, k, a, lda, b, ldb, accumulate, expected, ldc);
    assert_int_equal(hn_product_cpu(trans_a, trans_b, m, n, k, a, lda, b, ldb, accumulate, actual, ldc, scratch, NULL),
                     HN_OK);
    check_same_floats(expected, actual, n_c, "c");
    hn_free(scratch);
    free(a), free(b), free(expected), free(actual);
}

static void test_equals_ref(void **state) {
    (void)state;
    const int64_t sides[][3] = {{1, 1, 1},   {12, 32, 256}, {13, 33, 257}, {4, 24, 8},    {5, 25, 9},  {3, 97, 4},
                                {97, 3, 70}, {96, 192, 3},  {97, 193, 6},  {30, 20, 515}, {24, 64, 12}};
    for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++) {
        for (int way = 0; way < 8; way++) {
            compare(sides[i][0], sides[i][1], sides[i][2], way % 2 == 1, way / 2 % 2 == 1, way / 4 == 1, way % 3 == 0);
        }
    }
}

/* More than one chunk of rows, and of columns. */
static void test_large_sides(void **state) {
    (void)state;
    compare(3100, 7, 5, false, true, false, true);
    compare(6, 3100, 5, true, false, false, false);
}

static void test_empty_products(void **state) {
    (void)state;
    const float a[] = {1}, b[] = {1, 1};
    float c[] = {3, 4};
    assert_int_equal(hn_product_cpu(false, false, 0, 2, 1, a, 1, b, 2, false, c, 2, NULL, NULL), HN_OK);
    assert_int_equal(hn_product_cpu(false, false, 1, 0, 1, a, 1, b, 1, false, c, 1, NULL, NULL), HN_OK);
    assert_int_equal(hn_product_cpu(false, false, 1, 2, 0, a, 1, b, 2, true, c, 2, NULL, NULL), HN_OK);
    assert_true(c[0] == 3.0f && c[1] == 4.0f);
    assert_int_equal(hn_product_cpu(false, false, 1, 2, 0, a, 1, b, 2, false, c, 2, NULL, NULL), HN_OK);
    assert_true(c[0] == 0.0f && c[1] == 0.0f);
}

/* What was in C is not read unless asked for. */
static void test_known_answer(void **state) {
    (void)state;
    const float a[] = {1, 2, 3, 4}, b[] = {5, 6, 7, 8}, expected[] = {19, 22, 43, 50}, twice[] = {38, 44, 86, 100};
    float c[] = {NAN, INFINITY, NAN, NAN};
    assert_int_equal(hn_product_cpu(false, false, 2, 2, 2, a, 2, b, 2, false, c, 2, NULL, NULL), HN_OK);
    check_same_floats(expected, c, 4, "c");
    assert_int_equal(hn_product_cpu(false, false, 2, 2, 2, a, 2, b, 2, true, c, 2, NULL, NULL), HN_OK);
    check_same_floats(twice, c, 4, "c");
}

/* The promise: a row's bits depend on neither its neighbours nor the threads. */
static void test_rows_alone_and_together(void **state) {
    (void)state;
    enum { M = 150, N = 70, K = 300 };
    const int before = omp_get_max_threads();
    float *a = check_block(M * K, sizeof *a), *b = check_block(N * K, sizeof *b);
    float *together = check_block(M * N, sizeof *together);
    check_fill_plain(a, M * K, 1);
    check_fill_plain(b, N * K, 2);
    omp_set_num_threads(1);
    assert_int_equal(hn_product_cpu(false, true, M, N, K, a, K, b, K, false, together, N, NULL, NULL), HN_OK);
    for (int threads = 2; threads <= 4; threads++) {
        float *again = check_block(M * N, sizeof *again);
        omp_set_num_threads(threads);
        assert_int_equal(hn_product_cpu(false, true, M, N, K, a, K, b, K, false, again, N, NULL, NULL), HN_OK);
        check_same_floats(together, again, M * N, "c");
        free(again);
    }
    for (int row = 0; row < M; row += 49) {
        float alone[N];
        assert_int_equal(hn_product_cpu(false, true, 1, N, K, a + row * K, K, b, K, false, alone, N, NULL, NULL),
                         HN_OK);
        check_same_floats(together + row * N, alone, N, "row");
    }
    float nested[4 * N];
#pragma omp parallel for
    for (int i = 0; i < 4; i++) {
        (void)hn_product_cpu(false, true, 1, N, K, a + i * K, K, b, K, false, nested + i * N, N, NULL, NULL);
    }
    check_same_floats(together, nested, 4 * N, "inside a parallel region");
    omp_set_num_threads(before);
    free(a), free(b), free(together);
}

static void test_memory_may_fail(void **state) {
    (void)state;
    const float one[] = {1.0f};
    float c[1];
    HnError err = HN_ERROR_INIT;
    hn_alloc_fail_at(1);
    assert_int_equal(hn_product_cpu(false, false, 1, 1, 1, one, 1, one, 1, false, c, 1, NULL, &err), HN_MEMORY);
    hn_alloc_fail_at(0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equals_ref),
        cmocka_unit_test(test_large_sides),
        cmocka_unit_test(test_empty_products),
        cmocka_unit_test(test_known_answer),
        cmocka_unit_test(test_rows_alone_and_together),
        cmocka_unit_test(test_memory_may_fail),
    };
    return CHECK_ON_EVERY_PATH(tests);
}
