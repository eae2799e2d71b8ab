#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *check_block(size_t count, size_t size) {
    void *block = malloc(count * size);
    assert_true(block != NULL || count * size == 0);
    if (block != NULL) {
        memset(block, 0xA5, count * size);
    }
    return block;
}

/* splitmix64 */
static uint64_t next(uint64_t *state) {
    uint64_t z = (*state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

uint32_t check_below(uint64_t *state, uint32_t bound) {
    return (uint32_t)((next(state) >> 32) * bound >> 32);
}

static float plain(uint64_t *state) {
    return (float)((double)(next(state) >> 11) * 0x1p-52 - 1.0);
}

void check_fill(float *x, size_t n, uint64_t seed) {
    uint64_t state = seed;
    for (size_t i = 0; i < n; i++) {
        const uint32_t kind = check_below(&state, 40);
        const float value = plain(&state);
        x[i] = kind == 0   ? 0.0f
               : kind == 1 ? -0.0f
               : kind == 2 ? value * 1e-20f
               : kind == 3 ? value * 1e-42f
               : kind == 4 ? value * 1e15f
                           : value;
    }
}

void check_fill_plain(float *x, size_t n, uint64_t seed) {
    uint64_t state = seed;
    for (size_t i = 0; i < n; i++) {
        x[i] = plain(&state);
    }
}

void check_same_floats(const float *expected, const float *actual, size_t n, const char *what) {
    if (n == 0 || memcmp(expected, actual, n * sizeof *expected) == 0) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (memcmp(&expected[i], &actual[i], sizeof *expected) != 0) {
            fail_msg("%s on path %s: element %zu of %zu is %a, not %a", what, hn_cpu_path_name(hn_cpu_path()), i, n,
                     (double)actual[i], (double)expected[i]);
        }
    }
}

int check_on_every_path(const struct CMUnitTest *tests, size_t n_tests) {
    int failures = 0;
    for (int path = (int)hn_cpu_path(); path >= HN_CPU_SCALAR; path--) {
        hn_cpu_path_cap((HnCpuPath)path);
        printf("# path %s\n", hn_cpu_path_name(hn_cpu_path()));
        fflush(stdout);
        failures += _cmocka_run_group_tests(hn_cpu_path_name((HnCpuPath)path), tests, n_tests, NULL, NULL);
    }
    return failures;
}

int check_on_every_level(const struct CMUnitTest *tests, size_t n_tests) {
    int failures = 0;
    while (hn_cpu_level() > hn_cpu_path()) {
        printf("# level %s\n", hn_cpu_path_name(hn_cpu_level()));
        fflush(stdout);
        failures += _cmocka_run_group_tests(hn_cpu_path_name(hn_cpu_level()), tests, n_tests, NULL, NULL);
        hn_cpu_path_cap((HnCpuPath)((int)hn_cpu_level() - 1));
    }
    return failures + check_on_every_path(tests, n_tests);
}
