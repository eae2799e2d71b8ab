/* A sequence's bits depend on its own tokens only: however it is cut, packed, forked, and by how many threads. */
#include "fixture.h"

#include <omp.h>
#include <string.h>

#include "base/alloc.h"

enum { N_OTHERS = 6, PAGES = 64 };

static Expected expected;
static float whole[N_TOKENS * MOST_HIDDEN]; /* the sequence at once, alone */

static size_t row_bytes(void) {
    return expected.width * sizeof(float);
}

static void forward(HnLm *lm, HnKv *kv, const HnLmRun *runs, size_t n, HnLmRows rows, float *hidden) {
    HnError err = HN_ERROR_INIT;
    if (hn_lm_forward(lm, kv, runs, n, rows, hidden, &err) != HN_OK) {
        fail_msg("%s", err.message);
    }
}

static HnKv *cache(const HnLm *lm) {
    HnKv *kv = NULL;
    HnError err = HN_ERROR_INIT;
    assert_int_equal(hn_kv_create(lm, PAGES, 16, &kv, &err), HN_OK);
    return kv;
}

/* In pieces of `piece` tokens, only the last token's states asked for, or none but at the end. */
static void cut(HnLm *lm, uint32_t piece, bool only_end) {
    HnKv *kv = cache(lm);
    const int32_t sequence = hn_kv_begin(kv);
    for (uint32_t done = 0; done < N_TOKENS; done += piece) {
        const uint32_t n = N_TOKENS - done < piece ? N_TOKENS - done : piece;
        const HnLmRun run = {sequence, n, expected.tokens + done};
        float last[MOST_HIDDEN];
        const bool end = done + n == N_TOKENS;
        forward(lm, kv, &run, 1, HN_LM_LAST, only_end && !end ? NULL : last);
        if (end || !only_end) {
            assert_memory_equal(last, whole + (size_t)(done + n - 1) * expected.width, row_bytes());
        }
        assert_int_equal(hn_kv_length(kv, sequence), done + n);
    }
    hn_kv_end(kv, sequence);
    assert_int_equal(hn_kv_free_pages(kv), PAGES);
    hn_kv_free(&kv);
}

/* Beside others of various lengths, which come before and behind; all rows, first and last ones. */
static void packed(HnLm *lm, uint32_t at) {
    static float all[(N_TOKENS + 300) * MOST_HIDDEN];
    HnKv *kv = hn_lm_config(lm)->causal ? cache(lm) : NULL;
    static const uint32_t lengths[N_OTHERS] = {1, 33, 2, 64, 17, 5};
    for (int rows = 0; rows < 3; rows++) {
        HnLmRun runs[N_OTHERS + 1];
        uint32_t before = 0;
        for (uint32_t r = 0; r <= N_OTHERS; r++) {
            const uint32_t other = r < at ? r : r - 1;
            runs[r].sequence = kv != NULL ? hn_kv_begin(kv) : 0;
            runs[r].n_tokens = r == at ? N_TOKENS : lengths[other];
            runs[r].tokens = r == at ? expected.tokens : expected.tokens + other;
            before += r < at ? runs[r].n_tokens : 0;
        }
        forward(lm, kv, runs, N_OTHERS + 1, (HnLmRows)rows, all);
        if (rows == HN_LM_ALL) {
            assert_memory_equal(all + (size_t)before * expected.width, whole, N_TOKENS * row_bytes());
        } else {
            const size_t row = rows == HN_LM_LAST ? N_TOKENS - 1 : 0;
            assert_memory_equal(all + at * expected.width, whole + row * expected.width, row_bytes());
        }
        for (uint32_t r = 0; kv != NULL && r <= N_OTHERS; r++) {
            hn_kv_end(kv, runs[r].sequence);
        }
    }
    hn_kv_free(&kv);
}

