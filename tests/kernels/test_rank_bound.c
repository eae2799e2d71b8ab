/* What the screened ranking rests on: bounds that hold, tiles that let pass what may reach a threshold, lists that keep
 * it. */
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "rank_rows.h"
#include "rank_screen.h"

enum { USERS = HN_SCREEN_USERS, ITEMS = HN_SCREEN_ITEMS, MOST_DIM = 200, MOST_QUADS = (MOST_DIM + 3) / 4 };

static void need_vnni(void) {
    if (!hn_cpu_has_vnni()) {
        print_message("SKIP: no AVX512-VNNI on this path, so nothing is screened\n");
        skip();
    }
}

/* One tile of users, one panel of items, and their exact scores. */
typedef struct Pair {
    float users[USERS * MOST_DIM], items[ITEMS * MOST_DIM], scores[USERS][ITEMS];
    int dim;
    HnScreenUsers packed;
    HnScreenPanel panel;
    alignas(64) int8_t user_bytes[MOST_QUADS * 4 * USERS];
    alignas(64) uint8_t item_bytes[MOST_QUADS * 4 * ITEMS];
    alignas(64) uint32_t masked[HN_SCREEN_LANES];
    HnScreenHits hits;
} Pair;

static void pair_make(Pair *pair, int dim, RankRows of_users, RankRows of_items, uint64_t seed) {
    HnScreenRow rows[ITEMS];
    int32_t order[ITEMS];
    *pair = (Pair){.dim = dim};
    rank_rows_fill(pair->users, USERS, dim, of_users, seed);
    rank_rows_fill(pair->items, ITEMS, dim, of_items, seed + 1);
    for (int i = 0; i < ITEMS; i++) {
        order[i] = i;
        assert_true(hn_screen_row_measure(pair->items + i * dim, dim, &rows[i]));
        for (int u = 0; u < USERS; u++) {
            float score = 0.0f;
            for (int d = 0; d < dim; d++) {
                score = fmaf(pair->users[u * dim + d], pair->items[i * dim + d], score);
            }
            pair->scores[u][i] = score;
        }
    }
    hn_screen_panel_pack(pair->items, rows, order, dim, &pair->panel, pair->item_bytes);
    assert_true(hn_screen_users_pack(pair->users, USERS, dim, &pair->packed, pair->user_bytes));
}

static int pair_tile(Pair *pair) {
    return hn_screen_tile(&pair->packed, pair->user_bytes, &pair->panel, pair->item_bytes, hn_screen_quads(pair->dim),
                          pair->masked, &pair->hits);
}

static float float_of(int32_t ordered) {
    float value;
    ordered = ordered < 0 ? ordered ^ INT32_MAX : ordered;
    memcpy(&value, &ordered, sizeof value);
    return value;
}

/* Products are those of the bytes; the error encloses the score; a list's low and high do, too. */
static void check_bounds(Pair *pair) {
    const int capacity = hn_screen_list_capacity(ITEMS);
    int32_t *low = aligned_alloc(64, (size_t)capacity * 4), *slot = aligned_alloc(64, (size_t)capacity * 4);
    float *high = aligned_alloc(64, (size_t)capacity * 4);
    assert_true(low != NULL && high != NULL && slot != NULL);
    assert_int_equal(pair_tile(pair), (1 << USERS) - 1);
    for (int u = 0; u < USERS; u++) {
        HnScreenList list = {low, high, slot, 0};
        assert_int_equal(pair->hits.passing[u], UINT32_MAX); /* no threshold yet */
        hn_screen_list_add(&list, pair->hits.products + u * ITEMS, UINT32_MAX,
                           pair->packed.scale[u] * pair->panel.scale, pair->hits.error[u], 100);
        assert_int_equal(list.count, ITEMS);
        for (int i = 0; i < ITEMS; i++) {
            int32_t product = 0;
            for (int d = 0; d < hn_screen_quads(pair->dim) * 4; d++) {
                product += pair->user_bytes[(d / 4 * USERS + u) * 4 + d % 4] *
                           (pair->item_bytes[(d / 4 * ITEMS + i) * 4 + d % 4] - 128);
            }
            assert_int_equal(pair->hits.products[u * ITEMS + i], product);
            const double near = (double)pair->packed.scale[u] * (double)pair->panel.scale * (double)product;
            assert_true(fabs((double)pair->scores[u][i] - near) <= (double)pair->hits.error[u]);
            assert_true(float_of(low[i]) <= pair->scores[u][i] && pair->scores[u][i] <= high[i]);
            assert_int_equal(slot[i], 100 + i);
        }
    }
    free(low), free(high), free(slot);
}

/* With every score in turn as threshold, what reaches it passes; a panel is left out only where nothing reaches. */
static void check_passing(Pair *pair) {
    for (int i = 0; i < ITEMS; i++) {
        bool some_reach = false;
        for (int u = 0; u < USERS; u++) {
            const float score = pair->scores[u][i];
            pair->packed.threshold[u] = i % 3 == 0 ? score : nextafterf(score, i % 3 == 1 ? INFINITY : -INFINITY);
        }
        const int answer = pair_tile(pair);
        for (int u = 0; u < USERS; u++) {
            for (int j = 0; j < ITEMS; j++) {
                const bool reaches = pair->scores[u][j] >= pair->packed.threshold[u];
                some_reach |= reaches;
                assert_true(answer < 0 || !reaches || (pair->hits.passing[u] >> j & 1) != 0);
                assert_true(answer < 0 || !reaches || (answer >> u & 1) != 0);
            }
        }
        assert_true(answer >= 0 || !some_reach);
    }
}

