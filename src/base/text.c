#include "base/text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

#define DEFAULT_MAX_BYTES ((size_t)64 << 20)

/* Room for n_more bytes and the NUL. */
static HnStatus reserve(HnText *text, size_t n_more, HnError *err) {
    size_t max_bytes = text->max_bytes == 0 ? DEFAULT_MAX_BYTES : text->max_bytes;
    if (n_more > max_bytes || text->length > max_bytes - n_more) {
        return hn_fail(err, HN_RANGE, "a text of %zu + %zu bytes is over its limit of %zu bytes", text->length, n_more,
                       max_bytes);
    }
    size_t needed = text->length + n_more + 1;
    if (needed <= text->capacity) {
        return HN_OK;
    }
    size_t capacity = text->capacity < 64 ? 64 : text->capacity;
    while (capacity < needed) {
        capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
    }
    HN_TRY(hn_resize(&text->data, text->length, capacity, 1, "a text buffer", err));
    text->capacity = capacity;
    return HN_OK;
}

HnStatus hn_text_append(HnText *text, const char *bytes, size_t n_bytes, HnError *err) {
    HN_TRY(reserve(text, n_bytes, err));
    if (n_bytes > 0) {
        memcpy(text->data + text->length, bytes, n_bytes);
    }
    text->length += n_bytes;
    text->data[text->length] = '\0';
    return HN_OK;
}

HnStatus hn_text_puts(HnText *text, const char *string, HnError *err) {
    return hn_text_append(text, string, strlen(string), err);
}

HnStatus hn_text_printf(HnText *text, HnError *err, const char *format, ...) {
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    HnStatus status = length < 0 ? hn_fail(err, HN_INTERNAL, "a text cannot be formatted as \"%s\"", format)
                                 : reserve(text, (size_t)length, err);
    if (status == HN_OK) {
        (void)vsnprintf(text->data + text->length, (size_t)length + 1, format, again);
        text->length += (size_t)length;
    }
    va_end(again);
    return status;
}

const char *hn_text_get(const HnText *text) {
    return text->data == NULL ? "" : text->data;
}

void hn_text_cut(HnText *text, size_t length) {
    if (length <= text->length && text->data != NULL) {
        text->length = length;
        text->data[length] = '\0';
    }
}

void hn_text_clear(HnText *text) {
    hn_text_cut(text, 0);
}

void hn_text_free(HnText *text) {
    hn_free(text->data);
    text->data = NULL;
    text->length = 0;
    text->capacity = 0;
}

#define MAX_WORD 63u /* longer words are compared by their beginnings: keys and options are short */

/* Damerau-Levenshtein with adjacent swaps (optimal string alignment); '-' and '_' count as equal. */
static size_t edit_distance(const char *a, const char *b) {
    size_t rows[3][MAX_WORD + 1];
    size_t n_a = strlen(a) < MAX_WORD ? strlen(a) : MAX_WORD;
    size_t n_b = strlen(b) < MAX_WORD ? strlen(b) : MAX_WORD;
    for (size_t j = 0; j <= n_b; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= n_a; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i - 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= n_b; j++) {
            char x = a[i - 1] == '-' ? '_' : a[i - 1];
            char y = b[j - 1] == '-' ? '_' : b[j - 1];
            size_t best = above[j - 1] + (x == y ? 0 : 1);
            best = above[j] + 1 < best ? above[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && rows[(i - 2) % 3][j - 2] + 1 < best) {
                best = rows[(i - 2) % 3][j - 2] + 1;
            }
            row[j] = best;
        }
    }
    return rows[n_a % 3][n_b];
}

const char *hn_nearest_word(const char *word, const char *const *candidates, size_t n_candidates) {
    const char *nearest = NULL;
    size_t best = strlen(word) / 3 + 1; /* further than that is another word, not a slip */
    for (size_t i = 0; i < n_candidates; i++) {
        size_t distance = edit_distance(word, candidates[i]);
        if (distance < best || (distance == best && nearest == NULL)) {
            best = distance;
            nearest = candidates[i];
        }
    }
    return nearest;
}

const char *hn_format_count(uint64_t value, char *buffer, size_t n_bytes) {
    char reversed[32];
    size_t length = 0;
    int digits = 0;
    do {
        if (digits == 3) {
            reversed[length++] = ',';
            digits = 0;
        }
        reversed[length++] = (char)('0' + value % 10);
        digits++;
        value /= 10;
    } while (value != 0);
    size_t written = 0;
    while (length > 0 && written + 1 < n_bytes) {
        buffer[written++] = reversed[--length];
    }
    if (n_bytes > 0) {
        buffer[written] = '\0';
    }
    return buffer;
}

const char *hn_format_bytes(double n_bytes_value, char *buffer, size_t n_bytes) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    size_t unit = 0;
    while (fabs(n_bytes_value) >= 1024.0 && unit + 1 < sizeof units / sizeof *units) {
        n_bytes_value /= 1024.0;
        unit++;
    }
    (void)snprintf(buffer, n_bytes, unit == 0 ? "%.0f %s" : "%.1f %s", n_bytes_value, units[unit]);
    return buffer;
}

const char *hn_format_duration(double seconds, char *buffer, size_t n_bytes) {
    if (!(seconds >= 0.0) || seconds > 1e12) {
        (void)snprintf(buffer, n_bytes, "--:--");
        return buffer;
    }
    if (seconds < 10.0) {
        (void)snprintf(buffer, n_bytes, "%.1f s", seconds);
        return buffer;
    }
    long long whole = (long long)(seconds + 0.5);
    long long hours = whole / 3600;
    if (hours > 0) {
        (void)snprintf(buffer, n_bytes, "%lld:%02lld:%02lld", hours, whole / 60 % 60, whole % 60);
    } else {
        (void)snprintf(buffer, n_bytes, "%lld:%02lld", whole / 60, whole % 60);
    }
    return buffer;
}
