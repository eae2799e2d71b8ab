/* cmocka with what it wants included first, and a check that prints the error's message. */
#ifndef HN_TEST_CMOCKA_ALL_H
#define HN_TEST_CMOCKA_ALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

#define ASSERT_OK(expression, err)                           \
    do {                                                     \
        HnStatus assert_ok_status = (expression);            \
        if (assert_ok_status != HN_OK) {                     \
            fail_msg("%s: %s", #expression, (err)->message); \
        }                                                    \
    } while (0)

/* Fails as it should, with these words in its message; forgets the error. */
#define ASSERT_FAILS(expression, wanted, words, err)                                            \
    do {                                                                                        \
        HnStatus assert_fails_status = (expression);                                            \
        if (assert_fails_status != (wanted) || strstr((err)->message, (words)) == NULL) {       \
            fail_msg("%s gives %d: %s", #expression, (int)assert_fails_status, (err)->message); \
        }                                                                                       \
        hn_error_clear(err);                                                                    \
    } while (0)

#endif
