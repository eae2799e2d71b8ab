#include "fixed.h"
#include "propagate.h"

#include <math.h>
#include <omp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

typedef struct Graph {
    HnCsr csr;
    uint64_t *offsets;
    int32_t *columns;
} Graph;

/* Rows of 0 to 9 edges, a third of them empty, and row `huge` (if it exists) with an edge to every column. */
static Graph graph_make(uint64_t n_rows, uint64_t n_cols, uint64_t huge, uint64_t seed) {
    Graph graph;
    uint64_t state = seed, n_edges = 0;
    graph.offsets = check_block(n_rows + 1, sizeof *graph.offsets);
    graph.columns = check_block(n_rows * 9 + n_cols, sizeof *graph.columns);
    graph.offsets[0] = 0;
    for (uint64_t r = 0; r < n_rows; r++) {
        const uint64_t degree = check_below(&state, 3) == 0 ? 0 : check_below(&state, 10);
        for (uint64_t e = 0; e < (r == huge ? n_cols : degree) && n_cols > 0; e++) {
            const uint64_t column = r == huge ? e : (e * n_cols + check_below(&state, (uint32_t)n_cols)) / degree;
            graph.columns[n_edges++] = (int32_t)column;
        }
        graph.offsets[r + 1] = n_edges;
    }
    int32_t *exact = check_block(n_edges, sizeof *exact); /* nothing behind the last edge */
    if (n_edges > 0) {
        memcpy(exact, graph.columns, n_edges * sizeof *exact);
    }
    free(graph.columns);
    graph.columns = exact;
    graph.csr = (HnCsr){n_rows, n_cols, graph.offsets, graph.columns, NULL};
    return graph;
}

static void graph_free(Graph *graph) {
    free(graph->offsets);
    free(graph->columns);
}

static void compare_float(const HnCsr *graph, int dim, int with_scale, int with_weights, int with_sum, uint64_t seed) {
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
    hn_propagate_cpu(&csr, x, with_scale ? scale : NULL, y, with_sum ? sum : NULL, dim);
    check_same_floats(y_ref, y, n_y, "y");
    check_same_floats(sum_ref, sum, n_y, "sum");
    free(x), free(scale), free(weights), free(y_ref), free(y), free(sum_ref), free(sum);
}

/* Shifts that fit terms of magnitude 1 and less; far-out ones take another way. */
static void compare_fixed(const HnCsr *graph, int dim, int shift, int with_weights, uint64_t seed) {
    const size_t n_x = graph->n_cols * (size_t)dim, n_y = graph->n_rows * (size_t)dim;
    float *x = check_block(n_x, sizeof *x), *weights = check_block(graph->n_cols, sizeof *weights);
    float *scale = check_block(graph->n_rows, sizeof *scale), *sum_ref = check_block(n_y, sizeof *sum_ref);
    float *f_ref = check_block(n_y, sizeof *f_ref), *f = check_block(n_y, sizeof *f),
          *sum = check_block(n_y, sizeof *sum);
    int64_t *y_ref = check_block(n_y, sizeof *y_ref), *y = check_block(n_y, sizeof *y);
    HnCsr csr = *graph;
    csr.column_scale = with_weights ? weights : NULL;
    check_fill_plain(x, n_x, seed);
    check_fill_plain(weights, graph->n_cols, seed + 3);
    check_fill_plain(scale, graph->n_rows, seed + 4);
    check_fill(sum_ref, n_y, seed + 2);
    check_fill(sum, n_y, seed + 2);
    for (size_t i = 0; i < n_x; i++) {
        x[i] = ldexpf(x[i], 29 - shift);
    }
    hn_propagate_fixed_ref(&csr, x, shift, y_ref, dim);
    hn_propagate_fixed_cpu(&csr, x, shift, y, dim);
    assert_true(n_y == 0 || memcmp(y_ref, y, n_y * sizeof *y) == 0);
    hn_fixed_to_float_ref(y_ref, shift, scale, f_ref, sum_ref, csr.n_rows, dim);
    hn_propagate_exact_rows_cpu(&csr, x, shift, scale, f, sum, dim, NULL, NULL);
    check_same_floats(f_ref, f, n_y, "y");
    check_same_floats(sum_ref, sum, n_y, "sum");
    free(x), free(weights), free(scale), free(sum_ref), free(f_ref), free(f), free(sum), free(y_ref), free(y);
}

static void test_every_width(void **state) {
    (void)state;
    Graph graph = graph_make(45, 33, 20, 7);
    for (int dim = 1; dim <= 130; dim++) {
        compare_float(&graph.csr, dim, dim % 2, dim % 5 < 3, dim % 3 != 0, (uint64_t)dim);
        compare_fixed(&graph.csr, dim, 29 + dim % 7, dim % 2, (uint64_t)dim);
    }
    for (int dim = 250; dim <= 262; dim++) {
        compare_float(&graph.csr, dim, 1, dim % 2, 1, (uint64_t)dim);
        compare_fixed(&graph.csr, dim, 29 + dim % 7, dim % 2, (uint64_t)dim);
    }
    graph_free(&graph);
}

/* Big enough for many chunks; one row holds most edges of its chunk. */
static void test_threads_do_not_matter(void **state) {
    (void)state;
    const int before = omp_get_max_threads();
    Graph graph = graph_make(3000, 1500, 2999, 11);
    for (int threads = 1; threads <= 4; threads++) {
        omp_set_num_threads(threads);
        compare_float(&graph.csr, 64, 1, 1, 1, 5);
        compare_float(&graph.csr, 20, 0, 0, 0, 6);
        compare_fixed(&graph.csr, 64, 29, 1, 5);
    }
    omp_set_num_threads(before);
    graph_free(&graph);
}

