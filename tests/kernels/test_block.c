#include "block.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

static const int64_t widths[] = {1, 2, 7, 15, 16, 17, 31, 64, 100, 511, 512, 513, 1030};
enum { N_WIDTHS = sizeof widths / sizeof widths[0], M = 3, PAD = 2 };

/* What every operation must keep: the reference's bits, rows alone, the padding, and results in place. */
typedef void Operation(bool fast, int64_t m, int64_t n, const float *x, int64_t ldx, const float *extra, float *out,
                       int64_t ldo);

static void check_operation(Operation *run, int64_t wide, int64_t n, const char *what) {
    const int64_t ldx = wide + PAD;
    const size_t count = (size_t)(M * ldx);
    float *x = check_block(count, sizeof *x), *extra = check_block((size_t)(2 * n), sizeof *extra);
    float *expected = check_block(count, sizeof *expected), *actual = check_block(count, sizeof *actual);
    check_fill_plain(x, count, (uint64_t)n);
    check_fill_plain(extra, (size_t)(2 * n), 9);
    run(false, M, n, x, ldx, extra, expected, ldx);
    run(true, M, n, x, ldx, extra, actual, ldx);
    check_same_floats(expected, actual, count, what);
    for (int i = 0; i < M; i++) {
        run(true, 1, n, x + i * ldx, ldx, extra, actual, ldx);
        check_same_floats(expected + i * ldx, actual, (size_t)n, what);
    }
    run(true, M, n, x, ldx, extra, x, ldx);
    for (int i = 0; i < M; i++) {
        check_same_floats(expected + i * ldx, x + i * ldx, (size_t)n, "in place");
    }
    run(true, 0, n, NULL, ldx, extra, NULL, ldx);
    free(x), free(extra), free(expected), free(actual);
}

static void run_rms(bool fast, int64_t m, int64_t n, const float *x, int64_t ldx, const float *extra, float *out,
                    int64_t ldo) {
    (fast ? hn_rms_norm_cpu : hn_rms_norm_ref)(m, n, x, ldx, extra, 1e-6f, out, ldo);
}

static void run_layer(bool fast, int64_t m, int64_t n, const float *x, int64_t ldx, const float *extra, float *out,
                      int64_t ldo) {
    (fast ? hn_layer_norm_cpu : hn_layer_norm_ref)(m, n, x, ldx, extra, extra + n, 1e-5f, out, ldo);
}

static void run_layer_plain(bool fast, int64_t m, int64_t n, const float *x, int64_t ldx, const float *extra,
                            float *out, int64_t ldo) {
    (fast ? hn_layer_norm_cpu : hn_layer_norm_ref)(m, n, x, ldx, extra, NULL, 1e-5f, out, ldo);
}

static HnGate gate;
static bool gated;

static void run_gate(bool fast, int64_t m, int64_t n, const float *x, int64_t ldx, const float *extra, float *out,
                     int64_t ldo) {
    (void)extra;
    (fast ? hn_gate_cpu : hn_gate_ref)(gate, gated, m, n, x, ldx, out, ldo);
}

static void test_equals_ref(void **state) {
    (void)state;
    for (int w = 0; w < N_WIDTHS; w++) {
        check_operation(run_rms, widths[w], widths[w], "RMS norm");
        check_operation(run_layer, widths[w], widths[w], "layer norm");
        check_operation(run_layer_plain, widths[w], widths[w], "layer norm without bias");
        for (int g = 0; g < 8; g++) {
            gate = (HnGate)(g / 2);
            gated = g % 2 == 1;
            check_operation(run_gate, gated ? 2 * widths[w] : widths[w], widths[w], "gate");
        }
    }
}

static void test_norms_by_formula(void **state) {
    (void)state;
    enum { N = 333 };
    float x[N], weight[N], bias[N], rms[N], layer[N];
    check_fill_plain(x, N, 1);
    check_fill_plain(weight, N, 2);
    check_fill_plain(bias, N, 3);
    for (int i = 0; i < N; i++) {
        x[i] = 3.0f + 0.1f * x[i]; /* a mean far above the deviation */
    }
    hn_rms_norm_cpu(1, N, x, N, weight, 1e-3f, rms, N);
    hn_layer_norm_cpu(1, N, x, N, weight, bias, 1e-3f, layer, N);
    double mean = 0.0, square = 0.0, variance = 0.0;
    for (int i = 0; i < N; i++) {
        mean += (double)x[i] / N;
        square += (double)x[i] * (double)x[i] / N;
    }
    for (int i = 0; i < N; i++) {
        variance += ((double)x[i] - mean) * ((double)x[i] - mean) / N;
    }
    for (int i = 0; i < N; i++) {
        const double by_rms = (double)x[i] / sqrt(square + 1e-3) * (double)weight[i];
        const double by_layer = ((double)x[i] - mean) / sqrt(variance + 1e-3) * (double)weight[i] + (double)bias[i];
        assert_true(fabs((double)rms[i] - by_rms) < 1e-6);
        assert_true(fabs((double)layer[i] - by_layer) < 1e-5);
    }
}

