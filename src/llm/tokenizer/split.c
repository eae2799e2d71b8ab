#include "split.h"

#include <stdbool.h>
#include <string.h>

#include "unicode.h"

/* One character of the text; flags END past its end. */
typedef struct Look {
    uint32_t point;
    unsigned flags;
    size_t end;
} Look;

enum { END = 1 << 15, LETTER_OR_NUMBER = HN_CHAR_LETTER | HN_CHAR_NUMBER };
enum { NO_OTHER = LETTER_OR_NUMBER | HN_CHAR_SPACE | END }; /* what [^\s\p{L}\p{N}] is not */

static inline Look look(const char *text, size_t n_bytes, size_t at) {
    if (at >= n_bytes) {
        return (Look){.flags = END, .end = n_bytes};
    }
    size_t length = 1;
    const uint32_t point = hn_char_at(text + at, &length);
    return (Look){.point = point, .flags = hn_char_flags(point), .end = at + length};
}

/* The end of the run of characters from `at` on that have one of these flags. */
static size_t run_end(const char *text, size_t n_bytes, size_t at, unsigned flags) {
    Look next = look(text, n_bytes, at);
    while ((next.flags & flags) != 0) {
        at = next.end;
        next = look(text, n_bytes, at);
    }
    return at;
}

static size_t other_end(const char *text, size_t n_bytes, size_t at) {
    Look next = look(text, n_bytes, at);
    while ((next.flags & NO_OTHER) == 0) {
        at = next.end;
        next = look(text, n_bytes, at);
    }
    return at;
}

static bool is_newline(uint32_t point) {
    return point == '\r' || point == '\n';
}

/* 's 't 're 've 'm 'll 'd at the apostrophe: the end, or `at`. Without case, s is also the long s (U+017F). */
static size_t contraction_end(const char *text, size_t n_bytes, size_t at, bool any_case) {
    static const char long_s[] = "\xC5\xBF";
    char letters[2] = {0, 0};
    for (size_t i = 0; i < 2 && at + 1 + i < n_bytes; i++) {
        const char c = text[at + 1 + i];
        letters[i] = any_case && c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    if (letters[0] != 0 && strchr("stmd", letters[0]) != NULL) {
        return at + 2;
    }
    if ((letters[1] == 'e' && (letters[0] == 'r' || letters[0] == 'v')) || (letters[0] == 'l' && letters[1] == 'l') ||
        (any_case && memcmp(letters, long_s, 2) == 0)) {
        return at + 3;
    }
    return at;
}

/* \s+(?!\S)|\s+ at white space that ends at end: all of it at the end of the text; else all but the last, which goes to
 * what follows, unless it is the only one. */
static size_t space_end(const char *text, size_t n_bytes, size_t at, size_t end) {
    if (end == n_bytes) {
        return end;
    }
    size_t last = end - 1;
    while (((unsigned char)text[last] & 0xc0) == 0x80) {
        last--;
    }
    return last > at ? last : end;
}

static size_t gpt2_end(const char *text, size_t n_bytes, size_t at) {
    const Look first = look(text, n_bytes, at);
    if (first.point == '\'') {
        const size_t end = contraction_end(text, n_bytes, at, false);
        if (end > at) {
            return end;
        }
    }
    const size_t from = first.point == ' ' ? first.end : at;
    const Look body = first.point == ' ' ? look(text, n_bytes, from) : first;
    if ((body.flags & LETTER_OR_NUMBER) != 0) {
        return run_end(text, n_bytes, body.end, body.flags & LETTER_OR_NUMBER);
    }
    if ((body.flags & NO_OTHER) == 0) {
        return other_end(text, n_bytes, body.end);
    }
    return space_end(text, n_bytes, at, run_end(text, n_bytes, first.end, HN_CHAR_SPACE));
}

/* The end of up to `most` numbers of which the first is given. */
static size_t number_end(const char *text, size_t n_bytes, Look number, int most) {
    size_t end = number.end;
    for (int n = 1; n < most; n++) {
        number = look(text, n_bytes, end);
        if ((number.flags & HN_CHAR_NUMBER) == 0) {
            break;
        }
        end = number.end;
    }
    return end;
}

/* \s*[\r\n]+ goes up to the last newline of the white space; without one it is \s+(?!\S)|\s+. */
static size_t newline_end(const char *text, size_t n_bytes, size_t at) {
    const size_t end = run_end(text, n_bytes, at, HN_CHAR_SPACE);
    for (size_t last = end; last > at; last--) {
        if (is_newline((unsigned char)text[last - 1])) {
            return last;
        }
    }
    return space_end(text, n_bytes, at, end);
}

static size_t llama3_end(const char *text, size_t n_bytes, size_t at, int most_digits) {
    const Look first = look(text, n_bytes, at);
    if ((first.flags & HN_CHAR_LETTER) != 0) {
        return run_end(text, n_bytes, first.end, HN_CHAR_LETTER);
    }
    if (first.point == '\'') {
        const size_t end = contraction_end(text, n_bytes, at, true);
        if (end > at) {
            return end;
        }
    }
    if ((first.flags & HN_CHAR_NUMBER) != 0) {
        return number_end(text, n_bytes, first, most_digits);
    }
    const Look second = look(text, n_bytes, first.end);
    if ((second.flags & HN_CHAR_LETTER) != 0 && !is_newline(first.point)) {
        return run_end(text, n_bytes, second.end, HN_CHAR_LETTER);
    }
    const Look body = first.point == ' ' ? second : first;
    if ((body.flags & NO_OTHER) == 0) {
        size_t end = other_end(text, n_bytes, body.end);
        while (end < n_bytes && is_newline((unsigned char)text[end])) {
            end++;
        }
        return end;
    }
    return newline_end(text, n_bytes, at);
}

size_t hn_split_end(HnSplit split, const char *text, size_t n_bytes, size_t at) {
    switch (split) {
    case HN_SPLIT_GPT2:
        return gpt2_end(text, n_bytes, at);
    case HN_SPLIT_LLAMA3:
        return llama3_end(text, n_bytes, at, 3);
    case HN_SPLIT_QWEN:
        return llama3_end(text, n_bytes, at, 1);
    default:
        return n_bytes;
    }
}
