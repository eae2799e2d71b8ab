#include "vocabularies.h"

#include <string.h>

#include "base/alloc.h"

enum { MOST = 6000, ROOM = 16 };

const HnGrammarField PROFILE_FIELDS[2] = {{"summarization", HN_FIELD_FILLED}, {"reasoning", HN_FIELD_ANY}};
const HnGrammarField NEGATIVE_FIELDS[2] = {{"hard_negative_item", HN_FIELD_NAME}, {"reasoning", HN_FIELD_ANY}};

typedef struct Pieces {
    char bytes[MOST][ROOM];
    const char *list[MOST];
    size_t n_bytes[MOST];
    uint32_t n;
} Pieces;

static void add(Pieces *p, const char *bytes, size_t n_bytes) {
    assert_true(p->n < MOST && n_bytes <= ROOM);
    memcpy(p->bytes[p->n], bytes, n_bytes);
    p->list[p->n] = p->bytes[p->n];
    p->n_bytes[p->n++] = n_bytes;
}

static void add_words(Pieces *p, const char *const *words) {
    for (; *words; words++) {
        add(p, *words, strlen(*words));
    }
}

static void add_bytes(Pieces *p, const char *but) {
    for (int c = 0; c < 256; c++) {
        char byte = (char)c;
        if (c == 0 || !strchr(but, c)) {
            add(p, &byte, 1);
        }
    }
}

/* Every pair, and triples with a quote in them, of the bytes that matter. */
static void add_merges(Pieces *p) {
    static const char alphabet[] = "\"\\{}:, \nuNone/0d8c\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80";
    const size_t n = sizeof alphabet - 1;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            char pair[3] = {alphabet[i], alphabet[j], 0};
            add(p, pair, 2);
            for (size_t k = 0; k < n && (pair[0] == '"' || pair[1] == '"'); k++) {
                pair[2] = alphabet[k];
                add(p, pair, 3);
            }
        }
    }
}

static const char *const PIECES[] = {
    "{\"",    "\":",      "\": \"",   "\",",          "\", \"", "\"}",       "\"}\n", "\\\"",  "\\u",
    "\\u00",  "\\ud83d",  " None",    "None\"",       "None",   " red",      "red",   " kite", "ki",
    "te",     "te\", \"", "Re",       "d\"",          "summ",   "arization", "hard",  "_neg",  "ative",
    "_item",  "reason",   "ing",      "ing\": \"",    "\n",     "\n  ",      "  ",    "\t\t",  "\xE2\x82",
    "\xAC\"", "\x98\x80", "\xF0\x9F", "\xF0\x9F\x98", "a\"",    "\\\\",      "e the", NULL};
static const char *const NARROW[] = {"{\"",  "\":", " \"",    "\", \"", "\"}", "None\"", "None", "a", "b", "x", "\xC3",
                                     "\xA9", "red", "kite\"", "\\",     "u",   "\"",     "r",    "e", "d", "k", "i",
                                     "t",    "s",   "m",      "z",      "o",   "n",      "g",    "h", "_", "v", NULL};

void vocabulary_make(VocabularyKind kind, HnTokenTree **vocabulary) {
    HnError err = HN_ERROR_INIT;
    Pieces *p = hn_alloc(1, sizeof *p, "pieces", NULL);
    assert_non_null(p);
    p->n = 2; /* specials: no bytes */
    if (kind != VOCABULARY_NARROW) {
        add_bytes(p, "");
    }
    if (kind == VOCABULARY_MERGES) {
        add_merges(p);
    } else if (kind == VOCABULARY_PIECES) {
        add_words(p, PIECES);
        add(p, "A", 1); /* a second token of the same bytes */
    } else if (kind == VOCABULARY_NARROW) {
        add_words(p, NARROW);
    }
    assert_int_equal(hn_token_tree_create(p->n, p->list, p->n_bytes, vocabulary, &err), HN_OK);
    hn_free(p);
}

bool mask_has(const uint64_t *mask, uint32_t token) {
    return mask[token / 64] >> (token % 64) & 1;
}

static uint32_t draw(HnRng *rng, const uint64_t *mask, uint32_t n_tokens) {
    uint32_t n = 0;
    for (uint32_t w = 0; w < (n_tokens + 63) / 64; w++) {
        n += (uint32_t)__builtin_popcountll(mask[w]);
    }
    assert_true(n > 0);
    uint32_t pick = hn_rng_below(rng, n), t = 0;
    for (; !mask_has(mask, t) || pick-- > 0; t++) {
    }
    assert_true(t < n_tokens);
    return t;
}

void grammar_walk(HnGrammar *g, const HnTokenTree *v, const HnNameFilter *filter, uint32_t budget, HnRng *rng,
                  HnText *text) {
    HnError err = HN_ERROR_INIT;
    HnGrammarState state = hn_grammar_begin(g);
    uint32_t share = budget % 2 ? 0 : hn_grammar_share(g, budget);
    hn_text_clear(text);
    for (uint32_t used = 0; !hn_grammar_at_end(g, &state); used++) {
        assert_true(used < budget);
        uint32_t token = draw(rng, hn_grammar_mask(g, filter, &state, budget - used, share), v->n_tokens);
        size_t n_bytes = 0;
        const char *bytes = hn_token_tree_bytes(v, token, &n_bytes);
        assert_int_equal(hn_text_append(text, bytes, n_bytes, &err), HN_OK);
        assert_true(hn_grammar_advance(g, filter, &state, token));
    }
}
