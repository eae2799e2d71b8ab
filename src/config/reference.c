/* The reference of every key, for the terminal and as a Markdown page. */
#include <string.h>

#include "config/keys.h"

static HnStatus add_terminal(const HnKey *key, HnText *text, HnError *err) {
    HN_TRY(hn_text_printf(text, err, "%s", key->name));
    HN_TRY(hn_text_printf(text, err, "%*s",
                          key->name[0] != '\0' && strlen(key->name) < 34 ? (int)(34 - strlen(key->name)) : 1, ""));
    HN_TRY(hn_key_describe(key, text, err));
    HN_TRY(hn_text_printf(text, err, "; default %s\n    %s\n",
                          key->default_text[0] == '\0' ? "empty" : key->default_text, key->about));
    return HN_OK;
}

/* Cells of a Markdown table: '|' would end one. */
static HnStatus add_markdown(const HnKey *key, HnText *text, HnError *err) {
    HN_TRY(hn_text_printf(text, err, "| `%s` | ", key->name));
    HN_TRY(hn_key_describe(key, text, err));
    return hn_text_printf(text, err, " | %s%s%s | %s |\n", key->default_text[0] == '\0' ? "" : "`", key->default_text,
                          key->default_text[0] == '\0' ? "empty" : "`", key->about);
}

static HnStatus add_heading(const HnKey *key, char *section, size_t n_bytes, HnText *text, HnError *err) {
    size_t length = strcspn(key->name, ".");
    length = key->name[length] == '\0' ? 0 : length;
    if (length >= n_bytes ||
        (section[0] != '?' && strlen(section) == length && strncmp(section, key->name, length) == 0)) {
        return HN_OK;
    }
    memcpy(section, key->name, length);
    section[length] = '\0';
    return hn_text_printf(text, err, "\n## %s\n\n| key | value | default | meaning |\n|---|---|---|---|\n",
                          length == 0 ? "The run" : section);
}

/* What a file may hold besides keys. On the page it stands above the tables. */
static const struct {
    const char *name, *value, *about;
} no_keys[] = {
    {"tune.ranges", "maps keys to the values that `hnlmrec tune` may give them",
     "A list, or {from: .., to: .., steps: .., log: true}; keys of model, sampler, semantic, align, loss and train "
     "that "
     "change the result and take one plain value."},
    {"compare", "a list of rows for the table",
     "Each has a name and keys of model, sampler, semantic, align, loss, train and eval that replace those above it."},
};

static HnStatus add_all(bool markdown, const char *prefix, HnText *text, size_t *n_found, HnError *err) {
    char section[32] = "?"; /* no section yet */
    if (markdown) {
        HN_TRY(
            hn_text_puts(text,
                         "# Keys of an experiment file\n\nMade by `hnlmrec help config --markdown`. A file is YAML; "
                         "`train: {epochs: 5}` and `train.epochs: 5` mean the same. `--set key=value` replaces a "
                         "value; lists are written `[1, 2]`. Relative paths begin at the file's own folder; those of "
                         "`--set` at the current one.\n\n`compare` is a list of rows for the table: each has a `name` "
                         "and keys of model, sampler, semantic, align, loss, train and eval that replace those above "
                         "it. `tune.ranges` maps "
                         "keys to the values that `hnlmrec tune` may give them: a list, or `{from: .., to: .., steps: "
                         ".., log: true}`.\n",
                         err));
    }
    for (size_t k = 0; k < hn_n_keys; k++) {
        const HnKey *key = &hn_keys[k];
        if (strncmp(key->name, prefix, strlen(prefix)) != 0) {
            continue;
        }
        (*n_found)++;
        if (markdown) {
            HN_TRY(add_heading(key, section, sizeof section, text, err));
            HN_TRY(add_markdown(key, text, err));
        } else {
            HN_TRY(add_terminal(key, text, err));
        }
    }
    for (size_t k = 0; !markdown && k < sizeof no_keys / sizeof no_keys[0]; k++) {
        if (strncmp(no_keys[k].name, prefix, strlen(prefix)) == 0) {
            (*n_found)++;
            HN_TRY(hn_text_printf(text, err, "%-34s%s\n    %s\n", no_keys[k].name, no_keys[k].value, no_keys[k].about));
        }
    }
    return HN_OK;
}

HnStatus hn_config_reference(bool markdown, const char *prefix, char **text, HnError *err) {
    HnText out = {0};
    size_t n_found = 0;
    HnStatus status = add_all(markdown, prefix, &out, &n_found, err);
    if (status == HN_OK && n_found == 0) {
        const char *near = hn_key_nearest(prefix, false);
        status = hn_fail(err, HN_USAGE, "no key begins with \"%s\"%s%s%s", prefix,
                         near == NULL ? "" : " (did you mean ", near == NULL ? "" : near, near == NULL ? "" : "?)");
    }
    *text = status == HN_OK ? out.data : NULL;
    if (status != HN_OK) {
        hn_text_free(&out);
    }
    return status;
}
