#include "config/experiment.h"

#include <string.h>

#include "base/alloc.h"
#include "config/load.h"

static HnStatus assign_defaults(HnExperiment *experiment, HnError *err) {
    for (size_t k = 0; k < hn_n_keys; k++) {
        HN_TRY(hn_value_assign_default(&hn_keys[k], hn_key_member(&hn_keys[k], experiment), err));
    }
    return HN_OK;
}

HnStatus hn_train_config_copy(const HnTrainConfig *from, HnTrainConfig *to, HnError *err) {
    for (size_t k = 0; k < hn_n_keys; k++) {
        const HnKey *key = &hn_keys[k];
        if (hn_key_is_for_variants(key)) {
            HN_TRY(hn_value_copy(key, hn_key_train_member(key, to), hn_key_train_member_const(key, from), err));
        }
    }
    return HN_OK;
}

void hn_train_config_free(HnTrainConfig *train) {
    for (size_t k = 0; k < hn_n_keys; k++) {
        if (hn_key_is_for_variants(&hn_keys[k])) {
            hn_value_free(&hn_keys[k], hn_key_train_member(&hn_keys[k], train));
        }
    }
}

void hn_variants_free(HnVariant *variants, size_t n) {
    for (size_t v = 0; variants != NULL && v < n; v++) {
        hn_free(variants[v].name);
        hn_train_config_free(&variants[v].train);
    }
    hn_free(variants);
}

void hn_experiment_free(HnExperiment **experiment) {
    if (experiment == NULL || *experiment == NULL) {
        return;
    }
    HnExperiment *dying = *experiment;
    hn_variants_free(dying->variants, dying->n_variants);
    hn_ranges_free(dying);
    for (size_t k = 0; k < hn_n_keys; k++) {
        hn_value_free(&hn_keys[k], hn_key_member(&hn_keys[k], dying));
    }
    hn_free(dying);
    *experiment = NULL;
}

HnStatus hn_variant_auto_name(const HnTrainConfig *train, char **name, HnError *err) {
    const HnKey *keys[2] = {hn_key_find("model.backbone"), hn_key_find("sampler.name")};
    HnText text = {0};
    HnStatus status = hn_value_format(keys[0], hn_key_train_member_const(keys[0], train), &text, err);
    if (status == HN_OK) {
        status = hn_text_puts(&text, "+", err);
    }
    if (status == HN_OK) {
        status = hn_value_format(keys[1], hn_key_train_member_const(keys[1], train), &text, err);
    }
    *name = text.data;
    if (status != HN_OK) {
        hn_text_free(&text);
        *name = NULL;
    }
    return status;
}

