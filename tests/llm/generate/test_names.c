/* Masks and distances against a plain search over all states, and the rules of names. */
#include "vocabularies.h"

#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"

enum { MOST_STATES = 3000, FAR = 1000000 };

/* All states that tokens reach, found by hn_grammar_advance alone, and the tokens from each to the end. */
typedef struct Search {
    HnGrammarState states[MOST_STATES];
    uint32_t n, distance[MOST_STATES];
    uint32_t *to; /* [n][n_tokens]: a state, or FAR */
} Search;

static bool same(const HnGrammarState *a, const HnGrammarState *b) {
    return a->place == b->place && a->first == b->first && a->end == b->end && a->depth == b->depth;
}

static uint32_t number_of(Search *search, const HnGrammarState *state) {
    uint32_t i = 0;
    while (i < search->n && !same(&search->states[i], state)) {
        i++;
    }
    if (i == search->n) {
        assert_true(i < MOST_STATES);
        search->states[search->n++] = *state;
    }
    return i;
}

static void search_all(const HnGrammar *g, uint32_t n_tokens, const HnNameFilter *filter, Search *search) {
    search->to = hn_alloc((size_t)MOST_STATES * n_tokens, sizeof *search->to, "search", NULL);
    assert_non_null(search->to);
    search->n = 1;
    search->states[0] = hn_grammar_begin(g);
    for (uint32_t s = 0; s < search->n; s++) {
        for (uint32_t t = 0; t < n_tokens; t++) {
            HnGrammarState next = search->states[s];
            search->to[(size_t)s * n_tokens + t] =
                hn_grammar_advance(g, filter, &next, t) ? number_of(search, &next) : FAR;
        }
    }
    for (uint32_t s = 0; s < search->n; s++) {
        search->distance[s] = hn_grammar_at_end(g, &search->states[s]) ? 0 : FAR;
    }
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t s = search->n; s-- > 0;) {
            for (uint32_t t = 0; t < n_tokens; t++) {
                uint32_t to = search->to[(size_t)s * n_tokens + t];
                if (to != FAR && search->distance[to] + 1 < search->distance[s]) {
                    search->distance[s] = search->distance[to] + 1;
                    changed = true;
                }
            }
        }
    }
}

/* At every state and for every number of tokens left. Before the names' quote, distances are those with None alone. */
static void compare(HnGrammar *g, uint32_t n_tokens, const HnNameFilter *filter, const HnNameFilter *all_but_none) {
    Search *search = hn_alloc(2, sizeof *search, "searches", NULL), *none = search + 1;
    assert_non_null(search);
    search_all(g, n_tokens, filter, search);
    search_all(g, n_tokens, all_but_none, none);
    assert_int_equal(hn_grammar_least_budget(g), none->distance[0]);
    uint32_t longest = 0, n_checked = 0;
    for (uint32_t s = 0; s < search->n; s++) {
        for (uint32_t i = 0; i < none->n; i++) { /* outside names the two have the same states */
            bool in_name = search->states[s].end > 0;
            if (!in_name && same(&none->states[i], &search->states[s])) {
                search->distance[s] = none->distance[i];
            }
        }
        longest = search->distance[s] < FAR && search->distance[s] > longest ? search->distance[s] : longest;
    }
    for (uint32_t s = 0; s < search->n; s++) {
        for (uint32_t step = 1; step < longest + 4; step++) {
            uint32_t left = step == longest + 3 ? 100000 : step; /* the last: no limit, masks are remembered */
            const uint64_t *mask = hn_grammar_mask(g, filter, &search->states[s], left, 0);
            for (uint32_t t = 0; t < n_tokens; t++) {
                uint32_t to = search->to[(size_t)s * n_tokens + t];
                bool wanted = to != FAR && search->distance[to] <= left - 1;
                if (mask_has(mask, t) != wanted) {
                    print_message("state %u (%u %u %u %u) left %u token %u\n", s, search->states[s].place,
                                  search->states[s].first, search->states[s].end, search->states[s].depth, left, t);
                }
                assert_int_equal(mask_has(mask, t), wanted);
                n_checked += wanted;
            }
        }
    }
    assert_true(n_checked > 1000);
    hn_free(search->to);
    hn_free(none->to);
    hn_free(search);
}

/* Two hundred names over six letters, many beginning others, so that masks are remembered and patched. One vocabulary
 * has no w. */
