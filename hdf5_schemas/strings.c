/* String fields: a group with "bytes" (one heap) and "offsets"; row i is bytes[offsets[i] .. offsets[i+1]-1]. HDF5's
 * own variable-length strings can neither be written in parallel nor read by range at speed.
 *
 * The heap's length is known only at the end. Up to one chunk it is kept in memory and written contiguously; a longer
 * one goes out chunk by chunk.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "writer.h"

static HnStatus write_part(HnStoreWriter *writer, hid_t dataset, HnType type, uint64_t size, uint64_t begin,
                           uint64_t count, void *data, const char *field, HnError *err) {
    hid_t memory = hn_hdf5_memory_type(type);
    bool good = memory >= 0 && hn_hdf5_transfer(true, dataset, memory, 1, &size, begin, count, data);
    HnStatus status = hn_writer_check(writer, good, "writing field", field, err);
    if (memory >= 0) {
        H5Tclose(memory);
    }
    return status;
}

static HnStatus flush_offsets(HnStoreWriter *writer, HnWriterField *f, HnError *err) {
    HnStringSink *sink = &f->sink;
    uint64_t size = f->column.extent.dims[0] + 1;
    HN_TRY(write_part(writer, f->column.offsets, HN_U64, size, sink->n_offsets_written, sink->n_offsets, sink->offsets,
                      f->column.field->path, err));
    sink->n_offsets_written += sink->n_offsets;
    sink->n_offsets = 0;
    return HN_OK;
}

static HnStatus push_offset(HnStoreWriter *writer, HnWriterField *f, uint64_t offset, HnError *err) {
    if (f->sink.n_offsets == HN_OFFSET_BLOCK) {
        HN_TRY(flush_offsets(writer, f, err));
    }
    f->sink.offsets[f->sink.n_offsets++] = offset;
    return HN_OK;
}

HnStatus hn_store_strings_begin(HnStoreWriter *writer, const char *field, uint64_t n_rows, HnError *err) {
    HnWriterField *f = hn_writer_field(writer, field, true, err);
    if (f == NULL) {
        return HN_INTERNAL;
    }
    if (f->column.extent.present) {
        return hn_fail(err, HN_INTERNAL, "%s: string field %s is begun twice", writer->path, field);
    }
    f->sink.offsets = (uint64_t *)hn_alloc(HN_OFFSET_BLOCK, sizeof *f->sink.offsets, "string offsets", err);
    if (f->sink.offsets == NULL) {
        return HN_MEMORY;
    }
    char path[256];
    snprintf(path, sizeof path, "%s/offsets", field);
    uint64_t size = n_rows + 1;
    HN_TRY(hn_writer_dataset(writer, path, HN_U64, 1, &size, false, &f->column.offsets, err));
    f->column.extent.present = true;
    f->column.extent.dims[0] = n_rows;
    hid_t group = H5Gopen2(writer->file, field, H5P_DEFAULT);
    bool good = group >= 0 && hn_writer_describe(group, f->column.field) &&
                hn_hdf5_put_text(group, "encoding", "UTF-8; row i = bytes[offsets[i] : offsets[i+1]]") &&
                hn_hdf5_put_text(f->column.offsets, "about",
                                 "Where each row begins in bytes; the last entry is their number.") &&
                hn_hdf5_put_text(f->column.offsets, "unit", "byte") &&
                hn_hdf5_put_text(f->column.offsets, "shape", "[n_rows+1]");
    HnStatus status = hn_writer_check(writer, good, "describing field", field, err);
    if (group >= 0) {
        H5Gclose(group);
    }
    return status == HN_OK ? push_offset(writer, f, 0, err) : status;
}

/* The heap's data set: as long as it is (contiguous) when it is the last thing written, else to grow by chunks. */
static HnStatus create_heap(HnStoreWriter *writer, HnWriterField *f, uint64_t n_bytes, bool chunked, HnError *err) {
    char path[256];
    snprintf(path, sizeof path, "%s/bytes", f->column.field->path);
    HN_TRY(hn_writer_dataset(writer, path, HN_U8, 1, &n_bytes, chunked, &f->column.data, err));
    bool good = hn_hdf5_put_text(f->column.data, "about", "All rows, one behind the other, without terminators.") &&
                hn_hdf5_put_text(f->column.data, "unit", "byte") &&
                hn_hdf5_put_text(f->column.data, "shape", "[n_bytes]");
    return hn_writer_check(writer, good, "describing field", path, err);
}

