/* A graph's edges to chosen columns, against a loop that looks each of them up: rows without edges, with one, and with
 * more than a piece holds; all, some, one and none of the columns; several times in the same storage. */
#include "fixture.h"

#include <string.h>

#include "base/alloc.h"
#include "cf/graph.h"

enum { N_ROWS = 5000, N_COLUMNS = 9000 };

/* Row r has edges to every step-th column from some place on; few have all. */
static uint64_t make(uint64_t *offsets, int32_t *columns) {
    uint64_t n = 0;
    for (uint64_t r = 0; r < N_ROWS; r++) {
        offsets[r] = n;
        if (r % 3 == 1 || r > N_ROWS - 10) {
            continue; /* none; and a run's end without any */
        }
        const uint64_t step = r == 0 || r == 1025 ? 1 : 1000 + r % 7;
        for (uint64_t c = r % 500; c < N_COLUMNS; c += step) {
            columns[n++] = (int32_t)c;
        }
    }
    offsets[N_ROWS] = n;
    return n;
}

static void check_columns(HnSubgraph *sub, const HnCsr *graph, uint64_t every) {
    static int32_t chosen[N_COLUMNS], places[N_COLUMNS];
    uint64_t n = 0, kept = 0;
    memset(places, 0xff, sizeof places);
    for (uint64_t c = every / 2; c < N_COLUMNS; c += every) {
        places[c] = (int32_t)n;
        chosen[n++] = (int32_t)c;
    }
    hn_subgraph_columns(sub, graph, chosen, n);
    assert_int_equal(sub->csr.n_rows, N_ROWS);
    assert_int_equal(sub->csr.n_cols, n);
    for (uint64_t r = 0; r < N_ROWS; r++) {
        assert_int_equal(sub->csr.offsets[r], kept);
        for (uint64_t e = graph->offsets[r]; e < graph->offsets[r + 1]; e++) {
            if (places[graph->columns[e]] >= 0) {
                assert_int_equal(sub->csr.columns[kept++], places[graph->columns[e]]);
            }
        }
    }
    assert_int_equal(sub->csr.offsets[N_ROWS], kept);
}

static void test_columns(void **state) {
    (void)state;
    static uint64_t offsets[N_ROWS + 1];
    static int32_t columns[N_ROWS * 20 + 2 * N_COLUMNS];
    const uint64_t n_edges = make(offsets, columns);
    const HnCsr graph = {N_ROWS, N_COLUMNS, offsets, columns, NULL};
    HnSubgraph sub;
    HnError err = HN_ERROR_INIT;
    assert_true(n_edges <= sizeof columns / sizeof *columns);
    assert_int_equal(hn_subgraph_create(N_ROWS, n_edges, N_COLUMNS, &sub, &err), HN_OK);
    const uint64_t every[] = {1, 3, 100, 2 * N_COLUMNS - 2, 2 * N_COLUMNS, 1};
    for (size_t i = 0; i < sizeof every / sizeof *every; i++) {
        check_columns(&sub, &graph, every[i]);
    }
    hn_subgraph_free(&sub);
    assert_int_equal(hn_alloc_live_blocks(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_columns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
