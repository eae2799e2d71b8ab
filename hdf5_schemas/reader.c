/* Reading a sealed store: opened whole, checked against its declaration, read by ranges of rows. */
#include <string.h>

#include "base/alloc.h"
#include "hdf5_access.h"

struct HnStore {
    char *path;
    const HnSchema *schema;
    hid_t file;
    HnFault fault;
    HnColumn *columns; /* [schema->n_fields] */
};

int hn_field_find(const HnSchema *schema, const char *path) {
    for (size_t i = 0; i < schema->n_fields; i++) {
        if (strcmp(schema->fields[i].path, path) == 0) {
            return (int)i;
        }
    }
    return -1;
}

const HnAttribute *hn_attribute_find(const HnSchema *schema, const char *name) {
    for (size_t i = 0; i < schema->n_attributes; i++) {
        if (strcmp(schema->attributes[i].name, name) == 0) {
            return &schema->attributes[i];
        }
    }
    return NULL;
}

const HnSchema *hn_schema_find(const char *name) {
    for (size_t i = 0; HN_SCHEMAS[i] != NULL; i++) {
        if (strcmp(HN_SCHEMAS[i]->name, name) == 0) {
            return HN_SCHEMAS[i];
        }
    }
    return NULL;
}

uint64_t hn_column_row_bytes(const HnColumn *column) {
    HnShape shape;
    uint64_t n_bytes = hn_type_bytes(column->field->type);
    if (!hn_shape_parse(column->field->shape, &shape)) {
        return n_bytes;
    }
    for (int d = 1; d < shape.n_dims; d++) {
        n_bytes *= column->extent.dims[d];
    }
    return n_bytes;
}

void hn_column_close(HnColumn *column) {
    hn_hdf5_close_dataset(&column->data);
    hn_hdf5_close_dataset(&column->offsets);
}

/* ---- opening ---- */

/* Sizes of an open data set; false unless it has n_dims dimensions. */
static bool get_sizes(hid_t dataset, int n_dims, uint64_t *dims) {
    hid_t space = H5Dget_space(dataset);
    hsize_t sizes[H5S_MAX_RANK];
    bool good = space >= 0 && H5Sget_simple_extent_type(space) == H5S_SIMPLE &&
                H5Sget_simple_extent_dims(space, sizes, NULL) == n_dims;
    for (int d = 0; good && d < n_dims; d++) {
        dims[d] = sizes[d];
    }
    if (space >= 0) {
        H5Sclose(space);
    }
    return good;
}

/* Is there an object at path? H5Lexists wants every parent to exist. */
static bool has_path(hid_t file, const char *path) {
    char part[256];
    size_t n = strlen(path);
    if (n >= sizeof part) {
        return false;
    }
    for (size_t i = 1; i <= n; i++) {
        if (path[i] == '/' || path[i] == '\0') {
            memcpy(part, path, i);
            part[i] = '\0';
            if (H5Lexists(file, part, H5P_DEFAULT) <= 0) {
                return false;
            }
        }
    }
    return true;
}

static HnStatus open_dataset(HnStore *store, const HnField *field, const char *path, HnType type, int n_dims,
                             uint64_t *dims, hid_t *dataset, HnError *err) {
    *dataset = has_path(store->file, path) ? H5Dopen2(store->file, path, H5P_DEFAULT) : H5I_INVALID_HID;
    if (*dataset < 0) {
        return hn_fail(err, HN_CORRUPT, "%s: data set %s cannot be opened. Delete the file and run again what made it",
                       store->path, path);
    }
    if (!hn_hdf5_type_matches(*dataset, type) || !get_sizes(*dataset, n_dims, dims)) {
        return hn_fail(err, HN_FORMAT,
                       "%s: data set %s has another type or number of dimensions than field %s %s of the "
                       "%s schema",
                       store->path, path, field->path, field->shape, store->schema->name);
    }
    return HN_OK;
}

