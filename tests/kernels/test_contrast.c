#include "contrast.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "product.h"
#include "product_near.h"

static void near_case(int64_t m, int64_t n, int64_t k, bool turned, bool from_c) {
    const int64_t lda = (turned ? m : k) + 1, ldb = n + 3, ldc = n + 2;
    const size_t n_a = (size_t)((turned ? k : m) * lda), n_b = (size_t)(k * ldb), n_c = (size_t)(m * ldc);
    float *a = check_block(n_a, sizeof *a), *b = check_block(n_b, sizeof *b);
    float *expected = check_block(n_c, sizeof *expected), *actual = check_block(n_c, sizeof *actual);
    check_fill(a, n_a, 1), check_fill(b, n_b, 2), check_fill(expected, n_c, 3), check_fill(actual, n_c, 3);
    hn_product_ref(turned, false, m, n, k, a, lda, b, ldb, from_c, expected, ldc);
    const HnNear product = {.a = a,
                            .a_row = turned ? 1 : lda,
                            .a_step = turned ? lda : 1,
                            .b = b,
                            .ldb = ldb,
                            .m = m,
                            .n = n,
                            .k = k,
                            .c = actual,
                            .ldc = ldc,
                            .from_c = from_c};
    hn_product_near_cpu(&product);
    check_same_floats(expected, actual, n_c, "c");
    free(a), free(b), free(expected), free(actual);
}

static void test_near_product(void **state) {
    (void)state;
    for (int64_t m = 0; m <= 40; m++) {
        for (int way = 0; way < 4; way++) {
            near_case(m, 48, 7, way % 2 == 1, way / 2 == 1);
            near_case(m, 16, 1, way % 2 == 1, way / 2 == 1);
            near_case(m, 32, 0, way % 2 == 1, way / 2 == 1);
        }
    }
}

/* Unit rows, with a zero one. */
static float *unit_rows(uint64_t n, int width, uint64_t seed) {
    const size_t w = (size_t)width;
    float *rows = check_block(n * w, sizeof *rows);
    check_fill_plain(rows, n * w, seed);
    for (uint64_t r = 0; r < n; r++) {
        double squares = 0.0;
        for (size_t c = 0; c < w; c++) {
            squares += (double)rows[r * w + c] * (double)rows[r * w + c];
        }
        for (size_t c = 0; c < w; c++) {
            rows[r * w + c] = r == 1 ? 0.0f : rows[r * w + c] / (float)sqrt(squares);
        }
    }
    return rows;
}

typedef struct Rows {
    uint64_t n_queries, n_keys;
    HnQueries queries;
    float *x, *y, *keys, *packed;
} Rows;

static Rows rows_make(uint64_t n_queries, uint64_t n_keys, int width) {
    Rows rows = {.n_queries = n_queries, .n_keys = n_keys};
    rows.x = unit_rows(n_queries, width, 1), rows.y = unit_rows(n_queries, width, 2);
    rows.keys = unit_rows(n_keys, width, 3);
    rows.packed = check_block(hn_contrast_packed(n_queries, width), sizeof(float));
    hn_contrast_pack(rows.x, n_queries, width, rows.packed);
    rows.queries = (HnQueries){n_queries, width, 0.2f, rows.packed};
    return rows;
}

static void rows_free(Rows *rows) {
    free(rows->packed), free(rows->keys), free(rows->y), free(rows->x);
}

static void pull(const Rows *rows, const uint64_t *begin, uint64_t n_blocks, int64_t *totals) {
    float *scratch = check_block(hn_contrast_scratch(rows->queries.width), sizeof *scratch);
    hn_contrast_pull_cpu(&rows->queries, rows->keys, begin, n_blocks, hn_contrast_shift(rows->n_keys), totals, scratch);
    free(scratch);
}

static void compare(uint64_t n_queries, uint64_t n_keys, int width) {
    Rows rows = rows_make(n_queries, n_keys, width);
    const uint64_t begin[] = {0, n_keys / 3, n_keys / 3, n_keys};
    const size_t n_totals = n_queries * (size_t)(width + 1), n_g = n_keys * (size_t)width;
    int64_t *expected = calloc(n_totals + 1, sizeof *expected), *actual = calloc(n_totals + 1, sizeof *actual);
    hn_contrast_pull_ref(&rows.queries, rows.keys, begin, 3, hn_contrast_shift(n_keys), expected);
    pull(&rows, begin, 3, actual);
    assert_memory_equal(expected, actual, n_totals * sizeof *expected);
    float *g = check_block(n_g, sizeof *g), *g_ref = check_block(n_g, sizeof *g_ref);
    hn_contrast_push_ref(&rows.queries, rows.y, rows.keys, n_keys, g_ref);
    hn_contrast_push_cpu(&rows.queries, rows.y, rows.keys, n_keys, g);
    check_same_floats(g_ref, g, n_g, "g");
    free(g_ref), free(g), free(actual), free(expected);
    rows_free(&rows);
}

