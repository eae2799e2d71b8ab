/* Small vocabularies for tests of generation: what tokenizers do to an answer, in a few hundred tokens. */
#ifndef HN_TEST_VOCABULARIES_H
#define HN_TEST_VOCABULARIES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "base/text.h"
#include "llm/generate/constraint.h"

typedef enum VocabularyKind {
    VOCABULARY_BYTES,  /* one token a byte, two of them special */
    VOCABULARY_MERGES, /* all pairs and some triples of the bytes that answers are made of, too; parts of characters */
    VOCABULARY_PIECES, /* bytes as a fallback, words with their leading space, tokens across quotes and commas */
    VOCABULARY_NARROW, /* no single quote and no single comma: only pieces hold them */
    N_VOCABULARIES
} VocabularyKind;

enum { VOCABULARY_EOS = 1 };

void vocabulary_make(VocabularyKind kind, HnTokenTree **vocabulary);

/* The fields of the contracts. */
extern const HnGrammarField PROFILE_FIELDS[2], NEGATIVE_FIELDS[2];

bool mask_has(const uint64_t *mask, uint32_t token);
/* Tokens at random among those allowed, to the end of an answer of at most budget tokens; *text becomes its bytes. */
void grammar_walk(HnGrammar *grammar, const HnTokenTree *tree, const HnNameFilter *filter, uint32_t budget, HnRng *rng,
                  HnText *text);

#endif
