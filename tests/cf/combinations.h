/* Configurations of a row, made from the table of keys: every key with words or a switch is a factor with all its
 * values, a few numbers are with values named here. A new key of that kind is walked without a word in a test. */
#ifndef HN_TEST_CF_COMBINATIONS_H
#define HN_TEST_CF_COMBINATIONS_H

#include "base/text.h"
#include "config/load.h"

enum { MOST_FACTORS = 64, MOST_VALUES = 8 };

typedef struct Factor {
    const HnKey *key;
    char values[MOST_VALUES][24]; /* the first is what other factors are tried beside */
    int n;
} Factor;

typedef struct Factors {
    const HnExperiment *base; /* borrowed: the values of all other keys */
    Factor factor[MOST_FACTORS];
    int n;
} Factors;

/* A value of each factor, by number. */
typedef struct Combination {
    int8_t value[MOST_FACTORS];
} Combination;

/* Base's own values come first. */
void factors_list(Factors *factors, const HnExperiment *base);
int factors_find(const Factors *factors, const char *name); /* number of the factor; ends the program where none is */
/* The configuration; its lists are the base's. */
HnTrainConfig factors_config(const Factors *factors, const Combination *one);
/* Whether the program takes it; where not, its message in err. */
bool factors_allowed(const Factors *factors, const Combination *one, HnError *err);
/* "model.backbone=mf sampler.name=dns": values that are not the base's. */
void factors_name(const Factors *factors, const Combination *one, HnText *text);

/* Combinations in which every two values of two factors that the program takes together meet at least once: a function
 * of seed. Where no third key makes it take two values, its message names one of the two keys; others are counted in
 * *unnamed, and printed. Returns their number; `all` is freed by hn_free. */
size_t factors_cover(const Factors *factors, uint64_t seed, Combination **all, size_t *n_refused, size_t *unnamed);

#endif