static HnStatus flush_bytes(HnStoreWriter *writer, HnWriterField *f, HnError *err) {
    HnStringSink *sink = &f->sink;
    uint64_t begin = f->column.n_bytes, end = begin + sink->n_bytes;
    if (f->column.data < 0) {
        HN_TRY(create_heap(writer, f, end, true, err));
    } else {
        hsize_t size = end;
        HN_TRY(hn_writer_check(writer, H5Dset_extent(f->column.data, &size) >= 0, "growing field",
                               f->column.field->path, err));
    }
    HN_TRY(
        write_part(writer, f->column.data, HN_U8, end, begin, sink->n_bytes, sink->bytes, f->column.field->path, err));
    f->column.n_bytes = end;
    sink->n_bytes = 0;
    return HN_OK;
}

static HnStatus reserve(HnStringSink *sink, size_t n_bytes, HnError *err) {
    size_t wanted = sink->capacity == 0 ? 4096 : sink->capacity;
    while (wanted < HN_HEAP_CHUNK && wanted < sink->n_bytes + n_bytes) {
        wanted *= 2;
    }
    if (wanted > sink->capacity) {
        HN_TRY(hn_resize(&sink->bytes, sink->capacity, wanted, 1, "string heap", err));
        sink->capacity = wanted;
    }
    return HN_OK;
}

HnStatus hn_store_strings_add(HnStoreWriter *writer, const char *field, const char *bytes, size_t n_bytes,
                              HnError *err) {
    HnWriterField *f = hn_writer_field(writer, field, true, err);
    if (f == NULL) {
        return HN_INTERNAL;
    }
    HnStringSink *sink = &f->sink;
    if (!f->column.extent.present || sink->n_added == f->column.extent.dims[0]) {
        return hn_fail(err, HN_INTERNAL, "%s: field %s gets more rows than the %llu it was begun with", writer->path,
                       field, (unsigned long long)f->column.extent.dims[0]);
    }
    for (size_t done = 0; bytes != NULL && done < n_bytes;) {
        if (sink->n_bytes == HN_HEAP_CHUNK) {
            HN_TRY(flush_bytes(writer, f, err));
        }
        size_t room = HN_HEAP_CHUNK - sink->n_bytes;
        size_t part = n_bytes - done < room ? n_bytes - done : room;
        HN_TRY(reserve(sink, part, err));
        memcpy(sink->bytes + sink->n_bytes, bytes + done, part);
        sink->n_bytes += part;
        done += part;
    }
    sink->end += bytes == NULL ? 0 : n_bytes;
    HN_TRY(push_offset(writer, f, sink->end, err));
    sink->n_added++;
    return HN_OK;
}

HnStatus hn_store_strings(HnStoreWriter *writer, const char *field, const char *const *strings, uint64_t n_rows,
                          HnError *err) {
    HN_TRY(hn_store_strings_begin(writer, field, n_rows, err));
    for (uint64_t row = 0; row < n_rows; row++) {
        const char *text = strings[row];
        HN_TRY(hn_store_strings_add(writer, field, text, text == NULL ? 0 : strlen(text), err));
    }
    return HN_OK;
}

HnStatus hn_strings_finish(HnStoreWriter *writer, HnWriterField *f, HnError *err) {
    if (f->sink.n_offsets > 0) {
        HN_TRY(flush_offsets(writer, f, err));
    }
    if (f->column.data < 0) { /* all of it is in memory */
        HN_TRY(create_heap(writer, f, f->sink.n_bytes, false, err));
        HN_TRY(write_part(writer, f->column.data, HN_U8, f->sink.n_bytes, 0, f->sink.n_bytes, f->sink.bytes,
                          f->column.field->path, err));
        f->column.n_bytes = f->sink.n_bytes;
        f->sink.n_bytes = 0;
    }
    return f->sink.n_bytes > 0 ? flush_bytes(writer, f, err) : HN_OK;
}

void hn_strings_free(HnStringSink *sink) {
    hn_free(sink->bytes);
    hn_free(sink->offsets);
    sink->bytes = NULL;
    sink->offsets = NULL;
}