/* From a parent that goes on in another way; the parent is not changed by what its children write. */
static void forked(HnLm *lm, uint32_t shared) {
    HnKv *kv = cache(lm);
    float last[3 * MOST_HIDDEN];
    uint32_t other[N_TOKENS];
    for (uint32_t t = 0; t < N_TOKENS; t++) {
        other[t] = t < shared ? expected.tokens[t] : (expected.tokens[t] + 1) % N_VOCAB;
    }
    const HnLmRun parent = {hn_kv_begin(kv), shared + 3, other};
    forward(lm, kv, &parent, 1, HN_LM_LAST, NULL);
    const int32_t one = hn_kv_fork(kv, parent.sequence, shared), two = hn_kv_fork(kv, parent.sequence, shared);
    assert_true(one >= 0 && two >= 0);
    const uint32_t left = N_TOKENS - shared;
    const HnLmRun runs[3] = {{two, left, expected.tokens + shared},
                             {parent.sequence, left - 3, other + shared + 3},
                             {one, left, expected.tokens + shared}};
    forward(lm, kv, runs, 3, HN_LM_LAST, last);
    assert_memory_equal(last, whole + (size_t)(N_TOKENS - 1) * expected.width, row_bytes());
    assert_memory_equal(last + 2 * expected.width, last, row_bytes());
    assert_memory_not_equal(last + expected.width, last, row_bytes());
    static float alone[N_TOKENS * MOST_HIDDEN];
    fixture_hidden(lm, other, N_TOKENS, alone);
    assert_memory_equal(last + expected.width, alone + (size_t)(N_TOKENS - 1) * expected.width, row_bytes());
    hn_kv_end(kv, one);
    hn_kv_end(kv, parent.sequence);
    hn_kv_end(kv, two);
    assert_int_equal(hn_kv_free_pages(kv), PAGES);
    hn_kv_free(&kv);
}

static void all_ways(const char *name, HnWeightType weights) {
    const int most = omp_get_max_threads();
    HnLm *lm = fixture_lm(fixture_case(name), weights, false, 0);
    fixture_hidden(lm, expected.tokens, N_TOKENS, whole);
    static const uint32_t steps[] = {0, 13, 79}; /* steps that cut runs; encoders need a whole one */
    for (int s = hn_lm_config(lm)->causal ? 0 : 2; s < 3; s++) {
        HnLm *other = fixture_lm(fixture_case(name), weights, false, steps[s]);
        for (int threads = 1; threads <= 3; threads++) {
            omp_set_num_threads(threads);
            packed(other, (uint32_t)(threads - 1) * 3);
            if (hn_lm_config(lm)->causal) {
                cut(other, 1, false);
                cut(other, 7, true);
                cut(other, N_TOKENS, false);
                forked(other, 32);
                forked(other, 45);
                forked(other, 1);
            }
        }
        omp_set_num_threads(most);
        hn_lm_close(&other);
    }
    hn_lm_close(&lm);
}

static void same_bits(void **state) {
    (void)state;
    for (const char *const *name = fixture_cases; *name != NULL; name++) {
        fixture_expect(*name, &expected);
        all_ways(*name, HN_WEIGHT_F32);
        all_ways(*name, HN_WEIGHT_BF16);
    }
    assert_int_equal(hn_alloc_live_blocks(), 0);
}

static void same_bits_of_narrow_types(void **state) {
    (void)state;
    static const HnWeightType types[] = {HN_WEIGHT_F16, HN_WEIGHT_INT8, HN_WEIGHT_NF4};
    for (int t = 0; t < 3; t++) {
        fixture_expect("qwen3", &expected);
        all_ways("qwen3", types[t]);
        fixture_expect("bert", &expected);
        all_ways("bert", types[t]);
    }
}

/* Logits of many rows, in steps and alone. */
static void logits_are_of_their_row(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    static float all[N_TOKENS * N_VOCAB];
    fixture_expect("llama3", &expected);
    HnLm *lm = fixture_lm(fixture_case("llama3"), HN_WEIGHT_BF16, true, 13);
    fixture_hidden(lm, expected.tokens, N_TOKENS, whole);
    assert_int_equal(hn_lm_logits(lm, N_TOKENS, whole, all, &err), HN_OK);
    for (int r = 0; r < N_TOKENS; r++) {
        float one[N_VOCAB];
        assert_int_equal(hn_lm_logits(lm, 1, whole + (size_t)r * expected.width, one, &err), HN_OK);
        assert_memory_equal(one, all + (size_t)r * N_VOCAB, sizeof one);
    }
    hn_lm_close(&lm);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_bits), cmocka_unit_test(same_bits_of_narrow_types),
                                       cmocka_unit_test(logits_are_of_their_row)};
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
