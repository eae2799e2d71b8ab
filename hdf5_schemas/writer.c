/* Writing a sealed store: temporary file, fields at their full size, seal = check, digest, sync, rename. */
#include "writer.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"

static void free_writer(HnStoreWriter **writer_address) {
    HnStoreWriter *writer = *writer_address;
    if (writer == NULL) {
        return;
    }
    for (size_t i = 0; writer->fields != NULL && i < writer->schema->n_fields; i++) {
        hn_column_close(&writer->fields[i].column);
        hn_free(writer->fields[i].coverage.bits);
        hn_strings_free(&writer->fields[i].sink);
    }
    hn_hdf5_close(&writer->file);
    if (writer->temp != NULL) {
        unlink(writer->temp);
    }
    hn_free(writer->fields);
    hn_free(writer->temp);
    hn_free(writer->path);
    hn_free(writer);
    *writer_address = NULL;
}

void hn_store_abandon(HnStoreWriter **writer) {
    free_writer(writer);
}

HnStatus hn_store_create(const char *path, const HnSchema *schema, const HnProvenance *provenance,
                         HnStoreWriter **writer_address, HnError *err) {
    *writer_address = NULL;
    HnStoreWriter *writer = (HnStoreWriter *)hn_alloc(1, sizeof *writer, "store writer", err);
    if (writer == NULL) {
        return HN_MEMORY;
    }
    writer->schema = schema;
    writer->file = H5I_INVALID_HID;
    HnStatus status = HN_MEMORY;
    writer->path = hn_strdup(path, err);
    writer->fields = (HnWriterField *)hn_alloc(schema->n_fields, sizeof *writer->fields, "store fields", err);
    if (writer->path == NULL || writer->fields == NULL) {
        goto fail;
    }
    for (size_t i = 0; i < schema->n_fields; i++) {
        writer->fields[i].column.field = &schema->fields[i];
        writer->fields[i].column.data = H5I_INVALID_HID;
        writer->fields[i].column.offsets = H5I_INVALID_HID;
    }
    status = hn_store_sweep(path, err);
    if (status == HN_OK) {
        status = hn_file_temp_name(path, &writer->temp, err);
    }
    if (status == HN_OK) {
        status = hn_hdf5_create(writer->temp, &writer->fault, &writer->file, err);
    }
    if (status == HN_OK) {
        status = hn_provenance_write(writer->file, path, &writer->fault, schema, provenance, err);
    }
    if (status == HN_OK) {
        *writer_address = writer;
        return HN_OK;
    }
fail:
    free_writer(&writer);
    return status;
}

HnStatus hn_writer_check(const HnStoreWriter *writer, bool good, const char *what, const char *field, HnError *err) {
    if (good && writer->fault.error_number == 0) {
        return HN_OK;
    }
    char text[256];
    snprintf(text, sizeof text, "%s %s", what, field);
    return hn_hdf5_fail(err, HN_IO, writer->path, &writer->fault, text);
}

HnWriterField *hn_writer_field(HnStoreWriter *writer, const char *field, bool strings, HnError *err) {
    int index = hn_field_find(writer->schema, field);
    if (index < 0) {
        hn_fail(err, HN_INTERNAL, "%s: the %s schema declares no field %s", writer->path, writer->schema->name, field);
        return NULL;
    }
    if ((writer->schema->fields[index].type == HN_STRINGS) != strings) {
        hn_fail(err, HN_INTERNAL, "%s: field %s %s strings", writer->path, field, strings ? "is no field of" : "holds");
        return NULL;
    }
    return &writer->fields[index];
}

bool hn_writer_describe(hid_t object, const HnField *field) {
    return hn_hdf5_put_text(object, "about", field->about) && hn_hdf5_put_text(object, "unit", field->unit) &&
           hn_hdf5_put_text(object, "shape", field->shape);
}

HnStatus hn_writer_dataset(HnStoreWriter *writer, const char *path, HnType type, int n_dims, const uint64_t *dims,
                           bool chunked, hid_t *dataset, HnError *err) {
    hsize_t size[HN_MAX_DIMS], most[HN_MAX_DIMS], chunk[1] = {HN_HEAP_CHUNK};
    for (int d = 0; d < n_dims; d++) {
        size[d] = dims[d];
        most[d] = chunked ? H5S_UNLIMITED : dims[d];
    }
    hid_t space = H5Screate_simple(n_dims, size, most);
    hid_t type_id = hn_hdf5_file_type(type);
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    hid_t links = H5Pcreate(H5P_LINK_CREATE);
    bool good = space >= 0 && type_id >= 0 && creation >= 0 && links >= 0 &&
                H5Pset_fill_time(creation, H5D_FILL_TIME_NEVER) >= 0 && H5Pset_obj_track_times(creation, false) >= 0 &&
                H5Pset_create_intermediate_group(links, 1) >= 0 && (!chunked || H5Pset_chunk(creation, 1, chunk) >= 0);
    *dataset = good ? H5Dcreate2(writer->file, path, type_id, space, links, creation, H5P_DEFAULT) : H5I_INVALID_HID;
    HnStatus status = hn_writer_check(writer, *dataset >= 0, "creating field", path, err);
    H5Pclose(links);
    H5Pclose(creation);
    H5Tclose(type_id);
    H5Sclose(space);
    return status;
}

