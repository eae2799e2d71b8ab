/* The effective configuration as text: dump, identity of a stage, difference of two experiments. */
#include <string.h>

#include "base/alloc.h"
#include "config/load.h"

/* Opens the sections that name lies in and previous did not; *name becomes its last part. */
static HnStatus open_sections(const char *previous, const char **name, int *depth, HnText *text, HnError *err) {
    *depth = 0;
    bool shared = true; /* so far in the same sections as the previous key */
    const char *dot = NULL;
    while ((dot = strchr(*name, '.')) != NULL) {
        size_t length = (size_t)(dot - *name);
        shared = shared && strncmp(previous, *name, length + 1) == 0;
        if (!shared) {
            HN_TRY(hn_text_printf(text, err, "%*s%.*s:\n", 2 * *depth, "", (int)length, *name));
        } else {
            previous += length + 1;
        }
        *name = dot + 1;
        (*depth)++;
    }
    return HN_OK;
}

/* True where value `key` of the row is the experiment's own. */
static HnStatus same_value(const HnKey *key, const void *a, const void *b, HnText *a_text, HnText *b_text, bool *same,
                           HnError *err) {
    hn_text_clear(a_text);
    hn_text_clear(b_text);
    HN_TRY(hn_value_format(key, a, a_text, err));
    HN_TRY(hn_value_format(key, b, b_text, err));
    *same = strcmp(hn_text_get(a_text), hn_text_get(b_text)) == 0;
    return HN_OK;
}

static HnStatus dump_row(const HnExperiment *experiment, const HnVariant *variant, HnText *text, HnText *a, HnText *b,
                         HnError *err) {
    HN_TRY(hn_text_puts(text, "  - name: ", err));
    HN_TRY(hn_text_format(variant->name, text, err));
    HN_TRY(hn_text_puts(text, "\n", err));
    for (size_t k = 0; k < hn_n_keys; k++) {
        const HnKey *key = &hn_keys[k];
        bool same = true;
        if (hn_key_is_for_variants(key)) {
            HN_TRY(same_value(key, hn_key_train_member_const(key, &variant->train),
                              hn_key_member_const(key, experiment), a, b, &same, err));
        }
        if (!same) {
            HN_TRY(hn_text_printf(text, err, "    %s: %s\n", key->name, hn_text_get(a)));
        }
    }
    return HN_OK;
}

static HnStatus dump_all(const HnExperiment *experiment, HnText *text, HnText *a, HnText *b, HnError *err) {
    const char *previous = "";
    for (size_t k = 0; k < hn_n_keys; k++) {
        const char *name = hn_keys[k].name;
        int depth = 0;
        HN_TRY(open_sections(previous, &name, &depth, text, err));
        HN_TRY(hn_text_printf(text, err, "%*s%s: ", 2 * depth, "", name));
        HN_TRY(hn_value_format(&hn_keys[k], hn_key_member_const(&hn_keys[k], experiment), text, err));
        HN_TRY(hn_text_puts(text, "\n", err));
        previous = hn_keys[k].name;
    }
    HN_TRY(hn_text_puts(text, "compare:\n", err));
    for (size_t v = 0; v < experiment->n_variants; v++) {
        HN_TRY(dump_row(experiment, &experiment->variants[v], text, a, b, err));
    }
    return hn_ranges_dump(experiment, text, err);
}

HnStatus hn_experiment_dump(const HnExperiment *experiment, char **yaml, HnError *err) {
    HnText text = {0}, a = {0}, b = {0};
    HnStatus status = dump_all(experiment, &text, &a, &b, err);
    hn_text_free(&a);
    hn_text_free(&b);
    *yaml = status == HN_OK ? text.data : NULL;
    if (status != HN_OK) {
        hn_text_free(&text);
    }
    return status;
}

static bool has_prefix(const char *name, const char *const *prefixes) {
    for (; *prefixes != NULL; prefixes++) {
        if (strncmp(name, *prefixes, strlen(*prefixes)) == 0) {
            return true;
        }
    }
    return false;
}

