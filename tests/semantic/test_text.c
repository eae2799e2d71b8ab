/* Words, terms, vectors and neighbours: the tools of the extractive provider. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "fixture.h"
#include "llm/similarity/embed.h"
#include "llm/similarity/neighbours.h"

static void split(const char *text, size_t n_bytes, const char *expected) {
    HnWords words = {0};
    HnError err = HN_ERROR_INIT;
    char joined[512] = "";
    assert_int_equal(hn_words_split(&words, text, n_bytes, &err), HN_OK);
    size_t used = 0;
    for (size_t i = 0; i < words.n; i++) {
        const HnWord *w = &words.words[i];
        joined[used++] = i == 0 ? '[' : w->follows ? ' ' : '|';
        memcpy(joined + used, words.folded.data + w->begin, w->end - w->begin);
        used += w->end - w->begin;
    }
    joined[used] = '\0';
    assert_string_equal(joined, expected);
    hn_words_free(&words);
}

static void words(void **state) {
    (void)state;
    static const struct {
        const char *text, *expected;
    } table[] = {
        {"", ""},
        {"   \t\n ", ""},
        {"Hot Dog, mustard!", "[hot dog|mustard"},
        {"don't", "[don|t"},
        {"\xC3\x9C"
         "BER Stra\xC3\x9F"
         "e",
         "[\xC3\xBC"
         "ber strasse"},                                            /* folded: eszett is ss */
        {"e\xCC\x81t\xC3\xA9", "[\xC3\xA9t\xC3\xA9"},               /* composed and not: the same */
        {"\xEF\xBC\xA1\xEF\xBC\xA2", "[ab"},                        /* full-width letters */
        {"\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E",                    /* three Han: two pairs */
         "[\xE6\x97\xA5\xE6\x9C\xAC|\xE6\x9C\xAC\xE8\xAA\x9E"},     /* ... */
        {"a \xE6\x97\xA5 b", "[a|\xE6\x97\xA5|b"},                  /* a lone one stays itself */
        {"caf\xC3\xA9\xF0\x9F\x8D\x95latte", "[caf\xC3\xA9|latte"}, /* emoji separate */
        {"ok\xFF\xFEthen", "[ok|then"},                             /* broken bytes separate */
        {"\xC3", ""},                                               /* cut off */
        {"2nd 100", "[2nd 100"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        split(table[i].text, strlen(table[i].text), table[i].expected);
    }
    split("a\0b", 3, "[a|b"); /* NUL is a byte like others */
}

static HnTerms *corpus(const char *const *texts, size_t n) {
    HnTerms *terms = NULL;
    HnWords words = {0};
    HnError err = HN_ERROR_INIT;
    assert_int_equal(hn_terms_create(&terms, &err), HN_OK);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(hn_words_split(&words, texts[i], strlen(texts[i]), &err), HN_OK);
        assert_int_equal(hn_terms_add_document(terms, &words, &err), HN_OK);
    }
    hn_words_free(&words);
    return terms;
}

static void idf(void **state) {
    (void)state;
    const char *texts[] = {"the kite", "the kite", "the chess board", "the the the"};
    HnTerms *terms = corpus(texts, 4);
    HnWords one = {0};
    HnError err = HN_ERROR_INIT;
    assert_int_equal(hn_words_split(&one, "the kite nowhere", 16, &err), HN_OK);
    assert_int_equal(hn_terms_documents(terms), 4);
    assert_int_equal(hn_terms_frequency(terms, one.words[0].hash), 4);
    assert_int_equal(hn_terms_frequency(terms, one.words[1].hash), 2);
    assert_true(hn_terms_idf(terms, one.words[0].hash) == 0.0F); /* in every document: tells nothing */
    assert_float_equal(hn_terms_idf(terms, one.words[1].hash), logf(5.0F / 3.0F), 1e-6);
    assert_float_equal(hn_terms_idf(terms, one.words[2].hash), logf(5.0F), 1e-6);
    hn_words_free(&one);
    hn_terms_free(&terms);
}

static float dot(const float *a, const float *b, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) {
        sum += (double)a[i] * (double)b[i];
    }
    return (float)sum;
}

