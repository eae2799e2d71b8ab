/* Damaged tokenizer files and texts of any bytes: opening ends with a status, and what opens encodes and decodes
 * without a crash or a hang, to ids inside the vocabulary. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "llm/tokenizer/tokenizer.h"
#include "mutate.h"

/* Each form of files; what lies beside the first one comes along. */
static const struct {
    const char *small, *files[3];
} forms[] = {
    {"json-bytes", {"tokenizer.json"}},      {"json-pieces", {"tokenizer.json"}},
    {"json-metaspace", {"tokenizer.json"}},  {"json-words", {"tokenizer.json"}},
    {"sentencepiece", {"tokenizer.model"}},  {"sentencepiece-trim", {"tokenizer.model"}},
    {"tiktoken", {"tokenizer.model"}},       {"qwen", {"vocab.json", "merges.txt", "tokenizer_config.json"}},
    {"gpt2", {"encoder.json", "vocab.bpe"}}, {"wordpiece", {"vocab.txt"}},
};
enum { N_FORMS = sizeof forms / sizeof forms[0], MOST_FILES = 3, N_TEXT = 4096 };

static char folder[] = "/tmp/hn-fuzz-tokenizer.XXXXXX";
static char *originals[N_FORMS][MOST_FILES], *text;
static size_t n_original[N_FORMS][MOST_FILES];
static HnTokenizer *whole[N_FORMS];

static bool wrong(const char *what, const HnError *err) {
    printf("%s: %s\n", what, err->message);
    return false;
}

static bool write_file(const char *name, const char *bytes, size_t n) {
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    const bool written = file != NULL && fwrite(bytes, 1, n, file) == n;
    return file != NULL && fclose(file) == 0 && written;
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
    return fine ? true : wrong("a text", &err);
}

static bool damaged_file(HnRng *rng, size_t form) {
    size_t file = hn_rng_below(rng, MOST_FILES);
    file = forms[form].files[file] == NULL ? 0 : file;
    bool fine = true;
    for (size_t i = 0; i < MOST_FILES && forms[form].files[i] != NULL; i++) {
        const size_t n = n_original[form][i];
        char *bytes = malloc(2 * n + 4096);
        memcpy(bytes, originals[form][i], n);
        fine = fine && write_file(forms[form].files[i], bytes, i == file ? mutate(rng, bytes, n) : n);
        free(bytes);
    }
    HnError err = HN_ERROR_INIT;
    HnTokenizer *tokenizer = NULL;
    const HnStatus status = hn_tokenizer_open(folder, &tokenizer, &err);
    if (status == HN_OK) {
        fine = try_text(tokenizer, text, N_TEXT) && fine;
    } else if (status != HN_FORMAT && status != HN_UNSUPPORTED && status != HN_INPUT) {
        fine = wrong("open", &err);
    }
    hn_tokenizer_close(&tokenizer);
    for (size_t i = 0; i < MOST_FILES && forms[form].files[i] != NULL; i++) {
        char path[256];
        (void)snprintf(path, sizeof path, "%s/%s", folder, forms[form].files[i]);
        (void)unlink(path);
    }
    return fine;
}

static bool round_of(unsigned long round) {
    HnRng rng;
    hn_rng_start(&rng, fuzz_seed(), HN_STREAM_TEST, 7, round);
    const size_t form = round % N_FORMS;
    const uint64_t live = hn_alloc_live_blocks();
    bool fine;
    if (hn_rng_below(&rng, 2) == 0) {
        fine = damaged_file(&rng, form);
    } else {
        char *bytes = malloc(2 * N_TEXT + 4096);
        memcpy(bytes, text, N_TEXT);
        fine = try_text(whole[form], bytes, mutate(&rng, bytes, N_TEXT));
        free(bytes);
    }
    HnError none = HN_ERROR_INIT;
    return hn_alloc_live_blocks() == live ? fine : wrong("blocks left", &none);
}

static HnStatus prepare(HnError *err) {
    char path[512];
    size_t n = 0;
    for (size_t form = 0; form < N_FORMS; form++) {
        for (size_t i = 0; i < MOST_FILES && forms[form].files[i] != NULL; i++) {
            (void)snprintf(path, sizeof path, "%s/tests/fixtures/tokenizers/%s/%s", HN_SOURCE_DIR, forms[form].small,
                           forms[form].files[i]);
            HN_TRY(hn_file_read(path, 1 << 20, &originals[form][i], &n_original[form][i], err));
        }
        (void)snprintf(path, sizeof path, "%s/tests/fixtures/tokenizers/%s", HN_SOURCE_DIR, forms[form].small);
        HN_TRY(hn_tokenizer_open(path, &whole[form], err));
    }
    HN_TRY(hn_file_read(HN_SOURCE_DIR "/tests/fixtures/tokenizers/corpus.txt", 1 << 20, &text, &n, err));
    return n >= N_TEXT ? HN_OK : hn_fail(err, HN_INPUT, "the corpus is shorter than a text");
}

int main(void) {
    HnError err = HN_ERROR_INIT;
    int code = 1;
    if (mkdtemp(folder) == NULL || prepare(&err) != HN_OK) {
        printf("cannot prepare: %s\n", err.message);
    } else {
        code = fuzz_run("tokenizer", round_of);
    }
    for (size_t form = 0; form < N_FORMS; form++) {
        hn_tokenizer_close(&whole[form]);
        for (size_t i = 0; i < MOST_FILES; i++) {
            hn_free(originals[form][i]);
        }
    }
    hn_free(text);
    (void)hn_folder_remove(folder, NULL);
    return code;
}