static void test_bounds_hold(void **state) {
    (void)state;
    need_vnni();
    const int dims[] = {1, 3, 4, 17, 64, 200};
    Pair *pair = aligned_alloc(64, sizeof *pair);
    assert_true(pair != NULL);
    for (int users = 0; users < N_ROWS; users++) {
        for (int items = 0; items < N_ROWS; items++) {
            for (size_t d = 0; d < 6; d++) {
                pair_make(pair, dims[d], (RankRows)users, (RankRows)items, (uint64_t)(users * 100 + items));
                check_bounds(pair);
                check_passing(pair);
            }
        }
    }
    free(pair);
}

/* The bound is of use: on plain rows it is a few hundredths of the norms' product. */
static void test_bounds_are_close(void **state) {
    (void)state;
    need_vnni();
    Pair *pair = aligned_alloc(64, sizeof *pair);
    assert_true(pair != NULL);
    pair_make(pair, 64, PLAIN, PLAIN, 1);
    (void)pair_tile(pair);
    for (int u = 0; u < USERS; u++) {
        assert_true(pair->hits.error[u] < 0.02f * pair->packed.norm[u] * pair->panel.norm);
    }
    free(pair);
}

static void test_out_of_reach_and_masked(void **state) {
    (void)state;
    need_vnni();
    Pair *pair = aligned_alloc(64, sizeof *pair);
    assert_true(pair != NULL);
    pair_make(pair, 64, PLAIN, PLAIN, 2);
    pair->masked[3] = 0x80000001u;
    assert_int_equal(pair_tile(pair), (1 << USERS) - 1);
    assert_int_equal(pair->hits.passing[3], 0x7FFFFFFEu);
    pair->masked[3] = UINT32_MAX;
    assert_int_equal(pair_tile(pair), (1 << USERS) - 1 - (1 << 3));
    for (int u = 0; u < USERS; u++) {
        pair->packed.threshold[u] = 1e9f;
    }
    assert_int_equal(pair_tile(pair), -1);
    pair->packed.threshold[7] = -1e9f;
    assert_int_equal(pair_tile(pair), 1 << 7);
    assert_int_equal(pair->hits.passing[7], UINT32_MAX);
    free(pair);
}

static void test_rows_that_cannot_be_screened(void **state) {
    (void)state;
    need_vnni();
    float row[19] = {0};
    HnScreenRow measured;
    assert_true(hn_screen_row_measure(row, 19, &measured));
    const float good[] = {0x1p40f, -0x1p40f, 1e-45f}, bad[] = {NAN, -NAN, INFINITY, -INFINITY, 0x1.000002p40f};
    for (int at = 0; at < 19; at += 9) {
        for (int i = 0; i < 3; i++) {
            row[at] = good[i];
            assert_true(hn_screen_row_measure(row, 19, &measured));
            assert_true(measured.peak == fabsf(good[i]) && measured.norm >= fabsf(good[i]));
        }
        for (int i = 0; i < 5; i++) {
            row[at] = bad[i];
            assert_false(hn_screen_row_measure(row, 19, &measured));
        }
        row[at] = 0.0f;
    }
}

static int compare_down(const void *left, const void *right) {
    const float a = *(const float *)left, b = *(const float *)right;
    return (a < b) - (a > b);
}

/* Against a sort: the threshold is the k-th low, or the old one where that is higher; whoever may reach it stays. */
static void test_lists_keep_what_may_reach(void **state) {
    (void)state;
    need_vnni();
    enum { MOST = 150 };
    const int capacity = hn_screen_list_capacity(MOST);
    int32_t *low = aligned_alloc(64, (size_t)capacity * 4), *slot = aligned_alloc(64, (size_t)capacity * 4);
    float *high = aligned_alloc(64, (size_t)capacity * 4), sorted[MOST];
    uint64_t random = 1;
    for (int round = 0; round < 400; round++) {
        const int n = 1 + (int)check_below(&random, MOST), k = 1 + (int)check_below(&random, 60);
        const int scale = 1 << check_below(&random, 20); /* coarse values: lows tie */
        const float before = round % 4 == 0 ? (float)check_below(&random, 5) - 2.0f : -INFINITY;
        float expected = before;
        int kept = 0;
        for (int i = 0; i < n; i++) {
            sorted[i] = roundf(((float)check_below(&random, 1u << 22) / 0x1p21f - 1.0f) * (float)scale);
            sorted[i] = ldexpf(sorted[i], round % 3 == 0 ? (int)check_below(&random, 60) - 30 : 0) + 0.0f;
            int32_t bits;
            memcpy(&bits, &sorted[i], sizeof bits);
            low[i] = bits < 0 ? bits ^ INT32_MAX : bits;
            high[i] = sorted[i] + (float)check_below(&random, 3);
            slot[i] = i;
        }
        float highs[MOST];
        memcpy(highs, high, (size_t)n * sizeof *high);
        qsort(sorted, (size_t)n, sizeof *sorted, compare_down);
        if (n >= k && sorted[k - 1] > before) {
            expected = sorted[k - 1];
        }
        HnScreenList list = {low, high, slot, n};
        assert_true(hn_screen_list_cut(&list, k, before) == expected);
        for (int i = 0; i < n; i++) {
            if (highs[i] >= expected) {
                assert_true(kept < list.count && slot[kept] == i && high[kept] == highs[i]);
                kept++;
            }
        }
        assert_int_equal(list.count, kept);
    }
    free(low), free(high), free(slot);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds_hold),
        cmocka_unit_test(test_bounds_are_close),
        cmocka_unit_test(test_out_of_reach_and_masked),
        cmocka_unit_test(test_rows_that_cannot_be_screened),
        cmocka_unit_test(test_lists_keep_what_may_reach),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
