/* Values as YAML text, copies of values, and what a key accepts in words. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "config/keys.h"

HnStatus hn_text_format(const char *string, HnText *text, HnError *err) {
    HN_TRY(hn_text_puts(text, "\"", err));
    for (const char *c = string; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\') {
            HN_TRY(hn_text_printf(text, err, "\\%c", *c));
        } else if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            HN_TRY(hn_text_printf(text, err, "\\x%02X", (unsigned)(unsigned char)*c));
        } else {
            HN_TRY(hn_text_append(text, c, 1, err));
        }
    }
    return hn_text_puts(text, "\"", err);
}

/* The shortest of %.15g, %.16g, %.17g that reads back to the same number. */
static HnStatus format_real(double value, HnText *text, HnError *err) {
    char buffer[64];
    for (int digits = 15; digits <= 17; digits++) {
        double back = 0.0;
        (void)snprintf(buffer, sizeof buffer, "%.*g", digits, value);
        if (hn_parse_double(buffer, &back) && back == value) {
            break;
        }
    }
    return hn_text_puts(text, buffer, err);
}

static HnStatus format_word(const HnKey *key, int value, HnText *text, HnError *err) {
    const char *word = key->words;
    for (; value > 0 && word != NULL; value--) {
        word = strchr(word, '|');
        word = word == NULL ? NULL : word + 1;
    }
    return word == NULL ? hn_fail(err, HN_INTERNAL, "%s holds a value that has no word", key->name)
                        : hn_text_append(text, word, strcspn(word, "|"), err);
}

static HnStatus format_list(const HnKey *key, const void *member, HnText *text, HnError *err) {
    const HnIntList *ints = member;
    const HnDoubleList *reals = member;
    const HnStringList *paths = member;
    size_t n = key->type == HN_KEY_INTS ? ints->n : key->type == HN_KEY_REALS ? reals->n : paths->n;
    HN_TRY(hn_text_puts(text, "[", err));
    for (size_t i = 0; i < n; i++) {
        HN_TRY(hn_text_puts(text, i == 0 ? "" : ", ", err));
        if (key->type == HN_KEY_INTS) {
            HN_TRY(hn_text_printf(text, err, "%" PRId64, ints->items[i]));
        } else if (key->type == HN_KEY_REALS) {
            HN_TRY(format_real(reals->items[i], text, err));
        } else {
            HN_TRY(hn_text_format(paths->items[i], text, err));
        }
    }
    return hn_text_puts(text, "]", err);
}

HnStatus hn_value_format(const HnKey *key, const void *member, HnText *text, HnError *err) {
    int word = 0;
    switch (key->type) {
    case HN_KEY_BOOL:
        return hn_text_puts(text, *(const bool *)member ? "true" : "false", err);
    case HN_KEY_INT:
        return hn_text_printf(text, err, "%" PRId64, *(const int64_t *)member);
    case HN_KEY_REAL:
        return format_real(*(const double *)member, text, err);
    case HN_KEY_TEXT:
    case HN_KEY_PATH:
        return hn_text_format(*(char *const *)member, text, err);
    case HN_KEY_WORD:
        memcpy(&word, member, sizeof word);
        return format_word(key, word, text, err);
    case HN_KEY_INTS:
    case HN_KEY_REALS:
    case HN_KEY_PATHS:
    case HN_KEY_TEXTS:
        return format_list(key, member, text, err);
    }
    return hn_fail(err, HN_INTERNAL, "key %s has no type", key->name);
}

/* A block of n items of `size` bytes like the one at `from`. */
static HnStatus copy_items(const HnKey *key, const void *from, size_t n, size_t size, void **copy, HnError *err) {
    *copy = hn_alloc(n, size, key->name, err);
    if (*copy != NULL && n > 0) {
        memcpy(*copy, from, n * size);
    }
    return *copy == NULL ? HN_MEMORY : HN_OK;
}

