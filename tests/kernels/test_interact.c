#include "interact.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

/* One layer's arrays, random. */
typedef struct Case {
    HnInteract layer;
    uint64_t n_rows;
    size_t n, weights;
    float *w[4], *b[2], *e, *s, *out, *d, *direct, *sums, *scratch;
    uint8_t *marks;
} Case;

static float *random_block(size_t n, uint64_t seed) {
    float *block = check_block(n, sizeof *block);
    check_fill_plain(block, n, seed);
    return block;
}

static Case case_make(uint64_t n_rows, int dim, bool with_self, bool apart, bool biased) {
    const size_t d = (size_t)dim;
    Case one = {.n_rows = n_rows, .n = n_rows * d, .weights = 2 * d * (d + 1)};
    for (size_t k = 0; k < 4; k++) {
        one.w[k] = random_block(d * d, k + 1);
    }
    for (size_t k = 0; k < d * d; k++) {
        one.w[2][k] = one.w[0][k % d * d + k / d], one.w[3][k] = one.w[1][k % d * d + k / d];
    }
    one.b[0] = random_block(d, 5), one.b[1] = random_block(d, 6);
    one.e = random_block(one.n, 7), one.s = random_block(one.n, 8);
    one.out = random_block(one.n, 9), one.d = random_block(one.n, 10), one.direct = random_block(one.n, 11);
    one.sums = random_block(one.weights, 12);
    one.scratch = check_block(hn_interact_scratch(dim), sizeof(float));
    one.marks = check_block(one.n, 1);
    for (size_t k = 0; k < one.n; k++) {
        one.marks[k] = k % 7 != 3 ? HN_INTERACT_KEPT : 0;
    }
    one.layer = (HnInteract){dim,
                             with_self,
                             apart,
                             0.2f,
                             1.25f,
                             one.w[0],
                             one.w[1],
                             one.w[2],
                             one.w[3],
                             biased ? one.b[0] : NULL,
                             biased ? one.b[1] : NULL};
    return one;
}

static void case_free(Case *one) {
    for (int k = 0; k < 4; k++) {
        free(one->w[k]);
    }
    free(one->b[0]), free(one->b[1]), free(one->e), free(one->s), free(one->out), free(one->d), free(one->direct);
    free(one->sums), free(one->scratch), free(one->marks);
}

static HnInteractSums sums_of(const Case *one) {
    const size_t square = (size_t)one->layer.dim * (size_t)one->layer.dim;
    float *b1 = one->layer.b1 != NULL ? one->sums + 2 * square : NULL;
    return (HnInteractSums){one->sums, one->sums + square, b1, b1 != NULL ? b1 + one->layer.dim : NULL};
}

static void compare(uint64_t n_rows, int dim, int way) {
    Case a = case_make(n_rows, dim, way & 1, way & 2, way & 4), b = case_make(n_rows, dim, way & 1, way & 2, way & 4);
    hn_interact_forward_ref(&a.layer, n_rows, a.e, a.s, a.marks, a.out, a.scratch);
    hn_interact_forward_cpu(&b.layer, n_rows, b.e, b.s, b.marks, b.out, b.scratch);
    check_same_floats(a.out, b.out, a.n, "output");
    if (a.n > 0) {
        assert_memory_equal(a.marks, b.marks, a.n);
    }
    const HnInteractSums sums_a = sums_of(&a), sums_b = sums_of(&b);
    hn_interact_backward_ref(&a.layer, n_rows, a.e, a.s, a.marks, a.d, a.direct, way & 8 ? NULL : &sums_a, a.scratch);
    hn_interact_backward_cpu(&b.layer, n_rows, b.e, b.s, b.marks, b.d, b.direct, way & 8 ? NULL : &sums_b, b.scratch);
    check_same_floats(a.d, b.d, a.n, "gradient of the sums");
    check_same_floats(a.direct, b.direct, a.n, "gradient of the rows");
    check_same_floats(a.sums, b.sums, a.weights, "gradient of the weights");
    case_free(&a), case_free(&b);
}

static void test_equals_ref(void **state) {
    (void)state;
    for (int dim = 1; dim <= 40; dim++) {
        compare((uint64_t)(dim * 7 % 60), dim, dim % 16);
    }
    for (int way = 0; way < 16; way++) {
        compare(101, 64, way);
    }
    compare(0, 8, 0);
}

