/* Contents for any schema, made from its declaration: sizes by name, values by (salt, field, position). */
#ifndef HN_TEST_SAMPLE_H
#define HN_TEST_SAMPLE_H

#include "store.h"

typedef struct Sample {
    unsigned salt;  /* other values */
    uint64_t scale; /* 0 = no rows anywhere, 1 = a few, 1000 = many */
    bool optional;  /* with the optional fields */
    bool second;    /* of fields of which one is chosen: the second */
    bool backwards; /* rows last to first, fields last to first */
    unsigned jumps; /* salt of the volatile fields */
} Sample;

/* A fresh folder, removed by sample_folder_remove. */
char *sample_folder(void);
void sample_folder_remove(char *folder);
const char *sample_path(const char *folder, const char *name); /* static buffer, good until the 8th call from now */

bool sample_has(const HnSchema *schema, const HnField *field, const Sample *sample);
/* Sizes of a field; returns the number of dimensions. */
int sample_dims(const HnField *field, const Sample *sample, uint64_t dims[HN_MAX_DIMS]);
void sample_value(const HnField *field, const Sample *sample, uint64_t index, void *value);
/* Row `row` of a string field, static buffer. */
const char *sample_string(const HnField *field, const Sample *sample, uint64_t row, size_t *n_bytes);

HnStatus sample_fill(HnStoreWriter *writer, const HnSchema *schema, const Sample *sample, HnError *err);
HnStatus sample_write(const char *path, const HnSchema *schema, const Sample *sample, HnError *err);
/* NULL where the store holds exactly the sample, else what differs. */
const char *sample_difference(const char *path, const HnSchema *schema, const Sample *sample);

/* Runs a command line; its output (cut at n_bytes) in out. Returns the exit code. */
int sample_run(const char *command, char *out, size_t n_bytes);

#endif
