/* Continuous batching over a model that is a hash of what its cache holds: every answer is what a plain loop writes. */
#include "vocabularies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attention.h"
#include "base/alloc.h"
#include "base/rng.h"
#include "fake_lm.h"
#include "llm/generate/generate.h"
#include "llm/generate/text_stream.h"

enum { N_POSITIONS = 300, MOST_PROMPT = 200, N_REQUESTS = 60 };

static const HnNamed NAMES[] = {{"red", 3, 0}, {"red kite", 8, 1}, {"kite", 4, 2}};
static const int32_t TAKEN[] = {0, 2};
static const char *const STOPS[] = {"}", "e1", "\xC3"};

typedef struct World {
    HnTokenTree *vocabulary;
    HnItemNames *names;
    HnGrammar *profile, *negative;
    HnLm *lm;
    uint32_t prompts[N_REQUESTS][MOST_PROMPT];
    HnGenerateRequest requests[N_REQUESTS];
    HnGenerated wanted[N_REQUESTS];
    HnText streamed[N_REQUESTS];
} World;

/* A plain loop: one sequence, no cache. The text is made at the end, in one piece. */
static void write_plainly(const World *w, const HnGenerateRequest *r, HnGenerated *answer) {
    HnError err = HN_ERROR_INIT;
    uint32_t n_vocab = w->vocabulary->n_tokens, n = r->n_prompt, n_seen = 0, tokens[N_POSITIONS], seen[N_POSITIONS];
    float *logits = hn_alloc(n_vocab, sizeof *logits, "logits", NULL);
    HnSampler *sampler = NULL;
    HnNameFilter filter = {0};
    HnTextStream stream;
    bool ended = false;
    assert_int_equal(hn_sampler_create(n_vocab, &sampler, &err), HN_OK);
    assert_int_equal(hn_text_stream_begin(&stream, r->stops, r->n_stops, &err), HN_OK);
    assert_int_equal(hn_item_names_exclude(w->names, r->taken, r->n_taken, &filter, &err), HN_OK);
    HnGrammarState state = {0};
    uint32_t room = N_POSITIONS - n, limit = r->budget < room ? r->budget : room;
    memcpy(tokens, r->prompt, n * sizeof *tokens);
    while (!ended) {
        uint32_t used = n - r->n_prompt, token = 0;
        size_t n_bytes = 0;
        n_seen = 0;
        for (uint32_t i = 0; i < n; i++) {
            uint32_t j = 0;
            while (j < n_seen && seen[j] != tokens[i]) {
                j++;
            }
            seen[j] = tokens[i];
            n_seen += j == n_seen;
        }
        fake_lm_logits(w->lm, tokens, n, logits);
        HnChoice choice = {.logits = logits, .seen = seen, .n_seen = n_seen, .key = r->key, .position = used};
        choice.mask =
            r->grammar ? hn_grammar_mask(r->grammar, &filter, &state, limit - used, hn_grammar_share(r->grammar, limit))
                       : NULL;
        assert_int_equal(hn_sampler_choose(sampler, &r->sampling, &choice, &token, &err), HN_OK);
        tokens[n++] = token;
        const char *bytes = hn_token_tree_bytes(w->vocabulary, token, &n_bytes);
        assert_int_equal(hn_text_stream_push(&stream, bytes, n_bytes, &ended, &err), HN_OK);
        answer->stop = ended                                    ? HN_STOP_STRING
                       : used + 1 < limit || limit == r->budget ? HN_STOP_BUDGET
                                                                : HN_STOP_CONTEXT;
        if (r->grammar) {
            assert_true(hn_grammar_advance(r->grammar, &filter, &state, token));
            ended = hn_grammar_at_end(r->grammar, &state);
            answer->stop = HN_STOP_GRAMMAR;
        } else if (token == VOCABULARY_EOS && !r->ignore_eos) {
            ended = true;
            answer->stop = HN_STOP_EOS;
        }
        ended = ended || used + 1 == limit;
    }
    assert_int_equal(hn_text_stream_end(&stream, &err), HN_OK);
    answer->n_tokens = n - r->n_prompt;
    answer->tokens = hn_alloc(answer->n_tokens, sizeof *answer->tokens, "tokens", NULL);
    memcpy(answer->tokens, tokens + r->n_prompt, answer->n_tokens * sizeof *tokens);
    answer->n_bytes = stream.text.length; /* a NUL may be among them */
    answer->text = hn_strndup(stream.text.data, stream.text.length, NULL);
    hn_text_stream_free(&stream);
    hn_name_filter_free(&filter);
    hn_sampler_free(&sampler);
    hn_free(logits);
}

