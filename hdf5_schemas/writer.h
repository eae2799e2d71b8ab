/* Insides of a store being written; shared by writer.c and strings.c. */
#ifndef HN_STORE_WRITER_H
#define HN_STORE_WRITER_H

#include "hdf5_access.h"

/* Which rows of a field have been written: a prefix, and a bit a row once rows come out of order. */
typedef struct HnCoverage {
    uint64_t prefix;
    unsigned char *bits;
} HnCoverage;

/* A string field being appended to. */
typedef struct HnStringSink {
    uint64_t n_added;
    char *bytes; /* not yet written; at most HN_HEAP_CHUNK */
    size_t n_bytes, capacity;
    uint64_t *offsets; /* [HN_OFFSET_BLOCK], not yet written */
    size_t n_offsets;
    uint64_t n_offsets_written;
    uint64_t end; /* bytes added so far, in memory or in the file */
} HnStringSink;

enum { HN_HEAP_CHUNK = 4 << 20, HN_OFFSET_BLOCK = 8192 };

typedef struct HnWriterField {
    HnColumn column;
    HnCoverage coverage;
    HnStringSink sink;
} HnWriterField;

struct HnStoreWriter {
    char *path, *temp;
    const HnSchema *schema;
    hid_t file;
    HnFault fault;
    HnWriterField *fields; /* [schema->n_fields] */
};

/* The field by name, which must be strings, or must not be. NULL: *err is set. */
HnWriterField *hn_writer_field(HnStoreWriter *writer, const char *field, bool strings, HnError *err);
/* HN_OK where HDF5 was content and no system call failed; else the message. */
HnStatus hn_writer_check(const HnStoreWriter *writer, bool good, const char *what, const char *field, HnError *err);
/* A data set of fixed size, contiguous, no fill; its about, unit and shape attributes. */
HnStatus hn_writer_dataset(HnStoreWriter *writer, const char *path, HnType type, int n_dims, const uint64_t *dims,
                           bool chunked, hid_t *dataset, HnError *err);
bool hn_writer_describe(hid_t object, const HnField *field);

/* strings.c: writes what is still buffered. */
HnStatus hn_strings_finish(HnStoreWriter *writer, HnWriterField *field, HnError *err);
void hn_strings_free(HnStringSink *sink);

#endif
