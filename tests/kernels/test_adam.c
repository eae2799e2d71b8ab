#include "adam.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>

#include "check.h"

typedef struct Arrays {
    float *p, *g, *m, *v;
} Arrays;

static Arrays arrays_make(size_t n, uint64_t seed) {
    Arrays arrays = {check_block(n, sizeof(float)), check_block(n, sizeof(float)), check_block(n, sizeof(float)),
                     check_block(n, sizeof(float))};
    check_fill(arrays.p, n, seed);
    check_fill(arrays.g, n, seed + 1);
    check_fill_plain(arrays.m, n, seed + 2);
    check_fill_plain(arrays.v, n, seed + 3);
    for (size_t i = 0; i < n; i++) {
        arrays.v[i] = fabsf(arrays.v[i]);
    }
    return arrays;
}

static void arrays_free(Arrays *arrays) {
    free(arrays->p), free(arrays->g), free(arrays->m), free(arrays->v);
}

static void compare(size_t n, uint64_t step) {
    Arrays expected = arrays_make(n, n), actual = arrays_make(n, n);
    hn_adam_ref(expected.p, expected.g, expected.m, expected.v, n, 1e-3, step);
    hn_adam_cpu(actual.p, actual.g, actual.m, actual.v, n, 1e-3, step);
    check_same_floats(expected.p, actual.p, n, "parameter");
    check_same_floats(expected.g, actual.g, n, "gradient");
    check_same_floats(expected.m, actual.m, n, "first moment");
    check_same_floats(expected.v, actual.v, n, "second moment");
    arrays_free(&expected);
    arrays_free(&actual);
}

static void test_equals_ref(void **state) {
    (void)state;
    for (size_t n = 0; n <= 130; n++) {
        compare(n, n + 1);
    }
    compare(70, 1000000); /* the corrections have become 1 */
}

static void test_threads_do_not_matter(void **state) {
    (void)state;
    const int before = omp_get_max_threads();
    for (int threads = 1; threads <= 3; threads++) {
        omp_set_num_threads(threads);
        compare(200003, 3);
    }
    omp_set_num_threads(before);
}

/* The definition, in double precision. Not inlined: clang 14 unrolls the callers' loops around it for minutes. */
__attribute__((noinline)) static void adam_in_double(double *p, double *m, double *v, const float *g, size_t n,
                                                     double rate, double t) {
    const double unbias_m = 1.0 - pow(0.9, t), unbias_v = 1.0 - pow(0.999, t);
    for (size_t i = 0; i < n; i++) {
        const double gi = (double)g[i];
        m[i] = 0.9 * m[i] + 0.1 * gi;
        v[i] = 0.999 * v[i] + 0.001 * gi * gi;
        p[i] -= rate * (m[i] / unbias_m) / (sqrt(v[i] / unbias_v) + 1e-8);
    }
}

static void test_follows_the_definition(void **state) {
    (void)state;
    const size_t n = 37;
    Arrays a = arrays_make(n, 1);
    double *wide = calloc(3 * n, sizeof *wide), *p = wide, *m = wide + n, *v = wide + 2 * n;
    check_fill_plain(a.p, n, 1);
    for (size_t i = 0; i < n; i++) {
        a.m[i] = a.v[i] = 0.0f;
        p[i] = (double)a.p[i];
    }
    for (uint64_t t = 1; t <= 50; t++) {
        check_fill_plain(a.g, n, 100 + t);
        adam_in_double(p, m, v, a.g, n, 0.01, (double)t);
        hn_adam_cpu(a.p, a.g, a.m, a.v, n, 0.01, t);
        for (size_t i = 0; i < n; i++) {
            assert_true(fabs((double)a.p[i] - p[i]) < 1e-6 * (double)t);
        }
    }
    free(wide);
    arrays_free(&a);
}

/* From zero moments one step moves every parameter by the learning rate against the gradient's sign, and a zero
 * gradient moves nothing. */
static void test_first_step(void **state) {
    (void)state;
    float p[3] = {1, 1, 1}, g[3] = {5, -0.01f, 0}, m[3] = {0}, v[3] = {0};
    hn_adam_cpu(p, g, m, v, 3, 0.125, 1);
    assert_true(fabsf(p[0] - 0.875f) < 1e-6f && fabsf(p[1] - 1.125f) < 1e-6f && p[2] == 1.0f);
}