/* Prompts that begin alike in three ways; every kind of end, setting and constraint. */
static void make_request(World *w, uint32_t i) {
    HnRng rng;
    hn_rng_start(&rng, 9, HN_STREAM_TEST, 0, i);
    uint32_t n = 1 + hn_rng_below(&rng, i % 7 == 0 ? 3 : MOST_PROMPT - 1), family = i % 3;
    uint32_t shared = family == 2 ? 0 : 60 + 50 * family;
    for (uint32_t t = 0; t < n; t++) {
        w->prompts[i][t] =
            t < shared ? (t * 7 + family) % w->vocabulary->n_tokens : hn_rng_below(&rng, w->vocabulary->n_tokens);
    }
    w->requests[i] = (HnGenerateRequest){.key = UINT64_C(1) << 33 | i,
                                         .prompt = w->prompts[i],
                                         .n_prompt = n,
                                         .budget = 1 + hn_rng_below(&rng, i % 5 == 0 ? 400 : 90),
                                         .sampling = {.temperature = i % 4 ? 0.1 * (double)(i % 15) : 0,
                                                      .top_k = i % 6 * 5,
                                                      .top_p = i % 5 ? 0.8 : 1,
                                                      .repetition_penalty = i % 3 ? 1 : 1.2,
                                                      .seed = 3}};
    HnGenerateRequest *r = &w->requests[i];
    if (i % 4 == 1) {
        r->grammar = i % 8 == 1 ? w->profile : w->negative;
        r->taken = TAKEN;
        r->n_taken = i % 16 == 5 ? 2 : 0;
        r->budget += hn_grammar_least_budget(r->grammar) - 1;
        uint32_t most = N_POSITIONS - hn_grammar_least_budget(r->grammar);
        r->n_prompt = n < most ? n : most;
    } else if (i % 4 == 2) {
        r->stops = STOPS;
        r->n_stops = i % 3 + 1;
    }
    if (i % 36 == 0) { /* on to the context's end */
        r->ignore_eos = true;
        r->budget = 400;
    }
}

static void make_world(World *w) {
    HnError err = HN_ERROR_INIT;
    memset(w, 0, sizeof *w);
    vocabulary_make(VOCABULARY_MERGES, &w->vocabulary); /* large enough for several threads */
    w->lm = fake_lm_create(w->vocabulary->n_tokens, N_POSITIONS, 0.4F);
    assert_int_equal(hn_item_names_create(NAMES, 3, &w->names, &err), HN_OK);
    assert_int_equal(hn_grammar_create(w->vocabulary, PROFILE_FIELDS, 2, NULL, &w->profile, &err), HN_OK);
    assert_int_equal(hn_grammar_create(w->vocabulary, NEGATIVE_FIELDS, 2, w->names, &w->negative, &err), HN_OK);
    for (uint32_t i = 0; i < N_REQUESTS; i++) {
        make_request(w, i);
        write_plainly(w, &w->requests[i], &w->wanted[i]);
    }
}

static void free_world(World *w) {
    for (uint32_t i = 0; i < N_REQUESTS; i++) {
        hn_generated_free(&w->wanted[i]);
    }
    hn_grammar_free(&w->negative);
    hn_grammar_free(&w->profile);
    hn_item_names_free(&w->names);
    fake_lm_free(&w->lm);
    hn_token_tree_free(&w->vocabulary);
}

static void on_text(void *context, uint64_t key, const char *text, size_t n_bytes) {
    World *w = context;
    HnError err = HN_ERROR_INIT;
    assert_true(n_bytes > 0 && hn_utf8_valid(text, n_bytes, NULL));
    assert_int_equal(hn_text_append(&w->streamed[key & 0xffff], text, n_bytes, &err), HN_OK);
}