/* What a HnRowsDone was told: how often each row, and whether the row was complete then. */
typedef struct Told {
    const float *y, *expected;
    int dim, *times;
    bool complete;
} Told;

static void told_rows(void *context, uint64_t first, uint64_t last, float *values) {
    Told *told = context;
    const size_t at = first * (size_t)told->dim, n = (last - first) * (size_t)told->dim * sizeof(float);
    if (first >= last || memcmp(values, told->expected + at, n) != 0 || (told->y != NULL && values != told->y + at)) {
        told->complete = false;
    }
    for (uint64_t r = first; r < last; r++) {
        told->times[r]++;
    }
}

static void test_rows_are_told_once_and_complete(void **state) {
    (void)state;
    const int before = omp_get_max_threads();
    const uint64_t sizes[] = {1, 31, 32, 33, 3000};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        Graph graph = graph_make(sizes[s], 500, sizes[s] / 2, s);
        const size_t n_y = graph.csr.n_rows * 64;
        float *x = check_block(graph.csr.n_cols * 64, sizeof *x), *y = check_block(n_y, sizeof *y);
        float *expected = check_block(n_y, sizeof *expected);
        check_fill_plain(x, graph.csr.n_cols * 64, s);
        hn_propagate_ref(&graph.csr, x, NULL, expected, NULL, 64);
        float *exact = check_block(n_y, sizeof *exact);
        hn_propagate_exact_rows_cpu(&graph.csr, x, 29, NULL, exact, NULL, 64, NULL, NULL);
        for (int threads = 1; threads <= 3; threads++) {
            omp_set_num_threads(threads);
            Told told = {y, expected, 64, check_block(sizes[s], sizeof(int)), true};
            const HnRowsDone done = {told_rows, &told};
            memset(told.times, 0, sizes[s] * sizeof(int));
            hn_propagate_rows_cpu(&graph.csr, x, NULL, y, NULL, 64, &done, NULL);
            hn_rows_done_cpu(&done, y, sizes[s], 64);
            float *window = check_block(hn_propagate_window(64), sizeof *window);
            told.y = NULL;
            hn_propagate_rows_cpu(&graph.csr, x, NULL, NULL, NULL, 64, &done, window);
            told.expected = exact;
            hn_propagate_exact_rows_cpu(&graph.csr, x, 29, NULL, NULL, NULL, 64, &done, window);
            told.y = y;
            hn_propagate_exact_rows_cpu(&graph.csr, x, 29, NULL, y, NULL, 64, &done, NULL);
            free(window);
            assert_true(told.complete);
            for (uint64_t r = 0; r < sizes[s]; r++) {
                assert_int_equal(told.times[r], 5);
            }
            free(told.times);
        }
        free(x), free(y), free(expected), free(exact);
        graph_free(&graph);
    }
    omp_set_num_threads(before);
}

static void test_degenerate_graphs(void **state) {
    (void)state;
    const struct { uint64_t n_rows, n_cols; } sizes[] = {{0, 0}, {0, 5}, {5, 0}, {1, 1}, {1, 700}, {700, 1}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        Graph graph = graph_make(sizes[i].n_rows, sizes[i].n_cols, 0, i);
        compare_float(&graph.csr, 64, 1, 1, 1, i);
        compare_float(&graph.csr, 3, 0, 1, 0, i);
        compare_fixed(&graph.csr, 64, 29, 0, i);
        graph_free(&graph);
    }
}

static void test_far_out_scales(void **state) {
    (void)state;
    const int shifts[] = {-97, -98, -99, -100, 99, 100, 127, 128, 150, 170};
    Graph graph = graph_make(40, 30, 20, 3);
    for (size_t i = 0; i < sizeof shifts / sizeof shifts[0]; i++) {
        compare_fixed(&graph.csr, 33, shifts[i], 1, i);
        compare_fixed(&graph.csr, 16, shifts[i], 0, i);
    }
    graph_free(&graph);
}

/* Row 0 sums columns 0 and 2, row 1 nothing, row 2 column 1: small integers, so the answer is known. */
static void test_known_answer(void **state) {
    (void)state;
    const uint64_t offsets[] = {0, 2, 2, 3};
    const int32_t columns[] = {0, 2, 1};
    const HnCsr csr = {3, 3, offsets, columns, NULL};
    const float x[] = {1, 2, 3, 4, 5, 6}, scale[] = {0.5f, 7.0f, 2.0f};
    const float expected[] = {3, 4, 0, 0, 6, 8}, expected_sum[] = {13, 14, 10, 10, 16, 18};
    float y[6], sum[] = {10, 10, 10, 10, 10, 10};
    hn_propagate_cpu(&csr, x, scale, y, sum, 2);
    check_same_floats(expected, y, 6, "y");
    check_same_floats(expected_sum, sum, 6, "sum");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_width),
        cmocka_unit_test(test_threads_do_not_matter),
        cmocka_unit_test(test_rows_are_told_once_and_complete),
        cmocka_unit_test(test_degenerate_graphs),
        cmocka_unit_test(test_far_out_scales),
        cmocka_unit_test(test_known_answer),
    };
    return CHECK_ON_EVERY_PATH(tests);
}
