/* Real tokenizers and real catalogues: random answers are taken by the strict parser, and name what may be named. SKIP
 * without the shared data (HNLMREC_TEST_DATA). */
#include "vocabularies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/rng.h"
#include "base/sorted.h"
#include "base/text.h"
#include "semantic/answer.h"

enum { MOST_NAMES = 40000, N_TAKEN = 3000 };

static const char *shared(const char *name) {
    static char path[1024];
    const char *base = getenv("HNLMREC_TEST_DATA");
    snprintf(path, sizeof path, "%s/%s", base ? base : HN_SOURCE_DIR "/../shared/data", name);
    return hn_file_exists(path) || hn_folder_exists(path) ? path : NULL;
}

/* Titles of two catalogues: the last column of each line. */
typedef struct Catalogue {
    char *bytes[2];
    HnNamed named[MOST_NAMES];
    uint64_t hashes[MOST_NAMES]; /* of the folded names */
    size_t n;
    HnItemNames *names;
} Catalogue;

static void read_titles(Catalogue *c, int which, const char *file) {
    HnError err = HN_ERROR_INIT;
    size_t n_bytes = 0;
    assert_int_equal(hn_file_read(shared(file), 1 << 24, &c->bytes[which], &n_bytes, &err), HN_OK);
    for (char *line = c->bytes[which], *end = NULL; c->n < MOST_NAMES && (end = strchr(line, '\n')); line = end + 1) {
        const char *title = end;
        while (title > line && title[-1] != '\t') {
            title--;
        }
        c->named[c->n] = (HnNamed){title, (size_t)(end - title), (int32_t)c->n};
        c->n++;
    }
}

static uint64_t folded_hash(const char *name, size_t n_bytes) {
    HnError err = HN_ERROR_INIT;
    HnText folded = {0};
    if (hn_utf8_valid(name, n_bytes, NULL)) {
        assert_int_equal(hn_utf8_fold(name, n_bytes, &folded, &err), HN_OK);
    }
    uint64_t hash = hn_checksum64(hn_text_get(&folded), folded.length);
    hn_text_free(&folded);
    return hash;
}

static Catalogue *open_catalogue(void) {
    HnError err = HN_ERROR_INIT;
    Catalogue *c = hn_alloc(1, sizeof *c, "catalogue", NULL);
    read_titles(c, 0, "amazon-toys-and-games/item_text.tsv");
    read_titles(c, 1, "amazon-videogames-titles/Games.item");
    assert_true(c->n > 25000);
    for (size_t i = 0; i < c->n; i++) {
        c->hashes[i] = folded_hash(c->named[i].name, c->named[i].n_bytes);
    }
    assert_int_equal(hn_item_names_create(c->named, c->n, &c->names, &err), HN_OK);
    assert_in_range(hn_item_names_count(c->names), 20000, c->n + 1);
    return c;
}

static void close_catalogue(Catalogue *c) {
    hn_item_names_free(&c->names);
    hn_free(c->bytes[0]);
    hn_free(c->bytes[1]);
    hn_free(c);
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
    return t;
}

static void walk(HnGrammar *g, const HnTokenTree *v, const HnNameFilter *filter, uint32_t budget, HnRng *rng,
                 HnText *text) {
    HnError err = HN_ERROR_INIT;
    HnGrammarState state = hn_grammar_begin(g);
    hn_text_clear(text);
    for (uint32_t used = 0; !hn_grammar_at_end(g, &state); used++) {
        assert_true(used < budget);
        uint32_t token =
            draw(rng, hn_grammar_mask(g, filter, &state, budget - used, hn_grammar_share(g, budget)), v->n_tokens);
        size_t n_bytes = 0;
        const char *bytes = hn_token_tree_bytes(v, token, &n_bytes);
        assert_int_equal(hn_text_append(text, bytes, n_bytes, &err), HN_OK);
        assert_true(hn_grammar_advance(g, filter, &state, token));
    }
}

/* Whether the parsed name is, folded, that of an item that is not taken. */
static bool may_be_named(const Catalogue *c, const char *name, const int32_t *taken) {
    uint64_t said = folded_hash(name, strlen(name));
    for (size_t i = 0; i < c->n; i++) {
        if (c->hashes[i] == said && !hn_sorted_has(taken, N_TAKEN, c->named[i].item)) {
            return true;
        }
    }
    return false;
}

static void check_tokenizer(const Catalogue *c, const char *folder) {
    static int32_t taken[N_TAKEN];
    HnError err = HN_ERROR_INIT;
    HnTokenizer *tokenizer = NULL;
    HnTokenTree *v = NULL;
    HnGrammar *profile = NULL, *negative = NULL;
    HnNameFilter filter = {0};
    HnText text = {0};
    assert_int_equal(hn_tokenizer_open(shared(folder), &tokenizer, &err), HN_OK);
    assert_int_equal(hn_token_tree_of_tokenizer(tokenizer, hn_tokenizer_size(tokenizer), &v, &err), HN_OK);
    assert_int_equal(hn_grammar_create(v, PROFILE_FIELDS, 2, NULL, &profile, &err), HN_OK);
    assert_int_equal(hn_grammar_create(v, NEGATIVE_FIELDS, 2, c->names, &negative, &err), HN_OK);
    for (int32_t i = 0; i < N_TAKEN; i++) {
        taken[i] = i * 9;
    }
    assert_int_equal(hn_item_names_exclude(c->names, taken, N_TAKEN, &filter, &err), HN_OK);
    uint32_t n_none = 0, n_named = 0;
    for (uint32_t round = 0; round < 120; round++) {
        HnRng rng;
        HnParsed parsed;
        bool names = round % 2;
        hn_rng_start(&rng, 11, HN_STREAM_TEST, 0, round);
        HnGrammar *g = names ? negative : profile;
        walk(g, v, &filter, hn_grammar_least_budget(g) + round % 60, &rng, &text);
        HnTask task = names ? HN_TASK_HARD_NEGATIVE : HN_TASK_ITEM_PROFILE;
        assert_int_equal(hn_answer_parse(task, hn_text_get(&text), &parsed, &err), HN_OK);
        assert_true(parsed.good && !parsed.repaired && strlen(hn_text_get(&text)) == text.length);
        assert_true(!names || parsed.none || may_be_named(c, parsed.text, taken));
        n_none += parsed.none;
        n_named += names && !parsed.none;
        hn_parsed_free(&parsed);
    }
    print_message("%s: least budgets %u and %u tokens, %u named, %u none\n", folder, hn_grammar_least_budget(profile),
                  hn_grammar_least_budget(negative), n_named, n_none);
    assert_true(n_named > 20);
    hn_text_free(&text);
    hn_name_filter_free(&filter);
    hn_grammar_free(&negative);
    hn_grammar_free(&profile);
    hn_token_tree_free(&v);
    hn_tokenizer_close(&tokenizer);
}

static void test_tokenizers(void **state) {
    (void)state;
    static const char *const folders[] = {"tokenizer-llama2", "tokenizer-llama3", "tokenizer-qwen", "tokenizer-gpt2"};
    Catalogue *c = open_catalogue();
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        check_tokenizer(c, folders[i]);
    }
    close_catalogue(c);
}

int main(void) {
    if (!shared("tokenizer-llama2") || !shared("amazon-toys-and-games/item_text.tsv")) {
        printf("SKIP: no shared data; set HNLMREC_TEST_DATA to its folder\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tokenizers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
