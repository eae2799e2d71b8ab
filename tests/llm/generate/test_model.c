/* The generator over real (tiny, random) checkpoints: one request's answer does not depend on slots, pages, chunks,
 * sharing, threads, order or company, and is what one sequence alone gives. */
#include "../model/fixture.h"

#include <omp.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "llm/generate/generate.h"

enum { N_REQUESTS = 18, MOST_PROMPT = 120, MOST_ANSWER = 80 };

static const char LETTERS[] = "{}\":, abcdefghijklmnopqrstuvwxyzNABCDEFGHI0123456789.-\xC3\xA9";
static const HnNamed NAMES[] = {{"red", 3, 0}, {"red kite", 8, 1}, {"kite", 4, 2}};
static const HnGrammarField FIELDS[] = {{"item", HN_FIELD_NAME}, {"why", HN_FIELD_ANY}};

typedef struct World {
    HnLm *lm;
    HnTokenTree *tree;
    HnItemNames *names;
    HnGrammar *grammar;
    uint32_t prompts[N_REQUESTS][MOST_PROMPT];
    HnGenerateRequest requests[N_REQUESTS];
    uint32_t answers[N_REQUESTS][MOST_ANSWER], n_answers[N_REQUESTS];
} World;

static HnTokenTree *make_tree(void) {
    HnError err = HN_ERROR_INIT;
    HnTokenTree *tree = NULL;
    const char *bytes[N_VOCAB] = {0};
    size_t n_bytes[N_VOCAB] = {0};
    for (uint32_t t = 0; t < N_VOCAB - 3 && LETTERS[t]; t++) { /* 0 to 2 are special */
        bytes[t + 3] = &LETTERS[t];
        n_bytes[t + 3] = 1;
    }
    bytes[N_VOCAB - 1] = "\", \"";
    n_bytes[N_VOCAB - 1] = 4;
    assert_int_equal(hn_token_tree_create(N_VOCAB, bytes, n_bytes, &tree, &err), HN_OK);
    return tree;
}

static void make_requests(World *w) {
    for (uint32_t i = 0; i < N_REQUESTS; i++) {
        HnRng rng;
        hn_rng_start(&rng, 5, HN_STREAM_TEST, 0, i);
        uint32_t n = 1 + hn_rng_below(&rng, MOST_PROMPT - 1);
        for (uint32_t t = 0; t < n; t++) {
            w->prompts[i][t] = t < 70 && i % 4 ? t % N_VOCAB : hn_rng_below(&rng, N_VOCAB);
        }
        w->requests[i] = (HnGenerateRequest){.key = i,
                                             .prompt = w->prompts[i],
                                             .n_prompt = n,
                                             .budget = i % 3 ? MOST_ANSWER - i : 5,
                                             .ignore_eos = i % 5 == 0,
                                             .sampling = {.temperature = i % 6 ? 0.9 : 0, .top_p = 0.95, .seed = 7}};
        w->requests[i].sampling.repetition_penalty = i % 2 ? 1.1 : 1;
        if (i % 3 == 1) {
            w->requests[i].grammar = w->grammar;
        }
    }
}

/* Alone, the prompt at once or token by token. */
static void write_alone(World *w, uint32_t i) {
    HnError err = HN_ERROR_INIT;
    const HnGenerateRequest *r = &w->requests[i];
    HnKv *kv = NULL;
    HnSampler *sampler = NULL;
    uint32_t tokens[MOST_PROMPT + MOST_ANSWER], n = r->n_prompt, done = 0, seen[N_VOCAB], n_seen;
    float hidden[MOST_HIDDEN], logits[N_VOCAB];
    bool ended = false;
    assert_int_equal(hn_kv_create(w->lm, 20, 1, &kv, &err), HN_OK);
    assert_int_equal(hn_sampler_create(N_VOCAB, &sampler, &err), HN_OK);
    int32_t sequence = hn_kv_begin(kv);
    HnGrammarState state = {0};
    memcpy(tokens, r->prompt, n * sizeof *tokens);
    while (!ended) {
        for (uint32_t step = i < 4 ? 1 : n - done; done < n; done += step) {
            HnLmRun run = {sequence, step, tokens + done};
            assert_int_equal(hn_lm_forward(w->lm, kv, &run, 1, HN_LM_LAST, hidden, &err), HN_OK);
        }
        bool met[N_VOCAB] = {false};
        n_seen = 0;
        for (uint32_t t = 0; t < n; t++) {
            if (!met[tokens[t]]) {
                seen[n_seen++] = tokens[t];
            }
            met[tokens[t]] = true;
        }
        uint32_t used = n - r->n_prompt;
        assert_int_equal(hn_lm_logits(w->lm, 1, hidden, logits, &err), HN_OK);
        HnChoice choice = {.logits = logits, .seen = seen, .n_seen = n_seen, .key = r->key, .position = used};
        choice.mask = r->grammar ? hn_grammar_mask(r->grammar, NULL, &state, r->budget - used,
                                                   hn_grammar_share(r->grammar, r->budget))
                                 : NULL;
        assert_int_equal(hn_sampler_choose(sampler, &r->sampling, &choice, &tokens[n++], &err), HN_OK);
        ended = used + 1 == r->budget || (tokens[n - 1] == 2 && !r->grammar && !r->ignore_eos);
        if (r->grammar) {
            assert_true(hn_grammar_advance(r->grammar, NULL, &state, tokens[n - 1]));
            ended = hn_grammar_at_end(r->grammar, &state);
        }
    }
    w->n_answers[i] = n - r->n_prompt;
    memcpy(w->answers[i], tokens + r->n_prompt, w->n_answers[i] * sizeof *tokens);
    hn_sampler_free(&sampler);
    hn_kv_free(&kv);
}

