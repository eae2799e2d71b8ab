/* What every test program of this room includes first: cmocka wants these four, in this order. */
#ifndef TEST_MPI_CHECK_H
#define TEST_MPI_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"

/* Fails the test with the error's own words. */
#define assert_ok(call)                             \
    do {                                            \
        if ((call) != HN_OK) {                      \
            fail_msg("%s: %s", #call, err.message); \
        }                                           \
    } while (0)

#endif
