/* Prompts given to the native embedder: what a cut keeps, and what is shared. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "fixture.h"
#include "semantic/native.h"

enum { N = 6, LONG = 600 };

static int make_model(void **state) {
    const char *argv[] = {HN_BUILD_DIR "/tests/random_model", NULL,
                          HN_SOURCE_DIR "/tests/fixtures/tokenizers/json-bytes/tokenizer.json", "712", NULL};
    if (fixture_open(state) != 0) {
        return -1;
    }
    argv[1] = fixture_path("model");
    return process_wait(process_start(argv, fixture_path("model.log")));
}

static HnLmEmbedder *open_embedder(int64_t context, HnExperiment **experiment) {
    HnLmEmbedder *embedder = NULL;
    HnError err = HN_ERROR_INIT;
    char model[512], longest[64];
    (void)snprintf(model, sizeof model, "llm.native.model=%s", fixture_path("model"));
    (void)snprintf(longest, sizeof longest, "llm.native.context=%lld", (long long)context);
    *experiment = fixture_experiment("llm.embedder=native", "llm.vectors_of=prompts", "llm.native.weights=f32", model,
                                     longest, NULL);
    assert_int_equal(hn_native_embedder_open(&(*experiment)->llm, &embedder, &err), HN_OK);
    return embedder;
}

/* Inputs of one user: they differ in their last character alone. */
static void inputs_of(char inputs[N][LONG + 1]) {
    for (int i = 0; i < N; i++) {
        for (int c = 0; c < LONG; c++) {
            inputs[i][c] = (char)('a' + (c * 7 + c / 26) % 26);
        }
        inputs[i][LONG - 1] = (char)('A' + i);
        inputs[i][LONG] = '\0';
    }
}

static void embed(HnLmEmbedder *embedder, HnLmEmbedderPrompt *prompts, float *vectors) {
    char inputs[N][LONG + 1];
    HnError err = HN_ERROR_INIT;
    inputs_of(inputs);
    for (int i = 0; i < N; i++) {
        assert_int_equal(hn_lm_embedder_render(embedder, "Do it.", inputs[i], &prompts[i], &err), HN_OK);
    }
    if (hn_lm_embedder_prompts(embedder, prompts, N, vectors, &err) != HN_OK) {
        fail_msg("%s", err.message);
    }
}

static void whole_and_cut(void **state) {
    (void)state;
    static const int64_t contexts[] = {0, 100};
    HnError err = HN_ERROR_INIT;
    for (int c = 0; c < 2; c++) {
        HnExperiment *experiment = NULL;
        HnLmEmbedderPrompt prompts[N] = {0};
        float vectors[N * 64], alone[64];
        HnLmEmbedder *embedder = open_embedder(contexts[c], &experiment);
        uint32_t width = hn_lm_embedding_width(hn_lm_embedder_embedding(embedder));
        assert_true(width <= 64);
        embed(embedder, prompts, vectors);
        HnLmEmbeddingCounts counts = hn_lm_embedding_counts(hn_lm_embedder_embedding(embedder));
        assert_int_equal(counts.prompts, N);
        assert_int_equal(counts.cut, contexts[c] ? N : 0);
        assert_true(counts.computed * 2 < counts.tokens); /* all but the end is shared, also of what was cut */
        for (int i = 0; i < N; i++) {
            assert_true(prompts[i].n_head >= 2 && prompts[i].n_head < 20); /* the instruction */
            assert_true(contexts[c] ? prompts[i].n_tail >= 10 : prompts[i].n_tail < 4);
            assert_true(prompts[i].tokens.n > 100);
            for (int j = 0; j < i; j++) { /* the end of the input is in the vector: it was not cut off */
                assert_memory_not_equal(vectors + (size_t)i * width, vectors + (size_t)j * width,
                                        width * sizeof(float));
            }
            assert_int_equal(hn_lm_embedder_prompts(embedder, &prompts[i], 1, alone, &err), HN_OK);
            assert_memory_equal(alone, vectors + (size_t)i * width, width * sizeof(float));
            hn_tokens_free(&prompts[i].tokens);
        }
        hn_native_embedder_close(&embedder);
        hn_experiment_free(&experiment);
    }
}

static void another_instruction(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnExperiment *experiment = NULL;
    HnLmEmbedderPrompt prompt = {0};
    HnLmEmbedder *embedder = open_embedder(0, &experiment);
    static const char *const systems[] = {"Do.", "Do what is asked for below.", ""};
    size_t heads[3];
    for (int i = 0; i < 3; i++) {
        assert_int_equal(hn_lm_embedder_render(embedder, systems[i], "an input", &prompt, &err), HN_OK);
        heads[i] = prompt.n_head;
        assert_true(prompt.n_head + prompt.n_tail <= prompt.tokens.n);
    }
    assert_true(heads[1] > heads[0] && heads[0] > heads[2]);
    hn_tokens_free(&prompt.tokens);
    hn_native_embedder_close(&embedder);
    hn_experiment_free(&experiment);
}

static HnStatus open_and_embed(const HnLlmConfig *config, HnError *err) {
    HnLmEmbedder *embedder = NULL;
    HnLmEmbedderPrompt prompt = {0};
    float vector[64];
    HnStatus status = hn_native_embedder_open(config, &embedder, err);
    if (status == HN_OK) {
        status = hn_lm_embedder_render(embedder, "Do.", "an input", &prompt, err);
    }
    if (status == HN_OK) {
        status = hn_lm_embedder_prompts(embedder, &prompt, 1, vector, err);
    }
    hn_tokens_free(&prompt.tokens);
    hn_native_embedder_close(&embedder);
    return status;
}

/* Every 17th allocation in turn. */
static void failing_allocations(void **state) {
    (void)state;
    HnExperiment *experiment = NULL;
    HnLmEmbedder *embedder = open_embedder(0, &experiment);
    hn_native_embedder_close(&embedder);
    uint64_t live = hn_alloc_live_blocks(), n_failed = 0;
    HnStatus status = HN_MEMORY;
    for (uint64_t n = 1; status == HN_MEMORY; n += 17) {
        HnError err = HN_ERROR_INIT;
        hn_alloc_fail_at(n);
        status = open_and_embed(&experiment->llm, &err);
        hn_alloc_fail_at(0);
        n_failed += status == HN_MEMORY;
        assert_int_equal(hn_alloc_live_blocks(), live);
    }
    assert_int_equal(status, HN_OK);
    assert_true(n_failed > 5);
    hn_experiment_free(&experiment);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(whole_and_cut), cmocka_unit_test(another_instruction),
                                       cmocka_unit_test(failing_allocations)};
    return cmocka_run_group_tests(tests, make_model, fixture_close);
}
