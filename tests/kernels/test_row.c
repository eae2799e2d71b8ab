#include "row.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

static void test_equals_ref(void **state) {
    (void)state;
    const HnRowOps *ref = hn_row_ops_ref(), *cpu = hn_row_ops_cpu();
    for (int n = 0; n <= 200; n++) {
        const size_t count = (size_t)n;
        float *a = check_block(count, sizeof *a), *b = check_block(count, sizeof *b);
        float *expected = check_block(count, sizeof *expected), *actual = check_block(count, sizeof *actual);
        check_fill(a, count, (uint64_t)n);
        check_fill(b, count, (uint64_t)n + 1000);
        const float dot_ref = ref->dot(a, b, n), dot = cpu->dot(a, b, n);
        check_same_floats(&dot_ref, &dot, 1, "dot");

        check_fill(expected, count, 5);
        check_fill(actual, count, 5);
        ref->axpy(expected, 0.7f, a, n);
        cpu->axpy(actual, 0.7f, a, n);
        check_same_floats(expected, actual, count, "axpy");
        ref->scale(expected, -1.3f, a, n);
        cpu->scale(actual, -1.3f, a, n);
        check_same_floats(expected, actual, count, "scale");
        ref->mix(expected, 0.3f, a, 0.7f, b, n);
        cpu->mix(actual, 0.3f, a, 0.7f, b, n);
        check_same_floats(expected, actual, count, "mix");
        free(a), free(b), free(expected), free(actual);
    }
}

/* Products that underflow to -0: the padding of a masked load must not change the sign of the sum. */
static void test_dot_of_underflowing_products(void **state) {
    (void)state;
    float a[37], b[37];
    for (int i = 0; i < 37; i++) {
        a[i] = -1e-30f;
        b[i] = 1e-30f;
    }
    for (int n = 0; n <= 37; n++) {
        const float expected = hn_row_ops_ref()->dot(a, b, n), actual = hn_row_ops_cpu()->dot(a, b, n);
        check_same_floats(&expected, &actual, 1, "dot");
    }
}

static void test_known_answer(void **state) {
    (void)state;
    float a[100], b[100];
    for (int i = 0; i < 100; i++) {
        a[i] = (float)(i + 1);
        b[i] = 2.0f;
    }
    assert_true(hn_row_ops_cpu()->dot(a, b, 100) == 10100.0f);
    assert_true(hn_row_ops_cpu()->dot(a, b, 0) == 0.0f);
    hn_row_ops_cpu()->axpy(a, 3.0f, b, 100);
    assert_true(a[0] == 7.0f && a[99] == 106.0f);
    hn_row_ops_cpu()->mix(a, 0.5f, a, 0.25f, b, 100); /* in place */
    assert_true(a[0] == 4.0f && a[99] == 53.5f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equals_ref),
        cmocka_unit_test(test_dot_of_underflowing_products),
        cmocka_unit_test(test_known_answer),
    };
    return CHECK_ON_EVERY_PATH(tests);
}
