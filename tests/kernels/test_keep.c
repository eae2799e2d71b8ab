#include "keep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

static void compare(const HnKeep *keep, uint64_t first, const int32_t *rows, uint64_t n_rows, int dim) {
    const size_t n = n_rows * (size_t)dim;
    uint8_t *expected = check_block(n, 1), *actual = check_block(n, 1);
    hn_keep_ref(keep, first, rows, n_rows, dim, 4, expected);
    hn_keep_cpu(keep, first, rows, n_rows, dim, 4, actual);
    if (n > 0) {
        assert_memory_equal(expected, actual, n);
    }
    free(expected), free(actual);
}

static void test_equals_ref(void **state) {
    (void)state;
    const int32_t rows[] = {2, 3, 9, 4000, 70000, 70001, 2147483647};
    for (int dim = 1; dim <= 70; dim++) {
        const HnKeep keep = {UINT64_C(0x123456789ABCDEF) + (uint64_t)dim, 77u * (uint32_t)dim, (uint32_t)dim, 6554};
        compare(&keep, 1000u * (uint64_t)dim, NULL, (uint64_t)dim % 23, dim);
        compare(&keep, 3, rows, 7, dim);
    }
    const uint32_t limits[] = {0, 1, 65535, 65536};
    for (int i = 0; i < 4; i++) {
        compare(&(HnKeep){1, 2, 3, limits[i]}, 5, NULL, 9, 17);
    }
}

/* A row's marks do not depend on which rows are asked for beside it; those of another step, part or row differ. */
static void test_rows_alone(void **state) {
    (void)state;
    enum { DIM = 64, ROWS = 40 };
    uint8_t all[ROWS * DIM], one[DIM];
    HnKeep keep = {9, 1, 2, 32768};
    hn_keep_cpu(&keep, 100, NULL, ROWS, DIM, 1, all);
    for (int32_t r = 0; r < ROWS; r++) {
        hn_keep_cpu(&keep, 100, &r, 1, DIM, 1, one);
        assert_memory_equal(one, all + r * DIM, DIM);
    }
    assert_memory_not_equal(all, all + DIM, DIM);
    keep.step = 2;
    hn_keep_cpu(&keep, 100, NULL, 1, DIM, 1, one);
    assert_memory_not_equal(one, all, DIM);
    keep = (HnKeep){9, 1, 3, 32768};
    hn_keep_cpu(&keep, 100, NULL, 1, DIM, 1, one);
    assert_memory_not_equal(one, all, DIM);
}

static void test_share(void **state) {
    (void)state;
    enum { DIM = 64, ROWS = 4000 };
    uint8_t *marks = check_block(ROWS * DIM, 1);
    double kept = 0.0;
    hn_keep_cpu(&(HnKeep){5, 8, 1, 6554}, 0, NULL, ROWS, DIM, 1, marks);
    for (size_t i = 0; i < (size_t)ROWS * DIM; i++) {
        kept += marks[i];
    }
    assert_true(fabs(kept / (ROWS * DIM) - 0.9) < 4.0 * sqrt(0.09 / (ROWS * DIM)));
    free(marks);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_equals_ref), cmocka_unit_test(test_rows_alone),
                                       cmocka_unit_test(test_share)};
    return CHECK_ON_EVERY_PATH(tests);
}
