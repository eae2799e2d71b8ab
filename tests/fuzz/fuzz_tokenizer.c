/* Damaged tokenizer files and texts of any bytes: opening ends with a status, and what opens encodes and decodes
 * without a crash or a hang, to ids inside the vocabulary. An input: which of the files below, then the file, whose
 * neighbours are whole; or, beyond them, which tokenizer, then a text. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "llm/tokenizer/tokenizer.h"
#include "target.h"

/* Files of one form stand together. */
static const struct {
    const char *form, *name;
} files[] = {
    {"json-bytes", "tokenizer.json"},
    {"json-pieces", "tokenizer.json"},
    {"json-metaspace", "tokenizer.json"},
    {"json-words", "tokenizer.json"},
    {"sentencepiece", "tokenizer.model"},
    {"sentencepiece-trim", "tokenizer.model"},
    {"tiktoken", "tokenizer.model"},
    {"qwen", "vocab.json"},
    {"qwen", "merges.txt"},
    {"qwen", "tokenizer_config.json"},
    {"gpt2", "encoder.json"},
    {"gpt2", "vocab.bpe"},
    {"wordpiece", "vocab.txt"},
};
enum { N_FILES = sizeof files / sizeof files[0], N_TEXT = 2048, MOST_BYTES = 1 << 20 };

static char *whole[N_FILES], *text;
static size_t n_whole[N_FILES];
static HnTokenizer *tokenizers[N_FILES]; /* of each file's form */

static HnStatus seed(size_t which, HnText *input, HnError *err) {
    const char first = (char)which;
    char path[512], *bytes = NULL;
    size_t n_bytes = 0;
    (void)snprintf(path, sizeof path, "%s/tests/fixtures/tokenizers/%s/%s", HN_SOURCE_DIR,
                   which < N_FILES ? files[which].form : "", which < N_FILES ? files[which].name : "corpus.txt");
    HN_TRY(hn_file_read(path, MOST_BYTES, &bytes, &n_bytes, err));
    n_bytes = which < N_FILES || n_bytes < N_TEXT ? n_bytes : N_TEXT;
    HnStatus status = hn_text_append(input, &first, 1, err);
    status = status == HN_OK ? hn_text_append(input, bytes, n_bytes, err) : status;
    hn_free(bytes);
    return status;
}

static HnStatus open_target(HnError *err) {
    char path[512];
    size_t n = 0;
    for (size_t i = 0; i < N_FILES; i++) {
        (void)snprintf(path, sizeof path, "%s/tests/fixtures/tokenizers/%s/%s", HN_SOURCE_DIR, files[i].form,
                       files[i].name);
        HN_TRY(hn_file_read(path, MOST_BYTES, &whole[i], &n_whole[i], err));
        (void)snprintf(path, sizeof path, "%s/tests/fixtures/tokenizers/%s", HN_SOURCE_DIR, files[i].form);
        HN_TRY(hn_tokenizer_open(path, &tokenizers[i], err));
    }
    HN_TRY(hn_file_read(HN_SOURCE_DIR "/tests/fixtures/tokenizers/corpus.txt", MOST_BYTES, &text, &n, err));
    return n >= N_TEXT ? HN_OK : hn_fail(err, HN_INPUT, "the corpus is shorter than a text");
}

static void close_target(void) {
    for (size_t i = 0; i < N_FILES; i++) {
        hn_tokenizer_close(&tokenizers[i]);
        hn_free(whole[i]);
    }
    hn_free(text);
}

static bool try_text(const HnTokenizer *tokenizer, const char *bytes, size_t n) {
    HnError err = HN_ERROR_INIT;
    HnTokens tokens = {0};
    HnText out = {0};
    bool fine = hn_tokenizer_encode(tokenizer, bytes, n, true, &tokens, &err) == HN_OK;
    for (size_t i = 0; fine && i < tokens.n; i++) {
        fine = tokens.ids[i] < hn_tokenizer_size(tokenizer);
    }
    fine = fine && hn_tokenizer_decode(tokenizer, tokens.ids, tokens.n, true, &out, &err) == HN_OK &&
           hn_utf8_valid(hn_text_get(&out), out.length, NULL);
    hn_text_free(&out);
    hn_tokens_free(&tokens);
    return fine ? true : fuzz_wrong("a text", &err);
}

static bool try_file(size_t file, const unsigned char *bytes, size_t n_bytes) {
    HnError err = HN_ERROR_INIT;
    HnTokenizer *tokenizer = NULL;
    bool fine = true;
    for (size_t i = 0; i < N_FILES; i++) {
        if (strcmp(files[i].form, files[file].form) == 0) {
            fine = fine && (i == file ? fuzz_write(files[i].name, bytes, n_bytes)
                                      : fuzz_write(files[i].name, whole[i], n_whole[i]));
        }
    }
    const HnStatus status = hn_tokenizer_open(fuzz_folder(), &tokenizer, &err);
    if (status == HN_OK) {
        fine = try_text(tokenizer, text, N_TEXT) && fine;
    } else if (!fuzz_is_refusal(status)) {
        fine = fuzz_wrong("open", &err);
    }
    hn_tokenizer_close(&tokenizer);
    for (size_t i = 0; i < N_FILES; i++) {
        if (strcmp(files[i].form, files[file].form) == 0) {
            fuzz_unlink(files[i].name);
        }
    }
    return fine;
}

static bool take(const unsigned char *bytes, size_t n_bytes) {
    if (n_bytes == 0) {
        return true;
    }
    return bytes[0] < N_FILES ? try_file(bytes[0], bytes + 1, n_bytes - 1)
                              : try_text(tokenizers[bytes[0] % N_FILES], (const char *)bytes + 1, n_bytes - 1);
}

/* The files, then the corpus for each of them: there are as many tokenizers, some twice. */
const FuzzTarget FUZZ_TARGET = {.name = "tokenizer",
                                .n_seeds = 2 * N_FILES,
                                .seed = seed,
                                .open = open_target,
                                .take = take,
                                .close = close_target};
