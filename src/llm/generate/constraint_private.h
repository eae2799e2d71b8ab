/* Private to this folder: what a grammar holds, and the walk of vocabulary and grammar side by side. */
#ifndef HN_LLM_GENERATE_CONSTRAINT_PRIVATE_H
#define HN_LLM_GENERATE_CONSTRAINT_PRIVATE_H

#include "automaton.h"
#include "constraint.h"

#define HN_FAR UINT16_MAX            /* no token leads from there to the end */
#define HN_NO_LIMIT (UINT16_MAX - 1) /* more tokens are left than any way to the end takes */
enum { HN_MASKS = 256 };             /* remembered masks */

typedef struct HnMaskKey {
    HnGrammarState state;
    uint32_t limit; /* tokens left behind the next one, or HN_NO_LIMIT; 0 in an empty place */
    uint32_t share; /* of them, for each string to come */
    bool filled;
} HnMaskKey;

struct HnGrammar {
    const HnTokenTree *tree;
    const HnItemNames *names;
    HnAutomaton automaton;
    uint16_t *distance;               /* [automaton.n]: tokens from a state to the end */
    uint16_t *name_distance;          /* by a name's offset and the bytes of it that are written */
    bool all_near;                    /* no name is HN_FAR anywhere */
    uint16_t longest, longest_behind; /* distance that is not HN_FAR: of all; of states behind the names */
    uint32_t n_words;                 /* of a mask */
    HnMaskKey keys[HN_MASKS];
    uint64_t *masks;   /* [HN_MASKS][n_words] */
    uint64_t *scratch; /* [n_words] */
    uint64_t n_bytes;
};

/* One walk from a state over all tokens. With marks: notes where they lead to; else sets the bits of those that lead
 * no further than limit from the end. */
typedef struct HnWalk {
    const HnGrammar *grammar;
    const HnNameFilter *filter;
    uint32_t limit, share;
    uint64_t *mask;
    unsigned char *marks;            /* [automaton.n] */
    uint16_t best_name;              /* with marks: the least distance of a place inside a name that was reached */
    uint32_t names_first, names_end; /* names that the gap may hold */
    bool saw_names;
    uint16_t states[HN_TOKEN_LONGEST + 1]; /* of each depth of the tree */
} HnWalk;

/* Strings that begin behind a state; before names none are counted. */
uint32_t hn_grammar_later(const HnGrammar *grammar, uint32_t place);
/* The tokens below `node` (the vocabulary's), whose bytes so far led to this state of the table, or into this name. */
void hn_walk_table(HnWalk *walk, uint32_t node, uint16_t state);
void hn_walk_names(HnWalk *walk, uint32_t node, uint32_t first, uint32_t end, uint32_t depth);
/* Whether a name out of first .. end-1 may be written to the end from its byte `depth` on within limit tokens. */
bool hn_item_names_reach(const HnGrammar *grammar, const HnNameFilter *filter, uint32_t first, uint32_t end,
                         uint32_t depth, uint32_t limit);

/* constraint_distance.c: fills distance and name_distance. */
HnStatus hn_grammar_measure(HnGrammar *grammar, HnError *err);

#endif
