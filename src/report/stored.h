/* Whole fields of a store in memory. Private to this room. */
#ifndef HN_REPORT_STORED_H
#define HN_REPORT_STORED_H

#include "store.h"

/* The n strings of a field; *names is freed by hn_names_free with the same n, after failure too. */
HnStatus hn_stored_names(const HnStore *store, const char *field, uint64_t n, char ***names, HnError *err);
/* A field of n rows and `width` columns of 8 bytes each (double, int64_t); the address of a pointer to them, freed by
 * hn_free, after failure too. */
HnStatus hn_stored_numbers(const HnStore *store, const char *field, uint64_t n, uint64_t width, void *address,
                           HnError *err);

#endif
