/* Stores: the only door to files on disk that other rooms know. No HDF5 types.
 *
 * Two kinds of file (measured reasons: README of this room):
 *   - a SEALED store: one HDF5 file, written under a temporary name, synced, renamed; it never changes afterwards.
 * Plain groups and data sets, each with the attributes "about", "unit", "shape"; text is a byte heap plus offsets.
 *   - a JOURNAL: append-only frames (length, key, checksum, payload) that a killed writer cannot hurt; at the end of a
 *     stage it is sealed into a store.
 * One declaration per field (schemas.c) gives writer checks, reader checks and the reference page.
 */
#ifndef HN_STORE_H
#define HN_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef enum HnType { HN_U8, HN_I32, HN_U32, HN_I64, HN_U64, HN_F16, HN_F32, HN_F64, HN_STRINGS } HnType;
size_t hn_type_bytes(HnType type); /* HN_STRINGS: 0 */

enum { HN_MAX_DIMS = 4 };
enum {                        /* flags of a field */
       HN_FIELD_OPTIONAL = 1, /* may be absent from a sealed store */
       HN_FIELD_VOLATILE = 2, /* wall times, host names: left out of digests */
       HN_FIELD_ONE_OF = 4    /* of all the fields of the schema with this flag, exactly one is present */
};

typedef struct HnField {
    const char *path; /* "train/items"; an HN_STRINGS field is a group with "bytes" and "offsets" */
    HnType type;
    /* "[n_users][dim]": as many brackets as dimensions. A name stands for one size in the whole store, checked when it
     * is sealed and when it is opened; "[n_users+1]" and "[n_pairs*n_samples]" are checked against it. */
    const char *shape;
    const char *unit;  /* "item index", "1", "s" */
    const char *about; /* one sentence */
    unsigned flags;
} HnField;

/* A root attribute beside the provenance. Others may be set too; a declared one must have the declared type. */
typedef struct HnAttribute {
    const char *name;
    HnType type; /* HN_I64, HN_F64 or HN_STRINGS (one text) */
    const char *about;
} HnAttribute;

typedef struct HnSchema {
    const char *name; /* "dataset" */
    const char *about;
    int version;
    const HnField *fields;
    size_t n_fields;
    const HnAttribute *attributes;
    size_t n_attributes;
} HnSchema;

extern const HnSchema HN_SCHEMA_DATASET;    /* dataset.h5 */
extern const HnSchema HN_SCHEMA_PROFILES;   /* profiles-users.h5, profiles-items.h5: one row per user or item */
extern const HnSchema HN_SCHEMA_NEGATIVES;  /* negatives.h5: text, one row per train pair and sample */
extern const HnSchema HN_SCHEMA_VECTORS;    /* vectors.h5: one vector per train pair */
extern const HnSchema HN_SCHEMA_CHECKPOINT; /* checkpoint part of one trainer rank */
extern const HnSchema HN_SCHEMA_MODEL;      /* model.h5: final embeddings */
extern const HnSchema HN_SCHEMA_RESULT;     /* result.h5: metrics of one variant and seed */
extern const HnSchema HN_SCHEMA_TRIAL;      /* trial.h5: one trial of a tuning */
extern const HnSchema HN_SCHEMA_EMBEDDINGS; /* of `hnlmrec embed --model`: one vector per line of a file */
extern const HnSchema *const HN_SCHEMAS[];  /* all of them, NULL-terminated */

/* Who made a file, from what. Strings are copied. Any may be NULL or empty. */
typedef struct HnProvenance {
    const char *config;         /* effective configuration (YAML) */
    const char *inputs;         /* one "sha256  name" a line */
    const char *processor_path; /* "avx512" */
    const char *products;       /* hn_linear_bits, or "mixed"; NULL: no native model was asked */
    int64_t seed;               /* -1 = does not apply */
    bool synthetic;
} HnProvenance;

/* ---- writing a sealed store ---- */
typedef struct HnStoreWriter HnStoreWriter;
HnStatus hn_store_create(const char *path, const HnSchema *schema, const HnProvenance *provenance,
                         HnStoreWriter **writer, HnError *err);
/* Allocates a field at its full size; dims has as many entries as the field's shape has brackets. */
HnStatus hn_store_define(HnStoreWriter *writer, const char *field, const uint64_t *dims, HnError *err);
/* Rows row0 .. row0+n_rows-1 of the first dimension; data in the field's own type (F16: uint16_t), row-major. */
HnStatus hn_store_write_rows(HnStoreWriter *writer, const char *field, uint64_t row0, uint64_t n_rows, const void *data,
                             HnError *err);