static void test_equals_ref(void **state) {
    (void)state;
    compare(1, 1, 16);
    compare(33, 97, 16);
    compare(32, 300, 32);
    compare(70, 200, 48);
    compare(0, 5, 16);
    compare(5, 0, 16);
}

/* Every query and key the same unit vector: all weights are 1. */
static void test_known_answer(void **state) {
    (void)state;
    enum { N = 40, KEYS = 130, WIDTH = 16 };
    Rows rows = rows_make(N, KEYS, WIDTH);
    memset(rows.x, 0, N * WIDTH * sizeof(float));
    memset(rows.keys, 0, KEYS * WIDTH * sizeof(float));
    for (int r = 0; r < KEYS; r++) {
        rows.keys[r * WIDTH + 3] = 1.0f;
        rows.x[r % N * WIDTH + 3] = 1.0f;
    }
    hn_contrast_pack(rows.x, N, WIDTH, rows.packed);
    const uint64_t begin[] = {0, KEYS};
    const int shift = hn_contrast_shift(KEYS);
    int64_t totals[N * (WIDTH + 1)] = {0};
    pull(&rows, begin, 1, totals);
    float g[KEYS * WIDTH];
    hn_contrast_push_cpu(&rows.queries, rows.x, rows.keys, KEYS, g);
    for (int q = 0; q < N; q++) {
        assert_true(totals[q * (WIDTH + 1) + 3] == (int64_t)KEYS << shift);
        assert_true(totals[q * (WIDTH + 1) + WIDTH] == (int64_t)KEYS << shift);
        assert_true(totals[q * (WIDTH + 1) + 2] == 0);
    }
    for (int v = 0; v < KEYS; v++) {
        assert_true(g[v * WIDTH + 3] == (float)N && g[v * WIDTH] == 0.0f);
    }
    rows_free(&rows);
}

/* Blocks in parts, as ranks have them, and any number of threads. */
static void test_parts_and_threads(void **state) {
    (void)state;
    enum { N = 70, KEYS = 500, WIDTH = 32, TOTALS = N * (WIDTH + 1) };
    const int before = omp_get_max_threads();
    Rows rows = rows_make(N, KEYS, WIDTH);
    const uint64_t begin[] = {0, 100, 130, 430, 500};
    int64_t *whole = calloc(TOTALS, sizeof *whole), *parts = calloc(TOTALS, sizeof *parts);
    float *g = check_block(KEYS * WIDTH, sizeof *g), *again = check_block(KEYS * WIDTH, sizeof *again);
    omp_set_num_threads(1);
    pull(&rows, begin, 4, whole);
    hn_contrast_push_cpu(&rows.queries, rows.y, rows.keys, KEYS, g);
    omp_set_num_threads(3);
    pull(&rows, begin + 2, 2, parts);
    pull(&rows, begin, 2, parts);
    hn_contrast_push_cpu(&rows.queries, rows.y, rows.keys + 77 * WIDTH, KEYS - 77, again + 77 * WIDTH);
    hn_contrast_push_cpu(&rows.queries, rows.y, rows.keys, 77, again);
    assert_memory_equal(whole, parts, TOTALS * sizeof *whole);
    check_same_floats(g, again, KEYS * WIDTH, "g");
    omp_set_num_threads(before);
    free(again), free(g), free(parts), free(whole);
    rows_free(&rows);
}

static void test_scale_of_the_sums(void **state) {
    (void)state;
    assert_true(hn_contrast_shift(1) == 60);
    assert_true(hn_contrast_shift(UINT64_C(1) << 30) == 30);
    /* n keys of weight 1, and a little more, stay below 2^63 */
    for (uint64_t n = 1; n < UINT64_C(1) << 40; n = n * 3 + 1) {
        assert_true(ldexp((double)n, hn_contrast_shift(n)) < 0x1p62);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_near_product),      cmocka_unit_test(test_equals_ref),
        cmocka_unit_test(test_known_answer),      cmocka_unit_test(test_parts_and_threads),
        cmocka_unit_test(test_scale_of_the_sums),
    };
    return CHECK_ON_EVERY_PATH(tests);
}