static HnStatus open_strings(HnStore *store, HnColumn *column, HnError *err) {
    char path[256];
    const char *field = column->field->path;
    uint64_t n_offsets = 0, last = 0;
    snprintf(path, sizeof path, "%s/bytes", field);
    HN_TRY(open_dataset(store, column->field, path, HN_U8, 1, &column->n_bytes, &column->data, err));
    snprintf(path, sizeof path, "%s/offsets", field);
    HN_TRY(open_dataset(store, column->field, path, HN_U64, 1, &n_offsets, &column->offsets, err));
    if (n_offsets == 0) {
        return hn_fail(err, HN_CORRUPT, "%s: %s is empty; it needs one entry more than there are rows", store->path,
                       path);
    }
    column->extent.dims[0] = n_offsets - 1;
    if (!hn_hdf5_transfer(false, column->offsets, H5T_NATIVE_UINT64, 1, &n_offsets, n_offsets - 1, 1, &last)) {
        return hn_hdf5_fail(err, HN_CORRUPT, store->path, &store->fault, "reading string offsets");
    }
    if (last != column->n_bytes) {
        return hn_fail(err, HN_CORRUPT, "%s: field %s holds %llu bytes, but its last offset is %llu", store->path,
                       field, (unsigned long long)column->n_bytes, (unsigned long long)last);
    }
    return HN_OK;
}

static HnStatus open_columns(HnStore *store, HnError *err) {
    int n_choices = 0, n_chosen = 0;
    for (size_t i = 0; i < store->schema->n_fields; i++) {
        HnColumn *column = &store->columns[i];
        const HnField *field = column->field;
        bool present = has_path(store->file, field->path);
        n_choices += (field->flags & HN_FIELD_ONE_OF) != 0;
        n_chosen += (field->flags & HN_FIELD_ONE_OF) != 0 && present;
        if (!present && (field->flags & (HN_FIELD_OPTIONAL | HN_FIELD_ONE_OF)) == 0) {
            return hn_fail(err, HN_CORRUPT,
                           "%s: this %s store lacks its field %s. Delete it and run again what made it", store->path,
                           store->schema->name, field->path);
        }
        column->extent.present = present;
        HnShape shape;
        if (present && field->type == HN_STRINGS) {
            HN_TRY(open_strings(store, column, err));
        } else if (present && hn_shape_parse(field->shape, &shape)) {
            HN_TRY(open_dataset(store, field, field->path, field->type, shape.n_dims, column->extent.dims,
                                &column->data, err));
        }
    }
    if (n_choices > 0 && n_chosen != 1) {
        return hn_fail(err, HN_CORRUPT, "%s: a %s store has exactly one of its alternative fields, not %d", store->path,
                       store->schema->name, n_chosen);
    }
    return hn_shapes_agree(store->schema, &store->columns[0].extent, sizeof store->columns[0], store->path, HN_CORRUPT,
                           err);
}

/* Our own files are sealed only when their content digest stands in them; a file made elsewhere may do without. */
static HnStatus check_sealed(const HnStore *store, HnError *err) {
    char *program = NULL, *content = NULL;
    HnStatus status = hn_hdf5_get_text(store->file, HN_ATTRIBUTE_PROGRAM, &program, err);
    if (status == HN_OK) {
        status = hn_hdf5_get_text(store->file, HN_ATTRIBUTE_CONTENT, &content, err);
    }
    if (status == HN_OK && program != NULL && strcmp(program, "hnlmrec") == 0 && content == NULL) {
        status = hn_fail(err, HN_CORRUPT,
                         "%s: this store was never finished (it has no %s). Delete it and run again "
                         "what made it",
                         store->path, HN_ATTRIBUTE_CONTENT);
    }
    hn_free(program);
    hn_free(content);
    return status;
}

