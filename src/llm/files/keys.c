#include "keys.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"

HnStatus hn_keys_open(const char *path, HnKeys *keys, HnError *err) {
    char *bytes = NULL;
    size_t n_bytes = 0;
    *keys = (HnKeys){.path = path};
    HN_TRY(hn_file_read(path, HN_KEYS_MAX_BYTES, &bytes, &n_bytes, err));
    json_error_t fault;
    keys->root = json_loadb(bytes, n_bytes, JSON_REJECT_DUPLICATES, &fault);
    hn_free(bytes);
    if (keys->root == NULL) {
        return hn_fail(err, HN_FORMAT, "%s:%d: %s; the file is no valid JSON: fetch it again", path, fault.line,
                       fault.text);
    }
    return HN_OK;
}

HnKeys hn_keys_of(const char *path, json_t *object) {
    return (HnKeys){.path = path, .root = object};
}

void hn_keys_close(HnKeys *keys) {
    json_decref(keys->root);
    *keys = (HnKeys){0};
}

bool hn_keys_used(const HnKeys *keys, const char *key) {
    for (size_t k = 0; k < keys->n_used; k++) {
        if (strcmp(keys->used[k], key) == 0) {
            return true;
        }
    }
    return false;
}

json_t *hn_keys_get(HnKeys *keys, const char *key) {
    if (keys->n_used < HN_KEYS_MOST && !hn_keys_used(keys, key)) {
        keys->used[keys->n_used++] = key;
    }
    json_t *value = json_object_get(keys->root, key);
    return json_is_null(value) ? NULL : value;
}

const char *hn_keys_show(const json_t *value, char buffer[80]) {
    enum { SIZE = 80, MOST = SIZE - 4 };
    size_t n = json_dumpb(value, buffer, MOST, JSON_ENCODE_ANY | JSON_COMPACT);
    bool cut = n > MOST;
    n = cut ? MOST : n;
    while (cut && n > 0 && ((unsigned char)buffer[n - 1] & 0x80) != 0) { /* whole characters only */
        n--;
    }
    memcpy(buffer + n, cut ? "..." : "", cut ? 4 : 1);
    return buffer;
}

static HnStatus expected(const HnKeys *keys, const char *key, const json_t *value, const char *what, HnError *err) {
    char shown[80];
    return hn_fail(err, HN_FORMAT, "%s: \"%s\" is %s; expected is %s", keys->path, key, hn_keys_show(value, shown),
                   what);
}

HnStatus hn_keys_u32(HnKeys *keys, const char *key, uint32_t min, uint32_t max, uint32_t *value, HnError *err) {
    const json_t *found = hn_keys_get(keys, key);
    if (found == NULL) {
        return HN_OK;
    }
    json_int_t number = json_integer_value(found);
    if (!json_is_integer(found) || number < (json_int_t)min || number > (json_int_t)max) {
        char what[80];
        (void)snprintf(what, sizeof what, "an integer from %" PRIu32 " to %" PRIu32, min, max);
        return expected(keys, key, found, what, err);
    }
    *value = (uint32_t)number;
    return HN_OK;
}

HnStatus hn_keys_double(HnKeys *keys, const char *key, double min, double max, double *value, HnError *err) {
    const json_t *found = hn_keys_get(keys, key);
    if (found == NULL) {
        return HN_OK;
    }
    double number = json_number_value(found);
    if (!json_is_number(found) || !isfinite(number) || number < min || number > max) {
        char what[80];
        (void)snprintf(what, sizeof what, "a number from %g to %g", min, max);
        return expected(keys, key, found, what, err);
    }
    *value = number;
    return HN_OK;
}

HnStatus hn_keys_bool(HnKeys *keys, const char *key, bool *value, HnError *err) {
    const json_t *found = hn_keys_get(keys, key);
    if (found == NULL) {
        return HN_OK;
    }
    if (!json_is_boolean(found)) {
        return expected(keys, key, found, "true or false", err);
    }
    *value = json_is_true(found);
    return HN_OK;
}

HnStatus hn_keys_text(HnKeys *keys, const char *key, const char **value, HnError *err) {
    const json_t *found = hn_keys_get(keys, key);
    if (found == NULL) {
        return HN_OK;
    }
    if (!json_is_string(found)) {
        return expected(keys, key, found, "a string", err);
    }
    *value = json_string_value(found);
    return HN_OK;
}
