/* The adapter: against a plain computation, in both ways of multiplying, and its rows' independence. */
#include "fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "cf/adapter.h"

typedef enum Way { LIBRARY, EXACT } Way;

static HnComm *alone;

static void fill(float *x, uint64_t n, uint64_t seed) {
    HnRng rng;
    hn_rng_start(&rng, seed, HN_STREAM_TEST, 9, 0);
    for (uint64_t i = 0; i < n; i++) {
        x[i] = (float)hn_rng_normal(&rng);
    }
}

static HnTrainConfig config_of(bool last_relu) {
    static int64_t hidden[] = {300, 33};
    HnTrainConfig config = small_config();
    config.semantic.adapter_hidden = (HnIntList){hidden, 2};
    config.semantic.adapter_last_relu = last_relu;
    return config;
}

enum { TEXT = 70, ROW_COUNT = 150 };

static void start(HnAdapter *adapter, const HnTrainConfig *config, Way way) {
    HnError err = HN_ERROR_INIT;
    expect_ok(hn_adapter_create(adapter, config, TEXT, 3, ROW_COUNT, ROW_COUNT, way == EXACT, alone, &err), &err);
    adapter->n_rows = ROW_COUNT;
}

/* Plain, in double: output of every row, and the gradient of every parameter from d. */
static void reference(const HnAdapter *adapter, const float *x, const float *d, double *out, double *gradient) {
    const float *p = adapter->parameters.value;
    for (int r = 0; r < ROW_COUNT; r++) {
        double a[4][300], back[4][300];
        for (int c = 0; c < TEXT; c++) {
            a[0][c] = (double)x[r * TEXT + c];
        }
        for (int l = 0; l < 3; l++) {
            uint64_t in = adapter->widths[l], n = adapter->widths[l + 1];
            for (uint64_t o = 0; o < n; o++) {
                double s = (double)p[adapter->bias_at[l] + o];
                for (uint64_t i = 0; i < in; i++) {
                    s += (double)p[adapter->weight_at[l] + o * in + i] * a[l][i];
                }
                bool bend = l < 2 || adapter->last_relu;
                a[l + 1][o] = bend && s <= 0.0 ? (l < 2 ? (double)adapter->slope : 0.0) * s : s;
            }
        }
        for (int c = 0; c < 8; c++) {
            out[r * 8 + c] = a[3][c];
            back[3][c] = (double)d[r * 8 + c];
        }
        for (int l = 2; l >= 0; l--) {
            uint64_t in = adapter->widths[l], n = adapter->widths[l + 1];
            memset(back[l], 0, sizeof back[l]);
            for (uint64_t o = 0; o < n; o++) {
                bool bend = l < 2 || adapter->last_relu;
                double g = back[l + 1][o] * (bend && a[l + 1][o] <= 0.0 ? (l < 2 ? (double)adapter->slope : 0.0) : 1.0);
                gradient[adapter->bias_at[l] + o] += g;
                for (uint64_t i = 0; i < in; i++) {
                    gradient[adapter->weight_at[l] + o * in + i] += g * a[l][i];
                    back[l][i] += g * (double)p[adapter->weight_at[l] + o * in + i];
                }
            }
        }
    }
}

static void near(const float *got, const double *want, uint64_t n, const char *what, Way way) {
    double largest = 0.0, worst = 0.0;
    for (uint64_t k = 0; k < n; k++) {
        largest = fmax(largest, fabs(want[k]));
        worst = fmax(worst, fabs((double)got[k] - want[k]));
    }
    if (!(worst <= 2e-6 * largest)) {
        fail_msg("%s, way %d: off by %.3g of %.3g", what, (int)way, worst, largest);
    }
}