HnStatus hn_value_copy(const HnKey *key, void *to, const void *from, HnError *err) {
    void *copy = NULL;
    switch (key->type) {
    case HN_KEY_BOOL:
        *(bool *)to = *(const bool *)from;
        return HN_OK;
    case HN_KEY_INT:
        *(int64_t *)to = *(const int64_t *)from;
        return HN_OK;
    case HN_KEY_REAL:
        *(double *)to = *(const double *)from;
        return HN_OK;
    case HN_KEY_WORD:
        memcpy(to, from, sizeof(int));
        return HN_OK;
    case HN_KEY_TEXT:
    case HN_KEY_PATH: {
        const char *text = *(char *const *)from;
        HN_TRY(copy_items(key, text, strlen(text) + 1, 1, &copy, err));
        hn_value_free(key, to);
        *(char **)to = copy;
        return HN_OK;
    }
    case HN_KEY_INTS: {
        const HnIntList *list = from;
        HN_TRY(copy_items(key, list->items, list->n, sizeof *list->items, &copy, err));
        hn_value_free(key, to);
        *(HnIntList *)to = (HnIntList){copy, list->n};
        return HN_OK;
    }
    case HN_KEY_REALS: {
        const HnDoubleList *list = from;
        HN_TRY(copy_items(key, list->items, list->n, sizeof *list->items, &copy, err));
        hn_value_free(key, to);
        *(HnDoubleList *)to = (HnDoubleList){copy, list->n};
        return HN_OK;
    }
    case HN_KEY_PATHS:
    case HN_KEY_TEXTS: {
        const HnStringList *list = from;
        HnGiven given = {.texts = (const char *const *)list->items,
                         .n = list->n,
                         .is_list = true,
                         .where = key->name,
                         .folder = "."};
        return hn_value_assign(key, to, &given, err);
    }
    }
    return hn_fail(err, HN_INTERNAL, "key %s has no type", key->name);
}

static HnStatus describe_words(const HnKey *key, HnText *text, HnError *err) {
    HN_TRY(hn_text_puts(text, "one of ", err));
    for (const char *word = key->words; *word != '\0';) {
        size_t length = strcspn(word, "|");
        HN_TRY(hn_text_printf(text, err, "%s%.*s", word == key->words ? "" : ", ", (int)length, word));
        word += length + (word[length] == '|' ? 1 : 0);
    }
    return HN_OK;
}

static HnStatus describe_range(const HnKey *key, HnText *text, HnError *err) {
    bool whole = key->type == HN_KEY_INT || key->type == HN_KEY_INTS;
    bool list = key->type == HN_KEY_INTS || key->type == HN_KEY_REALS;
    HN_TRY(hn_text_printf(text, err, "%s%s ", list ? "a list, each " : "", whole ? "a whole number" : "a number"));
    if (whole && key->most_int == INT64_MAX) {
        return hn_text_printf(text, err, "from %" PRId64, key->least_int);
    }
    if (whole) {
        return hn_text_printf(text, err, "from %" PRId64 " to %" PRId64, key->least_int, key->most_int);
    }
    return hn_text_printf(text, err, "from %g to %g", key->least_real, key->most_real);
}

HnStatus hn_key_describe(const HnKey *key, HnText *text, HnError *err) {
    switch (key->type) {
    case HN_KEY_BOOL:
        return hn_text_puts(text, "true or false", err);
    case HN_KEY_TEXT:
        return hn_text_puts(text, "text", err);
    case HN_KEY_PATH:
        return hn_text_puts(text, "a path", err);
    case HN_KEY_PATHS:
        return hn_text_puts(text, "a list of paths", err);
    case HN_KEY_TEXTS:
        return hn_text_puts(text, "a list of texts", err);
    case HN_KEY_WORD:
        return describe_words(key, text, err);
    case HN_KEY_INT:
    case HN_KEY_REAL:
    case HN_KEY_INTS:
    case HN_KEY_REALS:
        return describe_range(key, text, err);
    }
    return hn_fail(err, HN_INTERNAL, "key %s has no type", key->name);
}
