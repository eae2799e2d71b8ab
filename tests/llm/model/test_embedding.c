/* Vectors of prompts: shared prefixes change no bit, cuts keep what they should, pooling is what it says. */
#include "fixture.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "llm/model/embedding.h"

enum { N_USERS = 5, N_ITEMS = 7, N_PROMPTS = N_USERS * N_ITEMS + 6, LONGEST = 120, EOS = 2 };

static HnError err;

/* Instruction, user and item, as in the paper's prompts; a few that are equal, begin others, or share nothing. */
typedef struct Prompts {
    uint32_t tokens[N_PROMPTS][LONGEST];
    HnLmPrompt list[N_PROMPTS];
} Prompts;

static uint32_t token(uint32_t seed, uint32_t at) {
    return 3 + (seed * 7919u + at * 104729u + seed * at * 31u) % (N_VOCAB - 3);
}

static void make_prompts(Prompts *prompts) {
    for (uint32_t p = 0; p < N_PROMPTS; p++) {
        uint32_t user = p / N_ITEMS, item = p % N_ITEMS, n = 0, *at = prompts->tokens[p];
        if (p >= N_USERS * N_ITEMS) { /* users 0 and 1 again; 0 whole, 1 cut down to ever less */
            user = (p - N_USERS * N_ITEMS) % 2;
            item = 0;
        }
        for (uint32_t i = 0; i < 33; i++) {
            at[n++] = token(1, i);
        }
        for (uint32_t i = 0; i < 20 + 3 * user; i++) {
            at[n++] = token(2 + user, i);
        }
        for (uint32_t i = 0; i < 5 + item; i++) {
            at[n++] = i == 0 ? 5 : token(50 + item, i); /* all titles begin with one word */
        }
        if (p > N_USERS * N_ITEMS) {
            n -= 9 * (p - N_USERS * N_ITEMS - 1);
        }
        prompts->list[p] = (HnLmPrompt){at, n, 0, 0};
    }
    prompts->list[N_PROMPTS - 1].n_tokens = 1;
}

static HnLmEmbedding *make(HnLm *lm, HnLmEmbeddingOptions options) {
    HnLmEmbedding *embedding = NULL;
    hn_error_clear(&err);
    if (hn_lm_embedding_create(lm, NULL, &options, &embedding, &err) != HN_OK) {
        fail_msg("%s", err.message);
    }
    return embedding;
}

static void embed(HnLmEmbedding *embedding, const HnLmPrompt *prompts, size_t n, float *vectors) {
    hn_error_clear(&err);
    if (hn_lm_embedding_tokens(embedding, prompts, n, vectors, &err) != HN_OK) {
        fail_msg("%s", err.message);
    }
}

/* The vector by its definition, from all hidden states of the prompt alone. */
static void by_definition(HnLm *lm, const HnLmPrompt *prompt, HnPooling pooling, float *vector) {
    static float hidden[(LONGEST + 1) * MOST_HIDDEN];
    const uint32_t width = hn_lm_config(lm)->hidden;
    uint32_t tokens[LONGEST + 1], n = (uint32_t)prompt->n_tokens;
    memcpy(tokens, prompt->tokens, n * sizeof *tokens);
    if (pooling == HN_POOLING_LAST && hn_lm_config(lm)->n_eos > 0) {
        tokens[n++] = EOS;
    }
    fixture_hidden(lm, tokens, n, hidden);
    for (uint32_t i = 0; i < width; i++) {
        double sum = 0.0;
        for (uint32_t t = 0; t < n; t++) {
            sum += (double)hidden[t * width + i];
        }
        vector[i] = pooling == HN_POOLING_MEAN  ? (float)(sum / n)
                    : pooling == HN_POOLING_CLS ? hidden[i]
                                                : hidden[(n - 1) * width + i];
    }
}

