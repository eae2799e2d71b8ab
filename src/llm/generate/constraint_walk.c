#include "constraint_private.h"

static void set_tokens(const HnWalk *w, uint32_t node) {
    const HnTokenTree *v = w->grammar->tree;
    for (uint32_t i = v->first[node]; i < v->first[node + 1]; i++) {
        w->mask[v->tokens[i] / 64] |= UINT64_C(1) << (v->tokens[i] % 64);
    }
}

/* Tokens that end at node have led into the names first .. end-1. */
static void land_in_names(HnWalk *w, uint32_t node, uint32_t first, uint32_t end, uint32_t depth) {
    const HnTokenTree *v = w->grammar->tree;
    if (v->first[node] == v->first[node + 1]) {
        return;
    }
    if (!w->marks) {
        if (hn_item_names_reach(w->grammar, w->filter, first, end, depth, w->limit)) {
            set_tokens(w, node);
        }
        return;
    }
    for (uint32_t i = first; i < end; i++) {
        uint16_t distance = w->grammar->name_distance[hn_item_names_offset(w->grammar->names, i) + depth];
        w->best_name = distance < w->best_name ? distance : w->best_name;
    }
}

static void land_in_table(HnWalk *w, uint32_t node, uint16_t state) {
    const HnTokenTree *v = w->grammar->tree;
    if (v->first[node] == v->first[node + 1]) {
        return;
    }
    if (w->marks) {
        w->marks[state] = 1;
    } else if (w->grammar->distance[state] + (w->share ? w->share * hn_grammar_later(w->grammar, state) : 0) <=
               w->limit) {
        set_tokens(w, node);
    }
}

void hn_walk_table(HnWalk *w, uint32_t node, uint16_t state) {
    const HnTokenTree *v = w->grammar->tree;
    const HnAutomaton *a = &w->grammar->automaton;
    const uint32_t end = v->skip[node];
    w->states[v->depth[node]] = state;
    for (uint32_t n = node + 1; n < end;) {
        uint16_t next = a->next[w->states[v->depth[n] - 1]][v->byte[n]];
        if (next == HN_NO_STATE) {
            n = v->skip[n];
        } else if (next == a->gap) {
            w->saw_names = true;
            land_in_names(w, n, w->names_first, w->names_end, 0);
            hn_walk_names(w, n, w->names_first, w->names_end, 0);
            n = v->skip[n];
        } else {
            w->states[v->depth[n]] = next;
            land_in_table(w, n, next);
            n++;
        }
    }
}

/* As deep as a token is long. */
void hn_walk_names(HnWalk *w, uint32_t node, uint32_t first, uint32_t end, uint32_t depth) {
    const HnTokenTree *v = w->grammar->tree;
    const HnItemNames *names = w->grammar->names;
    if (v->skip[node] == node + 1) {
        return; /* no token goes on */
    }
    for (uint32_t next_end = 0; first < end; first = next_end) {
        uint32_t n_bytes = 0, same = 0;
        unsigned char byte = hn_item_names_entry(names, first, &n_bytes)[depth];
        hn_item_names_narrow(names, first, end, depth, byte, &same, &next_end);
        uint32_t child = hn_token_tree_child(v, node, byte);
        if (child == HN_NO_NODE || hn_name_filter_count(w->filter, first, next_end) == next_end - first) {
            continue;
        }
        if (depth + 1 == n_bytes) { /* its closing quote */
            land_in_table(w, child, w->grammar->automaton.behind_gap);
            hn_walk_table(w, child, w->grammar->automaton.behind_gap);
        } else {
            land_in_names(w, child, first, next_end, depth + 1);
            hn_walk_names(w, child, first, next_end, depth + 1);
        }
    }
}

bool hn_item_names_reach(const HnGrammar *g, const HnNameFilter *filter, uint32_t first, uint32_t end, uint32_t depth,
                         uint32_t limit) {
    uint32_t n_out = hn_name_filter_count(filter, first, end);
    if (n_out == end - first || (limit == HN_NO_LIMIT && g->all_near)) {
        return n_out < end - first;
    }
    for (uint32_t i = first; i < end; i++) {
        if (g->name_distance[hn_item_names_offset(g->names, i) + depth] <= limit &&
            (n_out == 0 || hn_name_filter_count(filter, i, i + 1) == 0)) {
            return true;
        }
    }
    return false;
}
