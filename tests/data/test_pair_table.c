/* Sorting, repeats, and the k-core against a brute-force reference on random graphs. */
#include "data/pair_table.h"

#include <string.h>

#include "base/rng.h"
#include "data/dataset.h"
#include "fixture.h"

static HnError err;

static void add(HnPairTable *table, uint32_t user, uint32_t item, int64_t time, uint8_t part, uint64_t where) {
    HnPair pair = {.user = user, .item = item, .time = time, .has_time = true, .part = part, .where = where};
    assert_int_equal(hn_pair_table_add(table, &pair, &err), HN_OK);
}

static void repeats(void **state) {
    (void)state;
    HnPairTable table = {NULL, 0, 0};
    add(&table, 1, 5, 30, HN_PART_TRAIN, 1);
    add(&table, 1, 5, 10, HN_PART_TRAIN, 2); /* the earliest: kept */
    add(&table, 1, 5, 10, HN_PART_TRAIN, 3); /* as early, but later in the file */
    add(&table, 0, 5, 1, HN_PART_TEST, 4);
    add(&table, 0, 5, 9, HN_PART_TRAIN, 5); /* train goes before test, however late */
    add(&table, 1, 4, 1, HN_PART_VALID, 6);
    uint64_t repeated, crossing;
    assert_int_equal(hn_pair_table_sort(&table, 2, &err), HN_OK);
    hn_pair_table_unique(&table, false, &repeated, &crossing);
    assert_int_equal(table.n, 3);
    assert_int_equal(repeated, 2);
    assert_int_equal(crossing, 1);
    assert_int_equal(table.pairs[0].where, 5);
    assert_int_equal(table.pairs[1].where, 6);
    assert_int_equal(table.pairs[2].where, 2);
    hn_pair_table_free(&table);
}

static void a_pair_may_stay_in_two_parts(void **state) {
    (void)state;
    HnPairTable table = {NULL, 0, 0};
    add(&table, 0, 5, 9, HN_PART_TRAIN, 1);
    add(&table, 0, 5, 1, HN_PART_TEST, 2);
    add(&table, 0, 5, 1, HN_PART_TEST, 3); /* repeats within its part still go */
    uint64_t repeated, crossing;
    assert_int_equal(hn_pair_table_sort(&table, 1, &err), HN_OK);
    hn_pair_table_unique(&table, true, &repeated, &crossing);
    assert_int_equal(table.n, 2);
    assert_int_equal(repeated, 1);
    assert_int_equal(crossing, 1);
    assert_int_equal(table.pairs[0].where, 1);
    assert_int_equal(table.pairs[1].where, 2);
    hn_pair_table_free(&table);
}

enum { USERS = 60, ITEMS = 40 };

/* The k-core by definition: remove one offending node at a time until there is none. */
static uint64_t brute_force(bool alive[USERS][ITEMS], int core_users, int core_items) {
    for (bool changed = true; changed;) {
        changed = false;
        for (int node = 0; node < USERS + ITEMS && !changed; node++) {
            int degree = 0;
            for (int other = 0; other < (node < USERS ? ITEMS : USERS); other++) {
                degree += node < USERS ? alive[node][other] : alive[other][node - USERS];
            }
            if (degree > 0 && degree < (node < USERS ? core_users : core_items)) {
                for (int other = 0; other < (node < USERS ? ITEMS : USERS); other++) {
                    *(node < USERS ? &alive[node][other] : &alive[other][node - USERS]) = false;
                }
                changed = true;
            }
        }
    }
    uint64_t n = 0;
    for (int u = 0; u < USERS; u++) {
        for (int i = 0; i < ITEMS; i++) {
            n += alive[u][i];
        }
    }
    return n;
}

static void core(void **state) {
    (void)state;
    uint64_t emptied = 0, shrunk = 0, deepest = 0;
    for (uint32_t round = 0; round < 60; round++) {
        bool alive[USERS][ITEMS];
        memset(alive, 0, sizeof alive);
        HnRng rng;
        hn_rng_start(&rng, 5, HN_STREAM_TEST, round, 0);
        HnPairTable table = {NULL, 0, 0};
        for (uint32_t edge = 100 + 10 * round; edge > 0; edge--) {
            uint32_t u = hn_rng_below(&rng, USERS), i = hn_rng_below(&rng, 1 + hn_rng_below(&rng, ITEMS));
            if (!alive[u][i]) {
                alive[u][i] = true;
                add(&table, u, i, 0, 0, edge);
            }
        }
        uint64_t before = table.n, rounds;
        int core_users = 1 + (int)hn_rng_below(&rng, 6), core_items = (int)hn_rng_below(&rng, 8);
        assert_int_equal(hn_pair_table_sort(&table, USERS, &err), HN_OK);
        assert_int_equal(
            hn_pair_table_core(&table, USERS, ITEMS, (uint64_t)core_users, (uint64_t)core_items, &rounds, &err), HN_OK);
        assert_int_equal(table.n, brute_force(alive, core_users, core_items));
        for (uint64_t p = 0; p < table.n; p++) {
            const HnPair *pair = &table.pairs[p];
            assert_true(alive[pair->user][pair->item]);
            assert_true(p == 0 || pair[-1].user < pair->user ||
                        (pair[-1].user == pair->user && pair[-1].item < pair->item));
        }
        emptied += table.n == 0;
        shrunk += table.n > 0 && table.n < before;
        deepest = rounds > deepest ? rounds : deepest;
        hn_pair_table_free(&table);
    }
    assert_true(emptied > 0 && shrunk > 10 && deepest > 2); /* the graphs were worth it */
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(repeats), cmocka_unit_test(a_pair_may_stay_in_two_parts),
                                       cmocka_unit_test(core)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
