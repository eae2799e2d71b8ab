/* Strings: a growing buffer with a maximum, UTF-8, small parsers that say why they refuse. */
#ifndef HN_BASE_TEXT_H
#define HN_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* A growing byte string; always NUL-terminated; never grows past max_bytes. Zero-initialise, set max_bytes (0 = 64
 * MiB). */
typedef struct HnText {
    char *data; /* NULL while empty and never appended to */
    size_t length;
    size_t capacity;
    size_t max_bytes;
} HnText;

HnStatus hn_text_append(HnText *text, const char *bytes, size_t n_bytes, HnError *err);
HnStatus hn_text_puts(HnText *text, const char *string, HnError *err);
HnStatus hn_text_printf(HnText *text, HnError *err, const char *format, ...) HN_PRINTF(3, 4);
const char *hn_text_get(const HnText *text);   /* "" when empty, never NULL */
void hn_text_clear(HnText *text);              /* keeps the memory */
void hn_text_cut(HnText *text, size_t length); /* keeps the first bytes, at most those that it has */
void hn_text_free(HnText *text);

/* True where all n_bytes are well-formed UTF-8 (no surrogates, no overlong forms); else *bad_offset is set (may be
 * NULL). */
bool hn_utf8_valid(const char *bytes, size_t n_bytes, size_t *bad_offset);
/* The largest prefix of at most max_bytes that does not cut a code point. */
size_t hn_utf8_prefix(const char *bytes, size_t n_bytes, size_t max_bytes);
/* Folds for comparison: Unicode NFKC case folding, whitespace runs to one space, trimmed. Appends to *out. */
HnStatus hn_utf8_fold(const char *bytes, size_t n_bytes, HnText *out, HnError *err);

/* Whole-string numbers, no locale: false unless all of text is one number in range (NaN and infinities refused). */
bool hn_parse_i64(const char *text, int64_t *value);
bool hn_parse_u64(const char *text, uint64_t *value);
bool hn_parse_double(const char *text, double *value);
/* "12.5" to bytes: above 0, at most a million. */
bool hn_parse_gigabytes(const char *text, uint64_t *n_bytes);
/* YYYY-MM-DD[( |T)HH:MM:SS[Z]] to seconds since 1970-01-01 UTC; false if it is no date. */
bool hn_parse_date(const char *text, int64_t *unix_seconds);

/* The candidate nearest to word by edit distance, or NULL where none is near (for "did you mean"). */
const char *hn_nearest_word(const char *word, const char *const *candidates, size_t n_candidates);

/* 1234567 as "1,234,567"; 1536 as "1.5 KiB"; 93.5 s as "1:34". Return buffer. */
const char *hn_format_count(uint64_t value, char *buffer, size_t n_bytes);
const char *hn_format_bytes(double n_bytes_value, char *buffer, size_t n_bytes);
const char *hn_format_duration(double seconds, char *buffer, size_t n_bytes);

#endif