static void check_run(World *w, const HnGenerateOptions *options, uint32_t first, uint32_t stride) {
    HnError err = HN_ERROR_INIT;
    HnGenerator *g = NULL;
    HnGenerated got;
    uint32_t n_done = 0;
    if (hn_generator_create(w->lm, w->tree, options, &g, &err) != HN_OK) {
        fail_msg("%s", err.message);
    }
    for (uint32_t i = 0; i < N_REQUESTS; i++) {
        assert_int_equal(hn_generator_submit(g, &w->requests[(first + i * stride) % N_REQUESTS], &err), HN_OK);
    }
    for (bool busy = true; busy;) {
        assert_int_equal(hn_generator_step(g, &busy, &err), HN_OK);
    }
    for (; hn_generator_poll(g, &got); n_done++) {
        uint32_t i = (uint32_t)got.key;
        assert_int_equal(got.n_tokens, w->n_answers[i]);
        assert_memory_equal(got.tokens, w->answers[i], got.n_tokens * sizeof *got.tokens);
        hn_generated_free(&got);
    }
    assert_int_equal(n_done, N_REQUESTS);
    hn_generator_free(&g);
}

static void check_model(const char *name, HnWeightType weights) {
    static World w;
    static const HnGenerateOptions options[] = {{.n_slots = 1, .n_pages = 8, .chunk_tokens = 5},
                                                {.n_slots = 3, .n_pages = 10, .chunk_tokens = 33},
                                                {.n_slots = 8, .n_pages = 14, .no_sharing = true},
                                                {.n_slots = 24, .n_pages = 200, .chunk_tokens = 64}};
    HnError err = HN_ERROR_INIT;
    memset(&w, 0, sizeof w);
    w.lm = fixture_lm(fixture_case(name), weights, true, 50);
    w.tree = make_tree();
    assert_int_equal(hn_item_names_create(NAMES, 3, &w.names, &err), HN_OK);
    assert_int_equal(hn_grammar_create(w.tree, FIELDS, 2, w.names, &w.grammar, &err), HN_OK);
    make_requests(&w);
    for (uint32_t i = 0; i < N_REQUESTS; i++) {
        write_alone(&w, i);
    }
    const int n_threads = omp_get_max_threads();
    for (uint32_t i = 0; i < 4; i++) {
        omp_set_num_threads(1 + (int)i % 3);
        check_run(&w, &options[i], i, i % 2 ? 5 : 1);
    }
    omp_set_num_threads(n_threads);
    hn_grammar_free(&w.grammar);
    hn_item_names_free(&w.names);
    hn_token_tree_free(&w.tree);
    hn_lm_close(&w.lm);
}

static void test_families(void **state) {
    (void)state;
    static const char *const names[] = {"llama", "mistral", "qwen2", "qwen3"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        check_model(names[i], HN_WEIGHT_F32);
    }
}

static void test_weights(void **state) {
    (void)state;
    check_model("llama", HN_WEIGHT_BF16);
    check_model("llama", HN_WEIGHT_INT8);
    check_model("qwen3", HN_WEIGHT_NF4);
}

/* An encoder writes nothing. */
static void test_encoder(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnGenerator *g = NULL;
    HnTokenTree *tree = make_tree();
    HnLm *lm = fixture_lm(fixture_case("bert"), HN_WEIGHT_F32, false, 0);
    const HnGenerateOptions options = {0};
    assert_int_equal(hn_generator_create(lm, tree, &options, &g, &err), HN_UNSUPPORTED);
    assert_null(g);
    hn_lm_close(&lm);
    hn_token_tree_free(&tree);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_families), cmocka_unit_test(test_weights),
                                       cmocka_unit_test(test_encoder)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
