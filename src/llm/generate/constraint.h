/* What a model may write next, decided byte by byte, so that every tokenisation of an allowed text is allowed.
 *
 * A grammar is an automaton over bytes; a token is allowed in a state where its bytes lead somewhere from which the end
 * can be reached within the tokens that are left.
 */
#ifndef HN_LLM_GENERATE_CONSTRAINT_H
#define HN_LLM_GENERATE_CONSTRAINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "llm/tokenizer/tokenizer.h"

typedef struct HnGrammar HnGrammar; /* shared, read-only */

#endif
