#include "linear.h"

#include <math.h>
#include <omp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "check.h"

enum { N_TYPES = 5 };

static bool rounds_x(HnWeightType type) {
    return strstr(hn_linear_path(type), "bf16") != NULL;
}

/* Random weights about as large as a model's; the caller frees bytes. */
static HnWeight weight_make(HnWeightType type, int64_t n, int64_t k, uint64_t seed) {
    HnWeight weight = {type, n, k, hn_alloc(hn_weight_bytes(type, n, k), 1, "weights", NULL)};
    float *rows = check_block((size_t)(n * k), sizeof *rows);
    check_fill_plain(rows, (size_t)(n * k), seed);
    hn_weight_pack(&weight, HN_ELEMENT_F32, rows, 0, n);
    free(rows);
    return weight;
}

static void linear(const HnWeight *weight, const float *bias, int64_t m, const float *x, int64_t ldx, bool add,
                   float *y, int64_t ldy) {
    const size_t n_bytes = hn_linear_scratch_bytes(weight, m);
    void *scratch = hn_alloc(n_bytes, 1, "scratch", NULL);
    memset(scratch, 0xFF, n_bytes); /* NaN: any content will do */
    hn_linear_cpu(weight, bias, m, x, ldx, add, y, ldy, scratch);
    hn_free(scratch);
}

/* Pairs of bf16 are added up in the instruction's own way, so bits may differ there: by a few roundings of the sum of
 * magnitudes. Everywhere else the chain is the reference's, bit by bit. */
static void check_near(const HnWeight *weight, int64_t m, const float *x, int64_t ldx, const float *expected,
                       const float *actual, int64_t ldy) {
    float *row = check_block((size_t)weight->k, sizeof *row);
    for (int64_t j = 0; j < weight->n; j++) {
        hn_weight_row(weight, j, row);
        for (int64_t i = 0; i < m; i++) {
            double magnitude = 4.0; /* of bias and y, at most */
            for (int64_t l = 0; l < weight->k; l++) {
                magnitude += fabs((double)x[i * ldx + l] * (double)row[l]);
            }
            const double off = fabs((double)expected[i * ldy + j] - (double)actual[i * ldy + j]);
            if (!(off <= 1e-6 * magnitude)) {
                fail_msg("%s row %d output %d: %g, not %g", hn_weight_type_name(weight->type), (int)i, (int)j,
                         (double)actual[i * ldy + j], (double)expected[i * ldy + j]);
            }
        }
    }
    free(row);
}

static void compare(HnWeightType type, int64_t m, int64_t n, int64_t k, bool with_bias, bool add) {
    const int64_t ldx = k + 3, ldy = n + 5;
    const size_t n_x = (size_t)(m * ldx), n_y = (size_t)(m * ldy);
    float *x = check_block(n_x, sizeof *x), *bias = check_block((size_t)n, sizeof *bias);
    float *expected = check_block(n_y, sizeof *expected), *actual = check_block(n_y, sizeof *actual);
    HnWeight weight = weight_make(type, n, k, 1);
    check_fill_plain(x, n_x, 2);
    check_fill_plain(bias, (size_t)n, 3);
    check_fill_plain(expected, n_y, 4);
    memcpy(actual, expected, n_y * sizeof *actual);
    hn_linear_ref(&weight, with_bias ? bias : NULL, m, x, ldx, add, expected, ldy);
    linear(&weight, with_bias ? bias : NULL, m, x, ldx, add, actual, ldy);
    if (rounds_x(type)) {
        check_near(&weight, m, x, ldx, expected, actual, ldy);
    } else {
        check_same_floats(expected, actual, n_y, hn_weight_type_name((HnWeightType)type));
    }
    for (int64_t i = 0; i < m; i++) { /* what lies behind a row of y */
        check_same_floats(expected + i * ldy + n, actual + i * ldy + n, (size_t)(ldy - n), "padding");
    }
    hn_free(weight.bytes);
    free(x), free(bias), free(expected), free(actual);
}

static void test_equals_ref(void **state) {
    (void)state;
    const int64_t sides[][3] = {{1, 1, 1},     {1, 64, 64},   {2, 63, 65},   {3, 65, 63},   {4, 128, 128},
                                {5, 130, 129}, {6, 17, 200},  {7, 64, 127},  {12, 96, 33},  {13, 15, 31},
                                {19, 70, 257}, {97, 66, 300}, {1, 200, 515}, {200, 3, 130}, {1, 1, 16500}};
    for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++) {
        for (int type = 0; type < N_TYPES; type++) {
            compare((HnWeightType)type, sides[i][0], sides[i][1], sides[i][2], i % 2 == 0, i / 2 % 2 == 0);
        }
    }
}

