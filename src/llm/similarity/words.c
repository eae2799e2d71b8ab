#include "words.h"

#include <string.h>
#include <utf8proc.h>

#include "base/alloc.h"
#include "base/hash.h"

typedef struct Range {
    uint32_t first, last;
} Range;

/* Blocks of the scripts that are written without spaces (Unicode 15). */
static const Range UNSPACED[] = {
    {0x0E00, 0x0EFF},                                                        /* Thai, Lao */
    {0x1000, 0x109F}, {0x1780, 0x17FF},                                      /* Burmese, Khmer */
    {0x3040, 0x30FF}, {0x31F0, 0x31FF},                                      /* kana */
    {0x3400, 0x4DBF}, {0x4E00, 0x9FFF}, {0xF900, 0xFAFF}, {0x20000, 0x323AF} /* Han */
};

static bool is_unspaced(int32_t point) {
    for (size_t i = 0; i < sizeof UNSPACED / sizeof UNSPACED[0]; i++) {
        if ((uint32_t)point >= UNSPACED[i].first && (uint32_t)point <= UNSPACED[i].last) {
            return true;
        }
    }
    return false;
}

static bool is_word_point(int32_t point) {
    switch (utf8proc_category(point)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return true;
    default:
        return false;
    }
}

static HnStatus add_word(HnWords *words, size_t begin, size_t end, bool unspaced, bool follows, HnError *err) {
    if (words->n == words->capacity) {
        size_t capacity = words->capacity ? words->capacity * 2 : 64;
        HN_TRY(hn_resize(&words->words, words->n * sizeof *words->words, capacity, sizeof *words->words, "words", err));
        words->capacity = capacity;
    }
    words->words[words->n++] = (HnWord){(uint32_t)begin, (uint32_t)end, unspaced, follows,
                                        hn_checksum64(words->folded.data + begin, end - begin)};
    return HN_OK;
}

/* Cuts the folded bytes into words. State: where the running word began, and the last character of an unspaced run. */
static HnStatus cut(HnWords *words, HnError *err) {
    const char *data = hn_text_get(&words->folded);
    size_t length = words->folded.length, at = 0, begin = 0, last = 0;
    bool in_word = false, in_run = false, run_has_pair = false, follows = false;
    while (at <= length) {
        int32_t point = 0;
        long n = at < length ? (long)utf8proc_iterate((const uint8_t *)data + at, (long)(length - at), &point) : 1;
        if (n <= 0) {
            n = 1;
            point = 0;
        }
        bool unspaced = at < length && is_unspaced(point) && is_word_point(point);
        bool spaced = at < length && !unspaced && is_word_point(point);
        if (in_word && !spaced) {
            HN_TRY(add_word(words, begin, at, false, follows, err));
            in_word = false;
            follows = true;
        }
        if (in_run && !unspaced) {
            if (!run_has_pair) {
                HN_TRY(add_word(words, last, at, true, false, err));
            }
            in_run = false;
            follows = false;
        }
        if (unspaced) {
            if (in_run) {
                HN_TRY(add_word(words, last, at + (size_t)n, true, false, err));
            }
            run_has_pair = in_run;
            in_run = true;
            last = at;
        } else if (spaced && !in_word) {
            in_word = true;
            begin = at;
        } else if (!spaced && point != ' ') {
            follows = false;
        }
        at += (size_t)n;
    }
    return HN_OK;
}

HnStatus hn_words_split(HnWords *words, const char *text, size_t n_bytes, HnError *err) {
    words->n = 0;
    hn_text_clear(&words->folded);
    if (n_bytes > UINT32_MAX / 8) {
        return hn_fail(err, HN_RANGE, "a text of %zu bytes is too long to be cut into words", n_bytes);
    }
    while (n_bytes > 0) {
        size_t good = n_bytes;
        bool valid = hn_utf8_valid(text, n_bytes, &good);
        if (valid) {
            good = n_bytes;
        }
        HN_TRY(hn_utf8_fold(text, good, &words->folded, err));
        if (!valid) {
            HN_TRY(hn_text_append(&words->folded, "\n", 1, err)); /* a broken byte ends word and phrase */
            good++;
        }
        text += good;
        n_bytes -= good;
    }
    return cut(words, err);
}

void hn_words_free(HnWords *words) {
    hn_text_free(&words->folded);
    hn_free(words->words);
    *words = (HnWords){{0}, NULL, 0, 0};
}

uint64_t hn_words_phrase(uint64_t first, uint64_t second) {
    uint64_t both[2] = {first, second};
    return hn_checksum64(both, sizeof both);
}
