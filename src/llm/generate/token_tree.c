#include "token_tree.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/mix.h"

typedef struct Sorted {
    const unsigned char *bytes;
    uint32_t n_bytes, id;
} Sorted;

static int by_bytes(const void *a, const void *b) {
    const Sorted *x = a, *y = b;
    size_t both = x->n_bytes < y->n_bytes ? x->n_bytes : y->n_bytes;
    int order = memcmp(x->bytes, y->bytes, both);
    if (order == 0) {
        order = (x->n_bytes > y->n_bytes) - (x->n_bytes < y->n_bytes);
    }
    return order ? order : (x->id > y->id) - (x->id < y->id);
}

static uint32_t shared_bytes(const Sorted *x, const Sorted *y) {
    uint32_t n = 0, both = x->n_bytes < y->n_bytes ? x->n_bytes : y->n_bytes;
    while (n < both && x->bytes[n] == y->bytes[n]) {
        n++;
    }
    return n;
}

static uint32_t slot_of(const HnTokenTree *v, uint32_t parent, unsigned char byte) {
    return (uint32_t)hn_mix64((uint64_t)parent << 8 | byte) & v->slot_mask;
}

uint32_t hn_token_tree_child(const HnTokenTree *v, uint32_t node, unsigned char byte) {
    for (uint32_t slot = slot_of(v, node, byte);; slot = (slot + 1) & v->slot_mask) {
        uint32_t child = v->slots[slot];
        if (child == HN_NO_NODE || (v->parents[child] == node && v->byte[child] == byte)) {
            return child;
        }
    }
}

/* Copies the bytes and lists the tokens that have any, by their bytes. */
static HnStatus take_bytes(HnTokenTree *v, const char *const *bytes, const size_t *n_bytes, Sorted **sorted, size_t *n,
                           HnError *err) {
    uint64_t total = 0;
    v->offsets = hn_alloc((size_t)v->n_tokens + 1, sizeof *v->offsets, "places of the tokens' bytes", err);
    if (!v->offsets) {
        return HN_MEMORY;
    }
    for (uint32_t id = 0; id < v->n_tokens; id++) {
        total += bytes[id] ? n_bytes[id] : 0;
        v->offsets[id + 1] = total;
    }
    v->text = hn_alloc(total, 1, "bytes of the tokens", err);
    *sorted = v->text ? hn_alloc(v->n_tokens, sizeof **sorted, "tokens by their bytes", err) : NULL;
    if (!*sorted) {
        return HN_MEMORY;
    }
    for (uint32_t id = 0; id < v->n_tokens; id++) {
        size_t length = (size_t)(v->offsets[id + 1] - v->offsets[id]);
        char *copy = v->text + v->offsets[id];
        if (length > 0) {
            memcpy(copy, bytes[id], length);
        }
        if (length > 0 && length <= HN_TOKEN_LONGEST) {
            (*sorted)[(*n)++] = (Sorted){(const unsigned char *)copy, (uint32_t)length, id};
        }
    }
    qsort(*sorted, *n, sizeof **sorted, by_bytes);
    return HN_OK;
}

static HnStatus allocate_nodes(HnTokenTree *v, uint64_t n_nodes, HnError *err) {
    if (n_nodes >= UINT32_MAX / 4) {
        return hn_fail(err, HN_RANGE, "the vocabulary's tokens hold %llu bytes: more than is supported",
                       (unsigned long long)n_nodes);
    }
    uint32_t n_slots = 16;
    while (n_slots < 2 * n_nodes) {
        n_slots *= 2;
    }
    v->n_nodes = (uint32_t)n_nodes;
    v->slot_mask = n_slots - 1;
    const char *what = "tree of the tokens' bytes";
    v->byte = hn_alloc(n_nodes, sizeof *v->byte, what, err);
    v->depth = v->byte ? hn_alloc(n_nodes, sizeof *v->depth, what, err) : NULL;
    v->skip = v->depth ? hn_alloc(n_nodes, sizeof *v->skip, what, err) : NULL;
    v->first = v->skip ? hn_alloc(n_nodes + 1, sizeof *v->first, what, err) : NULL;
    v->parents = v->first ? hn_alloc(n_nodes, sizeof *v->parents, what, err) : NULL;
    v->slots = v->parents ? hn_alloc(n_slots, sizeof *v->slots, what, err) : NULL;
    v->tokens = v->slots ? hn_alloc(v->n_tokens, sizeof *v->tokens, what, err) : NULL;
    if (!v->tokens) {
        return HN_MEMORY;
    }
    memset(v->slots, 0xff, (size_t)n_slots * sizeof *v->slots);
    return HN_OK;
}