/* A part by itself, its moments past the caches or not, at every alignment: the plain twin's bits. */
static void test_parts(void **state) {
    (void)state;
    enum { N = 300 };
    for (int at = 0; at < 20; at++) {
        for (int past = 0; past <= 1; past++) {
            float *blocks[2][4];
            for (int b = 0; b < 8; b++) {
                blocks[b / 4][b % 4] = aligned_alloc(64, 64 * ((N * sizeof(float) + 63) / 64));
                check_fill_plain(blocks[b / 4][b % 4], N, (uint64_t)(b % 4));
            }
            for (int i = 0; i < 2 * N; i++) {
                float *v = &blocks[i / N][3][i % N];
                *v = fabsf(*v);
            }
            const uint64_t n = (uint64_t)(N - 16 - at);
            HnAdamStep step = hn_adam_step(0.01, 3);
            step.past_cache = past == 1;
            hn_adam_ref(blocks[0][0] + at, blocks[0][1] + at, blocks[0][2] + at, blocks[0][3] + at, n, 0.01, 3);
            hn_adam_part_cpu(blocks[1][0] + at, blocks[1][1] + at, blocks[1][2] + at, blocks[1][3] + at, n, &step);
            for (int b = 0; b < 4; b++) {
                check_same_floats(blocks[0][b], blocks[1][b], N, "block");
                free(blocks[0][b]), free(blocks[1][b]);
            }
        }
    }
}

/* Any number of steps at once: the bits of that many plain steps with gradients of 0, for rows that still move, that
 * move no more, that never moved, and for moments that have sunk to the last bits of a float. */
static void test_rest(void **state) {
    (void)state;
    enum { MOST = 200 };
    static const float sizes[] = {1.0f, 1e-4f, 1e-9f, 1e-30f, 4e-45f, 0.0f};
    HnAdamStep steps[MOST];
    for (size_t n = 1; n <= 150; n = n < 20 ? n + 1 : n + 43) {
        for (int size = 0; size < 6; size++) {
            for (uint64_t first = 1; first < 20000; first *= 17) {
                const uint64_t n_steps = (n * 7 + (uint64_t)size * 31 + first) % MOST;
                Arrays expected = arrays_make(n, n), actual = arrays_make(n, n);
                for (size_t i = 0; i < n; i++) {
                    const float of_p = i % 3 == 0 ? 1e-25f : i % 7 == 0 ? 0.0f : 1.0f;
                    expected.g[i] = 0.0f;
                    expected.p[i] *= of_p, actual.p[i] *= of_p;
                    expected.m[i] *= sizes[size], actual.m[i] *= sizes[size];
                    expected.v[i] *= sizes[size] * sizes[size], actual.v[i] *= sizes[size] * sizes[size];
                }
                for (uint64_t k = 0; k < n_steps; k++) {
                    steps[k] = hn_adam_step(0.01, first + k);
                    hn_adam_ref(expected.p, expected.g, expected.m, expected.v, n, 0.01, first + k);
                }
                hn_adam_rest_cpu(actual.p, actual.m, actual.v, n, steps, n_steps);
                check_same_floats(expected.p, actual.p, n, "parameter");
                check_same_floats(expected.m, actual.m, n, "first moment");
                check_same_floats(expected.v, actual.v, n, "second moment");
                arrays_free(&expected);
                arrays_free(&actual);
            }
        }
    }
}

/* What a step takes off shrinks by a twentieth at least, at any number of steps: why a row that did not move will not.
 */
static void test_rest_ends(void **state) {
    (void)state;
    for (uint64_t t = 1; t < 100000; t += t < 1000 ? 1 : 97) {
        const HnAdamStep now = hn_adam_step(0.01, t), then = hn_adam_step(0.01, t + 1);
        const double quotient =
            0.9 / sqrt(0.999) * (double)then.rate / (double)now.rate * (double)now.unbias_v / (double)then.unbias_v;
        assert_true(quotient < 0.95);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rest),
        cmocka_unit_test(test_rest_ends),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_equals_ref),
        cmocka_unit_test(test_threads_do_not_matter),
        cmocka_unit_test(test_follows_the_definition),
        cmocka_unit_test(test_first_step),
    };
    return CHECK_ON_EVERY_PATH(tests);
}