static void check_answer(World *w, const HnGenerated *got) {
    uint32_t i = (uint32_t)(got->key & 0xffff);
    const HnGenerated *wanted = &w->wanted[i];
    assert_int_equal(got->n_prompt, w->requests[i].n_prompt);
    assert_int_equal(got->n_tokens, wanted->n_tokens);
    assert_memory_equal(got->tokens, wanted->tokens, got->n_tokens * sizeof *got->tokens);
    assert_int_equal(got->n_bytes, wanted->n_bytes);
    assert_memory_equal(got->text, wanted->text, got->n_bytes + 1);
    assert_int_equal(got->stop, wanted->stop);
    assert_int_equal(w->streamed[i].length, wanted->n_bytes);
    assert_memory_equal(hn_text_get(&w->streamed[i]), wanted->text, wanted->n_bytes);
    assert_true(got->n_shared < got->n_prompt);
    hn_text_free(&w->streamed[i]);
}

/* All requests, some submitted late; order: a permutation of them. */
static HnGeneratorStats run_all(World *w, const HnGenerateOptions *options, uint32_t stride) {
    HnError err = HN_ERROR_INIT;
    HnGenerator *g = NULL;
    HnGenerateOptions with_text = *options;
    HnGenerated got;
    uint32_t n_submitted = 0, n_done = 0;
    with_text.on_text = on_text;
    with_text.context = w;
    assert_int_equal(hn_generator_create(w->lm, w->vocabulary, &with_text, &g, &err), HN_OK);
    for (bool busy = true; busy || n_submitted < N_REQUESTS;) {
        for (uint32_t i = 0; i < 7 && n_submitted < N_REQUESTS; i++, n_submitted++) {
            HnStatus status = hn_generator_submit(g, &w->requests[n_submitted * stride % N_REQUESTS], &err);
            if (status != HN_OK) {
                print_message("%s\n", err.message);
            }
            assert_int_equal(status, HN_OK);
        }
        assert_int_equal(hn_generator_step(g, &busy, &err), HN_OK);
        assert_int_equal(hn_generator_waiting(g) > 0, busy);
        while (hn_generator_poll(g, &got)) {
            check_answer(w, &got);
            hn_generated_free(&got);
            n_done++;
        }
    }
    assert_int_equal(n_done, N_REQUESTS);
    HnGeneratorStats stats = hn_generator_stats(g);
    assert_int_equal(stats.n_finished, N_REQUESTS);
    hn_generator_free(&g);
    return stats;
}

static void test_as_plain_loop(void **state) {
    (void)state;
    static World w;
    static const HnGenerateOptions options[] = {
        {.n_slots = 1, .n_pages = 10, .chunk_tokens = 1},
        {.n_slots = 1, .n_pages = 10, .no_sharing = true},
        {.n_slots = 2, .n_pages = 11, .chunk_tokens = 7},
        {.n_slots = 5, .n_pages = 16, .chunk_tokens = 32},
        {.n_slots = 8, .n_pages = 20, .chunk_tokens = 64, .no_sharing = true},
        {0},
        {.n_slots = 13, .n_pages = 30, .chunk_tokens = 3},
        {.n_slots = 33, .n_pages = 500, .chunk_tokens = 1000},
    };
    make_world(&w);
    uint32_t ends[5] = {0};
    for (uint32_t i = 0; i < N_REQUESTS; i++) {
        ends[w.wanted[i].stop]++;
    }
    for (int stop = 0; stop < 5; stop++) {
        assert_true(ends[stop] > 0);
    }
    uint64_t n_put_back = 0;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        static const uint32_t strides[] = {1, 29, 59}; /* no divisors of the number of requests */
        for (size_t order = 0; order < 3; order++) {
            HnGeneratorStats stats = run_all(&w, &options[i], strides[order]);
            n_put_back += stats.n_put_back;
            assert_true(options[i].no_sharing
                            ? stats.n_shared == 0
                            : stats.n_shared > 300 || (options[i].n_slots > 0 && options[i].n_slots < 5));
        }
    }
    assert_true(n_put_back > 20);
    free_world(&w);
}

