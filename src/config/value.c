/* One value of one key: from text to its member, and back. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "config/keys.h"

static HnStatus refuse(const HnKey *key, const char *text, const HnGiven *given, HnError *err) {
    HnText wanted = {0};
    HN_TRY(hn_key_describe(key, &wanted, err));
    HnStatus status =
        hn_fail(err, HN_CONFIG, "%s: %s is \"%s\"; it must be %s", given->where, key->name, text, hn_text_get(&wanted));
    hn_text_free(&wanted);
    return status;
}

static HnStatus parse_int(const HnKey *key, const char *text, const HnGiven *given, int64_t *value, HnError *err) {
    double real = 0.0;
    bool parsed = hn_parse_i64(text, value);
    if (!parsed && hn_parse_double(text, &real) && real > -9e15 && real < 9e15 && real == (double)(int64_t)real) {
        *value = (int64_t)real; /* 1e6 */
        parsed = true;
    }
    return parsed && *value >= key->least_int && *value <= key->most_int ? HN_OK : refuse(key, text, given, err);
}

static HnStatus parse_real(const HnKey *key, const char *text, const HnGiven *given, double *value, HnError *err) {
    bool parsed = hn_parse_double(text, value);
    return parsed && *value >= key->least_real && *value <= key->most_real ? HN_OK : refuse(key, text, given, err);
}

/* The n-th word of "a|b|c"; its length, or 0 past the end. */
static size_t word_at(const char *words, int n, const char **word) {
    for (; n > 0; n--) {
        words = strchr(words, '|');
        if (words == NULL) {
            return 0;
        }
        words++;
    }
    *word = words;
    return strcspn(words, "|");
}

static HnStatus parse_word(const HnKey *key, const char *text, const HnGiven *given, int *value, HnError *err) {
    const char *word = NULL;
    size_t length = 0;
    for (int n = 0; (length = word_at(key->words, n, &word)) > 0; n++) {
        if (strlen(text) == length && strncmp(word, text, length) == 0) {
            *value = n;
            return HN_OK;
        }
    }
    return refuse(key, text, given, err);
}

/* Absolute; "./" at the beginning is dropped. */
static char *resolve_path(const char *text, const char *folder, HnError *err) {
    if (text[0] == '\0' || text[0] == '/') {
        return hn_strdup(text, err);
    }
    while (text[0] == '.' && text[1] == '/') {
        text += 2;
    }
    char here[PATH_MAX];
    if (folder[0] == '/') {
        return hn_path_join(folder, text, err);
    }
    if (getcwd(here, sizeof here) == NULL) {
        hn_fail(err, HN_IO, "the current folder has no readable name; give absolute paths");
        return NULL;
    }
    bool is_here = strcmp(folder, ".") == 0 || folder[0] == '\0';
    return is_here ? hn_path_join(here, text, err) : hn_path_printf(err, "%s/%s/%s", here, folder, text);
}

static HnStatus assign_string(const HnKey *key, char **member, const char *text, const HnGiven *given, HnError *err) {
    size_t bad = 0;
    if (!hn_utf8_valid(text, strlen(text), &bad)) {
        return hn_fail(err, HN_CONFIG, "%s: %s is not UTF-8 at byte %zu", given->where, key->name, bad);
    }
    const bool plain = key->type == HN_KEY_TEXT || key->type == HN_KEY_TEXTS;
    char *copy = plain ? hn_strdup(text, err) : resolve_path(text, given->folder, err);
    if (copy == NULL) {
        return err == NULL ? HN_MEMORY : err->status;
    }
    hn_free(*member);
    *member = copy;
    return HN_OK;
}

static HnStatus assign_ints(const HnKey *key, HnIntList *list, const HnGiven *given, HnError *err) {
    HnIntList fresh = {hn_alloc(given->n, sizeof *fresh.items, key->name, err), given->n};
    HnStatus status = fresh.items == NULL ? HN_MEMORY : HN_OK;
    for (size_t i = 0; i < given->n && status == HN_OK; i++) {
        status = parse_int(key, given->texts[i], given, &fresh.items[i], err);
    }
    hn_free(status == HN_OK ? list->items : fresh.items);
    if (status == HN_OK) {
        *list = fresh;
    }
    return status;
}

static HnStatus assign_reals(const HnKey *key, HnDoubleList *list, const HnGiven *given, HnError *err) {
    HnDoubleList fresh = {hn_alloc(given->n, sizeof *fresh.items, key->name, err), given->n};
    HnStatus status = fresh.items == NULL ? HN_MEMORY : HN_OK;
    for (size_t i = 0; i < given->n && status == HN_OK; i++) {
        status = parse_real(key, given->texts[i], given, &fresh.items[i], err);
    }
    hn_free(status == HN_OK ? list->items : fresh.items);
    if (status == HN_OK) {
        *list = fresh;
    }
    return status;
}

