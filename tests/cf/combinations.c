#include "combinations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"

/* Numbers whose value decides the way that is taken. */
static const struct {
    const char *key, *values[4];
} numbers[] = {
    {"model.layers", {"2", "1", "0"}},     {"model.edge_dropout", {"0", "0.3"}}, {"ngcf.dropout", {"0.1", "0"}},
    {"dgcf.correlation", {"0.01", "0"}},   {"sampler.negatives", {"1", "3"}},    {"sampler.pick", {"1", "3"}},
    {"semantic.alpha", {"0.1", "0", "1"}}, {"align.lambda", {"0.001", "0"}},     {"ssl.lambda", {"0.1", "0"}},
    {"loss.epsilon", {"0", "1e-5"}},       {"train.l2", {"0.0001", "0"}}};

static void add_value(Factor *factor, const char *text, size_t length) {
    if (factor->n == MOST_VALUES || length >= sizeof factor->values[0]) {
        fprintf(stderr, "%s: raise MOST_VALUES\n", factor->key->name);
        abort();
    }
    memcpy(factor->values[factor->n], text, length);
    factor->values[factor->n++][length] = '\0';
}

static void assign(const HnKey *key, const char *text, HnTrainConfig *config) {
    HnError err = HN_ERROR_INIT;
    const HnGiven given = {.texts = &text, .n = 1, .where = "test", .folder = "/"};
    if (hn_value_assign(key, hn_key_train_member(key, config), &given, &err) != HN_OK) {
        fprintf(stderr, "%s\n", err.message);
        abort();
    }
}

/* The base's value goes to the front. */
static void base_first(Factor *factor, const HnTrainConfig *base) {
    HnError err = HN_ERROR_INIT;
    HnText text = {0};
    (void)hn_value_format(factor->key, hn_key_train_member_const(factor->key, base), &text, &err);
    for (int v = 0; v < factor->n; v++) {
        if (strcmp(factor->values[v], hn_text_get(&text)) == 0) {
            char first[sizeof factor->values[0]];
            memcpy(first, factor->values[0], sizeof first);
            memcpy(factor->values[0], factor->values[v], sizeof first);
            memcpy(factor->values[v], first, sizeof first);
        }
    }
    hn_text_free(&text);
}

static void list_values(Factor *factor) {
    const HnKey *key = factor->key;
    if (key->type == HN_KEY_BOOL) {
        add_value(factor, "false", 5);
        add_value(factor, "true", 4);
    }
    for (const char *word = key->type == HN_KEY_WORD ? key->words : ""; *word != '\0';) {
        const size_t length = strcspn(word, "|");
        add_value(factor, word, length);
        word += length + (word[length] == '|');
    }
    for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
        for (size_t v = 0; strcmp(numbers[k].key, key->name) == 0 && v < 4 && numbers[k].values[v] != NULL; v++) {
            add_value(factor, numbers[k].values[v], strlen(numbers[k].values[v]));
        }
    }
}

void factors_list(Factors *factors, const HnExperiment *base) {
    *factors = (Factors){.base = base};
    for (size_t k = 0; k < hn_n_keys; k++) {
        Factor factor = {.key = &hn_keys[k]};
        list_values(&factor);
        if (hn_key_is_for_variants(factor.key) && factor.n > 0) {
            if (factors->n == MOST_FACTORS) {
                fprintf(stderr, "raise MOST_FACTORS\n");
                abort();
            }
            base_first(&factor, &base->train);
            factors->factor[factors->n++] = factor;
        }
    }
}

int factors_find(const Factors *factors, const char *name) {
    for (int f = 0; f < factors->n; f++) {
        if (strcmp(factors->factor[f].key->name, name) == 0) {
            return f;
        }
    }
    fprintf(stderr, "%s is no factor\n", name);
    abort();
}

HnTrainConfig factors_config(const Factors *factors, const Combination *one) {
    HnTrainConfig config = factors->base->train;
    for (int f = 0; f < factors->n; f++) {
        assign(factors->factor[f].key, factors->factor[f].values[one->value[f]], &config);
    }
    return config;
}

bool factors_allowed(const Factors *factors, const Combination *one, HnError *err) {
    const HnTrainConfig config = factors_config(factors, one);
    hn_error_clear(err);
    return hn_train_config_check(factors->base, &config, err) == HN_OK;
}

void factors_name(const Factors *factors, const Combination *one, HnText *text) {
    HnError err = HN_ERROR_INIT;
    for (int f = 0; f < factors->n; f++) {
        if (one->value[f] != 0) {
            (void)hn_text_printf(text, &err, "%s%s=%s", text->length > 0 ? " " : "", factors->factor[f].key->name,
                                 factors->factor[f].values[one->value[f]]);
        }
    }
}

