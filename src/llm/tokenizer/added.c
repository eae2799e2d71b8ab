#include "added.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

HnStatus hn_added_push(HnAddedTokens *added, const char *text, size_t n_text, uint32_t id, bool special,
                       bool normalized, HnError *err) {
    if (n_text == 0) {
        return hn_fail(err, HN_FORMAT, "added token %u has no text", id);
    }
    if (added->n == added->capacity) {
        const size_t capacity = added->capacity == 0 ? 64 : 2 * added->capacity;
        HN_TRY(hn_resize(&added->tokens, added->n * sizeof *added->tokens, capacity, sizeof *added->tokens,
                         "added tokens", err));
        added->capacity = capacity;
    }
    HnAddedToken *token = &added->tokens[added->n];
    *token = (HnAddedToken){
        hn_strndup(text, n_text, err), hn_strndup(text, n_text, err), n_text, n_text, id, special, normalized};
    added->n++; /* what is there of it is freed with the others */
    return token->text == NULL || token->wanted == NULL ? HN_MEMORY : HN_OK;
}

static int longest_first(const void *a, const void *b) {
    const HnAddedToken *x = a, *y = b;
    return x->n_wanted != y->n_wanted ? (x->n_wanted < y->n_wanted) - (x->n_wanted > y->n_wanted)
                                      : (x->id > y->id) - (x->id < y->id);
}

void hn_added_ready(HnAddedTokens *added) {
    if (added->n > 0) {
        qsort(added->tokens, added->n, sizeof *added->tokens, longest_first);
    }
    for (size_t i = 0; i < added->n; i++) {
        const HnAddedToken *token = &added->tokens[i];
        added->n_plain[token->normalized] += token->special ? 0 : 1;
        added->first[token->normalized][(unsigned char)token->wanted[0]] = true;
    }
}

void hn_added_free(HnAddedTokens *added) {
    for (size_t i = 0; i < added->n; i++) {
        hn_free(added->tokens[i].wanted);
        hn_free(added->tokens[i].text);
    }
    hn_free(added->tokens);
}

const HnAddedToken *hn_added_by_text(const HnAddedTokens *added, const char *text, size_t n_text) {
    for (size_t i = 0; i < added->n; i++) {
        if (added->tokens[i].n_text == n_text && memcmp(added->tokens[i].text, text, n_text) == 0) {
            return &added->tokens[i];
        }
    }
    return NULL;
}

static const HnAddedToken *token_at(const HnAddedTokens *added, bool normalized, const char *text, size_t n_bytes) {
    for (size_t i = 0; i < added->n; i++) {
        const HnAddedToken *token = &added->tokens[i];
        if (token->normalized == normalized && token->n_wanted > 0 && token->n_wanted <= n_bytes &&
            memcmp(token->wanted, text, token->n_wanted) == 0) {
            return token;
        }
    }
    return NULL;
}

const HnAddedToken *hn_added_find(const HnAddedTokens *added, bool normalized, const char *text, size_t n_bytes,
                                  size_t at, size_t *begin) {
    if (added->n_plain[normalized] == 0) {
        return NULL;
    }
    while (at < n_bytes) {
        const HnAddedToken *token = added->first[normalized][(unsigned char)text[at]]
                                        ? token_at(added, normalized, text + at, n_bytes - at)
                                        : NULL;
        if (token != NULL && !token->special) {
            *begin = at;
            return token;
        }
        at += token != NULL ? token->n_wanted : 1;
    }
    return NULL;
}
