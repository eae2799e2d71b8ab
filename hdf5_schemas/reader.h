/* Insides of an open store; shared by open.c and reader.c. */
#ifndef HN_STORE_READER_H
#define HN_STORE_READER_H

#include "hdf5_access.h"

struct HnStore {
    char *path;
    const HnSchema *schema;
    hid_t file;
    HnFault fault;
    HnColumn *columns; /* [schema->n_fields] */
};

#endif
