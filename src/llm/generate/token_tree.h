/* The bytes of all tokens as one tree, so that what a grammar allows is found for a whole vocabulary at once.
 *
 * Nodes lie in preorder: node + 1 is a node's first child, skip[node] the first node outside its subtree, and the
 * tokens of a subtree are neighbours. Tokens of the same bytes share a node. Special and unused ids have no bytes and
 * stand nowhere in the tree, like tokens longer than HN_TOKEN_LONGEST bytes.
 */
#ifndef HN_LLM_GENERATE_TOKEN_TREE_H
#define HN_LLM_GENERATE_TOKEN_TREE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "llm/tokenizer/tokenizer.h"

enum { HN_TOKEN_LONGEST = 1024 };
#define HN_NO_NODE UINT32_MAX

typedef struct HnTokenTree {
    uint32_t n_tokens; /* one past the largest id */
    uint32_t n_nodes;  /* node 0 is the root: no byte, no tokens */
    unsigned char *byte;
    uint16_t *depth;    /* of the root: 0 */
    uint32_t *skip;     /* [n_nodes] */
    uint32_t *first;    /* [n_nodes + 1]: tokens[first[node] .. first[node + 1]-1] end at node */
    uint32_t *tokens;   /* ids by their bytes, then by id */
    uint32_t *slots;    /* hash table of children: a node, or HN_NO_NODE */
    uint32_t *parents;  /* [n_nodes] */
    uint32_t slot_mask; /* its size less one */
    uint64_t *offsets;  /* [n_tokens + 1] of each id's bytes in text */
    char *text;
} HnTokenTree;

/* bytes [n_tokens]: NULL where an id has none; n_bytes [n_tokens]. Both are copied. */
HnStatus hn_token_tree_create(uint32_t n_tokens, const char *const *bytes, const size_t *n_bytes, HnTokenTree **tree,
                              HnError *err);
/* The first n_tokens ids (of a model's logits) as the tokenizer has them; ids that it does not have are unused. */
HnStatus hn_token_tree_of_tokenizer(const HnTokenizer *tokenizer, uint32_t n_tokens, HnTokenTree **tree, HnError *err);
void hn_token_tree_free(HnTokenTree **tree);
/* The child of node by this byte, or HN_NO_NODE. */
uint32_t hn_token_tree_child(const HnTokenTree *tree, uint32_t node, unsigned char byte);
/* The bytes of a token; none (n_bytes 0) for ids that have none or lie outside. */
const char *hn_token_tree_bytes(const HnTokenTree *tree, uint32_t token, size_t *n_bytes);

#endif
