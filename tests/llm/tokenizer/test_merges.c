/* Both ways of merging against the plain rule, on random rules and words. */
#include <stdbool.h>

#include "../../hdf5_schemas/cmocka_all.h"
#include "base/alloc.h"
#include "base/rng.h"
#include "llm/tokenizer/merges.h"

enum { LETTERS = 4, MOST = 3000, RULES = 400 };

typedef struct Rule {
    uint32_t first, second, rank, id;
} Rule;

static Rule rules[RULES];
static HnMerges merges;

/* Random rules over ids that exist so far; a rank stands for two rules now and then. */
static int make_rules(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnRng rng;
    hn_rng_start(&rng, 5, HN_STREAM_TEST, 0, 0);
    ASSERT_OK(hn_merges_start(&merges, &err), &err);
    for (uint32_t i = 0; i < RULES; i++) {
        Rule rule = {hn_rng_below(&rng, LETTERS + i / 4), hn_rng_below(&rng, LETTERS + i / 4), i / 2, LETTERS + i};
        bool known = false;
        for (uint32_t j = 0; j < i; j++) {
            known = known || (rules[j].first == rule.first && rules[j].second == rule.second);
        }
        if (known) {
            rule.first = rule.second = UINT32_MAX; /* no rule */
        } else {
            ASSERT_OK(hn_merges_add(&merges, rule.first, rule.second, rule.rank, rule.id, &err), &err);
        }
        rules[i] = rule;
    }
    return 0;
}

static int free_rules(void **state) {
    (void)state;
    hn_merges_free(&merges);
    return 0;
}

/* The rule as it is said: among all neighbours the lowest rank, the leftmost of equals. */
static size_t plain(uint32_t *ids, size_t n) {
    for (;;) {
        const Rule *best = NULL;
        size_t place = 0;
        for (size_t i = 0; i + 1 < n; i++) {
            for (size_t r = 0; r < RULES; r++) {
                if (rules[r].first == ids[i] && rules[r].second == ids[i + 1] &&
                    (best == NULL || rules[r].rank < best->rank)) {
                    best = &rules[r];
                    place = i;
                }
            }
        }
        if (best == NULL) {
            return n;
        }
        ids[place] = best->id;
        memmove(ids + place + 1, ids + place + 2, (n - place - 2) * sizeof *ids);
        n--;
    }
}

static void check_word(size_t n, uint64_t seed) {
    static uint32_t wanted[MOST], got[MOST];
    HnError err = HN_ERROR_INIT;
    HnRng rng;
    size_t n_got = 0;
    hn_rng_start(&rng, seed, HN_STREAM_TEST, (uint32_t)n, 1);
    for (size_t i = 0; i < n; i++) {
        wanted[i] = hn_rng_below(&rng, seed % 3 == 0 ? 1 : LETTERS);
    }
    static uint32_t word[MOST];
    memcpy(word, wanted, sizeof word);
    const size_t n_wanted = plain(wanted, n);
    memcpy(got, word, sizeof got);
    ASSERT_OK(hn_merges_apply_long(&merges, got, n, &n_got, &err), &err);
    assert_int_equal(n_got, n_wanted);
    assert_memory_equal(got, wanted, n_wanted * sizeof *got);
    memcpy(got, word, sizeof got);
    ASSERT_OK(hn_merges_apply(&merges, got, n, &n_got, &err), &err);
    assert_int_equal(n_got, n_wanted);
    assert_memory_equal(got, wanted, n_wanted * sizeof *got);
    if (n <= HN_MERGES_SHORT) {
        memcpy(got, word, sizeof got);
        assert_int_equal(hn_merges_apply_short(&merges, got, n), n_wanted);
        assert_memory_equal(got, wanted, n_wanted * sizeof *got);
    }
}

static void same_as_plain(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 2, 3, 5, 17, 47, 48, 49, 50, 200};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        for (uint64_t seed = 0; seed < 12; seed++) {
            check_word(sizes[s], seed);
        }
    }
}

static void one_rule_a_pair(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    ASSERT_FAILS(hn_merges_add(&merges, rules[0].first, rules[0].second, 9, 9, &err), HN_FORMAT, "two rules", &err);
}

static void no_memory(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    uint32_t ids[100] = {0};
    size_t n = 0;
    const uint64_t live = hn_alloc_live_blocks();
    for (uint64_t i = 1; i <= 2; i++) {
        hn_alloc_fail_at(i);
        assert_int_equal(hn_merges_apply_long(&merges, ids, 100, &n, &err), HN_MEMORY);
        hn_error_clear(&err);
        assert_int_equal(hn_alloc_live_blocks(), live);
    }
    hn_alloc_fail_at(0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_as_plain), cmocka_unit_test(one_rule_a_pair),
                                       cmocka_unit_test(no_memory)};
    return cmocka_run_group_tests(tests, make_rules, free_rules);
}
