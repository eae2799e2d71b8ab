/* What a tokenizer promises beside its ids: special tokens stay text, ill-formed bytes have one meaning, texts come
 * back as they were, and come token by token. */
#include <pthread.h>

#include "../../hdf5_schemas/cmocka_all.h"
#include "base/alloc.h"
#include "corpus.h"
#include "llm/tokenizer/tokenizer.h"

static HnError err = HN_ERROR_INIT;

static HnTokenizer *open_small(const char *name) {
    char folder[512];
    HnTokenizer *tokenizer = NULL;
    (void)snprintf(folder, sizeof folder, "%s/tests/fixtures/tokenizers/%s", HN_SOURCE_DIR, name);
    ASSERT_OK(hn_tokenizer_open(folder, &tokenizer, &err), &err);
    return tokenizer;
}

static HnTokens encode(const HnTokenizer *tokenizer, const char *text, size_t n, bool specials) {
    HnTokens tokens = {0};
    ASSERT_OK(hn_tokenizer_encode(tokenizer, text, n, specials, &tokens, &err), &err);
    return tokens;
}

static void expect_decoded(const HnTokenizer *tokenizer, HnTokens tokens, bool specials, const char *wanted) {
    HnText text = {0};
    ASSERT_OK(hn_tokenizer_decode(tokenizer, tokens.ids, tokens.n, specials, &text, &err), &err);
    assert_string_equal(hn_text_get(&text), wanted);
    hn_text_free(&text);
}

static void specials(void **state) {
    (void)state;
    HnTokenizer *tokenizer = open_small("qwen");
    const int32_t start = hn_tokenizer_special(tokenizer, "<|im_start|>");
    assert_int_equal(start, 641);
    assert_int_equal(hn_tokenizer_special(tokenizer, "<think>"), -1); /* added, not special */
    assert_int_equal(hn_tokenizer_special(tokenizer, "nobody"), -1);
    assert_true(hn_tokenizer_is_special(tokenizer, 641) && !hn_tokenizer_is_special(tokenizer, 642));
    assert_false(hn_tokenizer_is_special(tokenizer, 1u << 30));
    assert_int_equal(hn_tokenizer_size(tokenizer), 645);
    const HnTokenizerEnds ends = hn_tokenizer_ends(tokenizer);
    assert_int_equal(ends.bos, -1);
    assert_int_equal(ends.eos, 641);
    assert_int_equal(ends.pad, 640);
    size_t n = 7;
    assert_null(hn_tokenizer_bytes(tokenizer, 641, &n));
    assert_int_equal(n, 0);
    assert_null(hn_tokenizer_bytes(tokenizer, 100000, &n));
    assert_memory_equal(hn_tokenizer_bytes(tokenizer, 642, &n), "<think>", 7);
    /* In a text it is text; what is added and not special is found. */
    HnTokens tokens = encode(tokenizer, "<|im_start|><think>", 19, true);
    for (size_t i = 0; i < tokens.n; i++) {
        assert_int_not_equal(tokens.ids[i], 641);
    }
    assert_true(tokens.n > 2 && tokens.ids[tokens.n - 1] == 642);
    expect_decoded(tokenizer, tokens, false, "<|im_start|><think>");
    ASSERT_OK(hn_tokens_push(&tokens, 641, &err), &err);
    ASSERT_OK(hn_tokens_push(&tokens, 99999, &err), &err); /* what a padded head may answer: nothing */
    expect_decoded(tokenizer, tokens, false, "<|im_start|><think>");
    expect_decoded(tokenizer, tokens, true, "<|im_start|><think><|im_start|>");
    hn_tokens_free(&tokens);
    hn_tokenizer_close(&tokenizer);
}

static void expect_edges(const char *name, const char *wanted) {
    HnTokenizer *tokenizer = open_small(name);
    HnTokens tokens = encode(tokenizer, "", 0, true), none = encode(tokenizer, "", 0, false);
    HnText text = {0};
    assert_int_equal(none.n, 0);
    ASSERT_OK(hn_tokenizer_decode(tokenizer, tokens.ids, tokens.n, true, &text, &err), &err);
    assert_string_equal(hn_text_get(&text), wanted);
    hn_text_free(&text);
    hn_tokens_free(&none);
    hn_tokens_free(&tokens);
    hn_tokenizer_close(&tokenizer);
}

