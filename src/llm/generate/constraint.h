/* What a model may write next, decided byte by byte, so that every tokenisation of an allowed text is allowed.
 *
 * The text of an answer is one JSON object with fixed keys in fixed order, each with a string: valid JSON and UTF-8
 * at its end whatever the logits say. White space: up to HN_MAX_BLANKS of space, tab and newline wherever JSON allows
 * it, none behind the closing brace, which ends the answer. Strings hold whatever JSON allows but \u0000; a string that
 * must not be empty begins with a character that is no blank. Names come out of a list (names.h).
 *
 * A token is allowed where its bytes lead somewhere from which the end can be reached within the tokens that are left.
 * Distances count tokens of this vocabulary. They are exact, but for the way to a name: before its quote is written,
 * the name reckoned with is None, which every user may be told.
 *
 * Lest the first string takes all, each string that is still to come is kept a share of what the budget holds beyond
 * the shortest answer: half of that, divided by the number of strings (hn_grammar_share). A name is not cut short for
 * it.
 */
#ifndef HN_LLM_GENERATE_CONSTRAINT_H
#define HN_LLM_GENERATE_CONSTRAINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "names.h"
#include "token_tree.h"

enum { HN_MAX_BLANKS = 8 };

typedef enum HnGrammarFieldKind { HN_FIELD_ANY, HN_FIELD_FILLED, HN_FIELD_NAME } HnGrammarFieldKind;

typedef struct HnGrammarField {
    const char *key;         /* printable ASCII without quote and backslash */
    HnGrammarFieldKind kind; /* any string; one that is not blank; a name */
} HnGrammarField;

typedef struct HnGrammar HnGrammar; /* it remembers masks: one thread at a time */

/* Where an answer stands. */
typedef struct HnGrammarState {
    uint32_t place;             /* of the object */
    uint32_t first, end, depth; /* inside a name: the names that begin so, and their shared bytes; else 0 */
} HnGrammarState;

/* tree and names are borrowed; names may be NULL where no field holds any. HN_UNSUPPORTED: the vocabulary lacks
 * bytes without which no answer can be written. */
HnStatus hn_grammar_create(const HnTokenTree *tree, const HnGrammarField *fields, size_t n_fields,
                           const HnItemNames *names, HnGrammar **grammar, HnError *err);
void hn_grammar_free(HnGrammar **grammar);
/* Tokens that the shortest answer takes; a smaller budget cannot be kept. */
uint32_t hn_grammar_least_budget(const HnGrammar *grammar);
uint64_t hn_grammar_bytes(const HnGrammar *grammar); /* memory held, without tree and names */

HnGrammarState hn_grammar_begin(const HnGrammar *grammar);
bool hn_grammar_at_end(const HnGrammar *grammar, const HnGrammarState *state);
/* Tokens that are kept for each string to come, of an answer with this budget. */
uint32_t hn_grammar_share(const HnGrammar *grammar, uint32_t budget);
/* The tokens allowed at state where n_left (1 or more) may still be written, the next one included, and of these share
 * (0: none) are kept for each string to come, as far as they are there: bit t % 64 of word
 * t / 64, of the vocabulary's n_tokens; valid until the next call. filter (may be NULL) leaves names out. There is
 * always one while n_left is at least the least budget at the beginning, and one less for each token since. */
const uint64_t *hn_grammar_mask(HnGrammar *grammar, const HnNameFilter *filter, const HnGrammarState *state,
                                uint32_t n_left, uint32_t share);
/* Moves state past a token; false, and state as before, where the token is not allowed there at all. */
bool hn_grammar_advance(const HnGrammar *grammar, const HnNameFilter *filter, HnGrammarState *state, uint32_t token);

#endif