/* Sorted tokens share beginnings with their neighbours only, so nodes come up in preorder. */
static void build_nodes(HnTokenTree *v, const Sorted *sorted, size_t n) {
    uint32_t open[HN_TOKEN_LONGEST + 1] = {0}; /* the node of each depth on the way to the token before */
    uint32_t n_nodes = 1, depth = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t shared = i > 0 ? shared_bytes(&sorted[i - 1], &sorted[i]) : 0;
        for (; depth > shared; depth--) {
            v->skip[open[depth]] = n_nodes;
        }
        for (; depth < sorted[i].n_bytes; depth++) {
            uint32_t node = n_nodes++, slot = slot_of(v, open[depth], sorted[i].bytes[depth]);
            v->byte[node] = sorted[i].bytes[depth];
            v->depth[node] = (uint16_t)(depth + 1);
            v->parents[node] = open[depth];
            v->first[node] = (uint32_t)i;
            while (v->slots[slot] != HN_NO_NODE) {
                slot = (slot + 1) & v->slot_mask;
            }
            v->slots[slot] = node;
            open[depth + 1] = node;
        }
        v->tokens[i] = sorted[i].id;
    }
    for (uint32_t d = 0; d <= depth; d++) {
        v->skip[open[d]] = n_nodes;
    }
    v->first[n_nodes] = (uint32_t)n;
}

HnStatus hn_token_tree_create(uint32_t n_tokens, const char *const *bytes, const size_t *n_bytes, HnTokenTree **tree,
                              HnError *err) {
    Sorted *sorted = NULL;
    size_t n = 0;
    uint64_t n_nodes = 1;
    HnTokenTree *v = hn_alloc(1, sizeof *v, "tree of tokens", err);
    *tree = NULL;
    if (!v) {
        return HN_MEMORY;
    }
    v->n_tokens = n_tokens;
    HnStatus status = take_bytes(v, bytes, n_bytes, &sorted, &n, err);
    for (size_t i = 0; i < n && status == HN_OK; i++) {
        n_nodes += sorted[i].n_bytes - (i > 0 ? shared_bytes(&sorted[i - 1], &sorted[i]) : 0);
    }
    status = status == HN_OK ? allocate_nodes(v, n_nodes, err) : status;
    if (status == HN_OK) {
        build_nodes(v, sorted, n);
        *tree = v;
    } else {
        hn_token_tree_free(&v);
    }
    hn_free(sorted);
    return status;
}

void hn_token_tree_free(HnTokenTree **tree) {
    HnTokenTree *v = *tree;
    if (v) {
        hn_free(v->tokens);
        hn_free(v->slots);
        hn_free(v->parents);
        hn_free(v->first);
        hn_free(v->skip);
        hn_free(v->depth);
        hn_free(v->byte);
        hn_free(v->text);
        hn_free(v->offsets);
        hn_free(v);
        *tree = NULL;
    }
}

const char *hn_token_tree_bytes(const HnTokenTree *v, uint32_t token, size_t *n_bytes) {
    bool inside = token < v->n_tokens;
    *n_bytes = inside ? (size_t)(v->offsets[token + 1] - v->offsets[token]) : 0;
    return inside ? v->text + v->offsets[token] : "";
}
