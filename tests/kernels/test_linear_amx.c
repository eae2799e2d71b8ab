/* `linear` on AMX: the kernel's own source, with tiles in plain C, so that it is executed where no processor has them;
 * and where one has, the same on its tiles. */
#include "tiles.h"
/* The kernel's source once more, under another name. */
#define hn_linear_amx tiles_linear_amx
#include "linear_amx.c"
#undef hn_linear_amx

#include <omp.h>

#include "base/alloc.h"
#include "check.h"

#if HN_TILES
static const HnWeightType types[] = {HN_WEIGHT_BF16, HN_WEIGHT_INT8, HN_WEIGHT_NF4};
enum { N_TYPES = 3 };

/* Random weights; the caller frees bytes. */
static HnWeight weight_make(HnWeightType type, int64_t n, int64_t k) {
    HnWeight weight = {type, n, k, hn_alloc(hn_weight_bytes(type, n, k), 1, "weights", NULL)};
    float *rows = check_block((size_t)(n * k), sizeof *rows);
    check_fill_plain(rows, (size_t)(n * k), 1);
    hn_weight_pack(&weight, HN_ELEMENT_F32, rows, 0, n);
    free(rows);
    return weight;
}

/* What the stack holds where the kernel's panels will lie: no numbers. */
static __attribute__((noinline)) void poison_stack(void) {
    enum { PANELS = 1 << 20 };
    unsigned char stack[PANELS];
    memset(stack, 0xFF, PANELS);
    __asm__ volatile("" : : "r"(stack) : "memory"); /* it is written, whatever becomes of it */
}

static void linear(const HnLinearOps *ops, const HnWeight *weight, const float *bias, int64_t m, const float *x,
                   int64_t ldx, bool add, float *y, int64_t ldy) {
    const size_t n_bytes = hn_linear_scratch_bytes(weight, m);
    void *scratch = hn_alloc(n_bytes, 1, "scratch", NULL);
    memset(scratch, 0xFF, n_bytes);
#pragma omp parallel
    poison_stack();
    hn_linear_with(ops, weight, bias, m, x, ldx, add, y, ldy, scratch);
    hn_free(scratch);
    assert_int_equal(tiles_held, 0);
}

/* One output in the order of tiles: 32 inputs at a time, two chains and their sum. */
static float output(const HnWeight *weight, const HnLinearLayout *layout, const float *x, int64_t j, float begin) {
    const bool scaled = layout->scale_bytes > 0;
    float total = begin;
    for (int64_t first = 0; first < weight->k; first += layout->block) {
        const int64_t end = first + layout->block < weight->k ? first + layout->block : weight->k;
        float sum = scaled ? 0.0f : total;
        for (int64_t step = first; step < end; step += 32) {
            float chains[2] = {0.0f, 0.0f};
            for (int64_t l = step; l < end && l < step + 32; l++) {
                const float left = hn_bf16_to_float(hn_bf16_from_float(x[l]));
                chains[l % 2] = fmaf(left, hn_linear_value(weight, layout, j, l), chains[l % 2]);
            }
            sum += chains[0] + chains[1];
        }
        total = scaled ? fmaf(sum, hn_linear_scale(weight, layout, j, first / layout->block), total) : sum;
    }
    return total;
}