HnStatus hn_variant_slug(const char *name, HnText *slug, HnError *err) {
    for (const char *c = name; *c != '\0'; c++) {
        bool upper = *c >= 'A' && *c <= 'Z';
        bool plain = upper || (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '.' || *c == '_';
        if (plain) {
            char lower = (char)(upper ? *c - 'A' + 'a' : *c);
            HN_TRY(hn_text_append(slug, &lower, 1, err));
        } else if (slug->length > 0 && slug->data[slug->length - 1] != '-') {
            HN_TRY(hn_text_puts(slug, "-", err));
        }
    }
    while (slug->length > 0 && slug->data[slug->length - 1] == '-') {
        slug->data[--slug->length] = '\0';
    }
    return HN_OK;
}

/* One row after another: the experiment's own keys, then the row's. */
static HnStatus read_variants(HnYaml *yaml, const char *folder, HnExperiment *experiment, size_t *row_lines,
                              HnError *err) {
    size_t *lines = hn_alloc(hn_n_keys, sizeof *lines, "lines of keys", err);
    HnStatus status = lines == NULL ? HN_MEMORY : HN_OK;
    for (size_t v = 0; v < experiment->n_variants && status == HN_OK; v++) {
        HnVariant *variant = &experiment->variants[v];
        memset(lines, 0, hn_n_keys * sizeof *lines);
        HnKeySink sink = {experiment, &variant->train, &variant->name, folder, lines};
        row_lines[v] = hn_yaml_row_line(yaml, v);
        status = hn_train_config_copy(&experiment->train, &variant->train, err);
        if (status == HN_OK) {
            status = hn_yaml_give_row(yaml, v, &sink, err);
        }
    }
    hn_free(lines);
    return status;
}

/* The rows of compare, or one row of the experiment's own keys; then the checks across keys. */
static HnStatus finish(HnYaml *yaml, const char *path, const char *folder, HnExperiment *experiment,
                       const size_t *lines, bool data_only, HnError *err) {
    size_t n_rows = yaml == NULL ? 0 : hn_yaml_n_rows(yaml);
    size_t n = n_rows == 0 ? 1 : n_rows;
    experiment->variants = hn_alloc(n, sizeof *experiment->variants, "rows of compare", err);
    if (experiment->variants == NULL) {
        return HN_MEMORY;
    }
    experiment->n_variants = n;
    size_t *row_lines = hn_alloc(n, sizeof *row_lines, "lines of rows", err);
    HnStatus status = row_lines == NULL ? HN_MEMORY : HN_OK;
    if (status == HN_OK && n_rows > 0) {
        status = read_variants(yaml, folder, experiment, row_lines, err);
    } else if (status == HN_OK) {
        status = hn_train_config_copy(&experiment->train, &experiment->variants[0].train, err);
        if (status == HN_OK) {
            status = hn_variant_auto_name(&experiment->train, &experiment->variants[0].name, err);
        }
    }
    if (status == HN_OK) {
        status = hn_experiment_check(experiment, path, lines, row_lines, data_only, err);
    }
    hn_free(row_lines);
    return status;
}

static char *folder_of(const char *path, HnError *err) {
    const char *slash = path == NULL ? NULL : strrchr(path, '/');
    return slash == NULL ? hn_strdup(".", err) : hn_strndup(path, slash == path ? 1 : (size_t)(slash - path), err);
}

static HnStatus load(const char *path, const char *const *sets, size_t n_sets, bool data_only,
                     HnExperiment **experiment, HnError *err) {
    HnYaml *yaml = NULL;
    *experiment = hn_alloc(1, sizeof **experiment, "the experiment", err);
    size_t *lines = hn_alloc(hn_n_keys, sizeof *lines, "lines of keys", err);
    char *folder = folder_of(path, err);
    HnStatus status = *experiment == NULL || lines == NULL || folder == NULL ? HN_MEMORY : HN_OK;
    if (status == HN_OK) {
        status = assign_defaults(*experiment, err);
    }
    HnKeySink sink = {.experiment = *experiment, .folder = folder, .lines = lines};
    if (status == HN_OK && path != NULL) {
        status = hn_yaml_open(path, &yaml, err);
        if (status == HN_OK) {
            status = hn_yaml_give_keys(yaml, &sink, err);
        }
    }
    HnKeySink command_line = sink;
    command_line.folder = "."; /* whoever types a path means it from where they stand */
    for (size_t i = 0; i < n_sets && status == HN_OK; i++) {
        status = hn_set_give(sets[i], &command_line, err);
    }
    if (status == HN_OK) {
        status = finish(yaml, path, folder, *experiment, lines, data_only, err);
    }
    hn_yaml_close(&yaml);
    hn_free(folder);
    hn_free(lines);
    if (status != HN_OK) {
        hn_experiment_free(experiment);
    }
    return status;
}

HnStatus hn_experiment_load(const char *path, const char *const *sets, size_t n_sets, HnExperiment **experiment,
                            HnError *err) {
    return load(path, sets, n_sets, false, experiment, err);
}

HnStatus hn_experiment_load_data(const char *path, const char *const *sets, size_t n_sets, HnExperiment **experiment,
                                 HnError *err) {
    return load(path, sets, n_sets, true, experiment, err);
}
