/* Characters as the reference libraries see them: classes, decompositions, lower case. The tables are generated from
 * what the reference does with each code point (tests/peers/make_unicode_tables.py), so they have its Unicode versions.
 * All functions take well-formed UTF-8. */
#ifndef HN_LLM_TOKENIZER_UNICODE_H
#define HN_LLM_TOKENIZER_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

enum {
    HN_CHAR_LETTER = 1,       /* \p{L} of the reference's regular expressions */
    HN_CHAR_NUMBER = 2,       /* \p{N} */
    HN_CHAR_SPACE = 4,        /* \s, and white space to the BERT pre-tokenizer */
    HN_CHAR_CONTROL = 8,      /* BERT's text cleaning drops it */
    HN_CHAR_CJK = 16,         /* BERT sets it apart by spaces */
    HN_CHAR_PUNCTUATION = 32, /* to the BERT pre-tokenizer */
    HN_CHAR_MARK = 64,        /* dropped where accents are stripped */
    HN_CHAR_DECOMPOSES = 128, /* has a canonical decomposition */
    HN_CHAR_LOWERS = 256,     /* has another lower case */
    HN_CHAR_COMBINES = 512,   /* its combining class is not 0 */
    HN_CHAR_UNSTABLE = 1024   /* NFC may change it, or join it to what stands before */
};

enum { HN_CHAR_LAST = 0x10FFFF, HN_CHAR_MOST_PARTS = 4 };

/* Filled by hn_unicode_prepare, which hn_tokenizer_open calls; read-only from then on. */
extern uint8_t hn_char_kinds[HN_CHAR_LAST + 1];
extern uint16_t hn_char_kind_flags[256];

/* Fills the tables, once for the process; any thread may call it at any time. */
void hn_unicode_prepare(void);

static inline unsigned hn_char_flags(uint32_t point) {
    return hn_char_kind_flags[hn_char_kinds[point]];
}

/* The code point at text, and its bytes. */
static inline uint32_t hn_char_at(const char *text, size_t *n_bytes) {
    const unsigned char *bytes = (const unsigned char *)text;
    if (bytes[0] < 0x80) {
        *n_bytes = 1;
        return bytes[0];
    }
    if (bytes[0] < 0xe0) {
        *n_bytes = 2;
        return (uint32_t)(bytes[0] & 0x1f) << 6 | (bytes[1] & 0x3fu);
    }
    if (bytes[0] < 0xf0) {
        *n_bytes = 3;
        return (uint32_t)(bytes[0] & 0x0f) << 12 | (uint32_t)(bytes[1] & 0x3f) << 6 | (bytes[2] & 0x3fu);
    }
    *n_bytes = 4;
    return (uint32_t)(bytes[0] & 0x07) << 18 | (uint32_t)(bytes[1] & 0x3f) << 12 | (uint32_t)(bytes[2] & 0x3f) << 6 |
           (bytes[3] & 0x3fu);
}

/* Writes the UTF-8 of a code point; returns its bytes (1 to 4). */
size_t hn_char_put(uint32_t point, char out[4]);
/* The full canonical decomposition into parts; 1 and the point itself where it has none. */
size_t hn_char_decompose(uint32_t point, uint32_t parts[HN_CHAR_MOST_PARTS]);
/* The lower case; likewise. */
size_t hn_char_lower(uint32_t point, uint32_t parts[HN_CHAR_MOST_PARTS]);
/* 0 for what starts a new character; marks are put in ascending order of it. */
unsigned hn_char_combining_class(uint32_t point);
/* What first followed by second is composed to, or 0. */
uint32_t hn_char_compose(uint32_t first, uint32_t second);

/* True where NFC surely leaves the text as it is. */
bool hn_unicode_is_stable(const char *text, size_t n_bytes);
/* Appends the text in normalisation form C. */
HnStatus hn_unicode_nfc(const char *text, size_t n_bytes, HnText *out, HnError *err);
/* Appends any bytes as UTF-8: each maximal ill-formed part becomes one U+FFFD. */
HnStatus hn_unicode_repair(const char *bytes, size_t n_bytes, HnText *out, HnError *err);
/* Of bytes that begin with an ill-formed part: its length. Where bytes end inside what may still become a character,
 * *unfinished (may be NULL) becomes true. */
size_t hn_unicode_bad_length(const char *bytes, size_t n_bytes, bool *unfinished);

/* What BERT's normalizer does, each part as the tokenizer says. */
typedef struct HnBertText {
    bool clean; /* drop control characters, any white space becomes a space */
    bool cjk;   /* spaces around CJK characters */
    bool strip; /* decompose and drop accents */
    bool lower;
} HnBertText;
HnStatus hn_unicode_bert(HnBertText how, const char *text, size_t n_bytes, HnText *out, HnError *err);

#endif
