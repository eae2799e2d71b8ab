#include "base/alloc.h"
#include "token_tree.h"

HnStatus hn_token_tree_of_tokenizer(const HnTokenizer *tokenizer, uint32_t n_tokens, HnTokenTree **tree, HnError *err) {
    uint32_t n = n_tokens, n_known = hn_tokenizer_size(tokenizer);
    const char **bytes = hn_alloc(n, sizeof *bytes, "tokens", err);
    size_t *n_bytes = bytes ? hn_alloc(n, sizeof *n_bytes, "tokens", err) : NULL;
    HnStatus status = HN_MEMORY;
    *tree = NULL;
    if (n_bytes) {
        for (uint32_t id = 0; id < n && id < n_known; id++) {
            bytes[id] = hn_tokenizer_bytes(tokenizer, id, &n_bytes[id]);
        }
        status = hn_token_tree_create(n, bytes, n_bytes, tree, err);
    }
    hn_free(n_bytes);
    hn_free(bytes);
    return status;
}