static void check_model(const char *name, HnPooling pooling, uint32_t max_rows) {
    static Prompts prompts;
    static float vectors[N_PROMPTS * MOST_HIDDEN], vector[MOST_HIDDEN];
    HnLm *lm = fixture_lm(fixture_case(name), HN_WEIGHT_BF16, false, max_rows);
    HnLm *plain = fixture_lm(fixture_case(name), HN_WEIGHT_BF16, false, 0);
    const uint32_t width = hn_lm_config(lm)->hidden;
    make_prompts(&prompts);
    for (int unshared = 0; unshared < 2; unshared++) {
        HnLmEmbedding *embedding =
            make(lm, (HnLmEmbeddingOptions){.pooling = pooling, .unshared = unshared == 1, .max_tokens = 100});
        assert_int_equal(hn_lm_embedding_width(embedding), width);
        for (int again = 0; again < 2; again++) {
            memset(vectors, 0, sizeof vectors);
            embed(embedding, prompts.list, N_PROMPTS, vectors);
            for (uint32_t p = 0; p < N_PROMPTS; p++) {
                by_definition(plain, &prompts.list[p], pooling, vector);
                assert_memory_equal(vectors + p * width, vector, width * sizeof(float));
            }
        }
        const HnLmEmbeddingCounts counts = hn_lm_embedding_counts(embedding);
        assert_int_equal(counts.prompts, 2 * N_PROMPTS);
        if (unshared == 1 || !hn_lm_config(lm)->causal) {
            assert_int_equal(counts.computed, counts.tokens);
        } else {
            assert_true(counts.computed < counts.tokens / 3);
        }
        hn_lm_embedding_free(&embedding);
    }
    hn_lm_close(&plain);
    hn_lm_close(&lm);
    assert_int_equal(hn_alloc_live_blocks(), 0);
}

static void sharing_changes_nothing(void **state) {
    (void)state;
    static const char *const names[] = {"llama3", "mistral", "qwen3"};
    for (int i = 0; i < 3; i++) {
        check_model(names[i], HN_POOLING_LAST, 0);
        check_model(names[i], HN_POOLING_LAST, 13);
        check_model(names[i], HN_POOLING_MEAN, 64);
    }
    check_model("llama", HN_POOLING_LAST, 1);
}

static void encoders_pool(void **state) {
    (void)state;
    check_model("bert", HN_POOLING_MEAN, 0);
    check_model("bert_old", HN_POOLING_CLS, 100);
    check_model("nomic", HN_POOLING_LAST, 0);
}

/* How much is computed: an instruction of 40 tokens, 10 prompts of 6 more and [EOS]. */
static void what_is_shared_is_computed_once(void **state) {
    (void)state;
    uint32_t tokens[10][46];
    HnLmPrompt list[10];
    float vectors[10 * MOST_HIDDEN];
    for (uint32_t p = 0; p < 10; p++) {
        for (uint32_t t = 0; t < 46; t++) {
            tokens[p][t] = t < 40 ? token(1, t) : 3 + (p * 6 + t - 40) % 64;
        }
        list[p] = (HnLmPrompt){tokens[p], 46, 0, 0};
    }
    HnLm *lm = fixture_lm(fixture_case("qwen2"), HN_WEIGHT_F32, false, 0);
    HnLmEmbedding *embedding = make(lm, (HnLmEmbeddingOptions){0});
    embed(embedding, list, 10, vectors);
    const HnLmEmbeddingCounts counts = hn_lm_embedding_counts(embedding);
    assert_int_equal(counts.tokens, 470);
    assert_int_equal(counts.computed, 40 + 10 * 7);
    assert_int_equal(counts.cut, 0);
    hn_lm_embedding_free(&embedding);
    hn_lm_close(&lm);
}

/* Every prompt begins the next: more levels than the cache keeps room for. */
static void nested_prompts(void **state) {
    (void)state;
    enum { N = 200 };
    static uint32_t tokens[N];
    static HnLmPrompt list[N];
    static float vectors[N * MOST_HIDDEN], vector[MOST_HIDDEN];
    for (uint32_t t = 0; t < N; t++) {
        tokens[t] = token(9, t);
        list[t] = (HnLmPrompt){tokens, t + 1, 0, 0};
    }
    HnLm *lm = fixture_lm(fixture_case("llama3"), HN_WEIGHT_F32, false, 5);
    HnLmEmbedding *embedding = make(lm, (HnLmEmbeddingOptions){.pooling = HN_POOLING_LAST});
    embed(embedding, list, N, vectors);
    for (uint32_t p = 0; p < LONGEST; p += 17) {
        by_definition(lm, &list[p], HN_POOLING_LAST, vector);
        assert_memory_equal(vectors + p * hn_lm_embedding_width(embedding), vector,
                            hn_lm_embedding_width(embedding) * sizeof(float));
    }
    hn_lm_embedding_free(&embedding);
    hn_lm_close(&lm);
}

