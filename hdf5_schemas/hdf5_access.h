/* What the files of this room share: HDF5 handles, the file driver, types, attributes. HDF5 ends at this header:
 * nothing outside hdf5_schemas/ includes it.
 *
 * HDF5 is not thread-safe as packaged: stores are used by one thread of a process at a time.
 */
#ifndef HN_HDF5_ACCESS_H
#define HN_HDF5_ACCESS_H

#include <hdf5.h>

#include "shape.h"
#include "store.h"

/* ---- file_driver.c: plain POSIX files under HDF5, no locks, first failure remembered ---- */

/* The first system call that failed on a file. After a failed write the driver swallows further writes, so that HDF5
 * can close the file in peace; whoever writes must look here after every call. */
typedef struct HnFault {
    int error_number; /* 0 = none */
    bool writing;
} HnFault;

/* The fault must outlive the file. Both fail with a message that names path. */
HnStatus hn_hdf5_create(const char *path, HnFault *fault, hid_t *file, HnError *err);
HnStatus hn_hdf5_open(const char *path, HnFault *fault, hid_t *file, HnError *err);
/* With everything open in it; *file becomes H5I_INVALID_HID. false: HDF5 could not. */
bool hn_hdf5_close(hid_t *file);

/* Turns what just happened into a message: a full disk, another system error, or HDF5's own reason (the innermost
 * record of its error stack). `what` is what was being done ("writing field train/items"). */
HnStatus hn_hdf5_fail(HnError *err, HnStatus status, const char *path, const HnFault *fault, const char *what);

/* ---- hdf5_types.c ---- */

/* A fresh type id, closed by H5Tclose: how a field lies in the file (little-endian), and in memory. */
hid_t hn_hdf5_file_type(HnType type);
hid_t hn_hdf5_memory_type(HnType type);
bool hn_hdf5_type_matches(hid_t dataset, HnType type);

/* Attributes; false = HDF5 refused. An existing one is replaced. */
bool hn_hdf5_put_text(hid_t object, const char *name, const char *value);
bool hn_hdf5_put_i64(hid_t object, const char *name, int64_t value);
bool hn_hdf5_put_f64(hid_t object, const char *name, double value);
/* false = absent or of another type. */
bool hn_hdf5_get_i64(hid_t object, const char *name, int64_t *value);
bool hn_hdf5_get_f64(hid_t object, const char *name, double *value);
/* *value stays NULL where the attribute is absent or no text; hn_free it. Fails only for want of memory. */
HnStatus hn_hdf5_get_text(hid_t object, const char *name, char **value, HnError *err);

/* Closes if valid, and forgets. */
void hn_hdf5_close_dataset(hid_t *dataset);

/* Rows row0 .. row0+n_rows-1 of a data set of these dimensions, with `type` in memory; false = HDF5 refused. */
bool hn_hdf5_transfer(bool write, hid_t dataset, hid_t type, int n_dims, const uint64_t *dims, uint64_t row0,
                      uint64_t n_rows, void *data);

/* ---- one field of an open file, being written or read ---- */
typedef struct HnColumn {
    const HnField *field;
    HnExtent extent;
    hid_t data;       /* the data set; of strings, the byte heap */
    hid_t offsets;    /* of strings */
    uint64_t n_bytes; /* of strings: length of the heap */
} HnColumn;

uint64_t hn_column_row_bytes(const HnColumn *column); /* not for strings */
void hn_column_close(HnColumn *column);
/* Index of a field of the schema, or -1. */
int hn_field_find(const HnSchema *schema, const char *path);
/* The declared attribute, or NULL. */
const HnAttribute *hn_attribute_find(const HnSchema *schema, const char *name);
const HnSchema *hn_schema_find(const char *name);

/* reader.c: reads one row range of a string column; shared with the digest. Arguments as hn_store_read_strings. */
HnStatus hn_column_read_strings(const HnColumn *column, const char *path, const HnFault *fault, uint64_t row0,
                                uint64_t n_rows, char **bytes, uint64_t **offsets, HnError *err);

/* digest.c: the digest of all present columns that are not volatile. */
HnStatus hn_columns_digest(const HnSchema *schema, const HnColumn *columns, const char *path, const HnFault *fault,
                           HnDigestFn *each, void *context, char whole[65], HnError *err);

/* sweep.c: removes temporary files that killed writers of this very store left behind. */
HnStatus hn_store_sweep(const char *path, HnError *err);

/* provenance.c: root attributes of every store. */
HnStatus hn_provenance_write(hid_t file, const char *path, const HnFault *fault, const HnSchema *schema,
                             const HnProvenance *provenance, HnError *err);

extern const char HN_ATTRIBUTE_SCHEMA[];  /* "schema" */
extern const char HN_ATTRIBUTE_VERSION[]; /* "schema_version" */
extern const char HN_ATTRIBUTE_CONTENT[]; /* "content_sha256": written last, the mark of a sealed store */
extern const char HN_ATTRIBUTE_PROGRAM[]; /* "program" */

/* What every store's root carries, for the reference page; ends with a NULL name. */
extern const HnAttribute hn_provenance_attributes[];

#endif