HnStatus hn_store_define(HnStoreWriter *writer, const char *field, const uint64_t *dims, HnError *err) {
    HnWriterField *f = hn_writer_field(writer, field, false, err);
    if (f == NULL) {
        return HN_INTERNAL;
    }
    if (f->column.extent.present) {
        return hn_fail(err, HN_INTERNAL, "%s: field %s is defined twice", writer->path, field);
    }
    HnShape shape;
    if (!hn_shape_parse(f->column.field->shape, &shape)) {
        return hn_fail(err, HN_INTERNAL, "field %s: bad shape \"%s\"", field, f->column.field->shape);
    }
    uint64_t n_bytes = hn_type_bytes(f->column.field->type);
    for (int d = 0; d < shape.n_dims; d++) {
        if (dims[d] != 0 && n_bytes > (uint64_t)INT64_MAX / dims[d]) {
            return hn_fail(err, HN_RANGE, "%s: field %s is too large for one file", writer->path, field);
        }
        n_bytes *= dims[d] == 0 ? 1 : dims[d];
        f->column.extent.dims[d] = dims[d];
    }
    HN_TRY(hn_writer_dataset(writer, field, f->column.field->type, shape.n_dims, dims, false, &f->column.data, err));
    f->column.extent.present = true;
    return hn_writer_check(writer, hn_writer_describe(f->column.data, f->column.field), "describing field", field, err);
}

static HnStatus cover(HnCoverage *coverage, uint64_t total, uint64_t row0, uint64_t n_rows, HnError *err) {
    if (coverage->bits == NULL && row0 <= coverage->prefix) {
        coverage->prefix = row0 + n_rows > coverage->prefix ? row0 + n_rows : coverage->prefix;
        return HN_OK;
    }
    if (coverage->bits == NULL) {
        coverage->bits = (unsigned char *)hn_alloc((size_t)(total / 8 + 1), 1, "rows written", err);
        if (coverage->bits == NULL) {
            return HN_MEMORY;
        }
    }
    for (uint64_t row = row0; row < row0 + n_rows; row++) {
        coverage->bits[row / 8] |= (unsigned char)(1u << (row % 8));
    }
    return HN_OK;
}

/* The first row that nobody wrote; total = none. */
static uint64_t first_missing(const HnCoverage *coverage, uint64_t total) {
    uint64_t row = coverage->prefix;
    while (coverage->bits != NULL && row < total && (coverage->bits[row / 8] >> (row % 8) & 1) != 0) {
        row++;
    }
    return row;
}

HnStatus hn_store_write_rows(HnStoreWriter *writer, const char *field, uint64_t row0, uint64_t n_rows, const void *data,
                             HnError *err) {
    HnWriterField *f = hn_writer_field(writer, field, false, err);
    if (f == NULL) {
        return HN_INTERNAL;
    }
    if (!f->column.extent.present) {
        return hn_fail(err, HN_INTERNAL, "%s: field %s is written before it is defined", writer->path, field);
    }
    const uint64_t *dims = f->column.extent.dims;
    if (row0 > dims[0] || n_rows > dims[0] - row0) {
        return hn_fail(err, HN_RANGE, "%s: field %s has %llu rows; rows %llu and %llu more are outside", writer->path,
                       field, (unsigned long long)dims[0], (unsigned long long)row0, (unsigned long long)n_rows);
    }
    HnShape shape;
    hn_shape_parse(f->column.field->shape, &shape);
    hid_t type = hn_hdf5_memory_type(f->column.field->type);
    /* HDF5 reads but never changes what it is given to write. */
    bool good = type >= 0 &&
                hn_hdf5_transfer(true, f->column.data, type, shape.n_dims, dims, row0, n_rows, (void *)(uintptr_t)data);
    HnStatus status = hn_writer_check(writer, good, "writing field", field, err);
    if (type >= 0) {
        H5Tclose(type);
    }
    return status != HN_OK ? status : cover(&f->coverage, dims[0], row0, n_rows, err);
}

HnStatus hn_store_write(HnStoreWriter *writer, const char *field, const uint64_t *dims, const void *data,
                        HnError *err) {
    HN_TRY(hn_store_define(writer, field, dims, err));
    return hn_store_write_rows(writer, field, 0, dims[0], data, err);
}

/* ---- root attributes ---- */

