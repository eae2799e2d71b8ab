/* bench_generate TOKENIZER_FOLDER: what constrained decoding and sampling cost a token beside the model: masks over the
 * tokenizer's vocabulary for a pool of 100,000 names, and draws from as many logits. One thread, a line each. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/rng.h"
#include "bench.h"
#include "llm/generate/constraint.h"
#include "llm/generate/sampling.h"

enum { N_NAMES = 100000, NAME_ROOM = 96, N_TAKEN = 1000, N_WALKS = 300, BUDGET = 256 };

typedef struct Work {
    HnTokenizer *tokenizer;
    HnTokenTree *tree;
    HnNamed *named;
    char (*texts)[NAME_ROOM];
    HnItemNames *names;
    HnGrammar *profile, *negative;
    HnNameFilter filter;
    HnGrammarState state;
    HnSampler *sampler;
    HnSampling sampling;
    const uint64_t *mask;
    float *row, *logits;
} Work;

static void print(const char *name, double seconds, const char *note) {
    BenchLine line = {.name = name, .ours_ms = seconds * 1e3};
    snprintf(line.note, sizeof line.note, "%s", note);
    bench_line_print(&line);
}

/* Titles as shops have them: two to nine words of 3,000, some with a number or a colon. */
static HnStatus make_names(Work *w, HnError *err) {
    static const char *const sounds[] = {"ka", "ro", "min", "tel", "or", "sa", "ble", "der", "un", "pi", "gan", "ess"};
    w->named = hn_alloc(N_NAMES, sizeof *w->named, "names", err);
    w->texts = w->named ? hn_alloc(N_NAMES, sizeof *w->texts, "names", err) : NULL;
    for (int32_t i = 0; w->texts && i < N_NAMES; i++) {
        HnRng rng;
        hn_rng_start(&rng, 1, HN_STREAM_TEST, 1, (uint64_t)i);
        char *text = w->texts[i];
        size_t n = 0;
        for (uint32_t word = 0, words = 2 + hn_rng_below(&rng, 8); word < words && n < NAME_ROOM - 20; word++) {
            uint32_t code = (uint32_t)pow(3000, hn_rng_double(&rng));
            n += (size_t)snprintf(text + n, NAME_ROOM - n, "%s", word > 0 ? " " : "");
            for (size_t begin = n; code > 0; code /= 12) {
                n += (size_t)snprintf(text + n, NAME_ROOM - n, "%s", sounds[code % 12]);
                text[begin] = (char)(text[begin] & ~0x20);
            }
        }
        w->named[i] = (HnNamed){text, n, i};
    }
    return w->texts ? HN_OK : HN_MEMORY;
}

static HnStatus open_all(Work *w, const char *folder, HnError *err) {
    static const HnGrammarField profile[] = {{"summarization", HN_FIELD_FILLED}, {"reasoning", HN_FIELD_ANY}};
    static const HnGrammarField negative[] = {{"hard_negative_item", HN_FIELD_NAME}, {"reasoning", HN_FIELD_ANY}};
    char note[160];
    HN_TRY(hn_tokenizer_open(folder, &w->tokenizer, err));
    HN_TRY(make_names(w, err));
    double start = hn_clock_seconds();
    HN_TRY(hn_token_tree_of_tokenizer(w->tokenizer, hn_tokenizer_size(w->tokenizer), &w->tree, err));
    snprintf(note, sizeof note, "%u tokens, %u nodes", w->tree->n_tokens, w->tree->n_nodes);
    print("token-tree", hn_clock_seconds() - start, note);
    start = hn_clock_seconds();
    HN_TRY(hn_item_names_create(w->named, N_NAMES, &w->names, err));
    snprintf(note, sizeof note, "%u names, %.1f MB", hn_item_names_count(w->names),
             (double)hn_item_names_bytes(w->names) / 1e6);
    print("names", hn_clock_seconds() - start, note);
    start = hn_clock_seconds();
    HN_TRY(hn_grammar_create(w->tree, profile, 2, NULL, &w->profile, err));
    print("grammar-profile", hn_clock_seconds() - start, "");
    start = hn_clock_seconds();
    HN_TRY(hn_grammar_create(w->tree, negative, 2, w->names, &w->negative, err));
    snprintf(note, sizeof note, "%.1f MB", (double)hn_grammar_bytes(w->negative) / 1e6);
    print("grammar-names", hn_clock_seconds() - start, note);
    int32_t taken[N_TAKEN];
    for (int32_t i = 0; i < N_TAKEN; i++) {
        taken[i] = i * 97;
    }
    start = hn_clock_seconds();
    HN_TRY(hn_item_names_exclude(w->names, taken, N_TAKEN, &w->filter, err));
    snprintf(note, sizeof note, "%zu names of a user's 1,000 items left out", w->filter.n);
    print("names-exclude", hn_clock_seconds() - start, note);
    return HN_OK;
}

static uint32_t draw(const Work *w, HnRng *rng, const uint64_t *mask) {
    uint32_t n = 0, n_words = (w->tree->n_tokens + 63) / 64, word = 0;
    for (uint32_t i = 0; i < n_words; i++) {
        n += (uint32_t)__builtin_popcountll(mask[i]);
    }
    uint32_t pick = hn_rng_below(rng, n);
    for (; pick >= (uint32_t)__builtin_popcountll(mask[word]); word++) {
        pick -= (uint32_t)__builtin_popcountll(mask[word]);
    }
    uint64_t bits = mask[word];
    for (; pick > 0; pick--) {
        bits &= bits - 1;
    }
    return word * 64 + (uint32_t)__builtin_ctzll(bits);
}