HnStatus hn_experiment_identity(const HnExperiment *experiment, const HnVariant *variant, const char *const *prefixes,
                                char **text, HnError *err) {
    HnText out = {0};
    HnStatus status = hn_text_puts(&out, "", err);
    for (size_t k = 0; k < hn_n_keys && status == HN_OK; k++) {
        const HnKey *key = &hn_keys[k];
        if (!has_prefix(key->name, prefixes)) {
            continue;
        }
        const void *member = variant != NULL && hn_key_is_for_variants(key)
                                 ? hn_key_train_member_const(key, &variant->train)
                                 : hn_key_member_const(key, experiment);
        status = hn_text_printf(&out, err, "%s: ", key->name);
        if (status == HN_OK) {
            status = hn_value_format(key, member, &out, err);
        }
        if (status == HN_OK) {
            status = hn_text_puts(&out, "\n", err);
        }
    }
    *text = status == HN_OK ? out.data : NULL;
    if (status != HN_OK) {
        hn_text_free(&out);
    }
    return status;
}

static const HnVariant *find_variant(const HnExperiment *experiment, const char *name) {
    for (size_t v = 0; v < experiment->n_variants; v++) {
        if (strcmp(experiment->variants[v].name, name) == 0) {
            return &experiment->variants[v];
        }
    }
    return NULL;
}

static HnStatus name_rows(const HnExperiment *experiment, HnText *text, HnError *err) {
    hn_text_clear(text);
    for (size_t v = 0; v < experiment->n_variants; v++) {
        HN_TRY(hn_text_printf(text, err, "%s%s", v == 0 ? "" : ", ", experiment->variants[v].name));
    }
    return HN_OK;
}

/* Sets *name to the first key that differs and leaves its two values in the texts. */
static HnStatus find_difference(const HnExperiment *a, const HnExperiment *b, HnText *a_text, HnText *b_text,
                                const char **name, HnError *err) {
    bool same = true;
    for (size_t k = 0; k < hn_n_keys && same; k++) {
        const HnKey *key = &hn_keys[k];
        if (key->changes_results) {
            HN_TRY(
                same_value(key, hn_key_member_const(key, a), hn_key_member_const(key, b), a_text, b_text, &same, err));
            *name = same ? NULL : key->name;
        }
    }
    for (size_t v = 0; v < a->n_variants && same; v++) {
        const HnVariant *mine = &a->variants[v];
        const HnVariant *theirs = find_variant(b, mine->name);
        if (theirs == NULL || a->n_variants != b->n_variants) {
            *name = "compare";
            HN_TRY(name_rows(a, a_text, err));
            return name_rows(b, b_text, err);
        }
        for (size_t k = 0; k < hn_n_keys && same; k++) {
            const HnKey *key = &hn_keys[k];
            if (key->changes_results && hn_key_is_for_variants(key)) {
                HN_TRY(same_value(key, hn_key_train_member_const(key, &mine->train),
                                  hn_key_train_member_const(key, &theirs->train), a_text, b_text, &same, err));
                *name = same ? NULL : key->name;
            }
        }
        if (!same) {
            HN_TRY(hn_text_printf(a_text, err, " (row \"%s\")", mine->name));
            HN_TRY(hn_text_printf(b_text, err, " (row \"%s\")", mine->name));
        }
    }
    return HN_OK;
}

const char *hn_experiment_difference(const HnExperiment *a, const HnExperiment *b, char **a_value, char **b_value,
                                     HnError *err) {
    HnText a_text = {0}, b_text = {0};
    const char *name = NULL;
    HnStatus status = find_difference(a, b, &a_text, &b_text, &name, err);
    bool differs = status == HN_OK && name != NULL;
    *a_value = differs ? a_text.data : NULL;
    *b_value = differs ? b_text.data : NULL;
    if (!differs) {
        hn_text_free(&a_text);
        hn_text_free(&b_text);
        return NULL;
    }
    return name;
}

HnStatus hn_experiment_changed(const HnExperiment *experiment, const char *prefix, HnText *names, HnError *err) {
    HnExperiment *plain = NULL;
    HnText a = {0}, b = {0};
    HnStatus status = hn_experiment_load(NULL, NULL, 0, &plain, err);
    for (size_t k = 0; k < hn_n_keys && status == HN_OK; k++) {
        const HnKey *key = &hn_keys[k];
        bool same = strncmp(key->name, prefix, strlen(prefix)) != 0;
        if (!same) {
            status = same_value(key, hn_key_member_const(key, experiment), hn_key_member_const(key, plain), &a, &b,
                                &same, err);
        }
        if (status == HN_OK && !same) {
            status = hn_text_printf(names, err, "%s%s", names->length > 0 ? ", " : "", key->name);
        }
    }
    hn_text_free(&b);
    hn_text_free(&a);
    hn_experiment_free(&plain);
    return status;
}
