#include "unicode.h"

#include <pthread.h>
#include <string.h>

/* kinds: the flags of each kind of code point. kind_starts, class_starts: {first code point, kind or combining class}
 * of runs that go on to the next. decompositions, lower_cases: {code point, its parts, 0 ...}. compositions: {first,
 * second, both as one}. All ascending. */
#include "unicode_tables.def"

enum { HANGUL = 0xAC00, LEAD = 0x1100, VOWEL = 0x1161, TAIL = 0x11A7, N_LEAD = 19, N_VOWEL = 21, N_TAIL = 28 };
enum { N_SYLLABLES = N_LEAD * N_VOWEL * N_TAIL };

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

uint8_t hn_char_kinds[HN_CHAR_LAST + 1];
uint16_t hn_char_kind_flags[256];

static void fill_tables(void) {
    for (size_t i = 0; i < COUNT(kind_starts); i++) {
        const uint32_t first = kind_starts[i][0];
        const uint32_t end = i + 1 < COUNT(kind_starts) ? kind_starts[i + 1][0] : HN_CHAR_LAST + 1;
        memset(hn_char_kinds + first, (int)kind_starts[i][1], end - first);
    }
    memcpy(hn_char_kind_flags, kinds, sizeof kinds);
}

void hn_unicode_prepare(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, fill_tables);
}

size_t hn_char_put(uint32_t point, char out[4]) {
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (char)(0xc0 | point >> 6);
        out[1] = (char)(0x80 | (point & 0x3f));
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (char)(0xe0 | point >> 12);
        out[1] = (char)(0x80 | (point >> 6 & 0x3f));
        out[2] = (char)(0x80 | (point & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | point >> 18);
    out[1] = (char)(0x80 | (point >> 12 & 0x3f));
    out[2] = (char)(0x80 | (point >> 6 & 0x3f));
    out[3] = (char)(0x80 | (point & 0x3f));
    return 4;
}

/* The last row of an ascending table whose first column is not above key; row 0 is below every key asked for. */
static const uint32_t *find_row(const uint32_t *table, size_t n_rows, size_t width, uint32_t key) {
    size_t low = 0, high = n_rows;
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (table[middle * width] <= key) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return table + low * width;
}

static size_t mapped(const uint32_t *row, size_t width, uint32_t point, uint32_t parts[HN_CHAR_MOST_PARTS]) {
    parts[0] = point;
    if (row[0] != point) {
        return 1;
    }
    size_t n = 0;
    while (n + 1 < width && row[n + 1] != 0) {
        parts[n] = row[n + 1];
        n++;
    }
    return n;
}

size_t hn_char_decompose(uint32_t point, uint32_t parts[HN_CHAR_MOST_PARTS]) {
    if (point >= HANGUL && point < HANGUL + N_SYLLABLES) {
        const uint32_t syllable = point - HANGUL, tail = syllable % N_TAIL;
        parts[0] = LEAD + syllable / (N_VOWEL * N_TAIL);
        parts[1] = VOWEL + syllable / N_TAIL % N_VOWEL;
        parts[2] = TAIL + tail;
        return tail == 0 ? 2 : 3;
    }
    const size_t width = COUNT(decompositions[0]);
    return mapped(find_row(decompositions[0], COUNT(decompositions), width, point), width, point, parts);
}

size_t hn_char_lower(uint32_t point, uint32_t parts[HN_CHAR_MOST_PARTS]) {
    const size_t width = COUNT(lower_cases[0]);
    return mapped(find_row(lower_cases[0], COUNT(lower_cases), width, point), width, point, parts);
}

unsigned hn_char_combining_class(uint32_t point) {
    return find_row(class_starts[0], COUNT(class_starts), 2, point)[1];
}

uint32_t hn_char_compose(uint32_t first, uint32_t second) {
    if (first - LEAD < N_LEAD && second - VOWEL < N_VOWEL) {
        return HANGUL + ((first - LEAD) * N_VOWEL + (second - VOWEL)) * N_TAIL;
    }
    if (first - HANGUL < N_SYLLABLES && (first - HANGUL) % N_TAIL == 0 && second - TAIL - 1 < N_TAIL - 1) {
        return first + (second - TAIL);
    }
    size_t row = (size_t)(find_row(compositions[0], COUNT(compositions), 3, first) - compositions[0]) / 3;
    for (; compositions[row][0] == first; row--) {
        if (compositions[row][1] == second) {
            return compositions[row][2];
        }
        if (row == 0) {
            break;
        }
    }
    return 0;
}

size_t hn_unicode_bad_length(const char *bytes, size_t n_bytes, bool *unfinished) {
    const unsigned char *at = (const unsigned char *)bytes;
    /* What the first byte promises; of the second, some values would make an overlong form or a surrogate. */
    const size_t promised = at[0] >= 0xc2 && at[0] < 0xe0   ? 2
                            : at[0] >= 0xe0 && at[0] < 0xf0 ? 3
                            : at[0] >= 0xf0 && at[0] < 0xf5 ? 4
                                                            : 1;
    size_t n = 1;
    while (n < promised && n < n_bytes) {
        unsigned char low = 0x80, high = 0xbf;
        if (n == 1) {
            low = at[0] == 0xe0 ? 0xa0 : at[0] == 0xf0 ? 0x90 : 0x80;
            high = at[0] == 0xed ? 0x9f : at[0] == 0xf4 ? 0x8f : 0xbf;
        }
        if (at[n] < low || at[n] > high) {
            break;
        }
        n++;
    }
    if (unfinished != NULL) {
        *unfinished = n < promised && n == n_bytes;
    }
    return n;
}

HnStatus hn_unicode_repair(const char *bytes, size_t n_bytes, HnText *out, HnError *err) {
    size_t at = 0;
    while (at < n_bytes) {
        size_t n_good = 0;
        if (hn_utf8_valid(bytes + at, n_bytes - at, &n_good)) {
            return hn_text_append(out, bytes + at, n_bytes - at, err);
        }
        HN_TRY(hn_text_append(out, bytes + at, n_good, err));
        HN_TRY(hn_text_puts(out, "\xEF\xBF\xBD", err));
        at += n_good;
        at += hn_unicode_bad_length(bytes + at, n_bytes - at, NULL);
    }
    return HN_OK;
}