static void test_nothing_to_do(void **state) {
    (void)state;
    for (int type = 0; type < N_TYPES; type++) {
        HnWeight weight = weight_make((HnWeightType)type, 3, 4, 1), empty = weight_make((HnWeightType)type, 2, 0, 1);
        const float bias[] = {5.0f, 6.0f};
        float y[] = {1.0f, 2.0f};
        linear(&weight, NULL, 0, NULL, 4, false, NULL, 3);
        linear(&empty, bias, 1, y, 1, false, y, 2);
        assert_true(y[0] == 5.0f && y[1] == 6.0f);
        hn_free(weight.bytes);
        hn_free(empty.bytes);
    }
}

/* Weights that every type holds exactly: -127, 0 and 127 times a power of two (nf4: -1, 0, 1), x small integers. */
static void test_known_answer(void **state) {
    (void)state;
    const float w[2][4] = {{1, -1, 0, 1}, {-1, 0, 1, 1}}, x[] = {1, 2, 3, 4}, bias[] = {0.5f, -0.5f};
    for (int type = 0; type < N_TYPES; type++) {
        HnWeight weight = {(HnWeightType)type, 2, 4, hn_alloc(hn_weight_bytes((HnWeightType)type, 2, 4), 1, "w", NULL)};
        float y[] = {NAN, INFINITY}; /* not read unless asked for */
        hn_weight_pack(&weight, HN_ELEMENT_F32, w, 0, 2);
        linear(&weight, bias, 1, x, 4, false, y, 2);
        assert_true(fabsf(y[0] - 3.5f) < 1e-6f && fabsf(y[1] - 5.5f) < 1e-6f);
        linear(&weight, NULL, 1, x, 4, true, y, 2);
        assert_true(fabsf(y[0] - 6.5f) < 1e-6f && fabsf(y[1] - 11.5f) < 1e-6f);
        hn_free(weight.bytes);
    }
}

/* The promise: a row's bits depend on no other row, on no number of rows, and on no thread. */
static void test_rows_alone_and_together(void **state) {
    (void)state;
    enum { M = 150, N = 200, K = 300 };
    const int before = omp_get_max_threads();
    float *x = check_block(M * K, sizeof *x), *together = check_block(M * N, sizeof *together);
    float *again = check_block(M * N, sizeof *again);
    check_fill_plain(x, M * K, 1);
    for (int type = 0; type < N_TYPES; type++) {
        HnWeight weight = weight_make((HnWeightType)type, N, K, 2);
        omp_set_num_threads(1);
        linear(&weight, NULL, M, x, K, false, together, N);
        for (int threads = 2; threads <= 4; threads++) {
            omp_set_num_threads(threads);
            linear(&weight, NULL, M, x, K, false, again, N);
            check_same_floats(together, again, M * N, hn_weight_type_name((HnWeightType)type));
        }
        for (int m = 1; m <= 14; m++) {
            for (int row = 0; row + m <= M; row += 41) {
                linear(&weight, NULL, m, x + row * K, K, false, again, N);
                check_same_floats(together + row * N, again, (size_t)(m * N), hn_weight_type_name((HnWeightType)type));
            }
        }
#pragma omp parallel for
        for (int i = 0; i < 4; i++) {
            linear(&weight, NULL, 1, x + i * K, K, false, again + i * N, N);
        }
        check_same_floats(together, again, 4 * N, "inside a parallel region");
        hn_free(weight.bytes);
    }
    omp_set_num_threads(before);
    free(x), free(together), free(again);
}

/* Rows may come in any pieces and order, from any type, unaligned. */
static void test_packing_in_pieces(void **state) {
    (void)state;
    enum { N = 150, K = 77 };
    uint16_t halves[N * K];
    unsigned char moved[sizeof halves + 1];
    uint64_t draws = 5;
    for (int i = 0; i < N * K; i++) { /* finite as f16 and as bf16 */
        halves[i] = (uint16_t)(check_below(&draws, 2) << 15 | (0x3800u + check_below(&draws, 0x800u)));
    }
    memcpy(moved + 1, halves, sizeof halves);
    const int pieces[][2] = {{70, 60}, {0, 1}, {1, 69}, {130, 20}};
    for (int type = 0; type < 2 * N_TYPES; type++) {
        const HnElement source = type < N_TYPES ? HN_ELEMENT_F16 : HN_ELEMENT_BF16;
        const HnWeightType kind = (HnWeightType)(type % N_TYPES);
        const size_t n_bytes = hn_weight_bytes(kind, N, K);
        HnWeight whole = {kind, N, K, hn_alloc(n_bytes, 1, "whole", NULL)};
        HnWeight parts = {kind, N, K, hn_alloc(n_bytes, 1, "parts", NULL)};
        hn_weight_pack(&whole, source, halves, 0, N);
        for (int i = 0; i < 4; i++) {
            hn_weight_pack(&parts, source, moved + 1 + pieces[i][0] * K * 2, pieces[i][0], pieces[i][1]);
        }
        assert_memory_equal(whole.bytes, parts.bytes, n_bytes);
        float row[K];
        hn_weight_row(&whole, 149, row);
        for (int l = 0; l < K && (type == HN_WEIGHT_F16 || type == N_TYPES + HN_WEIGHT_BF16); l++) {
            float back = row[l];
            uint32_t bits;
            memcpy(&bits, &back, sizeof bits);
            assert_true(type == HN_WEIGHT_F16 || bits == (uint32_t)halves[149 * K + l] << 16); /* kept exactly */
        }
        hn_free(whole.bytes);
        hn_free(parts.bytes);
    }
}