/* Bits are those of `output`; and near the plain reference, by a few roundings of the sum of magnitudes. */
static void check_shape(HnWeightType type, int64_t m, int64_t n, int64_t k, bool with_bias, bool add) {
    const int64_t ldx = k + 3, ldy = n + 5;
    const size_t n_x = (size_t)(m * ldx), n_y = (size_t)(m * ldy);
    float *x = check_block(n_x, sizeof *x), *bias = check_block((size_t)n, sizeof *bias);
    float *begin = check_block(n_y, sizeof *begin), *actual = check_block(n_y, sizeof *actual);
    float *expected = check_block(n_y, sizeof *expected), *row = check_block((size_t)k, sizeof *row);
    HnWeight weight = weight_make(type, n, k);
    const HnLinearLayout layout = hn_linear_layout(type, n, k);
    check_fill_plain(x, n_x, 2);
    check_fill_plain(bias, (size_t)n, 3);
    check_fill_plain(begin, n_y, 4);
    memcpy(actual, begin, n_y * sizeof *actual);
    memcpy(expected, begin, n_y * sizeof *expected);
    linear(tiles_linear_amx(), &weight, with_bias ? bias : NULL, m, x, ldx, add, actual, ldy);
    hn_linear_ref(&weight, with_bias ? bias : NULL, m, x, ldx, add, expected, ldy);
    for (int64_t j = 0; j < n; j++) {
        hn_weight_row(&weight, j, row);
        for (int64_t i = 0; i < m; i++) {
            double magnitude = 4.0; /* of bias and y, at most */
            for (int64_t l = 0; l < k; l++) {
                magnitude += fabs((double)x[i * ldx + l] * (double)row[l]);
            }
            const float exact = output(&weight, &layout, x + i * ldx, j,
                                       (add ? begin[i * ldy + j] : 0.0f) + (with_bias ? bias[j] : 0.0f));
            const double off = fabs((double)expected[i * ldy + j] - (double)actual[i * ldy + j]);
            if (memcmp(&exact, &actual[i * ldy + j], sizeof exact) != 0 || !(off <= 1e-6 * magnitude)) {
                fail_msg("%s %d x %d x %d, row %d, output %d: %a, not %a (reference %a)", hn_weight_type_name(type),
                         (int)m, (int)n, (int)k, (int)i, (int)j, (double)actual[i * ldy + j], (double)exact,
                         (double)expected[i * ldy + j]);
            }
        }
    }
    for (int64_t i = 0; i < m; i++) { /* what lies behind a row of y */
        check_same_floats(begin + i * ldy + n, actual + i * ldy + n, (size_t)(ldy - n), "padding");
    }
    hn_free(weight.bytes);
    free(x), free(bias), free(begin), free(actual), free(expected), free(row);
}

static void test_every_number_of_rows(void **state) {
    (void)state;
    for (int64_t m = 1; m <= 33; m++) {
        for (int type = 0; type < N_TYPES; type++) {
            check_shape(types[type], m, 70, 161, m % 2 == 0, m / 2 % 2 == 0);
        }
    }
    for (int type = 0; type < N_TYPES; type++) {
        check_shape(types[type], 101, 33, 300, true, false);
    }
}

static void test_every_edge_of_outputs_and_inputs(void **state) {
    (void)state;
    const int64_t outputs[] = {1, 15, 16, 17, 31, 63, 64, 65, 130};
    const int64_t inputs[] = {1, 2, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257, 300, 515};
    for (size_t n = 0; n < sizeof outputs / sizeof outputs[0]; n++) {
        for (size_t k = 0; k < sizeof inputs / sizeof inputs[0]; k++) {
            check_shape(types[(n + k) % N_TYPES], 1 + (int64_t)((7 * n + 5 * k) % 20), outputs[n], inputs[k],
                        k % 2 == 0, n % 2 == 0);
        }
    }
    for (int type = 0; type < N_TYPES; type++) {
        check_shape(types[type], 2, 1, 16500, false, false); /* nf4: two groups of scales */
    }
}

/* A row's bits depend on no other row, on no number of rows, and on no thread; tiles are released on every thread, and
 * configured once a thread where rows are few. */
static void test_rows_alone_and_together(void **state) {
    (void)state;
    enum { M = 75, N = 200, K = 300 };
    const HnLinearOps *ops = tiles_linear_amx();
    const int before = omp_get_max_threads();
    float *x = check_block(M * K, sizeof *x), *together = check_block(M * N, sizeof *together);
    float *again = check_block(M * N, sizeof *again);
    check_fill_plain(x, M * K, 1);
    x[3 * K + 5] = NAN; /* harms its row only */
    for (int type = 0; type < N_TYPES; type++) {
        HnWeight weight = weight_make(types[type], N, K);
        omp_set_num_threads(1);
        linear(ops, &weight, NULL, M, x, K, false, together, N);
        assert_true(isnan(together[3 * N]) && !isnan(together[2 * N]) && !isnan(together[4 * N]));
        for (int threads = 2; threads <= 4; threads++) {
            omp_set_num_threads(threads);
            linear(ops, &weight, NULL, M, x, K, false, again, N);
            assert_memory_equal(together, again, M * N * sizeof *again);
        }
        for (int m = 1; m <= 33; m += m < 18 ? 1 : 5) {
            const int row = M - m;
            tiles_configured = 0;
            linear(ops, &weight, NULL, m, x + row * K, K, false, again, N);
            check_same_floats(together + row * N, again, (size_t)(m * N), hn_weight_type_name(types[type]));
            assert_in_range(tiles_configured, 1, m <= 32 ? 4 : 1000);
        }
        hn_free(weight.bytes);
    }
    omp_set_num_threads(before);
    free(x), free(together), free(again);
}

