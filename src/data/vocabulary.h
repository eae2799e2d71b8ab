/* The words of the synthetic world: nouns of a category, words of a flavour, and words that mean nothing. */
#ifndef HN_DATA_VOCABULARY_H
#define HN_DATA_VOCABULARY_H

#include <stdint.h>

enum { HN_WORDS_A_GROUP = 8, HN_WORD_BYTES = 24 };
typedef enum { HN_WORD_CATEGORY, HN_WORD_FLAVOUR, HN_WORD_COMMON } HnWordKind;

/* Word `index` (taken modulo 8; of the common ones modulo their number) of a group. English for the first groups,
 * pronounceable made-up words beyond them, different for every (kind, group, index). buffer backs made-up words. */
const char *hn_vocabulary_word(HnWordKind kind, uint32_t group, uint32_t index, char buffer[HN_WORD_BYTES]);
/* A category's name ("lamps"). */
const char *hn_vocabulary_category(uint32_t category, char buffer[HN_WORD_BYTES]);

#endif