static HnStatus check_identity(HnStore *store, const HnSchema *wanted, HnError *err) {
    char *name = NULL, *written_by = NULL;
    int64_t version = 0;
    HN_TRY(hn_hdf5_get_text(store->file, HN_ATTRIBUTE_SCHEMA, &name, err));
    HnStatus status = hn_hdf5_get_text(store->file, "version", &written_by, err);
    bool has_version = hn_hdf5_get_i64(store->file, HN_ATTRIBUTE_VERSION, &version);
    const HnSchema *found = name == NULL ? NULL : hn_schema_find(name);
    if (status != HN_OK) {
        /* out of memory */
    } else if (name == NULL || !has_version) {
        status = hn_fail(err, HN_FORMAT,
                         "%s: an HDF5 file, but no store of hnlmrec: its root lacks the attributes %s and "
                         "%s (see hdf5_schemas/README.md)",
                         store->path, HN_ATTRIBUTE_SCHEMA, HN_ATTRIBUTE_VERSION);
    } else if (wanted != NULL && strcmp(name, wanted->name) != 0) {
        status = hn_fail(err, HN_FORMAT, "%s: this is a %s store, where a %s store is needed. Check the path",
                         store->path, name, wanted->name);
    } else if (found == NULL) {
        status = hn_fail(err, HN_FORMAT, "%s: this program knows no %s stores. A newer hnlmrec may have made it (%s)",
                         store->path, name, written_by == NULL ? "version unknown" : written_by);
    } else if (version > found->version || version < 1) {
        status = hn_fail(err, HN_FORMAT,
                         "%s: version %lld of the %s schema, but this program reads versions up to %d. "
                         "Use the hnlmrec that wrote it (%s) or a newer one",
                         store->path, (long long)version, name, found->version,
                         written_by == NULL ? "version unknown" : written_by);
    }
    store->schema = found;
    hn_free(name);
    hn_free(written_by);
    return status;
}

HnStatus hn_store_open(const char *path, const HnSchema *schema, HnStore **store_address, HnError *err) {
    *store_address = NULL;
    HnStore *store = (HnStore *)hn_alloc(1, sizeof *store, "open store", err);
    if (store == NULL) {
        return HN_MEMORY;
    }
    store->file = H5I_INVALID_HID;
    store->path = hn_strdup(path, err);
    HnStatus status = store->path == NULL ? HN_MEMORY : hn_hdf5_open(path, &store->fault, &store->file, err);
    if (status == HN_OK) {
        status = check_identity(store, schema, err);
    }
    if (status == HN_OK) {
        status = check_sealed(store, err);
    }
    if (status == HN_OK) {
        store->columns = (HnColumn *)hn_alloc(store->schema->n_fields, sizeof *store->columns, "store columns", err);
        status = store->columns == NULL ? HN_MEMORY : HN_OK;
    }
    for (size_t i = 0; status == HN_OK && i < store->schema->n_fields; i++) {
        store->columns[i].field = &store->schema->fields[i];
        store->columns[i].data = H5I_INVALID_HID;
        store->columns[i].offsets = H5I_INVALID_HID;
    }
    if (status == HN_OK) {
        status = open_columns(store, err);
    }
    *store_address = store;
    if (status != HN_OK) {
        hn_store_close(store_address);
    }
    return status;
}

void hn_store_close(HnStore **store_address) {
    HnStore *store = *store_address;
    if (store == NULL) {
        return;
    }
    for (size_t i = 0; store->columns != NULL && i < store->schema->n_fields; i++) {
        hn_column_close(&store->columns[i]);
    }
    hn_hdf5_close(&store->file);
    hn_free(store->columns);
    hn_free(store->path);
    hn_free(store);
    *store_address = NULL;
}

/* ---- asking and reading ---- */

const HnSchema *hn_store_schema(const HnStore *store) {
    return store->schema;
}

bool hn_store_has(const HnStore *store, const char *field) {
    int index = hn_field_find(store->schema, field);
    return index >= 0 && store->columns[index].extent.present;
}

