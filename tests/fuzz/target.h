/* A fuzz target: what is done with one input, and inputs to begin with. The same source makes a bounded run that is a
 * test (target.c: known finds, then damaged seeds) and a libFuzzer program (libfuzzer.c). */
#ifndef HN_TEST_TARGET_H
#define HN_TEST_TARGET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

typedef struct FuzzTarget {
    const char *name; /* what once went wrong lies in tests/fuzz/inputs/<name> */
    size_t n_seeds;
    HnStatus (*seed)(size_t which, HnText *input, HnError *err); /* appends to input */
    HnStatus (*open)(HnError *err);                              /* once, before the first input; NULL: nothing to do */
    bool (*take)(const unsigned char *bytes, size_t n_bytes);    /* false: it went wrong, and fuzz_wrong said why */
    void (*close)(void);                                         /* NULL: nothing to do */
} FuzzTarget;

extern const FuzzTarget FUZZ_TARGET; /* each target's source has one */

/* Calls open, and close when the program ends. */
HnStatus fuzz_open(HnError *err);
/* One input: take, and no block of memory left behind. */
bool fuzz_take(const void *bytes, size_t n_bytes);

bool fuzz_wrong(const char *what, const HnError *err); /* says so; false */
bool fuzz_is_refusal(HnStatus status);                 /* what bad input may end with */

/* A folder of this process, in memory where there is such a file system; removed at the end. */
const char *fuzz_folder(void);
bool fuzz_write(const char *name, const void *bytes, size_t n_bytes);
void fuzz_unlink(const char *name);

#endif
