/* What does not fit or does not belong together is refused with its figures and names; a refused call changes nothing.
 */
#include "fixture.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

static HnError err;

static HnStatus open_with(const char *folder, HnLmOptions options) {
    HnLm *lm = NULL;
    hn_error_clear(&err);
    const HnStatus status = hn_lm_open(folder, &options, &lm, &err);
    assert_true((status == HN_OK) == (lm != NULL));
    hn_lm_close(&lm);
    assert_int_equal(hn_alloc_live_blocks(), 0);
    return status;
}

/* The copy of a case whose config.json says something else is refused with `status`, and the message has the words. */
static void refused(const char *name, const char *from, const char *to, HnStatus status, const char *word) {
    const char *folder = fixture_copy(name);
    fixture_edit(folder, "config.json", from, to);
    assert_int_equal(open_with(folder, (HnLmOptions){.head = strncmp(name, "l", 1) == 0}), status);
    if (strstr(err.message, word) == NULL) {
        fail_msg("\"%s\" says nothing of \"%s\"", err.message, word);
    }
}

static void disagreements(void **state) {
    (void)state;
    refused("llama", "\"vocab_size\": 67", "\"vocab_size\": 68", HN_FORMAT, "embed_tokens.weight");
    refused("llama", "\"intermediate_size\": 40", "\"intermediate_size\": 44", HN_FORMAT, "mlp.gate_proj.weight");
    refused("llama", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3", HN_FORMAT, "model.layers.2.");
    refused("llama", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1", HN_FORMAT, "model.layers.1.");
    refused("llama", "\"head_dim\": 12", "\"head_dim\": 8", HN_FORMAT, "q_proj.weight");
    refused("llama", "\"mlp_bias\": true", "\"mlp_bias\": false", HN_FORMAT, "mlp.down_proj.bias");
    refused("llama", "\"tie_word_embeddings\": false", "\"tie_word_embeddings\": true", HN_FORMAT, "lm_head.weight");
    refused("bert", "\"max_position_embeddings\": 100", "\"max_position_embeddings\": 99", HN_FORMAT,
            "position_embeddings");
    const char *folder = fixture_copy("llama");
    fixture_edit(folder, "config.json", "\"model_type\": \"llama\"", "\"model_type\": \"bert\"");
    assert_int_not_equal(open_with(folder, (HnLmOptions){0}), HN_OK);
    assert_int_equal(open_with(fixture_case("bert"), (HnLmOptions){.head = true}), HN_UNSUPPORTED);
}

static void leftovers(void **state) {
    (void)state;
    HnLm *lm = fixture_lm(fixture_case("bert_old"), HN_WEIGHT_F32, false, 0);
    assert_non_null(strstr(hn_lm_leftovers(lm), "bert.embeddings.position_ids"));
    assert_non_null(strstr(hn_lm_leftovers(lm), "cls.predictions.bias"));
    hn_lm_close(&lm);
    lm = fixture_lm(fixture_case("bert"), HN_WEIGHT_F32, false, 0);
    assert_string_equal(hn_lm_leftovers(lm), "pooler.dense.bias, pooler.dense.weight");
    hn_lm_close(&lm);
    lm = fixture_lm(fixture_case("llama"), HN_WEIGHT_F32, true, 0);
    assert_string_equal(hn_lm_leftovers(lm), "");
    hn_lm_close(&lm);
    /* A stored head that equals the embedding it is tied to. */
    const char *folder = fixture_copy("llama");
    fixture_edit(folder, "config.json", "\"tie_word_embeddings\": false", "\"tie_word_embeddings\": true");
    fixture_copy_tensor(folder, "model.embed_tokens.weight", "lm_head.weight");
    lm = fixture_lm(folder, HN_WEIGHT_F32, true, 0);
    assert_string_equal(hn_lm_leftovers(lm), "lm_head.weight");
    hn_lm_close(&lm);
}

static void too_large(void **state) {
    (void)state;
    HnLmPlan plan;
    HnLmOptions options = {.weights = HN_WEIGHT_BF16, .head = true, .memory_limit = 1 << 20};
    hn_error_clear(&err);
    assert_int_equal(hn_lm_plan(fixture_case("llama"), &options, &plan, &err), HN_MEMORY);
    assert_true(plan.weights > 0 && plan.activations > 0);
    assert_non_null(strstr(err.message, "1.0 MiB"));
    assert_non_null(strstr(err.message, "weights take"));
    assert_int_equal(open_with(fixture_case("llama"), options), HN_MEMORY);
    options.memory_limit = 1 << 28; /* enough, but for what the caller keeps beside */
    assert_int_equal(hn_lm_plan(fixture_case("llama"), &options, &plan, NULL), HN_OK);
    options.logit_rows = 1 << 20;
    hn_error_clear(&err);
    assert_int_equal(hn_lm_plan(fixture_case("llama"), &options, &plan, &err), HN_MEMORY);
    assert_non_null(strstr(err.message, "and 1048576 rows of logits"));
    options.logit_rows = 0;
    options.memory_limit = 0;
    assert_int_equal(hn_lm_plan(fixture_case("llama"), &options, &plan, NULL), HN_OK);
    HnLm *lm = fixture_lm(fixture_case("llama"), HN_WEIGHT_F32, false, 0);
    HnKv *kv = NULL;
    hn_error_clear(&err);
    assert_int_equal(hn_kv_create(lm, 1u << 30, 4, &kv, &err), HN_MEMORY);
    assert_non_null(strstr(err.message, "are left"));
    hn_error_clear(&err);
    assert_int_equal(hn_kv_create(lm, 0, 4, &kv, &err), HN_RANGE);
    hn_lm_close(&lm);
    assert_int_equal(hn_alloc_live_blocks(), 0);
}

static void expect_refusal(HnLm *lm, HnKv *kv, const HnLmRun *runs, size_t n, const char *word) {
    float hidden[4 * MOST_HIDDEN];
    const uint32_t free_pages = kv != NULL ? hn_kv_free_pages(kv) : 0;
    hn_error_clear(&err);
    assert_int_equal(hn_lm_forward(lm, kv, runs, n, HN_LM_LAST, hidden, &err), HN_RANGE);
    if (strstr(err.message, word) == NULL) {
        fail_msg("\"%s\" says nothing of \"%s\"", err.message, word);
    }
    if (kv != NULL) {
        assert_int_equal(hn_kv_free_pages(kv), free_pages);
        assert_int_equal(hn_kv_length(kv, runs[0].sequence), 0);
    }
}

static void bad_calls(void **state) {
    (void)state;
    static uint32_t tokens[300];
    const uint32_t outside[2] = {3, N_VOCAB};
    HnLm *lm = fixture_lm(fixture_case("llama"), HN_WEIGHT_F32, false, 0);
    HnKv *kv = NULL;
    assert_int_equal(hn_kv_create(lm, 3, 3, &kv, &err), HN_OK);
    const int32_t one = hn_kv_begin(kv), two = hn_kv_begin(kv);
    expect_refusal(lm, kv, &(HnLmRun){one, 2, outside}, 1, "67");
    expect_refusal(lm, kv, &(HnLmRun){one, 0, tokens}, 1, "no tokens");
    expect_refusal(lm, kv, (HnLmRun[]){{one, 40, tokens}, {two, 40, tokens}}, 2, "pages");
    expect_refusal(lm, kv, (HnLmRun[]){{one, 4, tokens}, {one, 4, tokens}}, 2, "twice");
    expect_refusal(lm, kv, (HnLmRun[]){{one, 4, tokens}, {2, 4, tokens}}, 2, "not begun");
    expect_refusal(lm, kv, (HnLmRun[]){{one, 4, tokens}, {-1, 4, tokens}}, 2, "not begun");
    assert_int_equal(hn_kv_begin(kv), 2);
    assert_int_equal(hn_kv_begin(kv), -1);
    assert_int_equal(hn_kv_fork(kv, one, 1), -1); /* longer than the parent */
    hn_kv_free(&kv);
    assert_int_equal(hn_kv_create(lm, 20, 1, &kv, &err), HN_OK);
    const HnLmRun longest = {hn_kv_begin(kv), 257, tokens};
    expect_refusal(lm, kv, &longest, 1, "256 at most");
    assert_int_equal(hn_lm_forward(lm, kv, &(HnLmRun){longest.sequence, 256, tokens}, 1, HN_LM_LAST, NULL, &err),
                     HN_OK);
    float logits[N_VOCAB], hidden[MOST_HIDDEN] = {0};
    hn_error_clear(&err);
    assert_int_equal(hn_lm_logits(lm, 1, hidden, logits, &err), HN_UNSUPPORTED);
    hn_kv_free(&kv);
    hn_lm_close(&lm);
    lm = fixture_lm(fixture_case("bert"), HN_WEIGHT_F32, false, 50);
    expect_refusal(lm, NULL, &(HnLmRun){0, 51, tokens}, 1, "max_rows");
    expect_refusal(lm, NULL, &(HnLmRun){0, 101, tokens}, 1, "100 at most");
    hn_error_clear(&err);
    assert_int_equal(hn_kv_create(lm, 1, 1, &kv, &err), HN_UNSUPPORTED);
    hn_lm_close(&lm);
}

/* The n-th allocation fails, for every n: a status, nothing left behind. */
static void every_allocation_may_fail(void **state) {
    (void)state;
    static const char *const names[] = {"llama3", "mistral", "bert_old"};
    for (int i = 0; i < 3; i++) {
        HnStatus status = HN_MEMORY;
        uint64_t n = 0;
        while (status != HN_OK) {
            hn_alloc_fail_at(++n);
            status = open_with(fixture_case(names[i]), (HnLmOptions){0});
            hn_alloc_fail_at(0);
            assert_true(status == HN_OK || status == HN_MEMORY);
        }
        assert_true(n > 5);
    }
    HnLm *lm = fixture_lm(fixture_case("llama"), HN_WEIGHT_F32, false, 0);
    const uint64_t live = hn_alloc_live_blocks();
    HnStatus status = HN_MEMORY;
    for (uint64_t n = 1; status != HN_OK; n++) {
        HnKv *kv = NULL;
        hn_alloc_fail_at(n);
        status = hn_kv_create(lm, 2, 2, &kv, NULL);
        hn_alloc_fail_at(0);
        hn_kv_free(&kv);
        assert_int_equal(hn_alloc_live_blocks(), live);
    }
    hn_lm_close(&lm);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(disagreements), cmocka_unit_test(leftovers),
                                       cmocka_unit_test(too_large), cmocka_unit_test(bad_calls),
                                       cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
