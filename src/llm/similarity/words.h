/* Words of a text, for counting: Unicode letters, marks and digits, folded (NFKC, case). Scripts that put no spaces
 * between words (Han, kana, Thai, Lao, Khmer, Burmese) fall back to overlapping pairs of characters.
 */
#ifndef HN_LLM_SIMILARITY_WORDS_H
#define HN_LLM_SIMILARITY_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

typedef struct HnWord {
    uint32_t begin, end; /* bytes of HnWords.folded */
    bool unspaced;       /* a pair of characters of a script without spaces */
    bool follows;        /* nothing but spaces stands between the word before and this one: the two form a phrase */
    uint64_t hash;       /* of the folded bytes */
} HnWord;

/* Zero-initialise; reuse for many texts; free with hn_words_free. */
typedef struct HnWords {
    HnText folded;
    HnWord *words; /* [n] */
    size_t n, capacity;
} HnWords;

/* Replaces the contents by the words of text. Bytes that are not UTF-8 separate words. */
HnStatus hn_words_split(HnWords *words, const char *text, size_t n_bytes, HnError *err);
void hn_words_free(HnWords *words);

/* The hash of the phrase "a b" from the hashes of its two words. */
uint64_t hn_words_phrase(uint64_t first, uint64_t second);

#endif