/* A name that the store itself lives by is taken; one that is declared has the declared type. */
static HnStatus check_attribute(const HnStoreWriter *writer, const char *name, HnType type, HnError *err) {
    const char *const taken[] = {HN_ATTRIBUTE_SCHEMA, HN_ATTRIBUTE_VERSION, HN_ATTRIBUTE_CONTENT, HN_ATTRIBUTE_PROGRAM};
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        if (strcmp(taken[i], name) == 0) {
            return hn_fail(err, HN_INTERNAL, "%s: the root attribute %s belongs to the store itself", writer->path,
                           name);
        }
    }
    const HnAttribute *declared = hn_attribute_find(writer->schema, name);
    for (const HnAttribute *own = hn_provenance_attributes; own->name != NULL && declared == NULL; own++) {
        declared = strcmp(own->name, name) == 0 ? own : NULL;
    }
    if (declared != NULL && declared->type != type) {
        return hn_fail(err, HN_INTERNAL, "%s: root attribute %s of the %s schema is declared with another type",
                       writer->path, name, writer->schema->name);
    }
    return HN_OK;
}

HnStatus hn_store_set_i64(HnStoreWriter *writer, const char *name, int64_t value, HnError *err) {
    HN_TRY(check_attribute(writer, name, HN_I64, err));
    return hn_writer_check(writer, hn_hdf5_put_i64(writer->file, name, value), "writing attribute", name, err);
}

HnStatus hn_store_set_f64(HnStoreWriter *writer, const char *name, double value, HnError *err) {
    HN_TRY(check_attribute(writer, name, HN_F64, err));
    return hn_writer_check(writer, hn_hdf5_put_f64(writer->file, name, value), "writing attribute", name, err);
}

HnStatus hn_store_set_text(HnStoreWriter *writer, const char *name, const char *value, HnError *err) {
    HN_TRY(check_attribute(writer, name, HN_STRINGS, err));
    return hn_writer_check(writer, hn_hdf5_put_text(writer->file, name, value == NULL ? "" : value),
                           "writing attribute", name, err);
}

/* ---- sealing ---- */

static HnStatus check_complete(const HnStoreWriter *writer, HnError *err) {
    int n_choices = 0, n_chosen = 0;
    for (size_t i = 0; i < writer->schema->n_fields; i++) {
        const HnField *field = &writer->schema->fields[i];
        const HnWriterField *f = &writer->fields[i];
        bool present = f->column.extent.present;
        n_choices += (field->flags & HN_FIELD_ONE_OF) != 0;
        n_chosen += (field->flags & HN_FIELD_ONE_OF) != 0 && present;
        if (!present && (field->flags & (HN_FIELD_OPTIONAL | HN_FIELD_ONE_OF)) == 0) {
            return hn_fail(err, HN_INTERNAL, "%s: the required field %s was not written", writer->path, field->path);
        }
        uint64_t total = f->column.extent.dims[0];
        uint64_t done = field->type == HN_STRINGS ? f->sink.n_added : first_missing(&f->coverage, total);
        if (present && done < total) {
            return hn_fail(err, HN_INTERNAL, "%s: row %llu of %llu of field %s was not written", writer->path,
                           (unsigned long long)done, (unsigned long long)total, field->path);
        }
    }
    if (n_choices > 0 && n_chosen != 1) {
        return hn_fail(err, HN_INTERNAL, "%s: a %s store has exactly one of its alternative fields, not %d",
                       writer->path, writer->schema->name, n_chosen);
    }
    return hn_shapes_agree(writer->schema, &writer->fields[0].column.extent, sizeof writer->fields[0], writer->path,
                           HN_INTERNAL, err);
}

/* The columns alone, as the digest takes them. */
static HnStatus digest_of(const HnStoreWriter *writer, char whole[65], HnError *err) {
    size_t n = writer->schema->n_fields;
    HnColumn *columns = (HnColumn *)hn_alloc(n, sizeof *columns, "store columns", err);
    if (columns == NULL) {
        return HN_MEMORY;
    }
    for (size_t i = 0; i < n; i++) {
        columns[i] = writer->fields[i].column;
    }
    HnStatus status = hn_columns_digest(writer->schema, columns, writer->path, &writer->fault, NULL, NULL, whole, err);
    hn_free(columns);
    return status;
}

static HnStatus seal(HnStoreWriter *writer, HnError *err) {
    for (size_t i = 0; i < writer->schema->n_fields; i++) {
        HnWriterField *f = &writer->fields[i];
        if (f->column.extent.present && f->column.field->type == HN_STRINGS) {
            HN_TRY(hn_strings_finish(writer, f, err));
        }
    }
    HN_TRY(check_complete(writer, err));
    char whole[65];
    HN_TRY(digest_of(writer, whole, err));
    HN_TRY(hn_writer_check(writer, hn_hdf5_put_text(writer->file, HN_ATTRIBUTE_CONTENT, whole), "writing attribute",
                           HN_ATTRIBUTE_CONTENT, err));
    for (size_t i = 0; i < writer->schema->n_fields; i++) {
        hn_column_close(&writer->fields[i].column);
    }
    HN_TRY(hn_writer_check(writer, hn_hdf5_close(&writer->file), "closing", "the file", err));
    HN_TRY(hn_file_commit(writer->temp, writer->path, err));
    hn_free(writer->temp);
    writer->temp = NULL; /* renamed: nothing to remove */
    return HN_OK;
}

HnStatus hn_store_seal(HnStoreWriter **writer, HnError *err) {
    HnStatus status = seal(*writer, err);
    free_writer(writer);
    return status;
}