static void vectors(void **state) {
    (void)state;
    enum { DIM = 256 };
    const char *texts[] = {"red kite wind", "blue kite wind", "chess board game", "wooden chess figures",
                           "filler words",  "other filler",   "more of it"};
    HnTerms *terms = corpus(texts, 7);
    HnEmbedder *embedder = NULL, *other = NULL;
    HnError err = HN_ERROR_INIT;
    float a[DIM], b[DIM], c[DIM], again[DIM];
    bool empty = true;
    assert_int_equal(hn_embedder_create(terms, DIM, &embedder, &err), HN_OK);
    assert_int_equal(hn_embedder_create(terms, DIM, &other, &err), HN_OK);
    assert_int_equal(hn_embedder_text(embedder, texts[0], strlen(texts[0]), a, &empty, &err), HN_OK);
    assert_false(empty);
    assert_int_equal(hn_embedder_text(embedder, texts[1], strlen(texts[1]), b, NULL, &err), HN_OK);
    assert_int_equal(hn_embedder_text(embedder, texts[2], strlen(texts[2]), c, NULL, &err), HN_OK);
    assert_float_equal(dot(a, a, DIM), 1.0F, 1e-5);
    assert_true(dot(a, b, DIM) > 0.3F);         /* two shared words and a shared phrase */
    assert_true(fabsf(dot(a, c, DIM)) < 0.25F); /* nothing shared: near 0, up to 1/sqrt(DIM) */
    /* The same bits from another embedder, after other texts, in other case and spacing. */
    assert_int_equal(hn_embedder_text(other, "RED   Kite\twind ", 16, again, NULL, &err), HN_OK);
    assert_memory_equal(a, again, sizeof a);
    assert_int_equal(hn_embedder_text(embedder, "", 0, again, &empty, &err), HN_OK);
    assert_true(empty);
    assert_true(dot(again, again, DIM) == 0.0F);
    hn_embedder_free(&embedder);
    hn_embedder_free(&other);
    assert_int_equal(hn_embedder_create(terms, 0, &embedder, &err), HN_CONFIG);
    hn_terms_free(&terms);
}

/* Neighbour lists against a full sort, in batches of any make-up. */
static void neighbours(void **state) {
    (void)state;
    enum { N = 300, DIM = 24, K = 10 };
    float *rows = hn_alloc(N * DIM, sizeof *rows, "rows", NULL);
    HnRng rng;
    HnError err = HN_ERROR_INIT;
    hn_rng_start(&rng, 5, HN_STREAM_TEST, 0, 0);
    for (int i = 0; i < N; i++) {
        for (int d = 0; d < DIM; d++) {
            rows[i * DIM + d] = (float)hn_rng_normal(&rng);
        }
        hn_vector_normalise(rows + i * DIM, DIM);
    }
    memcpy(rows + 7 * DIM, rows + 3 * DIM, DIM * sizeof *rows); /* twins: the lower number first */
    HnNeighbours *near = NULL;
    assert_int_equal(hn_neighbours_create(rows, N, DIM, K, &near, &err), HN_OK);
    const uint32_t first[] = {3, 7, 3, 299};
    assert_int_equal(hn_neighbours_find(near, first, 4, &err), HN_OK);
    for (uint32_t i = 0; i < N; i++) {
        assert_int_equal(hn_neighbours_find(near, &i, 1, &err), HN_OK);
        const int32_t *list = hn_neighbours_of(near, i);
        for (int k = 0; k < K; k++) {
            assert_true(list[k] >= 0 && list[k] != (int32_t)i);
            float score = dot(rows + i * DIM, rows + list[k] * DIM, DIM);
            int better = 0;
            for (int j = 0; j < N; j++) {
                better += j != (int)i && dot(rows + i * DIM, rows + j * DIM, DIM) > score + 1e-6F;
            }
            assert_true(better <= k);
        }
    }
    assert_int_equal(hn_neighbours_of(near, 3)[0], 7);
    assert_int_equal(hn_neighbours_of(near, 7)[0], 3);
    hn_neighbours_free(&near);
    /* A pool of two: one neighbour; a pool of one: none. */
    uint32_t zero = 0;
    assert_int_equal(hn_neighbours_create(rows, 2, DIM, K, &near, &err), HN_OK);
    assert_int_equal(hn_neighbours_k(near), 1);
    assert_int_equal(hn_neighbours_find(near, &zero, 1, &err), HN_OK);
    assert_int_equal(hn_neighbours_of(near, 0)[0], 1);
    hn_neighbours_free(&near);
    assert_int_equal(hn_neighbours_create(rows, 1, DIM, K, &near, &err), HN_OK);
    assert_int_equal(hn_neighbours_find(near, &zero, 1, &err), HN_OK);
    assert_int_equal(hn_neighbours_of(near, 0)[0], -1);
    hn_neighbours_free(&near);
    hn_free(rows);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words),
        cmocka_unit_test(idf),
        cmocka_unit_test(vectors),
        cmocka_unit_test(neighbours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