static void edges(void **state) {
    (void)state;
    expect_edges("sentencepiece", "<s>");
    expect_edges("tiktoken", "<|begin_of_text|>");
    expect_edges("qwen", "");
    expect_edges("gpt2", "");
    expect_edges("wordpiece", "[CLS] [SEP]");
    expect_edges("json-pieces", "<s></s>");
    expect_edges("json-bytes", "<|begin|>");
}

static void behind(void **state) {
    (void)state;
    HnTokenizer *tokenizer = open_small("sentencepiece");
    HnTokens first = encode(tokenizer, "the item", 8, false), next = {0};
    ASSERT_OK(hn_tokenizer_encode_behind(tokenizer, "the item", 8, &next, &err), &err);
    size_t n = 0;
    assert_int_equal(hn_tokenizer_bytes(tokenizer, first.ids[0], &n)[0], ' ');
    assert_int_equal(hn_tokenizer_bytes(tokenizer, next.ids[0], &n)[0], 't');
    hn_tokens_free(&next);
    hn_tokens_free(&first);
    hn_tokenizer_close(&tokenizer);
}

/* Written space marks before a text go where spaces are trimmed, and come back as spaces where not. */
static void leading_marks(void **state) {
    (void)state;
    static const char text[] = "\xE2\x96\x81 the item";
    HnTokenizer *trims = open_small("sentencepiece-trim"), *keeps = open_small("sentencepiece");
    HnTokens one = encode(trims, text, sizeof text - 1, false), two = encode(keeps, text, sizeof text - 1, false);
    expect_decoded(trims, one, false, "the item");
    expect_decoded(keeps, two, false, "  the item");
    hn_tokens_free(&two);
    hn_tokens_free(&one);
    hn_tokenizer_close(&keeps);
    hn_tokenizer_close(&trims);
}

static void ill_formed(void **state) {
    (void)state;
    static const char *const names[] = {"sentencepiece", "tiktoken", "qwen", "gpt2", "wordpiece"};
    static const char bad[] = "a\xF0\x9F\x98z\xFF\xC0", good[] = "a\xEF\xBF\xBDz\xEF\xBF\xBD\xEF\xBF\xBD";
    for (size_t i = 0; i < 5; i++) {
        HnTokenizer *tokenizer = open_small(names[i]);
        HnTokens one = encode(tokenizer, bad, sizeof bad - 1, false),
                 two = encode(tokenizer, good, sizeof good - 1, false);
        assert_int_equal(one.n, two.n);
        assert_memory_equal(one.ids, two.ids, one.n * sizeof *one.ids);
        hn_tokens_free(&two);
        hn_tokens_free(&one);
        hn_tokenizer_close(&tokenizer);
    }
}

/* Tokens' bytes together are the text; pushed one by one they give whole characters each time. */
static void check_stream(const HnTokenizer *tokenizer, bool spaced, const HnText *chunk, HnText *together,
                         HnText *out) {
    HnTokens tokens = encode(tokenizer, chunk->data, chunk->length, false);
    HnTokenizerStream stream = {0};
    hn_text_clear(together);
    hn_text_clear(out);
    for (size_t i = 0; i < tokens.n; i++) {
        size_t n = 0;
        const char *bytes = hn_tokenizer_bytes(tokenizer, tokens.ids[i], &n);
        assert_non_null(bytes);
        ASSERT_OK(hn_text_append(together, bytes, n, &err), &err);
        const size_t before = out->length;
        ASSERT_OK(hn_tokenizer_stream_push(tokenizer, &stream, tokens.ids[i], out, &err), &err);
        assert_true(out->length == before || hn_utf8_valid(out->data + before, out->length - before, NULL));
    }
    ASSERT_OK(hn_tokenizer_stream_finish(tokenizer, &stream, out, &err), &err);
    assert_int_equal(out->length, chunk->length);
    assert_memory_equal(out->data, chunk->data, chunk->length);
    assert_int_equal(together->length, chunk->length + (spaced ? 1 : 0));
    assert_memory_equal(together->data + (spaced ? 1 : 0), chunk->data, chunk->length);
    hn_tokens_free(&tokens);
}