static void test_against_plain_loops(void **state) {
    (void)state;
    for (int last_relu = 0; last_relu <= 1; last_relu++) {
        for (Way way = LIBRARY; way <= EXACT; way++) {
            HnError err = HN_ERROR_INIT;
            HnTrainConfig config = config_of(last_relu);
            HnAdapter adapter;
            start(&adapter, &config, way);
            uint64_t n = adapter.parameters.n_rows;
            double *out = calloc(ROW_COUNT * 8, sizeof *out), *gradient = calloc(n, sizeof *gradient);
            float *d = calloc(ROW_COUNT * 8, sizeof *d);
            fill(adapter.rows[0], ROW_COUNT * TEXT, 1);
            fill(d, ROW_COUNT * 8, 2);
            reference(&adapter, adapter.rows[0], d, out, gradient);
            expect_ok(hn_adapter_forward(&adapter, &err), &err);
            near(adapter.rows[3], out, ROW_COUNT * 8, "output", way);
            memcpy(adapter.d_rows[3], d, ROW_COUNT * 8 * sizeof *d);
            expect_ok(hn_adapter_backward(&adapter, 0.0, &err), &err);
            near(adapter.parameters.gradient, gradient, n, "gradient", way);
            assert_true(adapter.flops > 2.0 * ROW_COUNT * TEXT * 300);
            free(d), free(gradient), free(out);
            hn_adapter_free(&adapter);
        }
    }
}

/* Exact: a row gives the same bits wherever it stands and whoever stands beside it. */
static void test_rows_do_not_know_their_place(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnTrainConfig config = config_of(false);
    HnAdapter forth, back;
    start(&forth, &config, EXACT);
    start(&back, &config, EXACT);
    fill(forth.rows[0], ROW_COUNT * TEXT, 4);
    back.n_rows = 31; /* the last ones, reversed */
    for (int r = 0; r < 31; r++) {
        memcpy(back.rows[0] + r * TEXT, forth.rows[0] + (ROW_COUNT - 1 - r) * TEXT, TEXT * sizeof(float));
    }
    expect_ok(hn_adapter_forward(&forth, &err), &err);
    expect_ok(hn_adapter_forward(&back, &err), &err);
    for (int r = 0; r < 31; r++) {
        assert_memory_equal(back.rows[3] + r * 8, forth.rows[3] + (ROW_COUNT - 1 - r) * 8, 8 * sizeof(float));
    }
    hn_adapter_free(&back);
    hn_adapter_free(&forth);
}

static void test_frozen_and_empty(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    for (Way way = LIBRARY; way <= EXACT; way++) {
        HnTrainConfig config = config_of(false);
        HnAdapter adapter;
        start(&adapter, &config, way);
        adapter.n_rows = 0;
        expect_ok(hn_adapter_forward(&adapter, &err), &err);
        expect_ok(hn_adapter_backward(&adapter, 0.5, &err), &err); /* no rows: the weights' own pull alone */
        for (uint64_t k = 0; k < adapter.parameters.n_rows; k++) {
            assert_true(adapter.parameters.gradient[k] == 0.5f * adapter.parameters.value[k]);
        }
        adapter.frozen = true;
        memset(adapter.parameters.gradient, 0, adapter.parameters.n_rows * sizeof(float));
        expect_ok(hn_adapter_backward(&adapter, 0.5, &err), &err);
        assert_true(adapter.parameters.gradient[5] == 0.0f);
        hn_adapter_free(&adapter);
    }
}

static void test_too_many_layers(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    static int64_t widths[8] = {4, 4, 4, 4, 4, 4, 4, 4};
    HnTrainConfig config = small_config();
    config.semantic.adapter_hidden = (HnIntList){widths, 8};
    HnAdapter adapter;
    assert_int_equal(hn_adapter_create(&adapter, &config, 5, 1, 4, 4, true, alone, &err), HN_CONFIG);
    assert_non_null(strstr(err.message, "semantic.adapter_hidden"));
}

static void test_default_widths(void **state) {
    (void)state;
    HnTrainConfig config = small_config();
    /* 100 -> 54 -> 8 */
    assert_int_equal(hn_adapter_weights(&config, 100), 54 * 101 + 8 * 55);
}

static int set_up(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    return hn_comm_self(&alone, &err) == HN_OK ? 0 : 1;
}

static int tear_down(void **state) {
    (void)state;
    hn_comm_free(&alone);
    return hn_alloc_live_blocks() == 0 ? 0 : 1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_plain_loops), cmocka_unit_test(test_rows_do_not_know_their_place),
        cmocka_unit_test(test_frozen_and_empty),    cmocka_unit_test(test_too_many_layers),
        cmocka_unit_test(test_default_widths),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