/* ---- every two values ---- */

enum { WIDTH = MOST_FACTORS * MOST_VALUES };
typedef struct Cover {
    const Factors *factors;
    bool *met; /* [WIDTH][WIDTH] by factor and value; the smaller factor first */
    HnRng rng;
} Cover;

static bool *met(const Cover *cover, int f, int v, int g, int w) {
    const int a = f < g ? f * MOST_VALUES + v : g * MOST_VALUES + w;
    const int b = f < g ? g * MOST_VALUES + w : f * MOST_VALUES + v;
    return &cover->met[a * WIDTH + b];
}

/* Two values beside the base's, with a third factor's where they need it. */
static bool begin(const Cover *cover, int f, int v, int g, int w, Combination *one, HnError *err) {
    const Factors *factors = cover->factors;
    HnError unused = HN_ERROR_INIT;
    *one = (Combination){0};
    one->value[f] = (int8_t)v;
    one->value[g] = (int8_t)w;
    if (factors_allowed(factors, one, err)) {
        return true;
    }
    for (int h = 0; h < factors->n; h++) {
        for (int x = 1; h != f && h != g && x < factors->factor[h].n; x++) {
            one->value[h] = (int8_t)x;
            if (factors_allowed(factors, one, &unused)) {
                return true;
            }
        }
        one->value[h] = h == f ? (int8_t)v : h == g ? (int8_t)w : 0;
    }
    return false;
}

static int gain(const Cover *cover, const Combination *one, int f) {
    int n = 0;
    for (int g = 0; g < cover->factors->n; g++) {
        n += g != f && !*met(cover, f, one->value[f], g, one->value[g]);
    }
    return n;
}

/* Every other factor, in random order, takes the value that meets most. */
static void fill(Cover *cover, Combination *one, int f, int g) {
    const Factors *factors = cover->factors;
    HnError unused = HN_ERROR_INIT;
    int order[MOST_FACTORS];
    for (int h = 0; h < factors->n; h++) {
        const int at = (int)hn_rng_below(&cover->rng, (uint32_t)h + 1);
        order[h] = order[at];
        order[at] = h;
    }
    for (int k = 0; k < factors->n; k++) {
        const int h = order[k];
        Combination best = *one;
        for (int x = 0; h != f && h != g && x < factors->factor[h].n; x++) {
            Combination other = *one;
            other.value[h] = (int8_t)x;
            if (gain(cover, &other, h) > gain(cover, &best, h) && factors_allowed(factors, &other, &unused)) {
                best = other;
            }
        }
        *one = best;
    }
}

static void mark(const Cover *cover, const Combination *one) {
    for (int f = 0; f < cover->factors->n; f++) {
        for (int g = f + 1; g < cover->factors->n; g++) {
            *met(cover, f, one->value[f], g, one->value[g]) = true;
        }
    }
}

static void refused(const Factors *factors, const Combination *one, int f, int g, const HnError *err, size_t *unnamed) {
    if (strstr(err->message, factors->factor[f].key->name) == NULL &&
        strstr(err->message, factors->factor[g].key->name) == NULL) {
        fprintf(stderr, "%s=%s with %s=%s: the message names neither: %s\n", factors->factor[f].key->name,
                factors->factor[f].values[one->value[f]], factors->factor[g].key->name,
                factors->factor[g].values[one->value[g]], err->message);
        ++*unnamed;
    }
}

size_t factors_cover(const Factors *factors, uint64_t seed, Combination **all, size_t *n_refused, size_t *unnamed) {
    enum { MOST = 4096 };
    HnError err = HN_ERROR_INIT;
    Cover cover = {.factors = factors, .met = hn_alloc((size_t)WIDTH * WIDTH, sizeof(bool), "pairs", &err)};
    *all = hn_alloc(MOST, sizeof **all, "combinations", &err);
    size_t n = 0;
    hn_rng_start(&cover.rng, seed, HN_STREAM_TEST, 3, 0);
    for (int f = 0; f < factors->n; f++) {
        for (int g = f + 1; g < factors->n; g++) {
            for (int k = 0; k < factors->factor[f].n * factors->factor[g].n && n < MOST; k++) {
                const int v = k / factors->factor[g].n, w = k % factors->factor[g].n;
                if (*met(&cover, f, v, g, w)) {
                    continue;
                }
                Combination one;
                if (begin(&cover, f, v, g, w, &one, &err)) {
                    fill(&cover, &one, f, g);
                    mark(&cover, &one);
                    (*all)[n++] = one;
                } else {
                    refused(factors, &one, f, g, &err, unnamed);
                    ++*n_refused;
                }
            }
        }
    }
    hn_free(cover.met);
    return n;
}
