#include "sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "shape.h"

char *sample_folder(void) {
    const char *base = getenv("TMPDIR");
    char path[512];
    snprintf(path, sizeof path, "%s/hnlmrec-test-XXXXXX", base == NULL || base[0] == '\0' ? "/tmp" : base);
    return mkdtemp(path) == NULL ? NULL : strdup(path);
}

void sample_folder_remove(char *folder) {
    HnError err = HN_ERROR_INIT;
    if (folder != NULL && hn_folder_remove(folder, &err) != HN_OK) {
        fprintf(stderr, "%s\n", err.message);
    }
    free(folder);
}

const char *sample_path(const char *folder, const char *name) {
    static char paths[8][600];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

bool sample_has(const HnSchema *schema, const HnField *field, const Sample *sample) {
    if ((field->flags & HN_FIELD_ONE_OF) != 0) {
        const HnField *first = schema->fields;
        while ((first->flags & HN_FIELD_ONE_OF) == 0) {
            first++;
        }
        return (field == first) != sample->second;
    }
    return sample->optional || (field->flags & HN_FIELD_OPTIONAL) == 0;
}

static uint64_t size_named(const char *name, uint64_t scale) {
    static const struct {
        const char *name;
        uint64_t size;
    } sizes[] = {{"n_users", 7},       {"n_items", 5},    {"n_train", 23},   {"n_valid", 0},   {"n_test", 4},
                 {"n_inputs", 2},      {"n_rows", 6},     {"n_pairs", 9},    {"n_samples", 2}, {"dim", 3},
                 {"n_local", 4},       {"n_adapter", 11}, {"n_epochs", 3},   {"n_losses", 2},  {"n_evals", 2},
                 {"n_groups", 3},      {"n_ks", 2},       {"n_settings", 2}, {"n_metrics", 4}, {"n_ranks", 2},
                 {"n_parameters", 13}, {"width", 6}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        if (strcmp(sizes[i].name, name) == 0) {
            bool narrow = strcmp(name, "dim") == 0 || strcmp(name, "width") == 0 || strcmp(name, "n_samples") == 0;
            return sizes[i].size * (narrow && scale > 1 ? 1 : scale);
        }
    }
    fprintf(stderr, "no sample size for %s\n", name);
    abort();
}

int sample_dims(const HnField *field, const Sample *sample, uint64_t dims[HN_MAX_DIMS]) {
    HnShape shape;
    if (!hn_shape_parse(field->shape, &shape)) {
        fprintf(stderr, "bad shape %s\n", field->shape);
        abort();
    }
    for (int d = 0; d < shape.n_dims; d++) {
        dims[d] = size_named(shape.dims[d].name, sample->scale) + shape.dims[d].plus;
        if (shape.dims[d].times[0] != '\0') {
            dims[d] *= size_named(shape.dims[d].times, sample->scale);
        }
    }
    return shape.n_dims;
}

static uint64_t mix(const HnField *field, const Sample *sample, uint64_t index) {
    struct {
        uint64_t salt, index, path;
    } key = {(field->flags & HN_FIELD_VOLATILE) != 0 ? sample->jumps : sample->salt, index,
             hn_checksum64(field->path, strlen(field->path))};
    return hn_checksum64(&key, sizeof key);
}

void sample_value(const HnField *field, const Sample *sample, uint64_t index, void *value) {
    uint64_t bits = mix(field, sample, index); /* any bits, so NaN and infinities too */
    memcpy(value, &bits, hn_type_bytes(field->type));
}

const char *sample_string(const HnField *field, const Sample *sample, uint64_t row, size_t *n_bytes) {
    static const char *const words[] = {"",      "plain", "gr\xc3\xbc\xc3\x9f", "\xf0\x9f\x98\x80", "line\nbreak",
                                        "tab\t", "x"};
    static char text[64];
    uint64_t bits = mix(field, sample, row);
    *n_bytes = 0;
    for (unsigned i = 0; i < bits % 4; i++) {
        const char *word = words[(bits >> (8 + 8 * i)) % (sizeof words / sizeof words[0])];
        memcpy(text + *n_bytes, word, strlen(word) + 1);
        *n_bytes += strlen(word);
    }
    if (bits % 11 == 0) { /* a NUL inside is data like any other */
        text[(*n_bytes)++] = '\0';
        text[(*n_bytes)++] = 'z';
    }
    return text;
}

static HnStatus fill_strings(HnStoreWriter *writer, const HnField *field, const Sample *sample, HnError *err) {
    uint64_t dims[HN_MAX_DIMS];
    sample_dims(field, sample, dims);
    HN_TRY(hn_store_strings_begin(writer, field->path, dims[0], err));
    for (uint64_t row = 0; row < dims[0]; row++) {
        size_t n_bytes = 0;
        const char *text = sample_string(field, sample, row, &n_bytes);
        HN_TRY(hn_store_strings_add(writer, field->path, n_bytes == 0 ? NULL : text, n_bytes, err));
    }
    return HN_OK;
}

static HnStatus fill_numbers(HnStoreWriter *writer, const HnField *field, const Sample *sample, HnError *err) {
    uint64_t dims[HN_MAX_DIMS], width = 1;
    int n_dims = sample_dims(field, sample, dims);
    for (int d = 1; d < n_dims; d++) {
        width *= dims[d];
    }
    size_t size = hn_type_bytes(field->type);
    char *values = (char *)malloc((size_t)(dims[0] * width) * size + 1);
    if (values == NULL) {
        return hn_fail(err, HN_MEMORY, "sample");
    }
    for (uint64_t i = 0; i < dims[0] * width; i++) {
        sample_value(field, sample, i, values + i * size);
    }
    HnStatus status = HN_OK;
    if (!sample->backwards) {
        status = hn_store_write(writer, field->path, dims, values, err);
    } else {
        status = hn_store_define(writer, field->path, dims, err);
        for (uint64_t row = dims[0]; row > 0 && status == HN_OK; row--) {
            status = hn_store_write_rows(writer, field->path, row - 1, 1, values + (row - 1) * width * size, err);
        }
    }
    free(values);
    return status;
}

HnStatus sample_fill(HnStoreWriter *writer, const HnSchema *schema, const Sample *sample, HnError *err) {
    for (size_t i = 0; i < schema->n_fields; i++) {
        const HnField *field = &schema->fields[sample->backwards ? schema->n_fields - 1 - i : i];
        if (sample_has(schema, field, sample)) {
            HN_TRY(field->type == HN_STRINGS ? fill_strings(writer, field, sample, err)
                                             : fill_numbers(writer, field, sample, err));
        }
    }
    for (size_t i = 0; i < schema->n_attributes; i++) {
        const HnAttribute *attribute = &schema->attributes[i];
        switch (attribute->type) {
        case HN_I64:
            HN_TRY(hn_store_set_i64(writer, attribute->name, -(int64_t)i, err));
            break;
        case HN_F64:
            HN_TRY(hn_store_set_f64(writer, attribute->name, 0.1 * (double)i, err));
            break;
        default:
            HN_TRY(hn_store_set_text(writer, attribute->name, attribute->about, err));
        }
    }
    return HN_OK;
}

HnStatus sample_write(const char *path, const HnSchema *schema, const Sample *sample, HnError *err) {
    HnProvenance provenance = {"name: \"x\"\n", "00  a file\n", "plain", "mixed", 7, true};
    HnStoreWriter *writer = NULL;
    HN_TRY(hn_store_create(path, schema, &provenance, &writer, err));
    HnStatus status = sample_fill(writer, schema, sample, err);
    if (status == HN_OK) {
        return hn_store_seal(&writer, err);
    }
    hn_store_abandon(&writer);
    return status;
}

static bool strings_equal(const HnStore *store, const HnField *field, const Sample *sample, uint64_t n_rows,
                          HnError *err) {
    char *bytes = NULL;
    uint64_t *offsets = NULL;
    if (hn_store_read_strings(store, field->path, 0, n_rows, &bytes, &offsets, err) != HN_OK) {
        return false;
    }
    bool equal = true;
    for (uint64_t row = 0; row < n_rows && equal; row++) {
        size_t n_bytes = 0;
        const char *text = sample_string(field, sample, row, &n_bytes);
        equal = offsets[row + 1] - offsets[row] == n_bytes && memcmp(bytes + offsets[row], text, n_bytes) == 0;
    }
    hn_free(bytes);
    hn_free(offsets);
    return equal;
}

static bool numbers_equal(const HnStore *store, const HnField *field, const Sample *sample, const uint64_t *dims,
                          int n_dims, HnError *err) {
    uint64_t n_values = 1;
    for (int d = 0; d < n_dims; d++) {
        n_values *= dims[d];
    }
    size_t size = hn_type_bytes(field->type);
    char *values = (char *)malloc((size_t)n_values * size + 1);
    if (values == NULL) {
        return false;
    }
    bool equal = hn_store_read_rows(store, field->path, 0, dims[0], values, err) == HN_OK;
    for (uint64_t i = 0; i < n_values && equal; i++) {
        char wanted[8];
        sample_value(field, sample, i, wanted);
        equal = memcmp(wanted, values + i * size, size) == 0;
    }
    free(values);
    return equal;
}

const char *sample_difference(const char *path, const HnSchema *schema, const Sample *sample) {
    static char text[512];
    HnError err = HN_ERROR_INIT;
    HnStore *store = NULL;
    text[0] = '\0';
    if (hn_store_open(path, schema, &store, &err) != HN_OK) {
        snprintf(text, sizeof text, "%.500s", err.message);
        return text;
    }
    for (size_t i = 0; i < schema->n_fields && text[0] == '\0'; i++) {
        const HnField *field = &schema->fields[i];
        bool wanted = sample_has(schema, field, sample);
        uint64_t dims[HN_MAX_DIMS] = {0}, found[HN_MAX_DIMS] = {0};
        int n_dims = sample_dims(field, sample, dims);
        if (hn_store_has(store, field->path) != wanted) {
            snprintf(text, sizeof text, "%s is %s", field->path, wanted ? "absent" : "there");
        } else if (wanted && hn_store_dims(store, field->path, found, &err) != HN_OK) {
            snprintf(text, sizeof text, "%.500s", err.message);
        } else if (wanted && memcmp(found, dims, sizeof(uint64_t) * (size_t)n_dims) != 0) {
            snprintf(text, sizeof text, "%s has another size", field->path);
        } else if (wanted && !(field->type == HN_STRINGS ? strings_equal(store, field, sample, dims[0], &err)
                                                         : numbers_equal(store, field, sample, dims, n_dims, &err))) {
            snprintf(text, sizeof text, "%s has other values; %.400s", field->path, err.message);
        }
    }
    hn_store_close(&store);
    return text[0] == '\0' ? NULL : text;
}

int sample_run(const char *command, char *out, size_t n_bytes) {
    FILE *pipe = popen(command, "r");
    if (pipe == NULL) {
        return -1;
    }
    size_t n = fread(out, 1, n_bytes - 1, pipe);
    out[n] = '\0';
    char rest[4096];
    while (fread(rest, 1, sizeof rest, pipe) > 0) {
    }
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