/* Times of all masks of random walks, by where they were asked for. */
static void time_walks(Work *w, HnGrammar *g, const char *which) {
    enum { MOST = N_WALKS * BUDGET };
    double *times[2] = {hn_alloc(MOST, sizeof(double), "times", NULL), hn_alloc(MOST, sizeof(double), "times", NULL)};
    int n[2] = {0, 0};
    for (uint64_t walk = 0; times[0] && times[1] && walk < N_WALKS; walk++) {
        HnRng rng;
        hn_rng_start(&rng, 2, HN_STREAM_TEST, 2, walk);
        HnGrammarState state = hn_grammar_begin(g);
        uint32_t budget = 16 + hn_rng_below(&rng, BUDGET - 16);
        for (uint32_t used = 0; !hn_grammar_at_end(g, &state); used++) {
            int in_name = state.end > 0;
            double start = hn_clock_seconds();
            const uint64_t *mask = hn_grammar_mask(g, &w->filter, &state, budget - used, hn_grammar_share(g, budget));
            times[in_name][n[in_name]++] = hn_clock_seconds() - start;
            hn_grammar_advance(g, &w->filter, &state, draw(w, &rng, mask));
        }
    }
    for (int in_name = 0; in_name < 2 && n[in_name] > 0; in_name++) {
        char name[64], note[128];
        double sum = 0, median = bench_median(times[in_name], n[in_name]);
        for (int i = 0; i < n[in_name]; i++) {
            sum += times[in_name][i];
        }
        snprintf(name, sizeof name, "mask-%s%s", which, in_name ? "-in-name" : "");
        snprintf(note, sizeof note, "mean of %d; median %.4f ms, 99 of 100 below %.3f ms, longest %.3f ms", n[in_name],
                 median * 1e3, times[in_name][n[in_name] * 99 / 100] * 1e3, times[in_name][n[in_name] - 1] * 1e3);
        print(name, sum / n[in_name], note);
    }
    hn_free(times[0]);
    hn_free(times[1]);
}

static void choose(void *context) {
    Work *w = context;
    HnError err = HN_ERROR_INIT;
    uint32_t token = 0;
    memcpy(w->logits, w->row, w->tree->n_tokens * sizeof *w->row);
    HnChoice choice = {.logits = w->logits, .mask = w->mask};
    hn_sampler_choose(w->sampler, &w->sampling, &choice, &token, &err);
}

static HnStatus time_sampling(Work *w, HnError *err) {
    static const HnSampling settings[] = {{.temperature = 0, .top_p = 1, .repetition_penalty = 1},
                                          {.temperature = 0.7, .top_p = 1, .repetition_penalty = 1},
                                          {.temperature = 0.7, .top_p = 0.9, .repetition_penalty = 1},
                                          {.temperature = 0.7, .top_k = 50, .top_p = 0.9, .repetition_penalty = 1}};
    static const char *const names[] = {"sample-best", "sample-temperature", "sample-top-p", "sample-top-k-top-p"};
    uint32_t n = w->tree->n_tokens;
    HN_TRY(hn_sampler_create(n, &w->sampler, err));
    w->row = bench_floats(n, err);
    w->logits = w->row ? hn_alloc(n, sizeof *w->logits, "logits", err) : NULL;
    if (!w->logits) {
        return HN_MEMORY;
    }
    for (uint32_t i = 0; i < n; i++) {
        HnRng rng; /* bell-shaped, as logits are */
        hn_rng_start(&rng, 3, HN_STREAM_TEST, 3, i);
        w->row[i] = (float)(2.5 * hn_rng_normal(&rng));
    }
    for (size_t i = 0; i < 8; i++) {
        HnGrammarState state = hn_grammar_begin(w->profile);
        static const char head[] = "{\"summarization\": \"Like";
        for (const char *c = head; *c && i % 2; c++) { /* by tokens of one byte */
            uint32_t node = hn_token_tree_child(w->tree, 0, (unsigned char)*c);
            hn_grammar_advance(w->profile, NULL, &state, w->tree->tokens[w->tree->first[node]]);
        }
        w->mask = i % 2 ? hn_grammar_mask(w->profile, NULL, &state, 1000, 0) : NULL;
        w->sampling = settings[i / 2];
        print(names[i / 2], bench_time(choose, w, 20, 0.3).median, i % 2 ? "with a string's mask" : "");
    }
    return HN_OK;
}

int main(int argc, char **argv) {
    HnError err = HN_ERROR_INIT;
    Work *w = hn_alloc(1, sizeof *w, "bench", &err);
    if (argc != 2 || !w) {
        fprintf(stderr, "usage: bench_generate TOKENIZER_FOLDER\n");
        return 2;
    }
    bench_line_head();
    HnStatus status = open_all(w, argv[1], &err);
    if (status == HN_OK) {
        time_walks(w, w->profile, "profile");
        time_walks(w, w->negative, "negative");
        status = time_sampling(w, &err);
    }
    if (status != HN_OK) {
        fprintf(stderr, "%s\n", err.message);
    }
    hn_free(w->logits);
    hn_free(w->row);
    hn_sampler_free(&w->sampler);
    hn_name_filter_free(&w->filter);
    hn_grammar_free(&w->negative);
    hn_grammar_free(&w->profile);
    hn_item_names_free(&w->names);
    hn_token_tree_free(&w->tree);
    hn_tokenizer_close(&w->tokenizer);
    hn_free(w->texts);
    hn_free(w->named);
    hn_free(w);
    return status == HN_OK ? 0 : 1;
}
