/* A trained encoder from its files to vectors, tokenizer included: all-MiniLM-L6-v2 against sentence-transformers.
 * Usage: test_llm_model_minilm MODEL_FOLDER (minilm.sh finds or fetches it) */
#include "fixture.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "llm/files/tensors.h"
#include "llm/model/embedding.h"

#define GOLDEN HN_SOURCE_DIR "/tests/fixtures/golden/minilm"

enum { WIDTH = 384, MOST_TEXTS = 64 };

static const char *folder;
static HnError err;
static HnLmText texts[MOST_TEXTS];
static float expected[MOST_TEXTS * WIDTH], vectors[MOST_TEXTS * WIDTH];
static size_t n_texts;
static json_t *list;

static void must(HnStatus status) {
    if (status != HN_OK) {
        fail_msg("%s", err.message);
    }
}

static int read_golden(void **state) {
    list = json_load_file(GOLDEN "/texts.json", 0, NULL);
    size_t i;
    json_t *text;
    json_array_foreach(list, i, text) {
        texts[i] = (HnLmText){json_string_value(text), json_string_length(text)};
    }
    n_texts = json_array_size(list);
    HnTensors *tensors = NULL;
    HnTensor tensor;
    must(hn_tensors_open(GOLDEN, &tensors, &err));
    must(hn_tensors_take(tensors, "vectors", 2, (const uint64_t[]){n_texts, WIDTH}, &tensor, &err));
    memcpy(expected, tensor.bytes, n_texts * WIDTH * sizeof(float));
    hn_tensors_close(&tensors);
    return n_texts > 10 ? fixture_open(state) : -1;
}

static int forget_golden(void **state) {
    json_decref(list);
    return fixture_close(state);
}

/* The largest difference of any element, and the least cosine. */
static double compare(HnWeightType weights, double *least_cosine) {
    HnLm *lm = fixture_lm(folder, weights, false, 0);
    HnTokenizer *tokenizer = NULL;
    HnLmEmbedding *embedding = NULL;
    must(hn_tokenizer_open(folder, &tokenizer, &err));
    must(hn_lm_embedding_create(lm, tokenizer, NULL, &embedding, &err));
    assert_int_equal(hn_lm_embedding_width(embedding), WIDTH);
    must(hn_lm_embedding_texts(embedding, HN_LM_TEXT_PLAIN, texts, n_texts, vectors, &err));
    assert_int_equal(hn_lm_embedding_counts(embedding).cut, 3);
    double most = 0.0;
    *least_cosine = 1.0;
    for (size_t t = 0; t < n_texts; t++) {
        double cosine = 0.0, off = 0.0;
        for (size_t i = t * WIDTH; i < (t + 1) * WIDTH; i++) {
            const double d = fabs((double)vectors[i] - (double)expected[i]);
            off = d > off || isnan(d) ? d : off;
            cosine += (double)vectors[i] * (double)expected[i];
        }
        if (weights == HN_WEIGHT_F32 && !(off <= 1e-5)) {
            print_message("text %zu: %.1e\n", t, off);
        }
        most = off > most || isnan(off) ? off : most;
        *least_cosine = cosine < *least_cosine ? cosine : *least_cosine;
    }
    hn_lm_embedding_free(&embedding);
    hn_tokenizer_close(&tokenizer);
    hn_lm_close(&lm);
    assert_int_equal(hn_alloc_live_blocks(), 0);
    return most;
}

/* Vectors have length 1; 1e-4 is what is asked for. */
static void sentence_embeddings(void **state) {
    (void)state;
    double cosine;
    const double off = compare(HN_WEIGHT_F32, &cosine);
    print_message("f32: largest difference %.1e, least cosine %.7f\n", off, cosine);
    assert_true(off <= 1e-5);
}

/* What narrow weights do to a trained model. */
static void narrow_weights(void **state) {
    (void)state;
    static const struct {
        const char *name;
        HnWeightType type;
        double cosine;
    } types[] = {{"bf16", HN_WEIGHT_BF16, 0.999},
                 {"f16", HN_WEIGHT_F16, 0.99999},
                 {"int8", HN_WEIGHT_INT8, 0.995},
                 {"nf4", HN_WEIGHT_NF4, 0.9}};
    for (int t = 0; t < 4; t++) {
        double cosine;
        const double off = compare(types[t].type, &cosine);
        print_message("%s: largest difference %.1e, least cosine %.7f\n", types[t].name, off, cosine);
        assert_true(cosine >= types[t].cosine);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(sentence_embeddings), cmocka_unit_test(narrow_weights)};
    if (argc < 2) {
        print_message("SKIP: no model folder given\n");
        return 77;
    }
    folder = argv[1];
    return cmocka_run_group_tests(tests, read_golden, forget_golden);
}