static const HnColumn *present_column(const HnStore *store, const char *field, HnError *err) {
    int index = hn_field_find(store->schema, field);
    if (index < 0) {
        hn_fail(err, HN_INTERNAL, "%s: the %s schema declares no field %s", store->path, store->schema->name, field);
        return NULL;
    }
    if (!store->columns[index].extent.present) {
        hn_fail(err, HN_FORMAT, "%s: this store was written without the optional field %s", store->path, field);
        return NULL;
    }
    return &store->columns[index];
}

static HnStatus absent(const HnStore *store, const char *field) {
    return hn_field_find(store->schema, field) < 0 ? HN_INTERNAL : HN_FORMAT;
}

HnStatus hn_store_dims(const HnStore *store, const char *field, uint64_t dims[HN_MAX_DIMS], HnError *err) {
    const HnColumn *column = present_column(store, field, err);
    if (column == NULL) {
        return absent(store, field);
    }
    memcpy(dims, column->extent.dims, sizeof column->extent.dims);
    return HN_OK;
}

static HnStatus check_rows(const char *path, const HnColumn *column, uint64_t row0, uint64_t n_rows, HnError *err) {
    uint64_t total = column->extent.dims[0];
    if (row0 > total || n_rows > total - row0) {
        return hn_fail(err, HN_RANGE, "%s: field %s has %llu rows; rows %llu and %llu more are outside", path,
                       column->field->path, (unsigned long long)total, (unsigned long long)row0,
                       (unsigned long long)n_rows);
    }
    return HN_OK;
}

HnStatus hn_store_read_rows(const HnStore *store, const char *field, uint64_t row0, uint64_t n_rows, void *data,
                            HnError *err) {
    const HnColumn *column = present_column(store, field, err);
    if (column == NULL) {
        return absent(store, field);
    }
    HnShape shape;
    if (column->field->type == HN_STRINGS || !hn_shape_parse(column->field->shape, &shape)) {
        return hn_fail(err, HN_INTERNAL, "%s: field %s holds strings", store->path, field);
    }
    HN_TRY(check_rows(store->path, column, row0, n_rows, err));
    hid_t type = hn_hdf5_memory_type(column->field->type);
    bool good =
        type >= 0 && hn_hdf5_transfer(false, column->data, type, shape.n_dims, column->extent.dims, row0, n_rows, data);
    HnStatus status = good ? HN_OK : hn_hdf5_fail(err, HN_CORRUPT, store->path, &store->fault, field);
    if (type >= 0) {
        H5Tclose(type);
    }
    return status;
}

HnStatus hn_column_read_strings(const HnColumn *column, const char *path, const HnFault *fault, uint64_t row0,
                                uint64_t n_rows, char **bytes, uint64_t **offsets, HnError *err) {
    *bytes = NULL;
    *offsets = NULL;
    HN_TRY(check_rows(path, column, row0, n_rows, err));
    uint64_t n_offsets = column->extent.dims[0] + 1;
    HnStatus status = HN_MEMORY;
    uint64_t *at = (uint64_t *)hn_alloc((size_t)(n_rows + 1), sizeof *at, "string offsets", err);
    if (at == NULL) {
        return status;
    }
    if (!hn_hdf5_transfer(false, column->offsets, H5T_NATIVE_UINT64, 1, &n_offsets, row0, n_rows + 1, at)) {
        status = hn_hdf5_fail(err, HN_CORRUPT, path, fault, "reading string offsets");
        goto fail;
    }
    for (uint64_t i = 0; i <= n_rows; i++) {
        if (at[i] > column->n_bytes || (i > 0 && at[i] < at[i - 1])) {
            status = hn_fail(err, HN_CORRUPT, "%s: field %s: the offset of row %llu is %llu, which cannot be", path,
                             column->field->path, (unsigned long long)(row0 + i), (unsigned long long)at[i]);
            goto fail;
        }
    }
    uint64_t begin = at[0], count = at[n_rows] - at[0];
    *bytes = (char *)hn_alloc((size_t)count + 1, 1, "strings", err);
    if (*bytes == NULL) {
        goto fail;
    }
    if (!hn_hdf5_transfer(false, column->data, H5T_NATIVE_UINT8, 1, &column->n_bytes, begin, count, *bytes)) {
        status = hn_hdf5_fail(err, HN_CORRUPT, path, fault, "reading strings");
        goto fail;
    }
    for (uint64_t i = 0; i <= n_rows; i++) {
        at[i] -= begin;
    }
    *offsets = at;
    return HN_OK;
fail:
    hn_free(*bytes);
    *bytes = NULL;
    hn_free(at);
    return status;
}