/* Both ways of pairing turn by the right angles, leave the rest of a head alone, and agree between the versions. */
static void test_rope(void **state) {
    (void)state;
    enum { HEADS = 3, POSITIONS = 5, LD = HEADS * 40 + 1 };
    const int dims[][2] = {{2, 2}, {8, 8}, {40, 40}, {40, 16}, {34, 34}};
    const int32_t positions[] = {4, 0, 2};
    for (int d = 0; d < 10; d++) {
        const int dim = dims[d / 2][0], rotary = dims[d / 2][1], half = rotary / 2;
        const bool interleaved = d % 2 == 1;
        float angles[POSITIONS * 40], before[M * LD], expected[M * LD], actual[M * LD];
        check_fill_plain(before, M * LD, 1);
        memcpy(expected, before, sizeof before);
        memcpy(actual, before, sizeof before);
        for (int p = 0; p < POSITIONS; p++) {
            for (int i = 0; i < half; i++) {
                angles[p * rotary + i] = (float)cos(p * 0.3 * (i + 1));
                angles[p * rotary + half + i] = (float)sin(p * 0.3 * (i + 1));
            }
        }
        hn_rope_ref(M, HEADS, dim, rotary, interleaved, positions, angles, expected, LD);
        hn_rope_cpu(M, HEADS, dim, rotary, interleaved, positions, angles, actual, LD);
        check_same_floats(expected, actual, M * LD, "rotation");
        for (int row = 0; row < M; row++) {
            for (int i = 0; i < HEADS * dim; i++) {
                const int in_head = i % dim, pair = interleaved ? in_head / 2 : in_head % half;
                const bool second = interleaved ? in_head % 2 == 1 : in_head >= half;
                const int apart = interleaved ? 1 : half;
                const float *x = before + row * LD + i;
                const double angle = positions[row] * 0.3 * (pair + 1);
                const double right = in_head >= rotary ? (double)x[0]
                                     : second          ? (double)x[0] * cos(angle) + (double)x[-apart] * sin(angle)
                                                       : (double)x[0] * cos(angle) - (double)x[apart] * sin(angle);
                assert_true(fabs((double)actual[row * LD + i] - right) < 1e-6);
            }
            assert_true(actual[row * LD + HEADS * 40] == before[row * LD + HEADS * 40]);
        }
    }
}

static double exactly(HnGate act, double x) {
    switch (act) {
    case HN_GATE_SILU:
        return x / (1.0 + exp(-x));
    case HN_GATE_GELU:
        return 0.5 * x * (1.0 + erf(x / sqrt(2.0)));
    case HN_GATE_GELU_TANH:
        return 0.5 * x * (1.0 + tanh(sqrt(2.0 / 3.14159265358979324) * (x + 0.044715 * x * x * x)));
    default:
        return x > 0.0 ? x : 0.0;
    }
}

/* The header's bound, from -120 to 120. */
static void test_gates_by_formula(void **state) {
    (void)state;
    enum { N = 24001 };
    float *x = check_block(N, sizeof *x), *out = check_block(N, sizeof *out);
    for (int i = 0; i < N; i++) {
        x[i] = (float)(i - N / 2) * (i % 3 == 0 ? 0.01f : 0.0007f);
    }
    for (int act = 0; act < 4; act++) {
        hn_gate_cpu((HnGate)act, false, 1, N, x, N, out, N);
        for (int i = 0; i < N; i++) {
            const double magnitude = fabs((double)x[i]) > 1.0 ? fabs((double)x[i]) : 1.0;
            const double off = fabs((double)out[i] - exactly((HnGate)act, (double)x[i]));
            if (!(off <= 1e-6 * magnitude)) {
                fail_msg("act %d of %g: %g", act, (double)x[i], (double)out[i]);
            }
        }
    }
    float bad[] = {NAN, 2.0f};
    hn_gate_cpu(HN_GATE_SILU, true, 1, 1, bad, 2, out, 1);
    assert_true(isnan(out[0]));
    free(x), free(out);
}

static void test_threads(void **state) {
    (void)state;
    enum { ROWS = 300, N = 200 };
    const int before = omp_get_max_threads();
    float *x = check_block(ROWS * N, sizeof *x), *one = check_block(ROWS * N, sizeof *one);
    float *four = check_block(ROWS * N, sizeof *four);
    check_fill_plain(x, ROWS * N, 1);
    omp_set_num_threads(1);
    hn_rms_norm_cpu(ROWS, N, x, N, x, 1e-6f, one, N);
    omp_set_num_threads(4);
    hn_rms_norm_cpu(ROWS, N, x, N, x, 1e-6f, four, N);
    check_same_floats(one, four, ROWS * N, "RMS norm");
    omp_set_num_threads(before);
    free(x), free(one), free(four);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equals_ref),       cmocka_unit_test(test_norms_by_formula), cmocka_unit_test(test_rope),
        cmocka_unit_test(test_gates_by_formula), cmocka_unit_test(test_threads),
    };
    return CHECK_ON_EVERY_PATH(tests);
}