static void cuts_keep_head_and_tail(void **state) {
    (void)state;
    uint32_t tokens[60], cut[20];
    float vectors[3 * MOST_HIDDEN], vector[MOST_HIDDEN];
    for (uint32_t t = 0; t < 60; t++) {
        tokens[t] = token(4, t);
    }
    HnLm *lm = fixture_lm(fixture_case("llama3"), HN_WEIGHT_F32, false, 0);
    HnLmEmbedding *embedding = make(lm, (HnLmEmbeddingOptions){.max_tokens = 20});
    const uint32_t width = hn_lm_embedding_width(embedding);
    const HnLmPrompt prompts[3] = {{tokens, 60, 8, 5}, {tokens, 60, 0, 0}, {tokens, 19, 8, 5}};
    embed(embedding, prompts, 3, vectors);
    memcpy(cut, tokens, 14 * sizeof *cut); /* 8 of the head and the first 6 behind it, 5 of the tail, [EOS] */
    memcpy(cut + 14, tokens + 55, 5 * sizeof *cut);
    by_definition(lm, &(HnLmPrompt){cut, 19, 0, 0}, HN_POOLING_LAST, vector);
    assert_memory_equal(vectors, vector, width * sizeof *vector);
    by_definition(lm, &(HnLmPrompt){tokens, 19, 0, 0}, HN_POOLING_LAST, vector);
    assert_memory_equal(vectors + width, vector, width * sizeof *vector);
    assert_memory_equal(vectors + 2 * width, vector, width * sizeof *vector);
    assert_int_equal(hn_lm_embedding_counts(embedding).cut, 2);
    cut[19] = EOS; /* it has its end already */
    embed(embedding, &(HnLmPrompt){cut, 20, 8, 6}, 1, vectors + width);
    assert_memory_equal(vectors, vectors + width, width * sizeof *vector);
    hn_lm_embedding_free(&embedding);
    hn_lm_close(&lm);
}

static void expect_refusal(HnLmEmbedding *embedding, HnLmPrompt prompt, HnStatus status, const char *word) {
    float vector[MOST_HIDDEN];
    hn_error_clear(&err);
    assert_int_equal(hn_lm_embedding_tokens(embedding, &prompt, 1, vector, &err), status);
    if (strstr(err.message, word) == NULL) {
        fail_msg("\"%s\" says nothing of \"%s\"", err.message, word);
    }
}

static void no_first_token_of_decoders(void **state) {
    (void)state;
    HnLmEmbedding *embedding = NULL;
    HnLm *lm = fixture_lm(fixture_case("llama"), HN_WEIGHT_F32, false, 0);
    hn_error_clear(&err);
    assert_int_equal(
        hn_lm_embedding_create(lm, NULL, &(HnLmEmbeddingOptions){.pooling = HN_POOLING_CLS}, &embedding, &err),
        HN_UNSUPPORTED);
    hn_lm_close(&lm);
}