static size_t many_names(HnNamed *named, char (*texts)[8]) {
    size_t n = 0;
    for (uint32_t code = 0; code < 200; code++) {
        uint32_t rest = code * 7 + 1, length = 0;
        for (; rest > 0 && length < 7; rest /= 6) {
            texts[n][length++] = "redkiw"[rest % 6];
        }
        texts[n][length] = '\0';
        named[n] = (HnNamed){texts[n], length, (int32_t)(code % 150)};
        n++;
    }
    return n;
}

static void exclude_all(const HnItemNames *names, HnNameFilter *filter) {
    int32_t everything[200];
    HnError err = HN_ERROR_INIT;
    for (int32_t i = 0; i < 200; i++) {
        everything[i] = i;
    }
    assert_int_equal(hn_item_names_exclude(names, everything, 200, filter, &err), HN_OK);
    assert_int_equal(filter->n, hn_item_names_count(names) - 1);
}

static void test_masks_as_searched(void **state) {
    (void)state;
    static const VocabularyKind kinds[] = {VOCABULARY_BYTES, VOCABULARY_PIECES, VOCABULARY_NARROW};
    static const HnGrammarField fields[] = {{"k", HN_FIELD_ANY}, {"v", HN_FIELD_NAME}, {"r", HN_FIELD_FILLED}};
    HnError err = HN_ERROR_INIT;
    HnNamed named[200];
    char texts[200][8];
    size_t n = many_names(named, texts);
    for (size_t k = 0; k < 3; k++) {
        HnTokenTree *v = NULL;
        HnItemNames *names = NULL;
        HnGrammar *g = NULL;
        HnNameFilter all_but_none = {0};
        vocabulary_make(kinds[k], &v);
        assert_int_equal(hn_item_names_create(named, kinds[k] == VOCABULARY_BYTES ? 12 : n, &names, &err), HN_OK);
        exclude_all(names, &all_but_none);
        assert_int_equal(hn_grammar_create(v, fields, 3, names, &g, &err), HN_OK);
        for (int32_t user = 0; user < 4; user++) { /* of nothing, a little, half, nearly everything */
            int32_t taken[200];
            HnNameFilter filter = {0};
            size_t n_taken = 0;
            for (int32_t i = 0; i < 200 && user > 0; i++) {
                if (user == 1 ? i % 40 == 0 : user == 2 ? i % 2 == 0 : i % 29 != 5) {
                    taken[n_taken++] = i;
                }
            }
            assert_int_equal(hn_item_names_exclude(names, taken, n_taken, &filter, &err), HN_OK);
            compare(g, v->n_tokens, &filter, &all_but_none);
            hn_name_filter_free(&filter);
        }
        hn_name_filter_free(&all_but_none);
        hn_grammar_free(&g);
        hn_item_names_free(&names);
        hn_token_tree_free(&v);
    }
}

/* Vocabularies and names made at random of what answers are made of. Some vocabularies cannot spell an answer. */
static void test_random_vocabularies(void **state) {
    (void)state;
    static const char alphabet[] = "{}\"\"\"::,,kvvr \\nNoea\xC3\xA9\xE2";
    static const HnGrammarField fields[] = {{"k", HN_FIELD_ANY}, {"v", HN_FIELD_NAME}};
    enum { N_TOKENS = 90 };
    uint32_t n_compared = 0;
    for (uint32_t round = 0; round < 60; round++) {
        HnRng rng;
        HnError err = HN_ERROR_INIT;
        char pieces[N_TOKENS][6], texts[90][8];
        const char *bytes[N_TOKENS];
        size_t n_bytes[N_TOKENS];
        HnNamed named[90];
        hn_rng_start(&rng, 1, HN_STREAM_TEST, 0, round);
        for (uint32_t t = 0; t < N_TOKENS; t++) {
            n_bytes[t] = t < sizeof alphabet - 1 ? 1 : 1 + hn_rng_below(&rng, 5);
            for (size_t i = 0; i < n_bytes[t]; i++) {
                pieces[t][i] = alphabet[t < sizeof alphabet - 1 ? t : hn_rng_below(&rng, sizeof alphabet - 1)];
            }
            bytes[t] = hn_rng_below(&rng, 60) == 0 ? NULL : pieces[t];
        }
        for (int32_t i = 0; i < 90; i++) {
            size_t n = 1 + hn_rng_below(&rng, 5);
            for (size_t c = 0; c < n; c++) {
                texts[i][c] = "Noeak\\\"v"[hn_rng_below(&rng, 8)];
            }
            named[i] = (HnNamed){texts[i], n, i / 2};
        }
        HnTokenTree *tree = NULL;
        HnItemNames *names = NULL;
        HnGrammar *g = NULL;
        HnNameFilter filter = {0}, all_but_none = {0};
        int32_t taken[30];
        for (int32_t i = 0; i < 30; i++) {
            taken[i] = i + i / 5;
        }
        assert_int_equal(hn_token_tree_create(N_TOKENS, bytes, n_bytes, &tree, &err), HN_OK);
        assert_int_equal(hn_item_names_create(named, 90, &names, &err), HN_OK);
        assert_int_equal(hn_item_names_exclude(names, taken, 30, &filter, &err), HN_OK);
        exclude_all(names, &all_but_none);
        if (hn_grammar_create(tree, fields, 2, names, &g, &err) == HN_OK) {
            compare(g, N_TOKENS, &filter, &all_but_none);
            n_compared++;
        } else {
            assert_int_equal(err.status, HN_UNSUPPORTED);
        }
        hn_name_filter_free(&all_but_none);
        hn_name_filter_free(&filter);
        hn_grammar_free(&g);
        hn_item_names_free(&names);
        hn_token_tree_free(&tree);
    }
    assert_in_range(n_compared, 10, 59);
}

