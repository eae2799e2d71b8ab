#include "corpus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/mix.h"
#include "llm/tokenizer/unicode.h"

enum { MOST = 1000, CHUNK_BYTES = 4096, NARROW = 6, MARKS = 10 };

static void must(HnStatus status, const HnError *err) {
    if (status != HN_OK) {
        fprintf(stderr, "%s\n", err->message);
        exit(1);
    }
}

static void put(uint32_t point, HnText *text) {
    HnError err = HN_ERROR_INIT;
    char bytes[4];
    must(hn_text_append(text, bytes, hn_char_put(point, bytes), &err), &err);
}

static void puts_escaped(const char *line, HnText *text) {
    for (; *line != '\0'; line++) {
        if (*line != '\\') {
            put((unsigned char)*line, text);
            continue;
        }
        line++;
        if (*line == 'x') {
            char digits[7] = "";
            memcpy(digits, line + 1, 6);
            put((uint32_t)strtoul(digits, NULL, 16), text);
            line += 6;
        } else {
            put(*line == 'n' ? '\n' : *line == 'r' ? '\r' : *line == 't' ? '\t' : (unsigned char)*line, text);
        }
    }
}

void corpus_read(Corpus *corpus) {
    HnError err = HN_ERROR_INIT;
    char *bytes = NULL;
    size_t n = 0;
    must(hn_file_read(HN_SOURCE_DIR "/tests/fixtures/tokenizers/corpus.txt", 1 << 20, &bytes, &n, &err), &err);
    corpus->ranges = hn_alloc(MOST, sizeof *corpus->ranges, "ranges", &err);
    corpus->texts = hn_alloc(MOST, sizeof *corpus->texts, "texts", &err);
    must(err.status, &err);
    for (char *line = bytes, *next; *line != '\0'; line = next) {
        char *end = strchr(line, '\n');
        next = end + 1;
        *end = '\0';
        if (strncmp(line, "range ", 6) == 0 && corpus->n_ranges < MOST) {
            char *last = NULL;
            corpus->ranges[corpus->n_ranges][0] = (uint32_t)strtoul(line + 6, &last, 16);
            corpus->ranges[corpus->n_ranges++][1] = (uint32_t)strtoul(last, NULL, 16);
        } else if (strncmp(line, "text ", 5) == 0 && corpus->n_texts < MOST) {
            puts_escaped(line + 5, &corpus->texts[corpus->n_texts++]);
        }
    }
    hn_free(bytes);
}

void corpus_free(Corpus *corpus) {
    for (size_t i = 0; i < corpus->n_texts; i++) {
        hn_text_free(&corpus->texts[i]);
    }
    hn_free(corpus->texts);
    hn_free(corpus->ranges);
}

/* SplitMix64 */
static uint64_t below(uint64_t *state, uint64_t bound) {
    const uint64_t word = hn_mix64(*state);
    *state += HN_MIX_STEP;
    return word % bound;
}

static uint32_t character(const Corpus *corpus, uint64_t *state, uint64_t of) {
    const uint32_t *range = corpus->ranges[of];
    return range[0] + (uint32_t)below(state, range[1] - range[0] + 1);
}

static void put_text(const Corpus *corpus, uint64_t *state, HnText *text) {
    HnError err = HN_ERROR_INIT;
    const HnText *from = &corpus->texts[below(state, corpus->n_texts)];
    must(hn_text_append(text, hn_text_get(from), from->length, &err), &err);
}

static void put_word(const Corpus *corpus, uint64_t *state, uint64_t of, uint64_t n, bool spaced, HnText *text) {
    if (spaced) {
        put(' ', text);
    }
    for (uint64_t i = 0; i < n; i++) {
        put(character(corpus, state, of), text);
    }
}

static void put_item(const Corpus *corpus, uint64_t *state, HnText *text) {
    const uint64_t kind = below(state, 16);
    uint64_t of = 0, n = 0;
    if (kind < 7) {
        put_text(corpus, state, text);
        if (kind >= 5) {
            put(' ', text);
            put_text(corpus, state, text);
        }
        return;
    }
    if (kind == 13) {
        for (n = 1 + below(state, 4); n > 0; n--) {
            put(character(corpus, state, below(state, corpus->n_ranges)), text);
        }
        return;
    }
    of = below(state, kind < 10 ? NARROW : corpus->n_ranges);
    if (kind < 10) {
        n = 1 + below(state, 14);
        n *= below(state, 8) == 0 ? 12 : 1;
        put_word(corpus, state, of, n, kind == 9, text);
    } else if (kind < 13) {
        n = 1 + below(state, 9);
        put_word(corpus, state, of, n, kind == 12, text);
    } else if (kind == 14) {
        n = 1 + below(state, 4);
        put(character(corpus, state, of), text);
        put_word(corpus, state, MARKS, n, false, text);
    } else {
        n = 1 + below(state, 70);
        const uint32_t point = character(corpus, state, of);
        for (; n > 0; n--) {
            put(point, text);
        }
    }
}

void corpus_chunk(const Corpus *corpus, uint64_t number, HnText *text) {
    uint64_t state = number;
    hn_text_clear(text);
    while (text->length < CHUNK_BYTES) {
        put_item(corpus, &state, text);
    }
}

uint32_t corpus_point(size_t i) {
    static const uint32_t ranges[][2] = {
        {0, 0xD7FF}, {0xE000, 0x3FFFF}, {0xE0000, 0xE01FF}, {0xF0000, 0xF00FF}, {0x10FF00, 0x10FFFF}};
    for (size_t r = 0; r < sizeof ranges / sizeof ranges[0]; r++) {
        const size_t n = ranges[r][1] - ranges[r][0] + 1;
        if (i < n) {
            return ranges[r][0] + (uint32_t)i;
        }
        i -= n;
    }
    return UINT32_MAX;
}

void corpus_surround(uint32_t point, int which, HnText *text) {
    static const char *const before[] = {"a ", "!", " ", "a"}, *const after[] = {" b", "!", "", "b"};
    HnError err = HN_ERROR_INIT;
    hn_text_clear(text);
    must(hn_text_puts(text, before[which], &err), &err);
    put(point, text);
    must(hn_text_puts(text, after[which], &err), &err);
}

uint64_t corpus_hash(const void *bytes, size_t n_bytes, uint64_t hash) {
    for (size_t i = 0; i < n_bytes; i++) {
        hash = (hash ^ ((const unsigned char *)bytes)[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}
