/* What the kernel tests share: exact-size blocks, random contents, and a run of the same tests on every path. */
#ifndef HN_TEST_KERNELS_CHECK_H
#define HN_TEST_KERNELS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cpu.h"

/* Exactly count * size bytes from malloc, so that a sanitizer sees a read behind the end. Contents: 0xA5. */
void *check_block(size_t count, size_t size);
/* Random floats: most about 1, some zeros of both signs, some tiny, denormal and large. */
void check_fill(float *x, size_t n, uint64_t seed);
/* Random floats in -1 .. 1. */
void check_fill_plain(float *x, size_t n, uint64_t seed);
uint32_t check_below(uint64_t *state, uint32_t bound);
/* memcmp, with the first difference in the message. */
void check_same_floats(const float *expected, const float *actual, size_t n, const char *what);

/* Runs the tests on the best path, then caps to each lower one. Sums failures. */
int check_on_every_path(const struct CMUnitTest *tests, size_t n_tests);
#define CHECK_ON_EVERY_PATH(tests) check_on_every_path((tests), sizeof(tests) / sizeof((tests)[0]))
/* The same, beginning with the levels above the paths (cpu.h). */
int check_on_every_level(const struct CMUnitTest *tests, size_t n_tests);
#define CHECK_ON_EVERY_LEVEL(tests) check_on_every_level((tests), sizeof(tests) / sizeof((tests)[0]))

#endif