/* The definition on paper: first elements and second elements are chains of their own, denormals are zeros. */
static void test_the_definition(void **state) {
    (void)state;
    const float big = 0x1p30f, tiny = 0x1p-100f;
    HnTileConfig config = {.palette = 1};
    float c[1] = {1.0f};
    uint16_t a[4], b[2][2];
    for (int t = 0; t < 3; t++) {
        config.rows[t] = t == 2 ? 2 : 1;
        config.row_bytes[t] = t == 1 ? 8 : 4;
    }
    tiles_configure(&config);
    const float left[] = {big, 1.0f, -big, 2.0f}; /* in one chain 1 and 1 would drown in big */
    for (int i = 0; i < 4; i++) {
        a[i] = hn_bf16_from_float(left[i]);
        b[i / 2][i % 2] = hn_bf16_from_float(1.0f);
    }
    tiles_load(0, c, 4), tiles_load(1, a, 8), tiles_load(2, b, 4);
    tiles_dot(0, 1, 2);
    tiles_store(0, c, 4);
    assert_true(c[0] == 4.0f);
    for (int i = 0; i < 4; i++) {
        a[i] = b[i / 2][i % 2] = hn_bf16_from_float(tiny); /* products of 2^-200 */
    }
    b[0][0] = 1; /* a denormal, times big */
    a[0] = hn_bf16_from_float(big);
    c[0] = 0x1p-130f;
    tiles_load(0, c, 4), tiles_load(1, a, 8), tiles_load(2, b, 4);
    tiles_dot(0, 1, 2);
    tiles_store(0, c, 4);
    assert_true(c[0] == 0.0f);
    tiles_release();
}

/* Where there is AMX: its tiles against those in plain C. The manual's order is what was read; the promise of bits does
 * not rest on it, so a difference is told, and must be small. */
static void test_the_processor(void **state) {
    (void)state;
    enum { M = 45, N = 130, K = 700 };
    if (hn_cpu_level() < HN_CPU_AMX) {
        print_message("SKIP: no AMX here: its own tiles are not tried\n");
        skip();
    }
    float x[M * K], plain[M * N], fast[M * N];
    check_fill_plain(x, M * K, 1);
    for (int type = 0; type < N_TYPES; type++) {
        HnWeight weight = weight_make(types[type], N, K);
        int other = 0;
        linear(tiles_linear_amx(), &weight, NULL, M, x, K, false, plain, N);
        linear(hn_linear_amx(), &weight, NULL, M, x, K, false, fast, N);
        for (int i = 0; i < M * N; i++) {
            other += memcmp(&plain[i], &fast[i], sizeof plain[i]) != 0;
            assert_true(fabsf(plain[i] - fast[i]) <= 1e-6f * K);
        }
        printf("# %s: %d of %d products have other bits than the manual's order gives\n",
               hn_weight_type_name(types[type]), other, M * N);
        hn_free(weight.bytes);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_number_of_rows),    cmocka_unit_test(test_every_edge_of_outputs_and_inputs),
        cmocka_unit_test(test_rows_alone_and_together), cmocka_unit_test(test_the_definition),
        cmocka_unit_test(test_the_processor),
    };
    if (hn_cpu_level() < HN_CPU_AVX512_BF16) { /* what surrounds the tiles is AVX-512 */
        printf("SKIP: no AVX512-BF16 here\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void) {
    printf("SKIP: not an x86-64 processor\n");
    return 77;
}
#endif