static void refusals(void **state) {
    (void)state;
    static uint32_t tokens[300];
    float vector[MOST_HIDDEN];
    HnLmEmbedding *embedding = NULL;
    static const char *const names[] = {"llama", "bert"};
    for (int i = 0; i < 2; i++) {
        HnLm *lm = fixture_lm(fixture_case(names[i]), HN_WEIGHT_F32, false, 0);
        hn_error_clear(&err);
        assert_int_equal(hn_lm_embedding_create(lm, NULL, &(HnLmEmbeddingOptions){.max_tokens = 300}, &embedding, &err),
                         HN_RANGE);
        embedding = make(lm, (HnLmEmbeddingOptions){.normalise = HN_LM_NORMALISE, .pooling = HN_POOLING_LAST});
        expect_refusal(embedding, (HnLmPrompt){tokens, 0, 0, 0}, HN_INPUT, "no tokens");
        expect_refusal(embedding, (HnLmPrompt){tokens, 4, 3, 2}, HN_RANGE, "shall stay");
        expect_refusal(embedding, (HnLmPrompt){tokens, 300, 200, 100}, HN_RANGE, "shorten the instruction");
        expect_refusal(embedding, (HnLmPrompt){(const uint32_t[]){N_VOCAB}, 1, 0, 0}, HN_RANGE, "tokenizer");
        embed(embedding, &(HnLmPrompt){tokens, 3, 0, 0}, 1, vector); /* still works */
        double length = 0.0;
        for (uint32_t c = 0; c < hn_lm_embedding_width(embedding); c++) {
            length += (double)vector[c] * (double)vector[c];
        }
        assert_true(fabs(length - 1.0) < 1e-6);
        embed(embedding, NULL, 0, NULL);
        hn_lm_embedding_free(&embedding);
        hn_lm_close(&lm);
    }
}

/* bge's sentence_bert_config.json asks for lower case, which its tokenizer makes anyway; a cased one would not. */
static void lower_case_is_the_tokenizers(void **state) {
    (void)state;
    static const char words[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n",
                      modules[] = "[{\"type\":\"models.Transformer\",\"path\":\"\"}]",
                      lower[] = "{\"do_lower_case\":true}",
                      cased[] = "{\"tokenizer_class\":\"BertTokenizer\",\"do_lower_case\":false}";
    for (int i = 0; i < 2; i++) {
        const char *folder = fixture_copy("bert");
        fixture_write(folder, "vocab.txt", words, sizeof words - 1);
        fixture_write(folder, "modules.json", modules, sizeof modules - 1);
        fixture_write(folder, "sentence_bert_config.json", lower, sizeof lower - 1);
        if (i == 1) {
            fixture_write(folder, "tokenizer_config.json", cased, sizeof cased - 1);
        }
        HnTokenizer *tokenizer = NULL;
        HnLmEmbedding *embedding = NULL;
        hn_error_clear(&err);
        assert_int_equal(hn_tokenizer_open(folder, &tokenizer, &err), HN_OK);
        HnLm *lm = fixture_lm(folder, HN_WEIGHT_F32, false, 0);
        const HnStatus status =
            hn_lm_embedding_create(lm, tokenizer, &(HnLmEmbeddingOptions){.pooling = HN_POOLING_CLS}, &embedding, &err);
        assert_int_equal(status, i == 0 ? HN_OK : HN_UNSUPPORTED);
        assert_true((strstr(err.message, "do_lower_case") != NULL) == (i == 1));
        hn_lm_embedding_free(&embedding);
        hn_lm_close(&lm);
        hn_tokenizer_close(&tokenizer);
    }
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    static Prompts prompts;
    static float vectors[N_PROMPTS * MOST_HIDDEN];
    make_prompts(&prompts);
    HnLm *lm = fixture_lm(fixture_case("qwen3"), HN_WEIGHT_F32, false, 64);
    const uint64_t live = hn_alloc_live_blocks();
    HnStatus status = HN_MEMORY;
    for (uint64_t n = 1; status != HN_OK; n++) {
        HnLmEmbedding *embedding = NULL;
        hn_alloc_fail_at(n);
        status = hn_lm_embedding_create(lm, NULL, NULL, &embedding, NULL);
        if (status == HN_OK) {
            status = hn_lm_embedding_tokens(embedding, prompts.list, N_PROMPTS, vectors, NULL);
        }
        hn_alloc_fail_at(0);
        hn_lm_embedding_free(&embedding);
        assert_int_equal(hn_alloc_live_blocks(), live);
    }
    hn_lm_close(&lm);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(sharing_changes_nothing),
                                       cmocka_unit_test(encoders_pool),
                                       cmocka_unit_test(what_is_shared_is_computed_once),
                                       cmocka_unit_test(nested_prompts),
                                       cmocka_unit_test(cuts_keep_head_and_tail),
                                       cmocka_unit_test(no_first_token_of_decoders),
                                       cmocka_unit_test(refusals),
                                       cmocka_unit_test(lower_case_is_the_tokenizers),
                                       cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