static bool holds(const HnItemNames *names, const HnNameFilter *filter, const char *spelt) {
    for (uint32_t i = 0; i < hn_item_names_count(names); i++) {
        uint32_t n_bytes = 0;
        const unsigned char *entry = hn_item_names_entry(names, i, &n_bytes);
        if (n_bytes == strlen(spelt) && memcmp(entry, spelt, n_bytes) == 0) {
            return hn_name_filter_count(filter, i, i + 1) == 0;
        }
    }
    return false;
}

/* Which names stand, how they are spelt, and whose they are. */
static void test_rules(void **state) {
    (void)state;
    char longest[HN_NAME_LONGEST + 1];
    memset(longest, 'x', sizeof longest);
    const HnNamed named[] = {
        {"  Kite\t", 7, 0},
        {"kite", 4, 1},
        {"KITE", 4, 2},
        {"\xEF\xBD\x8Bite", 6, 3}, /* full-width k: the same name, folded */
        {"Two", 3, 4},
        {"Two", 3, 4},
        {"a/\"b\\\n\x1f\x7f", 8, 5},
        {"none.", 5, 6},
        {"", 0, 7},
        {" \t", 2, 7},
        {"\xC3", 1, 7},
        {"a\0b", 3, 7},
        {"...", 3, 7},
        {longest, sizeof longest, 7},
        {longest, HN_NAME_LONGEST, 8},
    };
    HnError err = HN_ERROR_INIT;
    HnItemNames *names = NULL;
    HnNameFilter filter = {0};
    assert_int_equal(hn_item_names_create(named, sizeof named / sizeof *named, &names, &err), HN_OK);
    assert_int_equal(hn_item_names_left_out(names), 7);
    assert_int_equal(hn_item_names_count(names), 8);
    assert_true(holds(names, NULL, "None\"") && holds(names, NULL, "Kite\"") && holds(names, NULL, "KITE\""));
    assert_true(holds(names, NULL, "a/\\\"b\\\\\\n\\u001f\x7f\""));
    const int32_t some[] = {0, 1, 3, 4}, kites[] = {0, 1, 2, 3}, unknown[] = {-1, 77};
    assert_int_equal(hn_item_names_exclude(names, some, 4, &filter, &err), HN_OK);
    assert_int_equal(filter.n, 1); /* item 2 still is a kite */
    assert_false(holds(names, &filter, "Two\""));
    assert_true(holds(names, &filter, "Kite\""));
    assert_int_equal(hn_item_names_exclude(names, kites, 4, &filter, &err), HN_OK);
    assert_int_equal(filter.n, 4);
    assert_false(holds(names, &filter, "KITE\"") || holds(names, &filter, "\xEF\xBD\x8Bite\""));
    assert_int_equal(hn_item_names_exclude(names, unknown, 2, &filter, &err), HN_OK);
    assert_int_equal(filter.n, 0);
    hn_name_filter_free(&filter);
    hn_item_names_free(&names);
    const HnNamed nobody[] = {{"x", 1, -1}};
    assert_int_equal(hn_item_names_create(nobody, 1, &names, &err), HN_RANGE);
    assert_null(names);
    hn_error_clear(&err);
    assert_int_equal(hn_item_names_create(NULL, 0, &names, &err), HN_OK);
    assert_int_equal(hn_item_names_count(names), 1);
    hn_item_names_free(&names);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_masks_as_searched),
                                       cmocka_unit_test(test_random_vocabularies), cmocka_unit_test(test_rules)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