HnStatus hn_store_read_strings(const HnStore *store, const char *field, uint64_t row0, uint64_t n_rows, char **bytes,
                               uint64_t **offsets, HnError *err) {
    const HnColumn *column = present_column(store, field, err);
    if (column == NULL) {
        return absent(store, field);
    }
    if (column->field->type != HN_STRINGS) {
        return hn_fail(err, HN_INTERNAL, "%s: field %s is no field of strings", store->path, field);
    }
    return hn_column_read_strings(column, store->path, &store->fault, row0, n_rows, bytes, offsets, err);
}

static HnStatus no_attribute(const HnStore *store, const char *name, const char *type, HnError *err) {
    return hn_fail(err, HN_FORMAT, "%s: this %s store has no root attribute %s (%s)", store->path, store->schema->name,
                   name, type);
}

HnStatus hn_store_get_i64(const HnStore *store, const char *name, int64_t *value, HnError *err) {
    return hn_hdf5_get_i64(store->file, name, value) ? HN_OK : no_attribute(store, name, "a whole number", err);
}

HnStatus hn_store_get_f64(const HnStore *store, const char *name, double *value, HnError *err) {
    return hn_hdf5_get_f64(store->file, name, value) ? HN_OK : no_attribute(store, name, "a number", err);
}

HnStatus hn_store_get_text(const HnStore *store, const char *name, char **value, HnError *err) {
    HN_TRY(hn_hdf5_get_text(store->file, name, value, err));
    return *value != NULL ? HN_OK : no_attribute(store, name, "a text", err);
}

/* ---- digests of a sealed file ---- */

static HnStatus check_digest(const HnStore *store, const char whole[65], HnError *err) {
    char *recorded = NULL;
    HN_TRY(hn_hdf5_get_text(store->file, HN_ATTRIBUTE_CONTENT, &recorded, err));
    HnStatus status = HN_OK;
    if (recorded != NULL && strcmp(recorded, whole) != 0) {
        status = hn_fail(err, HN_CORRUPT,
                         "%s: its contents do not have the digest recorded when it was sealed (%.12s..., "
                         "now %.12s...): the file was changed or damaged. Delete it and run again what made it",
                         store->path, recorded, whole);
    }
    hn_free(recorded);
    return status;
}

HnStatus hn_store_digest(const char *path, HnDigestFn *each, void *context, char whole[65], HnError *err) {
    HnStore *store = NULL;
    HN_TRY(hn_store_open(path, NULL, &store, err));
    HnStatus status = hn_columns_digest(store->schema, store->columns, path, &store->fault, each, context, whole, err);
    if (status == HN_OK) {
        status = check_digest(store, whole, err);
    }
    hn_store_close(&store);
    return status;
}

HnStatus hn_store_content_id(const char *path, char hex[65], HnError *err) {
    HnStore *store = NULL;
    char *recorded = NULL;
    HN_TRY(hn_store_open(path, NULL, &store, err));
    HnStatus status = hn_hdf5_get_text(store->file, HN_ATTRIBUTE_CONTENT, &recorded, err);
    if (status == HN_OK && recorded != NULL && strlen(recorded) == 64) {
        memcpy(hex, recorded, 65);
    } else if (status == HN_OK) { /* made elsewhere */
        status = hn_columns_digest(store->schema, store->columns, path, &store->fault, NULL, NULL, hex, err);
    }
    hn_free(recorded);
    hn_store_close(&store);
    return status;
}
