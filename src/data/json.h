/* JSON lines, validated in full and read without building a tree: only the wanted keys of the top-level object are
 * remembered, as slices of the line. (A 30 GB dump is 10^8 such lines; jansson's tree costs several times the parse.)
 *
 * Besides RFC 8259 there is one dialect: the Python literals of the 2014 Amazon metadata ({'asin': 'B0', "title":
 * "it's", 'x': None}), read only in lines that begin with {' or {u'. In JSON proper, NaN, single quotes, trailing
 * commas and lone surrogates are errors.
 */
#ifndef HN_DATA_JSON_H
#define HN_DATA_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

enum { HN_WHY_BYTES = 192, HN_JSON_DEPTH = 64 };

typedef enum HnJsonKind {
    HN_JSON_ABSENT,
    HN_JSON_NULL,
    HN_JSON_BOOL,
    HN_JSON_NUMBER,
    HN_JSON_STRING,
    HN_JSON_ARRAY,
    HN_JSON_OBJECT
} HnJsonKind;

typedef struct HnJsonValue { /* points into the line */
    HnJsonKind kind;
    const char *text; /* a string's inside; else the whole token, brackets included */
    size_t n_bytes;
    bool escaped; /* the string holds escapes: decode it */
    bool python;
} HnJsonValue;

/* Reads one NUL-terminated, valid UTF-8 line. values[k] is the value of keys[k], HN_JSON_ABSENT without one; a wanted
 * key that occurs twice is an error. false: why says what is wrong, with its column. */
bool hn_json_line(const char *line, size_t n_bytes, const char *const *keys, size_t n_keys, HnJsonValue *values,
                  char why[HN_WHY_BYTES]);

/* The members of an array or object found by hn_json_line: begin with at = 0. key may be NULL; it is HN_JSON_ABSENT in
 * an array. false: no more. */
bool hn_json_next(const HnJsonValue *container, size_t *at, HnJsonValue *key, HnJsonValue *value);

/* Appends a string's decoded bytes; of other scalars the token itself. */
HnStatus hn_json_decode(const HnJsonValue *value, HnText *out, HnError *err);

/* A finite number; false for other kinds. */
bool hn_json_double(const HnJsonValue *value, double *number);
bool hn_json_i64(const HnJsonValue *value, int64_t *number);

#endif
