#include "config/keys.h"

#include <string.h>

enum { SPEED = false, RESULT = true };

#define NAMED(key_name, key_type, member, default_value, effect, help)                                           \
    .name = key_name, .type = key_type, .offset = offsetof(HnExperiment, member), .default_text = default_value, \
    .changes_results = effect, .about = help

const HnKey hn_keys[] = {
#define HN_BOOL(key, member, value, effect, about) {NAMED(key, HN_KEY_BOOL, member, value, effect, about)},
#define HN_TEXT(key, member, value, effect, about) {NAMED(key, HN_KEY_TEXT, member, value, effect, about)},
#define HN_PATH(key, member, value, effect, about) {NAMED(key, HN_KEY_PATH, member, value, effect, about)},
#define HN_PATHS(key, member, value, effect, about) {NAMED(key, HN_KEY_PATHS, member, value, effect, about)},
#define HN_TEXTS(key, member, value, effect, about) {NAMED(key, HN_KEY_TEXTS, member, value, effect, about)},
#define HN_WORD(key, member, value, word_list, effect, about) \
    {NAMED(key, HN_KEY_WORD, member, value, effect, about), .words = word_list},
#define HN_INT(key, member, value, least, most, effect, about) \
    {NAMED(key, HN_KEY_INT, member, value, effect, about), .least_int = least, .most_int = most},
#define HN_INTS(key, member, value, least, most, effect, about) \
    {NAMED(key, HN_KEY_INTS, member, value, effect, about), .least_int = least, .most_int = most},
#define HN_REAL(key, member, value, least, most, effect, about) \
    {NAMED(key, HN_KEY_REAL, member, value, effect, about), .least_real = least, .most_real = most},
#define HN_REALS(key, member, value, least, most, effect, about) \
    {NAMED(key, HN_KEY_REALS, member, value, effect, about), .least_real = least, .most_real = most},
#include "config/keys.def"
#undef HN_BOOL
#undef HN_TEXT
#undef HN_PATH
#undef HN_PATHS
#undef HN_TEXTS
#undef HN_WORD
#undef HN_INT
#undef HN_INTS
#undef HN_REAL
#undef HN_REALS
};
const size_t hn_n_keys = sizeof hn_keys / sizeof hn_keys[0];

/* The types that keys.def promises, held against the members of the structs. */
#define IS(member, type) \
    _Static_assert(_Generic(((HnExperiment *)0)->member, type : 1, default : 0), "wrong type: " #member);
#define HN_BOOL(key, member, value, effect, about) IS(member, bool)
#define HN_TEXT(key, member, value, effect, about) IS(member, char *)
#define HN_PATH(key, member, value, effect, about) IS(member, char *)
#define HN_PATHS(key, member, value, effect, about) IS(member, HnStringList)
#define HN_TEXTS(key, member, value, effect, about) IS(member, HnStringList)
#define HN_WORD(key, member, value, word_list, effect, about) \
    _Static_assert(sizeof(((HnExperiment *)0)->member) == sizeof(int), "not an enum of int's size: " #member);
#define HN_INT(key, member, value, least, most, effect, about) IS(member, int64_t)
#define HN_INTS(key, member, value, least, most, effect, about) IS(member, HnIntList)
#define HN_REAL(key, member, value, least, most, effect, about) IS(member, double)
#define HN_REALS(key, member, value, least, most, effect, about) IS(member, HnDoubleList)
#include "config/keys.def"

const HnKey *hn_key_find(const char *name) {
    for (size_t k = 0; k < hn_n_keys; k++) {
        if (strcmp(hn_keys[k].name, name) == 0) {
            return &hn_keys[k];
        }
    }
    return NULL;
}

bool hn_key_is_section(const char *name) {
    size_t length = strlen(name);
    for (size_t k = 0; k < hn_n_keys; k++) {
        if (strncmp(hn_keys[k].name, name, length) == 0 && hn_keys[k].name[length] == '.') {
            return true;
        }
    }
    return false;
}

bool hn_key_is_for_variants(const HnKey *key) {
    return key->offset >= offsetof(HnExperiment, train) &&
           key->offset < offsetof(HnExperiment, train) + sizeof(HnTrainConfig);
}

static const char *last_part(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot == NULL ? name : dot + 1;
}

const char *hn_key_nearest(const char *name, bool for_variants) {
    enum { MAX_KEYS = 256 };
    const char *names[MAX_KEYS];
    const char *parts[MAX_KEYS];
    size_t n = 0;
    for (size_t k = 0; k < hn_n_keys && n < MAX_KEYS; k++) {
        if (!for_variants || hn_key_is_for_variants(&hn_keys[k])) {
            names[n] = hn_keys[k].name;
            parts[n] = last_part(names[n]);
            n++;
        }
    }
    const char *nearest = hn_nearest_word(name, names, n);
    if (nearest != NULL) {
        return nearest;
    }
    const char *part = hn_nearest_word(last_part(name), parts, n); /* the right key in a wrong section */
    for (size_t i = 0; i < n && part != NULL; i++) {
        if (parts[i] == part) {
            return names[i];
        }
    }
    return NULL;
}

bool hn_key_asks_for_secret(const char *name) {
    static const char *const words[] = {"key",  "api_key",       "apikey", "token",  "api_token", "access_token",
                                        "auth", "authorization", "bearer", "secret", "password"};
    const char *part = last_part(name);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(part, words[i]) == 0) {
            return true;
        }
    }
    return false;
}

void *hn_key_member(const HnKey *key, HnExperiment *experiment) {
    return (char *)experiment + key->offset;
}

const void *hn_key_member_const(const HnKey *key, const HnExperiment *experiment) {
    return (const char *)experiment + key->offset;
}

void *hn_key_train_member(const HnKey *key, HnTrainConfig *train) {
    return (char *)train + (key->offset - offsetof(HnExperiment, train));
}

const void *hn_key_train_member_const(const HnKey *key, const HnTrainConfig *train) {
    return (const char *)train + (key->offset - offsetof(HnExperiment, train));
}
