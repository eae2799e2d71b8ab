/* The table of keys (from keys.def) and what can be done with one key's value. Private to this room. */
#ifndef HN_CONFIG_KEYS_H
#define HN_CONFIG_KEYS_H

#include "base/text.h"
#include "config/experiment.h"

typedef enum HnKeyType {
    HN_KEY_BOOL,
    HN_KEY_INT,
    HN_KEY_REAL,
    HN_KEY_TEXT,
    HN_KEY_PATH,
    HN_KEY_WORD,
    HN_KEY_INTS,
    HN_KEY_REALS,
    HN_KEY_PATHS,
    HN_KEY_TEXTS
} HnKeyType;

typedef struct HnKey {
    const char *name;
    HnKeyType type;
    size_t offset; /* of the member in HnExperiment */
    const char *default_text;
    int64_t least_int, most_int;
    double least_real, most_real;
    const char *words; /* "bpr|hinge": the n-th word is enum value n */
    bool changes_results;
    const char *about;
} HnKey;

extern const HnKey hn_keys[];
extern const size_t hn_n_keys;

/* The key called name, or NULL. */
const HnKey *hn_key_find(const char *name);
/* True where some key lies below `name` ("data", "llm.http"). */
bool hn_key_is_section(const char *name);
/* True for keys that rows of `compare` may set: those that live in HnTrainConfig. */
bool hn_key_is_for_variants(const HnKey *key);
/* The key or section that somebody who wrote `name` most likely meant, or NULL. */
const char *hn_key_nearest(const char *name, bool for_variants);
/* True where the name asks for a key or token to be written into the file. */
bool hn_key_asks_for_secret(const char *name);

/* Where the key's value lives in an experiment, or in a variant's HnTrainConfig (keys for variants only). */
void *hn_key_member(const HnKey *key, HnExperiment *experiment);
const void *hn_key_member_const(const HnKey *key, const HnExperiment *experiment);
void *hn_key_train_member(const HnKey *key, HnTrainConfig *train);
const void *hn_key_train_member_const(const HnKey *key, const HnTrainConfig *train);

/* A value as somebody gave it, before it has a type. */
typedef struct HnGiven {
    const char *const *texts;
    size_t n;
    bool is_list;
    bool is_null;       /* nothing after the colon, "~" or "null" */
    const char *where;  /* "demo.yaml:12" or "--set train.epochs=5", for messages */
    const char *folder; /* relative paths begin here */
} HnGiven;

/* Checks type and range, then replaces what the member holds. */
HnStatus hn_value_assign(const HnKey *key, void *member, const HnGiven *given, HnError *err);
HnStatus hn_value_assign_default(const HnKey *key, void *member, HnError *err);
HnStatus hn_value_copy(const HnKey *key, void *to, const void *from, HnError *err);
void hn_value_free(const HnKey *key, void *member);
/* Appends the value as YAML. */
HnStatus hn_value_format(const HnKey *key, const void *member, HnText *text, HnError *err);
HnStatus hn_text_format(const char *string, HnText *text, HnError *err); /* a quoted YAML string */
/* "whole number from 1 to 16", "one of bpr, hinge". */
HnStatus hn_key_describe(const HnKey *key, HnText *text, HnError *err);

#endif
