/* Opening a sealed store: which one it is, whether it was finished, whether every field is as declared. */
#include "reader.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

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
    } else if (version != found->version) {
        status = hn_fail(err, HN_FORMAT,
                         "%s: version %lld of the %s schema, but this program reads version %d. %s (it was written by "
                         "hnlmrec %s)",
                         store->path, (long long)version, name, found->version,
                         version > found->version ? "Use the hnlmrec that wrote it or a newer one"
                                                  : "Run again what made it, or use the hnlmrec that wrote it",
                         written_by == NULL ? "of unknown version" : written_by);
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
