/* What every version of hn_propagate and hn_propagate_fixed must do: the plain twin's bits, and known answers. */
#include "twin.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../kernels/check.h"

static const PropagateTwin *twin;

typedef struct Graph {
    HnCsr csr;
    uint64_t *offsets;
    int32_t *columns;
} Graph;

/* A graph with these degrees; a row's columns ascend, in steps that its seed decides. All blocks of exact size. */
static Graph graph_make(const uint64_t *degrees, uint64_t n_rows, uint64_t n_cols, uint64_t seed) {
    Graph graph;
    graph.offsets = check_block(n_rows + 1, sizeof *graph.offsets);
    graph.offsets[0] = 0;
    for (uint64_t r = 0; r < n_rows; r++) {
        graph.offsets[r + 1] = graph.offsets[r] + degrees[r];
    }
    graph.columns = check_block(graph.offsets[n_rows], sizeof *graph.columns);
    for (uint64_t r = 0; r < n_rows; r++) {
        for (uint64_t e = 0; e < degrees[r]; e++) {
            const uint64_t column = (e * n_cols + check_below(&seed, (uint32_t)n_cols)) / degrees[r];
            graph.columns[graph.offsets[r] + e] = (int32_t)column;
        }
    }
    graph.csr = (HnCsr){n_rows, n_cols, graph.offsets, graph.columns, NULL};
    return graph;
}

static void graph_free(Graph *graph) {
    free(graph->offsets);
    free(graph->columns);
}

static void compare_sum(const HnCsr *graph, int dim, bool with_scale, bool with_weights, bool with_sum, uint64_t seed) {
    const size_t n_x = graph->n_cols * (size_t)dim, n_y = graph->n_rows * (size_t)dim;
    float *x = check_block(n_x, sizeof *x), *scale = check_block(graph->n_rows, sizeof *scale);
    float *weights = check_block(graph->n_cols, sizeof *weights);
    float *y_ref = check_block(n_y, sizeof *y_ref), *y = check_block(n_y, sizeof *y);
    float *sum_ref = check_block(n_y, sizeof *sum_ref), *sum = check_block(n_y, sizeof *sum);
    HnCsr csr = *graph;
    csr.column_scale = with_weights ? weights : NULL;
    check_fill(x, n_x, seed);
    check_fill(weights, graph->n_cols, seed + 3);
    check_fill(scale, graph->n_rows, seed + 1);
    check_fill(sum_ref, n_y, seed + 2);
    check_fill(sum, n_y, seed + 2);
    hn_propagate_ref(&csr, x, with_scale ? scale : NULL, y_ref, with_sum ? sum_ref : NULL, dim);
    assert_int_equal(twin->sum(&csr, x, with_scale ? scale : NULL, y, with_sum ? sum : NULL, dim), 0);
    check_same_floats(y_ref, y, n_y, "y");
    check_same_floats(sum_ref, sum, n_y, "sum");
    free(x), free(scale), free(weights), free(y_ref), free(y), free(sum_ref), free(sum);
}

static void compare_fixed(const HnCsr *graph, int dim, bool with_weights, uint64_t seed) {
    const size_t n_x = graph->n_cols * (size_t)dim, n_y = graph->n_rows * (size_t)dim;
    float *x = check_block(n_x, sizeof *x), *weights = check_block(graph->n_cols, sizeof *weights);
    int64_t *y_ref = check_block(n_y, sizeof *y_ref), *y = check_block(n_y, sizeof *y);
    const int shift = 27 + (int)(seed % 3);
    HnCsr csr = *graph;
    csr.column_scale = with_weights ? weights : NULL;
    check_fill_plain(x, n_x, seed);
    check_fill_plain(weights, graph->n_cols, seed + 3);
    hn_propagate_fixed_ref(&csr, x, shift, y_ref, dim);
    assert_int_equal(twin->fixed(&csr, x, shift, y, dim), 0);
    for (size_t i = 0; i < n_y; i++) {
        assert_int_equal(y[i], y_ref[i]);
    }
    free(x), free(weights), free(y_ref), free(y);
}

static void compare(const uint64_t *degrees, uint64_t n_rows, uint64_t n_cols, int dim) {
    Graph graph = graph_make(degrees, n_rows, n_cols, (uint64_t)dim + n_rows);
    compare_sum(&graph.csr, dim, true, false, true, 3);
    compare_sum(&graph.csr, dim, true, true, true, 6);
    compare_sum(&graph.csr, dim, false, true, false, 4);
    compare_sum(&graph.csr, dim, false, false, false, 7);
    compare_fixed(&graph.csr, dim, true, 5);
    compare_fixed(&graph.csr, dim, false, 7);
    graph_free(&graph);
}

