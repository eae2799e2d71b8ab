/* Private to this folder: the JSON object of an answer as a table of byte transitions.
 *
 * States are numbered in the order of the text, so none leads to a lower number but inside one string. Where a field
 * holds names, the state behind its opening quote is a gap in the table: what comes there is not in it, and the text
 * goes on at the state behind the closing quote.
 */
#ifndef HN_LLM_GENERATE_AUTOMATON_H
#define HN_LLM_GENERATE_AUTOMATON_H

#include "constraint.h"

#define HN_NO_STATE UINT16_MAX

typedef struct HnAutomaton {
    uint16_t (*next)[256]; /* [n]: HN_NO_STATE where a byte is not allowed */
    uint16_t *begun;       /* [n]: strings that have begun at this state, names not counted */
    uint32_t n, capacity;
    uint16_t n_strings;
    uint16_t gap, behind_gap; /* HN_NO_STATE: no field holds names */
    uint16_t end;             /* the whole answer is written */
} HnAutomaton;

HnStatus hn_automaton_build(const HnGrammarField *fields, size_t n_fields, HnAutomaton *automaton, HnError *err);
void hn_automaton_free(HnAutomaton *automaton);

#endif