/* A weight that is not a number shows in its output's products, and a block of zeros is zeros. */
static void test_bad_and_zero_weights(void **state) {
    (void)state;
    enum { K = 140 };
    float w[3 * K], x[K], y[3];
    for (int type = 0; type < N_TYPES; type++) {
        HnWeight weight = {(HnWeightType)type, 3, K, hn_alloc(hn_weight_bytes((HnWeightType)type, 3, K), 1, "w", NULL)};
        check_fill_plain(w, 3 * K, 1);
        check_fill_plain(x, K, 2);
        memset(w + K, 0, K * sizeof *w);
        w[7] = NAN;
        w[2 * K + 100] = INFINITY;
        hn_weight_pack(&weight, HN_ELEMENT_F32, w, 0, 3);
        linear(&weight, NULL, 1, x, K, false, y, 3);
        assert_true(isnan(y[0]) && y[1] == 0.0f && !isfinite(y[2]));
        hn_free(weight.bytes);
    }
}

/* Box-Muller over check_fill_plain's numbers. */
static void fill_normal(float *x, size_t n, uint64_t seed) {
    check_fill_plain(x, n, seed);
    for (size_t i = 0; i + 1 < n; i += 2) {
        const double u = 0.5 * (double)x[i] + 0.5 + 1e-9, angle = 3.14159265358979 * (double)x[i + 1];
        const double radius = sqrt(-2.0 * log(u < 1.0 ? u : 1.0));
        x[i] = (float)(radius * cos(angle));
        x[i + 1] = (float)(radius * sin(angle));
    }
}

/* The header's figures: relative error of weights, and of products, on normal numbers. */
static void test_quality(void **state) {
    (void)state;
    enum { M = 8, N = 128, K = 1024 };
    const double most[N_TYPES] = {1e-6, 3e-4, 2.5e-3, 8e-3, 0.097}; /* root mean square, of products */
    float *w = check_block(N * K, sizeof *w), *x = check_block(M * K, sizeof *x);
    float *row = check_block(K, sizeof *row), y[M * N];
    fill_normal(w, N * K, 1);
    fill_normal(x, M * K, 2);
    for (int type = 0; type < N_TYPES; type++) {
        HnWeight weight = {(HnWeightType)type, N, K, hn_alloc(hn_weight_bytes((HnWeightType)type, N, K), 1, "w", NULL)};
        hn_weight_pack(&weight, HN_ELEMENT_F32, w, 0, N);
        linear(&weight, NULL, M, x, K, false, y, N);
        double off = 0.0, all = 0.0, off_weights = 0.0, all_weights = 0.0;
        for (int j = 0; j < N; j++) {
            hn_weight_row(&weight, j, row);
            for (int l = 0; l < K; l++) {
                off_weights += pow((double)row[l] - (double)w[j * K + l], 2.0);
                all_weights += pow((double)w[j * K + l], 2.0);
            }
            for (int i = 0; i < M; i++) {
                double exact = 0.0;
                for (int l = 0; l < K; l++) {
                    exact += (double)x[i * K + l] * (double)w[j * K + l];
                }
                off += pow(exact - (double)y[i * N + j], 2.0);
                all += exact * exact;
            }
        }
        printf("# %s (%s): root mean square error of weights %.2e, of products %.2e; %.3f bytes a weight\n",
               hn_weight_type_name((HnWeightType)type), hn_linear_path((HnWeightType)type),
               sqrt(off_weights / all_weights), sqrt(off / all),
               (double)hn_weight_bytes((HnWeightType)type, N, K) / (N * K));
        assert_true(sqrt(off / all) <= most[type]);
        assert_true(sqrt(off_weights / all_weights) <= most[type]);
        hn_free(weight.bytes);
    }
    free(w), free(x), free(row);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equals_ref),        cmocka_unit_test(test_nothing_to_do),
        cmocka_unit_test(test_known_answer),      cmocka_unit_test(test_rows_alone_and_together),
        cmocka_unit_test(test_packing_in_pieces), cmocka_unit_test(test_bad_and_zero_weights),
        cmocka_unit_test(test_quality),
    };
    return CHECK_ON_EVERY_LEVEL(tests);
}
