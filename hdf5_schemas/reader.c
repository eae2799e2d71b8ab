/* Reading a sealed store by ranges of rows; its attributes; its digests. */
#include "reader.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

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
