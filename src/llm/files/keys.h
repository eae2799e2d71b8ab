/* The keys of a JSON file: typed, with ranges, each remembered as used. null counts as absent. Messages name the file,
 * the key, what stands there and what is expected. */
#ifndef HN_LLM_FILES_KEYS_H
#define HN_LLM_FILES_KEYS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { HN_KEYS_MOST = 128, HN_KEYS_MAX_BYTES = 8 << 20 };

typedef struct HnKeys {
    const char *path; /* borrowed */
    json_t *root;
    const char *used[HN_KEYS_MOST]; /* literals */
    size_t n_used;
} HnKeys;

/* A JSON file at most HN_KEYS_MAX_BYTES long, without repeated keys. path is borrowed until hn_keys_close. */
HnStatus hn_keys_open(const char *path, HnKeys *keys, HnError *err);
/* The same, of an object inside another file: borrowed, and never closed. */
HnKeys hn_keys_of(const char *path, json_t *object);
void hn_keys_close(HnKeys *keys);

/* The value, or NULL where it is absent or null. key: a literal; it counts as used. */
json_t *hn_keys_get(HnKeys *keys, const char *key);
bool hn_keys_used(const HnKeys *keys, const char *key);

/* Each leaves *value alone where the key is absent; another type or a value outside min..max is HN_FORMAT. */
HnStatus hn_keys_u32(HnKeys *keys, const char *key, uint32_t min, uint32_t max, uint32_t *value, HnError *err);
HnStatus hn_keys_double(HnKeys *keys, const char *key, double min, double max, double *value, HnError *err);
HnStatus hn_keys_bool(HnKeys *keys, const char *key, bool *value, HnError *err);
HnStatus hn_keys_text(HnKeys *keys, const char *key, const char **value, HnError *err);

/* A value as it stands in the file, cut to fit, for messages. */
const char *hn_keys_show(const json_t *value, char buffer[80]);

#endif
