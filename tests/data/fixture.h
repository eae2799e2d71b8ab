/* What the data tests share: a folder of their own, files written into it, one call from keys to a data set in memory.
 */
#ifndef HN_TEST_DATA_FIXTURE_H
#define HN_TEST_DATA_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those before it */
#include <setjmp.h>

#include <cmocka.h>

#include "base/error.h"
#include "data/dataset.h"
#include "data/prepare.h"

/* A fresh folder; everything in it goes away with fixture_close. cmocka group setup and teardown. */
int fixture_open(void **state);
int fixture_close(void **state);
const char *fixture_folder(void);

/* <folder>/name; valid until 16 more calls. */
const char *fixture_path(const char *name);
/* Writes a file, gzip where the name ends in .gz; returns its path. */
const char *fixture_write(const char *name, const char *bytes, size_t n_bytes);
const char *fixture_text(const char *name, const char *text);
/* A file of ../shared/data (or HNLMREC_TEST_DATA), or NULL where it is absent. */
const char *fixture_shared(const char *name);

typedef struct Prepared {
    HnStatus status;
    HnError err;
    HnPrepareReport report;
    HnDataset *dataset; /* NULL on failure */
    HnPairs pairs[3];   /* all users */
} Prepared;

/* hn_prepare with the given "key=value" strings, NULL at the end (eval.select_on=test is added), into
 * <folder>/<out>; on success opened and read. On failure asserts that nothing was left at the path. */
void fixture_prepare(Prepared *prepared, const char *out, ...);
void fixture_release(Prepared *prepared);
/* One row of a text field as a C string (static memory, 16 at a time). */
const char *fixture_row(const HnDataset *dataset, HnTextField field, uint64_t row);
/* Asserts that the run failed with this status, and that its message contains each string up to NULL. */
void fixture_failed(const Prepared *prepared, HnStatus status, ...);

#endif