static void test_widths(void **state) {
    (void)state;
    const uint64_t degrees[] = {3, 0, 1, 33, 32, 31, 7, 2, 64, 5};
    const int dims[] = {1, 2, 3, 31, 32, 33, 64, 65, 100};
    for (size_t i = 0; i < sizeof dims / sizeof dims[0]; i++) {
        compare(degrees, sizeof degrees / sizeof degrees[0], 70, dims[i]);
    }
}

/* Rows that a block shares out, at every place of a block, in the last and not full one too. */
static void test_long_rows(void **state) {
    (void)state;
    const uint64_t first[] = {300, 1, 0, 256, 257, 2, 0, 321, 5, 258};
    const uint64_t last[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 1000};
    compare(first, sizeof first / sizeof first[0], 1100, 40);
    compare(last, sizeof last / sizeof last[0], 1100, 33);
    for (uint64_t row = 0; row < 8; row++) {
        uint64_t degrees[8] = {0};
        degrees[row] = 257 + row;
        compare(degrees, row + 1, 300, 9);
    }
}

static void test_row_counts(void **state) {
    (void)state;
    uint64_t degrees[17];
    for (uint64_t r = 0; r < 17; r++) {
        degrees[r] = r % 5;
    }
    const uint64_t counts[] = {0, 1, 7, 8, 9, 15, 16, 17};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        compare(degrees, counts[i], 6, 5);
    }
    const uint64_t none[3] = {0};
    compare(none, 3, 0, 4); /* no columns at all */
}

/* The answer depends on the order of the additions: ones that a large number swallows, each by itself. */
static void test_order_of_a_chain(void **state) {
    (void)state;
    enum { EDGES = 700 };
    const uint64_t offsets[] = {0, 3, 3, 3 + EDGES};
    int32_t columns[3 + EDGES] = {0, 1, 2};
    float x[EDGES], y[3], sum[3] = {1, 1, 1};
    for (int i = 0; i < EDGES; i++) {
        columns[3 + i] = i;
        x[i] = 1.0f;
    }
    x[0] = 100000000.0f;
    x[2] = -100000000.0f;
    const float scale[] = {4.0f, 4.0f, 0.5f};
    const HnCsr csr = {3, EDGES, offsets, columns, NULL};
    assert_int_equal(twin->sum(&csr, x, scale, y, sum, 1), 0);
    const float expected[] = {0.0f, 0.0f, 0.5f * (EDGES - 3)}, expected_sum[] = {1.0f, 1.0f, 1 + 0.5f * (EDGES - 3)};
    check_same_floats(expected, y, 3, "y");
    check_same_floats(expected_sum, sum, 3, "sum");
}

/* A product that is contracted with the addition behind it would keep bits that two roundings lose. */
static void test_two_roundings(void **state) {
    (void)state;
    const uint64_t offsets[] = {0, 1};
    const int32_t columns[] = {0};
    const HnCsr csr = {1, 1, offsets, columns, NULL};
    const float x = 1.0f + 0x1p-23f, scale = 1.0f + 0x1p-23f; /* product 1 + 2^-22 + 2^-46 */
    float y = 0.0f, sum = -(1.0f + 0x1p-22f);
    assert_int_equal(twin->sum(&csr, &x, &scale, &y, &sum, 1), 0);
    assert_true(y == 1.0f + 0x1p-22f);
    assert_true(sum == 0.0f);
}

static void test_fixed_extremes(void **state) {
    (void)state;
    enum { EDGES = 600 };
    const uint64_t offsets[] = {0, EDGES, EDGES + 2};
    const int32_t largest = INT32_MAX - 127; /* as a float below 2^31 has it */
    int32_t columns[EDGES + 2];
    float x[2 * EDGES];
    int64_t y[4];
    for (int i = 0; i < EDGES; i++) {
        columns[i] = i;
        x[2 * i] = (float)largest;
        x[2 * i + 1] = (float)INT32_MIN;
    }
    columns[EDGES] = 0;
    columns[EDGES + 1] = EDGES - 1;
    const HnCsr csr = {2, EDGES, offsets, columns, NULL};
    assert_int_equal(twin->fixed(&csr, x, 0, y, 2), 0);
    assert_int_equal(y[0], EDGES * (int64_t)largest);
    assert_int_equal(y[1], EDGES * (int64_t)INT32_MIN);
    assert_int_equal(y[2], 2 * (int64_t)largest);
    assert_int_equal(y[3], 2 * (int64_t)INT32_MIN);
}

int propagate_body_run(const PropagateTwin *of, const char *name) {
    twin = of;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_widths),        cmocka_unit_test(test_long_rows),
        cmocka_unit_test(test_row_counts),    cmocka_unit_test(test_order_of_a_chain),
        cmocka_unit_test(test_two_roundings), cmocka_unit_test(test_fixed_extremes),
    };
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}