/* SentencePiece takes a written U+2581 for a space. */
static void unmark(HnText *text) {
    size_t n = 0;
    for (size_t at = 0; at < text->length; n++) {
        const bool mark = text->length - at >= 3 && memcmp(text->data + at, "\xE2\x96\x81", 3) == 0;
        text->data[n] = mark ? ' ' : text->data[at];
        at += mark ? 3 : 1;
    }
    text->length = n;
}

static void streams(void **state) {
    (void)state;
    static const struct {
        const char *name;
        bool spaced;
    } cases[] = {{"tiktoken", false}, {"gpt2", false}, {"json-bytes", false}, {"sentencepiece", true}};
    Corpus corpus = {0};
    HnText chunk = {0}, together = {0}, out = {0};
    corpus_read(&corpus);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        HnTokenizer *tokenizer = open_small(cases[i].name);
        for (uint64_t number = 0; number < 20; number++) {
            corpus_chunk(&corpus, number, &chunk);
            if (cases[i].spaced) {
                unmark(&chunk);
            }
            check_stream(tokenizer, cases[i].spaced, &chunk, &together, &out);
        }
        hn_tokenizer_close(&tokenizer);
    }
    hn_text_free(&out);
    hn_text_free(&together);
    hn_text_free(&chunk);
    corpus_free(&corpus);
}

static void unfinished(void **state) {
    (void)state;
    HnTokenizer *tokenizer = open_small("gpt2");
    HnTokens tokens = encode(tokenizer, "\xF0\x9F\x98\x80", 4, false);
    HnTokenizerStream stream = {0};
    HnText out = {0};
    assert_true(tokens.n > 1);
    ASSERT_OK(hn_tokenizer_stream_push(tokenizer, &stream, tokens.ids[0], &out, &err), &err);
    assert_string_equal(hn_text_get(&out), "");
    ASSERT_OK(hn_tokenizer_stream_finish(tokenizer, &stream, &out, &err), &err);
    assert_string_equal(hn_text_get(&out), "\xEF\xBF\xBD");
    hn_text_free(&out);
    hn_tokens_free(&tokens);
    hn_tokenizer_close(&tokenizer);
}

/* SentencePiece shows each byte that is no part of a character, the others each ill-formed part. */
static void ill_formed_ids(void **state) {
    (void)state;
    HnTokenizer *pieces = open_small("sentencepiece"), *bytes = open_small("tiktoken");
    uint32_t ids[] = {3 + 0xF0, 3 + 0x9F, 3 + 'a', 3 + 0xC3, 3 + 0xA9, 3 + 0xE2};
    expect_decoded(pieces, (HnTokens){ids, 6, 6}, false,
                   "\xEF\xBF\xBD\xEF\xBF\xBD"
                   "a\xC3\xA9\xEF\xBF\xBD");
    for (int i = 0; i < 6; i++) {
        ids[i] -= 3; /* its ranks begin with the bytes */
    }
    expect_decoded(bytes, (HnTokens){ids, 6, 6}, false,
                   "\xEF\xBF\xBD"
                   "a\xC3\xA9\xEF\xBF\xBD");
    hn_tokenizer_close(&bytes);
    hn_tokenizer_close(&pieces);
}