/* No slot stands empty while something waits, and whoever writes waits for a bounded piece of prompt only. */
static void test_steps(void **state) {
    (void)state;
    static World w;
    HnError err = HN_ERROR_INIT;
    HnGenerator *g = NULL;
    HnGenerated got;
    make_world(&w);
    HnGenerateOptions options = {.n_slots = 4, .n_pages = 60, .chunk_tokens = 16};
    assert_int_equal(hn_generator_create(w.lm, w.vocabulary, &options, &g, &err), HN_OK);
    uint32_t n_runs, n_tokens, n_steps = 0;
    fake_lm_peaks(w.lm, &n_runs, &n_tokens);
    for (uint32_t i = 0; i < 12; i++) { /* three rounds of four answers of ten tokens, prompts of one */
        HnGenerateRequest r = {.key = i, .prompt = w.prompts[i], .n_prompt = 1, .budget = 10, .ignore_eos = true};
        r.sampling = (HnSampling){.temperature = 1, .top_p = 1, .repetition_penalty = 1};
        assert_int_equal(hn_generator_submit(g, &r, &err), HN_OK);
    }
    for (bool busy = true; busy; n_steps++) {
        assert_int_equal(hn_generator_step(g, &busy, &err), HN_OK);
        fake_lm_peaks(w.lm, &n_runs, &n_tokens);
        assert_int_equal(n_runs, 4);
        assert_int_equal(n_tokens, 4);
    }
    assert_int_equal(n_steps, 30);
    HnGenerateRequest shorter = {.prompt = w.prompts[2], .n_prompt = 1, .budget = 100, .ignore_eos = true};
    shorter.sampling = (HnSampling){.temperature = 1, .top_p = 1, .repetition_penalty = 1};
    HnGenerateRequest longer = shorter;
    longer.n_prompt = 150;
    bool busy = true;
    assert_int_equal(hn_generator_submit(g, &shorter, &err), HN_OK);
    assert_int_equal(hn_generator_step(g, &busy, &err), HN_OK);
    longer.prompt = w.prompts[5];
    assert_int_equal(hn_generator_submit(g, &longer, &err), HN_OK);
    for (n_steps = 0; busy; n_steps++) {
        assert_int_equal(hn_generator_step(g, &busy, &err), HN_OK);
        fake_lm_peaks(w.lm, &n_runs, &n_tokens);
        assert_true(n_tokens <= 17);
    }
    assert_in_range(n_steps, 100, 115);
    while (hn_generator_poll(g, &got)) {
        hn_generated_free(&got);
    }
    hn_generator_free(&g);
    free_world(&w);
}

/* Prompts that are alike are read once, whoever is first, at once and one after the other. */
static void test_shared_prompts(void **state) {
    (void)state;
    static World w;
    make_world(&w);
    for (uint32_t n_slots = 1; n_slots < 9; n_slots += 7) {
        HnError err = HN_ERROR_INIT;
        HnGenerator *g = NULL;
        HnGenerated got;
        uint32_t prompt[160];
        HnGenerateOptions options = {.n_slots = n_slots, .n_pages = 100, .chunk_tokens = 16};
        assert_int_equal(hn_generator_create(w.lm, w.vocabulary, &options, &g, &err), HN_OK);
        for (uint32_t i = 0; i < 8; i++) {
            for (uint32_t t = 0; t < 160; t++) {
                prompt[t] = t < 150 ? t : t + i; /* all but the last ten tokens are the same */
            }
            HnGenerateRequest r = {.key = i, .prompt = prompt, .n_prompt = 160, .budget = 5, .ignore_eos = true};
            r.sampling = (HnSampling){.temperature = 1, .top_p = 1, .repetition_penalty = 1};
            assert_int_equal(hn_generator_submit(g, &r, &err), HN_OK);
        }
        for (bool busy = true; busy;) {
            assert_int_equal(hn_generator_step(g, &busy, &err), HN_OK);
        }
        /* At least the whole pages, of 32 tokens: for less nobody waits, and no more is kept. */
        uint32_t least = 128, n_polled = 0;
        while (hn_generator_poll(g, &got)) {
            n_polled++;
            assert_true(n_polled == 1 ? got.n_shared == 0 : got.n_shared >= least && got.n_shared <= 151);
            hn_generated_free(&got);
        }
        assert_int_equal(n_polled, 8);
        assert_true(hn_generator_stats(g).n_computed <= 160 + 7 * (160 - least) + 8 * 4);
        hn_generator_free(&g);
    }
    free_world(&w);
}

