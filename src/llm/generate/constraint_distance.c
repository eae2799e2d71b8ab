/* How many tokens the end is away, from every state and from every byte of every name. */
#include <string.h>

#include "base/alloc.h"
#include "constraint_private.h"

/* For each state where one token leads: edges [n][n], and through the names no closer than best_name [n]. */
typedef struct Edges {
    unsigned char *to;
    uint16_t *best_name;
} Edges;

static uint16_t one_more(uint16_t distance) {
    return distance >= HN_NO_LIMIT - 1 ? HN_FAR : (uint16_t)(distance + 1);
}

static void find_edges(HnWalk *w, uint32_t begin, uint32_t end, Edges *edges) {
    uint32_t n = w->grammar->automaton.n;
    for (uint32_t s = begin; s < end; s++) {
        w->marks = edges->to + (size_t)s * n;
        w->best_name = HN_FAR;
        hn_walk_table(w, 0, (uint16_t)s);
        edges->best_name[s] = w->best_name;
    }
}

/* Shortest ways among the states begin .. end-1; those behind are known. */
static void shorten(HnGrammar *g, uint32_t begin, uint32_t end, const Edges *edges) {
    uint32_t n = g->automaton.n;
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t s = end; s-- > begin;) {
            uint16_t best = edges->best_name[s];
            for (uint32_t to = 0; to < n; to++) {
                if (edges->to[(size_t)s * n + to] && g->distance[to] < best) {
                    best = g->distance[to];
                }
            }
            if (one_more(best) < g->distance[s]) {
                g->distance[s] = one_more(best);
                changed = true;
            }
        }
    }
}

/* The nearest of the places that tokens of node's subtree lead to, node being a name's closing quote. */
static uint16_t behind_quote(HnWalk *w, uint32_t node) {
    const HnGrammar *g = w->grammar;
    const HnTokenTree *v = g->tree;
    uint16_t best = HN_FAR;
    memset(w->marks, 0, g->automaton.n);
    hn_walk_table(w, node, g->automaton.behind_gap);
    w->marks[g->automaton.behind_gap] = v->first[node] < v->first[node + 1];
    for (uint32_t s = 0; s < g->automaton.n; s++) {
        if (w->marks[s] && g->distance[s] < best) {
            best = g->distance[s];
        }
    }
    return best;
}

/* known [n_nodes]: what behind_quote gave, plus one; 0: not asked yet. */
static void measure_name(HnGrammar *g, HnWalk *w, uint32_t index, uint32_t *known) {
    const HnTokenTree *v = g->tree;
    uint32_t n_bytes = 0;
    const unsigned char *bytes = hn_item_names_entry(g->names, index, &n_bytes);
    uint16_t *distance = g->name_distance + hn_item_names_offset(g->names, index);
    for (uint32_t from = n_bytes; from-- > 0;) {
        uint16_t best = HN_FAR;
        uint32_t node = 0, at = from;
        for (; at < n_bytes && (node = hn_token_tree_child(v, node, bytes[at])) != HN_NO_NODE; at++) {
            uint16_t then = HN_FAR;
            if (at + 1 == n_bytes) {
                known[node] = known[node] ? known[node] : behind_quote(w, node) + 1U;
                then = (uint16_t)(known[node] - 1);
            } else if (v->first[node] < v->first[node + 1]) {
                then = distance[at + 1];
            }
            best = then < best ? then : best;
        }
        distance[from] = one_more(best);
    }
}

static HnStatus measure_names(HnGrammar *g, HnWalk *w, unsigned char *marks, HnError *err) {
    uint32_t n = hn_item_names_count(g->names), n_bytes = 0;
    hn_item_names_entry(g->names, n - 1, &n_bytes);
    uint64_t total = hn_item_names_offset(g->names, n - 1) + n_bytes;
    uint32_t *known = hn_alloc(g->tree->n_nodes, sizeof *known, "ways behind a name", err);
    g->name_distance = known ? hn_alloc(total, sizeof *g->name_distance, "lengths of names in tokens", err) : NULL;
    if (g->name_distance) {
        w->marks = marks;
        for (uint32_t i = 0; i < n; i++) {
            measure_name(g, w, i, known);
        }
        g->n_bytes += total * sizeof *g->name_distance;
        g->all_near = true;
        for (uint64_t i = 0; i < total; i++) {
            g->all_near = g->all_near && g->name_distance[i] != HN_FAR;
            if (g->name_distance[i] != HN_FAR && g->name_distance[i] > g->longest) {
                g->longest = g->name_distance[i];
            }
        }
    }
    hn_free(known);
    return g->name_distance ? HN_OK : HN_MEMORY;
}

static uint16_t longest_of(const HnGrammar *g, uint32_t begin) {
    uint16_t longest = 0;
    for (uint32_t s = begin; s < g->automaton.n; s++) {
        if (g->distance[s] != HN_FAR && g->distance[s] > longest) {
            longest = g->distance[s];
        }
    }
    return longest;
}

static HnStatus measure(HnGrammar *g, HnWalk *w, Edges *edges, HnError *err) {
    const HnAutomaton *a = &g->automaton;
    uint32_t behind = a->gap == HN_NO_STATE ? 0 : a->gap + 1U;
    memset(g->distance, 0xff, a->n * sizeof *g->distance);
    memset(edges->best_name, 0xff, a->n * sizeof *edges->best_name);
    g->distance[a->end] = 0;
    find_edges(w, behind, a->n, edges);
    shorten(g, behind, a->n, edges);
    g->longest = g->longest_behind = longest_of(g, behind);
    if (behind > 0) {
        /* The row of the gap itself is free: nothing in the table leads on from there. */
        HN_TRY(measure_names(g, w, edges->to + (size_t)a->gap * a->n, err));
        memset(edges->to + (size_t)a->gap * a->n, 0, a->n);
        w->names_first = hn_item_names_none(g->names);
        w->names_end = w->names_first + 1;
        g->distance[a->gap] = g->name_distance[hn_item_names_offset(g->names, w->names_first)];
        find_edges(w, 0, a->gap, edges);
        shorten(g, 0, a->gap, edges);
        uint16_t longest = longest_of(g, 0);
        g->longest = longest > g->longest ? longest : g->longest;
    }
    return HN_OK;
}

HnStatus hn_grammar_measure(HnGrammar *g, HnError *err) {
    size_t n = g->automaton.n;
    HnWalk *w = hn_alloc(1, sizeof *w, "walk of a grammar", err);
    Edges edges = {0};
    edges.to = w ? hn_alloc(n * n, 1, "ways between states", err) : NULL;
    edges.best_name = edges.to ? hn_alloc(n, sizeof *edges.best_name, "ways between states", err) : NULL;
    g->distance = edges.best_name ? hn_alloc(n, sizeof *g->distance, "distances of states", err) : NULL;
    HnStatus status = HN_MEMORY;
    if (g->distance) {
        w->grammar = g;
        g->n_bytes += n * sizeof *g->distance;
        status = measure(g, w, &edges, err);
    }
    hn_free(edges.best_name);
    hn_free(edges.to);
    hn_free(w);
    return status;
}
