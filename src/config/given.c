/* Keys by name: where a value that somebody gave goes, and what is said where it goes nowhere. --set. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "config/load.h"

HnStatus hn_sink_refuse(const HnKeySink *sink, const char *name, const char *where, HnError *err) {
    bool for_variants = sink->variant != NULL;
    if (hn_key_asks_for_secret(name)) {
        return hn_fail(
            err, HN_CONFIG,
            "%s: \"%s\" is refused: no key or token may stand in a configuration. Put it into an environment "
            "variable and give that variable's name as llm.http.key_env",
            where, name);
    }
    if (for_variants && (hn_key_find(name) != NULL || hn_key_is_section(name))) {
        return hn_fail(
            err, HN_CONFIG,
            "%s: %s is the same for all rows of compare; a row may set keys of model, sampler, semantic, align, "
            "loss, train and eval. Move it to the top level",
            where, name);
    }
    const char *near = hn_key_nearest(name, for_variants);
    return hn_fail(err, HN_CONFIG, "%s: there is no key \"%s\"%s%s%s; `hnlmrec help config` lists them", where, name,
                   near == NULL ? "" : " (did you mean ", near == NULL ? "" : near, near == NULL ? "" : "?)");
}

HnStatus hn_sink_give(const HnKeySink *sink, const char *name, size_t line, const HnGiven *given, HnError *err) {
    const HnKey *key = hn_key_find(name);
    if (sink->variant != NULL && strcmp(name, "name") == 0) {
        if (*sink->variant_name != NULL) {
            return hn_fail(err, HN_CONFIG, "%s: this row has two names", given->where);
        }
        return hn_value_assign(key, sink->variant_name, given, err);
    }
    if (key == NULL || (sink->variant != NULL && !hn_key_is_for_variants(key))) {
        return hn_sink_refuse(sink, name, given->where, err);
    }
    size_t *first_line = &sink->lines[key - hn_keys];
    if (line != 0 && *first_line != 0) {
        return hn_fail(err, HN_CONFIG, "%s: %s is given twice, first on line %zu; keep one", given->where, name,
                       *first_line);
    }
    *first_line = line;
    void *member =
        sink->variant != NULL ? hn_key_train_member(key, sink->variant) : hn_key_member(key, sink->experiment);
    return hn_value_assign(key, member, given, err);
}

/* "[a, b]" or a single item; items are cut at commas, outer blanks and one pair of quotes dropped. In place. */
static size_t cut_list(char *text, const char **items, size_t max_items) {
    size_t n = 0;
    size_t length = strlen(text);
    if (length >= 2 && text[0] == '[' && text[length - 1] == ']') {
        text[length - 1] = '\0';
        text++;
    }
    while (n < max_items) {
        text += strspn(text, " \t");
        char *end = text;
        if ((*text == '"' || *text == '\'') && strchr(text + 1, *text) != NULL) {
            end = strchr(text + 1, *text);
            *end++ = '\0';
            items[n++] = text + 1;
            end += strcspn(end, ",");
        } else {
            end = text + strcspn(text, ",");
            char *last = end;
            while (last > text && (last[-1] == ' ' || last[-1] == '\t')) {
                last--;
            }
            if (last > text || *end == ',') {
                items[n++] = text;
            }
            if (*end == '\0') {
                *last = '\0';
                break;
            }
            *end = '\0';
            *last = '\0';
            text = end + 1;
            continue;
        }
        if (*end == '\0') {
            break;
        }
        text = end + 1;
    }
    return n;
}

static HnStatus give_list(const HnKeySink *sink, const char *name, const char *value, HnGiven *given, HnError *err) {
    size_t max_items = 1;
    for (const char *c = value; *c != '\0'; c++) {
        max_items += *c == ',' ? 1u : 0u;
    }
    const char **items = hn_alloc(max_items, sizeof *items, "a list", err);
    char *copy = items == NULL ? NULL : hn_strdup(value, err);
    HnStatus status = HN_MEMORY;
    if (copy != NULL) {
        given->n = cut_list(copy, items, max_items);
        given->texts = items;
        given->is_list = true;
        status = hn_sink_give(sink, name, 0, given, err);
    }
    hn_free(copy);
    hn_free(items);
    return status;
}

HnStatus hn_set_give(const char *set, const HnKeySink *sink, HnError *err) {
    const char *equals = strchr(set, '=');
    if (equals == NULL || equals == set) {
        return hn_fail(err, HN_USAGE, "--set %s: write it as key=value, e.g. --set train.epochs=5", set);
    }
    char name[128], where[160];
    (void)snprintf(name, sizeof name, "%.*s", (int)(equals - set), set);
    (void)snprintf(where, sizeof where, "--set %s",
                   name); /* without the value: it could be a secret put in the wrong place */
    const char *value = equals + 1;
    if (strcmp(name, "compare") == 0 || strncmp(name, "compare.", 8) == 0) {
        return hn_fail(err, HN_CONFIG, "%s: rows of compare are written in the experiment file only", where);
    }
    if (strncmp(name, "tune.ranges", 11) == 0) {
        return hn_fail(err, HN_CONFIG, "%s: ranges are written in the experiment file only", where);
    }
    const HnKey *key = hn_key_find(name);
    HnGiven given = {.texts = &value, .n = 1, .where = where, .folder = sink->folder};
    if (key != NULL && (key->type == HN_KEY_INTS || key->type == HN_KEY_REALS || key->type == HN_KEY_PATHS ||
                        key->type == HN_KEY_TEXTS)) {
        return give_list(sink, name, value, &given, err);
    }
    return hn_sink_give(sink, name, 0, &given, err);
}
