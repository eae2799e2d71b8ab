#include "dense.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

/* Rows longer than what is used of them, so that a wrong step, or a write behind the last column, shows. */
static void compare(int64_t m, int64_t n, int64_t k, bool across, bool accumulate) {
    const int64_t lda = (across ? m : k) + 3, ldb = n + 2, ldc = n + 5;
    const size_t n_a = (size_t)((across ? k : m) * lda), n_b = (size_t)(k * ldb), n_c = (size_t)(m * ldc);
    float *a = check_block(n_a, sizeof *a), *b = check_block(n_b, sizeof *b);
    float *expected = check_block(n_c, sizeof *expected), *actual = check_block(n_c, sizeof *actual);
    check_fill_plain(a, n_a, (uint64_t)(m + 7 * n));
    check_fill_plain(b, n_b, (uint64_t)k);
    check_fill_plain(expected, n_c, 5);
    memcpy(actual, expected, n_c * sizeof *actual);
    const HnDenseLeft left = {a, across ? 1 : lda, across ? lda : 1};
    hn_dense_ref(m, n, k, left, b, ldb, accumulate, expected, ldc);
    hn_dense_cpu(m, n, k, left, b, ldb, accumulate, actual, ldc);
    check_same_floats(expected, actual, n_c, "product");
    free(a), free(b), free(expected), free(actual);
}

static void test_equals_ref(void **state) {
    (void)state;
    for (int64_t n = 0; n <= 70; n++) {
        compare(n % 19, n, (n * 5) % 23, n % 2 == 0, n % 3 == 0);
        compare((n * 3) % 31, n, 8, n % 2 != 0, n % 3 != 0);
    }
    compare(64, 64, 48, true, true);
    compare(48, 64, 64, false, false);
    compare(0, 64, 64, false, false);
}

static void test_known_answer(void **state) {
    (void)state;
    const float a[] = {1, 2, 3, 4}, b[] = {5, 6, 7, 8}, plain[] = {19, 22, 43, 50}, turned[] = {27, 31, 39, 45};
    float c[] = {1, 1, 1, 1};
    hn_dense_cpu(2, 2, 2, (HnDenseLeft){a, 2, 1}, b, 2, false, c, 2);
    check_same_floats(plain, c, 4, "A B");
    for (int i = 0; i < 4; i++) {
        c[i] = 1.0f;
    }
    hn_dense_cpu(2, 2, 2, (HnDenseLeft){a, 1, 2}, b, 2, true, c, 2);
    check_same_floats(turned, c, 4, "C + A^T B");
    hn_dense_cpu(2, 2, 0, (HnDenseLeft){a, 2, 1}, b, 2, true, c, 2);
    check_same_floats(turned, c, 4, "nothing added");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_equals_ref), cmocka_unit_test(test_known_answer)};
    return CHECK_ON_EVERY_PATH(tests);
}