/* define + write everything. */
HnStatus hn_store_write(HnStoreWriter *writer, const char *field, const uint64_t *dims, const void *data, HnError *err);
/* A string field, appended in row order, streaming: first the number of rows, then each (NULL = empty). */
HnStatus hn_store_strings_begin(HnStoreWriter *writer, const char *field, uint64_t n_rows, HnError *err);
HnStatus hn_store_strings_add(HnStoreWriter *writer, const char *field, const char *bytes, size_t n_bytes,
                              HnError *err);
HnStatus hn_store_strings(HnStoreWriter *writer, const char *field, const char *const *strings, uint64_t n_rows,
                          HnError *err);
/* Root attributes beside the provenance: counts, density, recipe. */
HnStatus hn_store_set_i64(HnStoreWriter *writer, const char *name, int64_t value, HnError *err);
HnStatus hn_store_set_f64(HnStoreWriter *writer, const char *name, double value, HnError *err);
HnStatus hn_store_set_text(HnStoreWriter *writer, const char *name, const char *value, HnError *err);
/* Checks that every required field is there and filled, records the content digest, syncs, renames into place. */
HnStatus hn_store_seal(HnStoreWriter **writer, HnError *err);
void hn_store_abandon(HnStoreWriter **writer); /* removes the temporary file */

/* ---- reading ---- */
typedef struct HnStore HnStore;
/* Refuses files of another schema or a newer version, naming both. schema NULL = whatever it is. */
HnStatus hn_store_open(const char *path, const HnSchema *schema, HnStore **store, HnError *err);
void hn_store_close(HnStore **store);
const HnSchema *hn_store_schema(const HnStore *store);
bool hn_store_has(const HnStore *store, const char *field);
HnStatus hn_store_dims(const HnStore *store, const char *field, uint64_t dims[HN_MAX_DIMS], HnError *err);
HnStatus hn_store_read_rows(const HnStore *store, const char *field, uint64_t row0, uint64_t n_rows, void *data,
                            HnError *err);
/* Strings of rows row0 .. row0+n_rows-1: offsets[n_rows+1] into bytes (not NUL-terminated); both freed by hn_free. */
HnStatus hn_store_read_strings(const HnStore *store, const char *field, uint64_t row0, uint64_t n_rows, char **bytes,
                               uint64_t **offsets, HnError *err);
HnStatus hn_store_get_i64(const HnStore *store, const char *name, int64_t *value, HnError *err);
HnStatus hn_store_get_f64(const HnStore *store, const char *name, double *value, HnError *err);
HnStatus hn_store_get_text(const HnStore *store, const char *name, char **value, HnError *err); /* hn_free it */

/* SHA-256 over each data set's name, type, shape and little-endian contents, volatile fields left out, one call of
 * `each` a field in path order; then the digest of the whole. */
typedef void HnDigestFn(void *context, const char *field, const char hex[65]);
HnStatus hn_store_digest(const char *path, HnDigestFn *each, void *context, char whole[65], HnError *err);
/* The content digest recorded at sealing: cheap; identifies an input. */
HnStatus hn_store_content_id(const char *path, char hex[65], HnError *err);

/* Markdown reference of every store, made from the declarations. */
HnStatus hn_store_reference(char **markdown, HnError *err);

/* ---- journals ---- */
typedef struct HnJournal HnJournal;
/* Opens <folder>/<name>.journal for appending (folder made if absent), cutting off a torn last frame. One writer a
 * file: name it after the rank. */
HnStatus hn_journal_open(const char *folder, const char *name, HnJournal **journal, HnError *err);
HnStatus hn_journal_append(HnJournal *journal, uint64_t key, uint32_t kind, const void *payload, uint32_t n_bytes,
                           HnError *err);
/* Everything appended is the operating system's when this returns: safe from a kill of the process, not from a lost
 * host. */
HnStatus hn_journal_flush(HnJournal *journal, HnError *err);
HnStatus hn_journal_commit(HnJournal *journal, HnError *err); /* everything appended is on disk when this returns */
HnStatus hn_journal_close(HnJournal **journal, HnError *err);

typedef struct HnJournalStats {
    uint64_t n_files, n_records, n_bytes, n_torn_bytes; /* torn: behind the last whole frame */
} HnJournalStats;
/* Every whole record of every *.journal in folder, files in name order; payload is valid during the call. A callback
 * that fails ends the scan. An absent folder has no records. */
typedef HnStatus HnJournalFn(void *context, uint64_t key, uint32_t kind, const void *payload, uint32_t n_bytes,
                             HnError *err);
HnStatus hn_journal_scan(const char *folder, HnJournalFn *each, void *context, HnJournalStats *stats, HnError *err);

/* Which HDF5 this is ("1.10.8, parallel"). */
const char *hn_store_library(void);
/* What every store says made it: version ("0.1.0") and git commit ("unknown" outside git). */
const char *hn_program_version(void);
const char *hn_program_commit(void);

#endif