/* No text takes a square's time: these would take hours. */
static void no_place_to_cut(void **state) {
    (void)state;
    static const char *const names[] = {"sentencepiece", "tiktoken", "qwen", "wordpiece"},
                             *const units[] = {"a",   "the", "\xE4\xBD\xA0\xE5\xA5\xBD", " ", "e\xCC\x81\xCC\xA3",
                                               "\xFF"};
    enum { LENGTH = 1 << 19 };
    char *text = hn_alloc(LENGTH, 1, "a long text", &err);
    for (size_t u = 0; u < sizeof units / sizeof units[0]; u++) {
        const size_t n = strlen(units[u]);
        for (size_t i = 0; i < LENGTH; i++) {
            text[i] = units[u][i % n];
        }
        for (size_t i = 0; i < 4; i++) {
            HnTokenizer *tokenizer = open_small(names[i]);
            HnTokens tokens = encode(tokenizer, text, LENGTH / n * n, false);
            hn_tokens_free(&tokens);
            hn_tokenizer_close(&tokenizer);
        }
    }
    hn_free(text);
}

static void no_memory(void **state) {
    (void)state;
    static const char *const names[] = {"sentencepiece", "qwen", "json-words", "tiktoken"};
    static const char text[] = "THEY'RE negative samples <think> Vi\xC3\xAA\xCC\xA3t Nam e\xCC\x81 \xFF unexceptionable"
                               "wordswithoutanyspacebetweenthemgoonandonandonandonandonandon";
    for (size_t i = 0; i < 4; i++) {
        char folder[512];
        (void)snprintf(folder, sizeof folder, "%s/tests/fixtures/tokenizers/%s", HN_SOURCE_DIR, names[i]);
        const uint64_t live = hn_alloc_live_blocks();
        HnStatus status = HN_MEMORY;
        for (uint64_t fail_at = 1; status != HN_OK; fail_at += fail_at < 200 ? 1 : 97) {
            HnTokenizer *tokenizer = NULL;
            HnTokens tokens = {0};
            hn_error_clear(&err);
            hn_alloc_fail_at(fail_at);
            status = hn_tokenizer_open(folder, &tokenizer, &err);
            status =
                status == HN_OK ? hn_tokenizer_encode(tokenizer, text, sizeof text - 1, true, &tokens, &err) : status;
            hn_alloc_fail_at(0);
            assert_true(status == HN_OK || status == HN_MEMORY);
            hn_tokens_free(&tokens);
            hn_tokenizer_close(&tokenizer);
            assert_int_equal(hn_alloc_live_blocks(), live);
        }
    }
}

typedef struct Job {
    const HnTokenizer *tokenizer;
    uint64_t hash;
} Job;

static void *work(void *context) {
    Job *job = context;
    Corpus corpus = {0};
    HnText chunk = {0};
    HnError own = HN_ERROR_INIT;
    corpus_read(&corpus);
    job->hash = CORPUS_HASH_START;
    for (uint64_t number = 0; number < 20; number++) {
        HnTokens tokens = {0};
        corpus_chunk(&corpus, number, &chunk);
        if (hn_tokenizer_encode(job->tokenizer, chunk.data, chunk.length, true, &tokens, &own) != HN_OK) {
            job->hash = 0;
        }
        job->hash = corpus_hash(tokens.ids, tokens.n * sizeof *tokens.ids, job->hash);
        hn_tokens_free(&tokens);
    }
    hn_text_free(&chunk);
    corpus_free(&corpus);
    return NULL;
}

static void threads(void **state) {
    (void)state;
    HnTokenizer *tokenizer = open_small("qwen");
    Job jobs[5];
    pthread_t others[4];
    for (int i = 0; i < 5; i++) {
        jobs[i] = (Job){.tokenizer = tokenizer};
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&others[i], NULL, work, &jobs[i]), 0);
    }
    work(&jobs[4]);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(others[i], NULL), 0);
        assert_true(jobs[i].hash == jobs[4].hash);
    }
    hn_tokenizer_close(&tokenizer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(specials),        cmocka_unit_test(edges),          cmocka_unit_test(behind),
        cmocka_unit_test(ill_formed),      cmocka_unit_test(streams),        cmocka_unit_test(unfinished),
        cmocka_unit_test(leading_marks),   cmocka_unit_test(ill_formed_ids), cmocka_unit_test(no_memory),
        cmocka_unit_test(no_place_to_cut), cmocka_unit_test(threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
