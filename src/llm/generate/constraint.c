#include <string.h>

#include "base/alloc.h"
#include "base/mix.h"
#include "constraint_private.h"

enum { LARGE = 64 /* names: the mask of fewer is found faster than it is looked up and patched */ };

HnStatus hn_grammar_create(const HnTokenTree *tree, const HnGrammarField *fields, size_t n_fields,
                           const HnItemNames *names, HnGrammar **grammar, HnError *err) {
    *grammar = NULL;
    HnGrammar *g = hn_alloc(1, sizeof *g, "grammar", err);
    if (!g) {
        return HN_MEMORY;
    }
    g->tree = tree;
    g->names = names;
    g->n_words = (tree->n_tokens + 63) / 64;
    HnStatus status = hn_automaton_build(fields, n_fields, &g->automaton, err);
    if (status == HN_OK && g->automaton.gap != HN_NO_STATE && !names) {
        status = hn_fail(err, HN_RANGE, "a field of the answer holds names, and there are none");
    }
    status = status == HN_OK ? hn_grammar_measure(g, err) : status;
    if (status == HN_OK && g->distance[0] == HN_FAR) {
        status = hn_fail(err, HN_UNSUPPORTED,
                         "the tokens of this vocabulary cannot spell an answer with the key \"%s\": constrained "
                         "decoding needs another tokenizer, or must be off",
                         fields[0].key);
    }
    if (status == HN_OK) {
        g->masks = hn_alloc((size_t)HN_MASKS * g->n_words, sizeof *g->masks, "masks of tokens", err);
        g->scratch = g->masks ? hn_alloc(g->n_words, sizeof *g->scratch, "mask of tokens", err) : NULL;
        status = g->scratch ? HN_OK : HN_MEMORY;
        g->n_bytes += sizeof *g + g->automaton.capacity * sizeof *g->automaton.next +
                      (uint64_t)(HN_MASKS + 1) * g->n_words * sizeof *g->masks;
    }
    if (status != HN_OK) {
        hn_grammar_free(&g);
    }
    *grammar = g;
    return status;
}

void hn_grammar_free(HnGrammar **grammar) {
    HnGrammar *g = *grammar;
    if (g) {
        hn_free(g->scratch);
        hn_free(g->masks);
        hn_free(g->name_distance);
        hn_free(g->distance);
        hn_automaton_free(&g->automaton);
        hn_free(g);
        *grammar = NULL;
    }
}

uint32_t hn_grammar_least_budget(const HnGrammar *g) {
    return g->distance[0];
}

uint32_t hn_grammar_later(const HnGrammar *g, uint32_t place) {
    const HnAutomaton *a = &g->automaton;
    return a->gap != HN_NO_STATE && place <= a->gap ? 0 : (uint32_t)(a->n_strings - a->begun[place]);
}

uint32_t hn_grammar_share(const HnGrammar *g, uint32_t budget) {
    const uint32_t least = hn_grammar_least_budget(g);
    return budget > least && g->automaton.n_strings > 1 ? (budget - least) / (2U * g->automaton.n_strings) : 0;
}

uint64_t hn_grammar_bytes(const HnGrammar *g) {
    return g->n_bytes;
}

static HnGrammarState enter_names(const HnGrammar *g) {
    return (HnGrammarState){.place = g->automaton.gap, .end = hn_item_names_count(g->names)};
}

HnGrammarState hn_grammar_begin(const HnGrammar *g) {
    (void)g;
    return (HnGrammarState){0};
}

bool hn_grammar_at_end(const HnGrammar *g, const HnGrammarState *state) {
    return state->place == g->automaton.end;
}

/* One byte inside a name. */
static bool step_name(const HnGrammar *g, const HnNameFilter *filter, HnGrammarState *state, unsigned char byte) {
    uint32_t n_bytes = 0;
    hn_item_names_narrow(g->names, state->first, state->end, state->depth, byte, &state->first, &state->end);
    if (state->first == state->end ||
        hn_name_filter_count(filter, state->first, state->end) == state->end - state->first) {
        return false;
    }
    state->depth++;
    hn_item_names_entry(g->names, state->first, &n_bytes);
    if (state->depth == n_bytes) {
        *state = (HnGrammarState){.place = g->automaton.behind_gap};
    }
    return true;
}

bool hn_grammar_advance(const HnGrammar *g, const HnNameFilter *filter, HnGrammarState *state, uint32_t token) {
    size_t n_bytes = 0;
    const char *bytes = hn_token_tree_bytes(g->tree, token, &n_bytes);
    HnGrammarState now = *state;
    for (size_t i = 0; i < n_bytes; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (now.place == g->automaton.gap) {
            if (!step_name(g, filter, &now, byte)) {
                return false;
            }
            continue;
        }
        uint16_t next = g->automaton.next[now.place][byte];
        if (next == HN_NO_STATE) {
            return false;
        }
        now = next == g->automaton.gap ? enter_names(g) : (HnGrammarState){.place = next};
    }
    *state = now;
    return n_bytes > 0;
}