static HnStatus assign_strings(const HnKey *key, HnStringList *list, const HnGiven *given, HnError *err) {
    HnStringList fresh = {hn_alloc(given->n, sizeof *fresh.items, key->name, err), given->n};
    HnStatus status = fresh.items == NULL ? HN_MEMORY : HN_OK;
    for (size_t i = 0; i < given->n && status == HN_OK; i++) {
        status = given->texts[i][0] == '\0' ? hn_fail(err, HN_CONFIG, "%s: %s holds an empty %s", given->where,
                                                      key->name, key->type == HN_KEY_PATHS ? "path" : "text")
                                            : assign_string(key, &fresh.items[i], given->texts[i], given, err);
    }
    if (fresh.items != NULL) {
        HnStringList unwanted = status == HN_OK ? *list : fresh;
        hn_value_free(key, &unwanted);
    }
    if (status == HN_OK) {
        *list = fresh;
    }
    return status;
}

static bool is_list_type(HnKeyType type) {
    return type == HN_KEY_INTS || type == HN_KEY_REALS || type == HN_KEY_PATHS || type == HN_KEY_TEXTS;
}

HnStatus hn_value_assign(const HnKey *key, void *member, const HnGiven *given, HnError *err) {
    bool may_be_empty = is_list_type(key->type) || key->type == HN_KEY_TEXT || key->type == HN_KEY_PATH;
    if (given->is_null && !may_be_empty) {
        return hn_fail(err, HN_CONFIG, "%s: %s has no value; leave the key out for its default %s", given->where,
                       key->name, key->default_text);
    }
    if (given->is_list && !is_list_type(key->type)) {
        return hn_fail(err, HN_CONFIG, "%s: %s takes one value, not a list", given->where, key->name);
    }
    const char *text = given->is_null || given->n == 0 ? "" : given->texts[0];
    switch (key->type) {
    case HN_KEY_BOOL: {
        bool yes = strcmp(text, "true") == 0;
        if (!yes && strcmp(text, "false") != 0) {
            return refuse(key, text, given, err);
        }
        *(bool *)member = yes;
        return HN_OK;
    }
    case HN_KEY_INT: {
        int64_t value = 0;
        HN_TRY(parse_int(key, text, given, &value, err));
        *(int64_t *)member = value;
        return HN_OK;
    }
    case HN_KEY_REAL: {
        double value = 0.0;
        HN_TRY(parse_real(key, text, given, &value, err));
        *(double *)member = value;
        return HN_OK;
    }
    case HN_KEY_WORD: {
        int value = 0;
        HN_TRY(parse_word(key, text, given, &value, err));
        memcpy(member, &value, sizeof value); /* the member is some enum of the same size, checked in keys.c */
        return HN_OK;
    }
    case HN_KEY_TEXT:
    case HN_KEY_PATH:
        return assign_string(key, member, text, given, err);
    case HN_KEY_INTS:
        return assign_ints(key, member, given, err);
    case HN_KEY_REALS:
        return assign_reals(key, member, given, err);
    case HN_KEY_PATHS:
    case HN_KEY_TEXTS:
        return assign_strings(key, member, given, err);
    }
    return hn_fail(err, HN_INTERNAL, "key %s has no type", key->name);
}

HnStatus hn_value_assign_default(const HnKey *key, void *member, HnError *err) {
    /* "[a, b]" of keys.def: at most a handful of plain numbers. */
    enum { MAX_ITEMS = 16 };
    const char *texts[MAX_ITEMS];
    char buffer[256];
    (void)snprintf(buffer, sizeof buffer, "%s", key->default_text);
    HnGiven given = {.texts = texts, .where = "keys.def", .folder = "."};
    if (!is_list_type(key->type)) {
        texts[0] = key->default_text;
        given.n = 1;
        return hn_value_assign(key, member, &given, err);
    }
    given.is_list = true;
    for (char *at = buffer + strspn(buffer, "[ ,"); *at != '\0' && *at != ']' && given.n < MAX_ITEMS;
         at += strspn(at, ", ")) {
        texts[given.n++] = at;
        at += strcspn(at, ",]");
        bool last = *at == ']';
        *at = '\0';
        if (last) {
            break;
        }
        at++;
    }
    return hn_value_assign(key, member, &given, err);
}

void hn_value_free(const HnKey *key, void *member) {
    if (key->type == HN_KEY_TEXT || key->type == HN_KEY_PATH) {
        char **text = member;
        hn_free(*text);
        *text = NULL;
    } else if (key->type == HN_KEY_INTS) {
        HnIntList *list = member;
        hn_free(list->items);
        *list = (HnIntList){NULL, 0};
    } else if (key->type == HN_KEY_REALS) {
        HnDoubleList *list = member;
        hn_free(list->items);
        *list = (HnDoubleList){NULL, 0};
    } else if (key->type == HN_KEY_PATHS || key->type == HN_KEY_TEXTS) {
        HnStringList *list = member;
        for (size_t i = 0; list->items != NULL && i < list->n; i++) {
            hn_free(list->items[i]);
        }
        hn_free(list->items);
        *list = (HnStringList){NULL, 0};
    }
}
