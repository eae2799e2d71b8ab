/* Added tokens: texts that a tokenizer's makers added to its vocabulary. Those that are not special are found in plain
 * text before anything else cuts it. Special ones are not: what looks like one in a user's text stays text, but it
 * hides what it covers from the others, as in the reference with special tokens split. */
#ifndef HN_LLM_TOKENIZER_ADDED_H
#define HN_LLM_TOKENIZER_ADDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct HnAddedToken {
    char *text;   /* its name; owned */
    char *wanted; /* what is looked for: the name, normalised where it is looked for in normalised text; owned */
    size_t n_text, n_wanted;
    uint32_t id;
    bool special;
    bool normalized; /* looked for in the normalised text, else in the text as given */
} HnAddedToken;

/* Zero-initialise; free with hn_added_free. */
typedef struct HnAddedTokens {
    HnAddedToken *tokens; /* once ready: longest first */
    size_t n, capacity;
    size_t n_plain[2];  /* not special ones: [normalized] */
    bool first[2][256]; /* first bytes: [normalized] */
} HnAddedTokens;

HnStatus hn_added_push(HnAddedTokens *added, const char *text, size_t n_text, uint32_t id, bool special,
                       bool normalized, HnError *err);
/* After the last one. */
void hn_added_ready(HnAddedTokens *added);
void hn_added_free(HnAddedTokens *added);
const HnAddedToken *hn_added_by_text(const HnAddedTokens *added, const char *text, size_t n_text);
/* The first token in text[at .. n_bytes) that is not special, and where it begins; NULL where there is none. The
 * leftmost wins, then the longest. */
const HnAddedToken *hn_added_find(const HnAddedTokens *added, bool normalized, const char *text, size_t n_bytes,
                                  size_t at, size_t *begin);

#endif