/* Whether the walk looked at names, so that the mask depends on the user. */
static bool walk_from(const HnGrammar *g, const HnNameFilter *filter, const HnGrammarState *state, uint32_t limit,
                      uint32_t share, uint64_t *mask) {
    HnWalk w = {.grammar = g, .filter = filter, .limit = limit, .share = share, .mask = mask};
    w.names_end = g->names ? hn_item_names_count(g->names) : 0;
    memset(mask, 0, g->n_words * sizeof *mask);
    if (state->place == g->automaton.gap) {
        hn_walk_names(&w, 0, state->first, state->end, state->depth);
        return true;
    }
    hn_walk_table(&w, 0, (uint16_t)state->place);
    return w.saw_names;
}

static void clear(const HnTokenTree *v, uint32_t begin, uint32_t end, uint64_t *mask) {
    for (uint32_t i = begin; i < end; i++) {
        mask[v->tokens[i] / 64] &= ~(UINT64_C(1) << (v->tokens[i] % 64));
    }
}

/* Takes the tokens out of mask that lead only to names which filter leaves out, or to others too far from the end:
 * along each of those left out from `state` on. */
static void take_out(const HnGrammar *g, const HnNameFilter *filter, const HnGrammarState *state, uint32_t limit,
                     uint64_t *mask) {
    const HnTokenTree *v = g->tree;
    for (size_t i = 0; i < filter->n; i++) {
        uint32_t name = (uint32_t)filter->out[i], first = state->first, end = state->end, node = 0, n_bytes = 0;
        if (name < first || name >= end) {
            continue;
        }
        const unsigned char *bytes = hn_item_names_entry(g->names, name, &n_bytes);
        for (uint32_t at = state->depth; at < n_bytes; at++) {
            node = hn_token_tree_child(v, node, bytes[at]);
            if (node == HN_NO_NODE) {
                break;
            }
            hn_item_names_narrow(g->names, first, end, at, bytes[at], &first, &end);
            if (hn_name_filter_count(filter, first, end) == end - first) {
                clear(v, v->first[node], v->first[v->skip[node]], mask);
                break;
            }
            uint32_t begin = v->first[node], behind = v->first[node + 1];
            bool allowed = begin < behind && (mask[v->tokens[begin] / 64] >> (v->tokens[begin] % 64) & 1);
            if (allowed && !hn_item_names_reach(g, filter, first, end, at + 1, limit)) {
                clear(v, begin, behind, mask); /* a longer token may still get somewhere */
            }
        }
    }
}

/* The place of a remembered mask, filled or to be filled. */
static uint32_t place_of(const HnGrammarState *state, uint32_t limit, uint32_t share) {
    uint64_t hash = hn_mix64((uint64_t)state->place << 32 | limit) ^ share;
    hash = hn_mix64(hash ^ ((uint64_t)state->first << 32 | state->end));
    return (uint32_t)hn_mix64(hash ^ state->depth) % HN_MASKS;
}

static bool same_key(const HnMaskKey *key, const HnGrammarState *state, uint32_t limit, uint32_t share) {
    return key->filled && key->limit == limit && key->share == share && key->state.place == state->place &&
           key->state.first == state->first && key->state.end == state->end && key->state.depth == state->depth;
}

const uint64_t *hn_grammar_mask(HnGrammar *g, const HnNameFilter *filter, const HnGrammarState *state, uint32_t n_left,
                                uint32_t share) {
    bool in_name = state->place == g->automaton.gap;
    bool behind = g->automaton.gap == HN_NO_STATE || state->place > g->automaton.gap;
    uint32_t longest = behind ? g->longest_behind : g->longest;
    uint32_t later = hn_grammar_later(g, state->place), own = g->distance[state->place];
    uint32_t most = later > 0 && n_left > own ? (n_left - own) / later : 0; /* what there is */
    share = share < most ? share : most;
    uint32_t limit = n_left - 1;
    if (n_left > longest + share * later) {
        limit = HN_NO_LIMIT;
        share = 0;
    }
    if (in_name && state->end - state->first < LARGE) {
        walk_from(g, filter, state, limit, share, g->scratch);
        return g->scratch;
    }
    uint32_t place = place_of(state, limit, share);
    uint64_t *mask = g->masks + (size_t)place * g->n_words;
    if (!same_key(&g->keys[place], state, limit, share)) {
        bool depends = walk_from(g, in_name ? NULL : filter, state, limit, share, mask);
        g->keys[place] = (HnMaskKey){.state = *state, .limit = limit, .share = share, .filled = in_name || !depends};
    }
    if (!in_name || hn_name_filter_count(filter, state->first, state->end) == 0) {
        return mask;
    }
    memcpy(g->scratch, mask, g->n_words * sizeof *mask);
    take_out(g, filter, state, limit, g->scratch);
    return g->scratch;
}