static double weighted(const Case *one) {
    double sum = 0.0;
    for (size_t k = 0; k < one->n; k++) {
        sum += (double)one->out[k] * cos((double)k);
    }
    return sum;
}

static double loss(Case *one) {
    for (size_t k = 0; k < one->n; k++) {
        one->marks[k] &= HN_INTERACT_KEPT;
    }
    hn_interact_forward_cpu(&one->layer, one->n_rows, one->e, one->s, one->marks, one->out, one->scratch);
    return weighted(one);
}

static void check_difference(Case *one, float *x, size_t n, const float *gradient, const char *what) {
    for (size_t k = 0; k < n; k += 3) {
        const float kept = x[k], h = 1e-3f;
        x[k] = kept + h;
        const double above = loss(one);
        x[k] = kept - h;
        const double below = loss(one);
        x[k] = kept;
        const double difference = (above - below) / (2.0 * (double)h);
        if (fabs(difference - (double)gradient[k]) > 0.02 + 0.01 * fabs(difference)) {
            fail_msg("%s[%zu]: gradient %.6g, difference %.6g", what, k, (double)gradient[k], difference);
        }
    }
}

/* Against differences of the output: none of the inputs lies within h of a kink for these seeds. */
static void test_gradients(void **state) {
    (void)state;
    for (int way = 0; way < 4; way++) {
        Case one = case_make(3, 5, way & 1, way & 2, true);
        const HnInteractSums sums = sums_of(&one);
        memset(one.sums, 0, one.weights * sizeof *one.sums);
        (void)loss(&one);
        for (size_t k = 0; k < one.n; k++) {
            one.d[k] = (float)cos((double)k);
        }
        hn_interact_backward_cpu(&one.layer, one.n_rows, one.e, one.s, one.marks, one.d, one.direct, &sums,
                                 one.scratch);
        check_difference(&one, one.s, one.n, one.d, "s");
        check_difference(&one, one.e, one.n, one.direct, "e");
        check_difference(&one, one.w[0], 25, sums.w1, "w1");
        check_difference(&one, one.w[1], 25, sums.w2, "w2");
        check_difference(&one, one.b[0], 5, sums.b1, "b1");
        check_difference(&one, one.b[1], 5, sums.b2, "b2");
        case_free(&one);
    }
}

static void test_known_answer(void **state) {
    (void)state;
    const float w1[] = {1, 0, 0, 1}, w2[] = {0, 2, 1, 0}, e[] = {1, -2}, s[] = {3, 1}, b1[] = {0, -10}, b2[] = {1, 1};
    uint8_t marks[] = {HN_INTERACT_KEPT, HN_INTERACT_KEPT};
    float out[2], scratch[5 * HN_INTERACT_ROWS * 2];
    /* first (4, -1) + (0, -10), second: (3, -2) W2 = (-2, 6) + (1, 1) */
    HnInteract layer = {2, true, false, 0.5f, 2.0f, w1, w2, w1, w2, b1, b2};
    hn_interact_forward_cpu(&layer, 1, e, s, marks, out, scratch);
    assert_true(out[0] == 2.0f * 3.0f && out[1] == 2.0f * -2.0f);
    assert_int_equal(marks[0], HN_INTERACT_KEPT | HN_INTERACT_FIRST);
    assert_int_equal(marks[1], HN_INTERACT_KEPT);
    layer.apart = true;
    marks[0] = HN_INTERACT_KEPT, marks[1] = HN_INTERACT_KEPT;
    hn_interact_forward_cpu(&layer, 1, e, s, marks, out, scratch);
    assert_true(out[0] == 2.0f * (4.0f - 0.5f) && out[1] == 2.0f * (-5.5f + 7.0f));
    assert_int_equal(marks[0], HN_INTERACT_KEPT | HN_INTERACT_FIRST);
    assert_int_equal(marks[1], HN_INTERACT_KEPT | HN_INTERACT_SECOND);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_equals_ref), cmocka_unit_test(test_gradients),
                                       cmocka_unit_test(test_known_answer)};
    return CHECK_ON_EVERY_PATH(tests);
}
