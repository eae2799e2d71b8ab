#include "golden.h"

#include <inttypes.h>
#include <jansson.h>

#include "../../hdf5_schemas/cmocka_all.h"
#include "corpus.h"
#include "llm/tokenizer/tokenizer.h"

enum { DECODED_TOGETHER = 10, SHOWN = 5 };

typedef struct Run {
    const char *name;
    HnTokenizer *tokenizer;
    HnTokens tokens;
    HnText text, decoded;
    HnError err;
    int n_wrong;
} Run;

static void compare(Run *run, const char *what, size_t i, const json_t *golden, uint64_t hash) {
    char hex[17];
    (void)snprintf(hex, sizeof hex, "%016" PRIx64, hash);
    const char *wanted = json_string_value(json_array_get(golden, i));
    if (wanted == NULL || strcmp(hex, wanted) != 0) {
        run->n_wrong++;
        if (run->n_wrong <= SHOWN) {
            print_error("%s: %s %zu differ from the reference\n", run->name, what, i);
        }
    }
}

/* The ids of run->text, as the golden script hashes them: little-endian. */
static uint64_t ids_hash(Run *run, uint64_t hash) {
    run->tokens.n = 0;
    ASSERT_OK(
        hn_tokenizer_encode(run->tokenizer, hn_text_get(&run->text), run->text.length, false, &run->tokens, &run->err),
        &run->err);
    for (size_t i = 0; i < run->tokens.n; i++) {
        const uint32_t id = run->tokens.ids[i];
        const unsigned char bytes[4] = {(unsigned char)id, (unsigned char)(id >> 8), (unsigned char)(id >> 16),
                                        (unsigned char)(id >> 24)};
        hash = corpus_hash(bytes, sizeof bytes, hash);
    }
    return hash;
}

static void check_chunks(Run *run, const Corpus *corpus, const json_t *golden) {
    const json_t *chunks = json_object_get(golden, "chunks"), *decoded = json_object_get(golden, "decoded");
    assert_true(json_array_size(chunks) > 0);
    uint64_t hash = CORPUS_HASH_START;
    for (size_t i = 0; i < json_array_size(chunks); i++) {
        corpus_chunk(corpus, i, &run->text);
        compare(run, "ids of chunk", i, chunks, ids_hash(run, CORPUS_HASH_START));
        hn_text_clear(&run->decoded);
        ASSERT_OK(hn_tokenizer_decode(run->tokenizer, run->tokens.ids, run->tokens.n, false, &run->decoded, &run->err),
                  &run->err);
        hash = corpus_hash(hn_text_get(&run->decoded), run->decoded.length, hash);
        if (i % DECODED_TOGETHER == DECODED_TOGETHER - 1) {
            compare(run, "decoded texts of ten chunks", i / DECODED_TOGETHER, decoded, hash);
            hash = CORPUS_HASH_START;
        }
    }
}

static void check_points(Run *run, const json_t *golden) {
    const json_t *points = json_object_get(golden, "points");
    const size_t group = (size_t)json_integer_value(json_object_get(golden, "group"));
    assert_true(group > 0);
    uint64_t hash = CORPUS_HASH_START;
    size_t i = 0;
    for (uint32_t point; (point = corpus_point(i)) != UINT32_MAX; i++) {
        for (int which = 0; which < CORPUS_SURROUNDINGS; which++) {
            corpus_surround(point, which, &run->text);
            hash = ids_hash(run, hash);
        }
        if (i % group == group - 1 || corpus_point(i + 1) == UINT32_MAX) {
            compare(run, "ids of a thousand code points", i / group, points, hash);
            hash = CORPUS_HASH_START;
        }
    }
    assert_int_equal((i + group - 1) / group, json_array_size(points));
}

void golden_check(const char *name, const char *folder) {
    Run run = {.name = name};
    Corpus corpus = {0};
    json_error_t where;
    json_t *all = json_load_file(HN_SOURCE_DIR "/tests/fixtures/golden/tokenizers.json", 0, &where);
    const json_t *golden = json_object_get(all, name);
    assert_non_null(golden);
    corpus_read(&corpus);
    ASSERT_OK(hn_tokenizer_open(folder, &run.tokenizer, &run.err), &run.err);
    check_chunks(&run, &corpus, golden);
    check_points(&run, golden);
    hn_tokenizer_close(&run.tokenizer);
    hn_tokens_free(&run.tokens);
    hn_text_free(&run.text);
    hn_text_free(&run.decoded);
    corpus_free(&corpus);
    json_decref(all);
    if (run.n_wrong > 0) {
        fail_msg("%s: %d places differ from the reference", name, run.n_wrong);
    }
}
