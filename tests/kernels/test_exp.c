#include "exp.h"

#include <math.h>
#include <stdlib.h>

#include "check.h"

static void test_equals_ref(void **state) {
    (void)state;
    for (uint64_t n = 0; n <= 100; n++) {
        float *expected = check_block(n, sizeof *expected), *actual = check_block(n, sizeof *actual);
        check_fill(expected, n, n);
        check_fill(actual, n, n);
        hn_exp_ref(expected, n, 5.0f, -5.0f);
        hn_exp_cpu(actual, n, 5.0f, -5.0f);
        check_same_floats(expected, actual, n, "exp");
        free(expected), free(actual);
    }
}

/* Every argument that a normal result has, in steps that meet no pattern. */
static void test_near_the_exponential(void **state) {
    (void)state;
    double worst = 0.0;
    for (float x = -86.0f; x <= 88.0f; x += 0.00093f) {
        float y = x;
        hn_exp_cpu(&y, 1, 1.0f, 0.0f);
        const double wanted = exp((double)x);
        worst = fmax(worst, fabs((double)y - wanted) / wanted);
    }
    assert_true(worst < 2.0 * 0x1p-24 * 2.0);
}

static void test_known_answers(void **state) {
    (void)state;
    float x[] = {0.0f, 1.0f, -1000.0f, 1000.0f, NAN, INFINITY, -INFINITY};
    hn_exp_cpu(x, 7, 1.0f, 0.0f);
    assert_true(x[0] == 1.0f);
    assert_true(fabs((double)x[1] - 2.718281828459045) < 3e-7);
    assert_true(x[2] > 0.0f && x[2] < 5e-38f && x[4] == x[2] && x[6] == x[2]);
    assert_true(isfinite(x[3]) && x[3] > 1e38f && x[5] == x[3]);
    float shifted = 1.0f; /* a cosine of 1 */
    hn_exp_cpu(&shifted, 1, 1.0f / 0.2f, -1.0f / 0.2f);
    assert_true(shifted == 1.0f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equals_ref),
        cmocka_unit_test(test_near_the_exponential),
        cmocka_unit_test(test_known_answers),
    };
    return CHECK_ON_EVERY_PATH(tests);
}