static void refused(HnGenerator *g, HnGenerateRequest r, HnStatus status, const char *word) {
    HnError err = HN_ERROR_INIT;
    uint64_t live = hn_alloc_live_blocks();
    assert_int_equal(hn_generator_submit(g, &r, &err), status);
    if (!strstr(err.message, word)) {
        print_message("%s\n", err.message);
    }
    assert_non_null(strstr(err.message, word));
    assert_int_equal(hn_alloc_live_blocks(), live);
    assert_int_equal(hn_generator_waiting(g), 0);
}

static void test_refusals(void **state) {
    (void)state;
    static World w;
    HnError err = HN_ERROR_INIT;
    HnGenerator *g = NULL;
    uint32_t prompt[N_POSITIONS] = {0};
    make_world(&w);
    HnGenerateOptions options = {.n_slots = 2, .n_pages = 8};
    assert_int_equal(hn_generator_create(w.lm, w.vocabulary, &options, &g, &err), HN_OK);
    const HnSampling plain = {.temperature = 1, .top_p = 1, .repetition_penalty = 1};
    const HnGenerateRequest good = {.prompt = prompt, .n_prompt = 3, .budget = 5, .sampling = plain};
    HnGenerateRequest r = good;
    r.n_prompt = 0;
    refused(g, r, HN_INPUT, "empty prompt");
    r.n_prompt = N_POSITIONS;
    refused(g, r, HN_RANGE, "300");
    r.n_prompt = 260;
    refused(g, r, HN_RANGE, "cache");
    r = good;
    r.budget = 0;
    refused(g, r, HN_RANGE, "budget");
    r = good;
    prompt[1] = w.vocabulary->n_tokens;
    refused(g, r, HN_RANGE, "token 1 ");
    prompt[1] = 0;
    r.sampling.top_p = 3;
    refused(g, r, HN_RANGE, "top_p");
    r = good;
    r.grammar = w.profile;
    r.budget = hn_grammar_least_budget(w.profile) - 1;
    refused(g, r, HN_RANGE, "raise the budget");
    r.budget = 200;
    r.stops = STOPS;
    r.n_stops = 1;
    refused(g, r, HN_INPUT, "stop string");
    r = good;
    r.stops = (const char *const[]){""};
    r.n_stops = 1;
    refused(g, r, HN_INPUT, "empty stop");
    bool busy = true;
    assert_int_equal(hn_generator_step(g, &busy, &err), HN_OK); /* nothing to do */
    assert_false(busy);
    assert_int_equal(hn_generator_submit(g, &good, &err), HN_OK);
    hn_generator_free(&g); /* with work left */
    HnTokenTree *other = NULL;
    vocabulary_make(VOCABULARY_BYTES, &other);
    assert_int_equal(hn_generator_create(w.lm, other, &options, &g, &err), HN_RANGE);
    assert_null(g);
    hn_token_tree_free(&other);
    free_world(&w);
}

static HnStatus run_two(World *w, HnError *err) {
    HnGenerator *g = NULL;
    HnGenerated got = {0};
    HnGenerateOptions options = {.n_slots = 2, .n_pages = 20};
    bool busy = true;
    HnStatus status = hn_generator_create(w->lm, w->vocabulary, &options, &g, err);
    for (uint32_t i = 1; i < 4 && status == HN_OK; i++) {
        status = hn_generator_submit(g, &w->requests[i], err);
    }
    while (status == HN_OK && busy) {
        status = hn_generator_step(g, &busy, err);
    }
    while (g && hn_generator_poll(g, &got)) {
        hn_generated_free(&got);
    }
    hn_generator_free(&g);
    return status;
}

static void test_no_memory(void **state) {
    (void)state;
    static World w;
    make_world(&w);
    HnStatus status = HN_MEMORY;
    uint64_t n = 0, live = hn_alloc_live_blocks();
    while (status != HN_OK) {
        HnError err = HN_ERROR_INIT;
        hn_alloc_fail_at(++n);
        status = run_two(&w, &err);
        hn_alloc_fail_at(0);
        assert_true(status == HN_OK || status == HN_MEMORY);
        assert_int_equal(hn_alloc_live_blocks(), live);
    }
    assert_true(n > 20);
    free_world(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_as_plain_loop), cmocka_unit_test(test_steps),
                                       cmocka_unit_test(test_shared_prompts), cmocka_unit_test(test_refusals),
                                       cmocka_unit_test(test_no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
