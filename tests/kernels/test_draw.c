#include "draw.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

/* n_taken distinct numbers below n_all, ascending: every number is taken with the chance that fills the list. */
static int32_t *some_taken(uint64_t n_taken, uint64_t n_all, uint64_t seed) {
    int32_t *taken = check_block(n_taken, sizeof *taken);
    uint64_t state = seed, found = 0;
    for (uint64_t i = 0; i < n_all && found < n_taken; i++) {
        if (check_below(&state, (uint32_t)(n_all - i)) < n_taken - found) {
            taken[found++] = (int32_t)i;
        }
    }
    return taken;
}

/* From a sequence of which some words were drawn before; what is drawn after must be the same, too. */
static void compare(uint64_t n_taken, uint64_t n_all, int n, int words_before, uint64_t seed) {
    int32_t *taken = some_taken(n_taken, n_all, seed + 1);
    int32_t *expected = check_block((size_t)n, sizeof *expected), *actual = check_block((size_t)n, sizeof *actual);
    HnRng one, many;
    hn_rng_start(&one, seed, HN_STREAM_TEST, 3, n_all);
    for (int i = 0; i < words_before; i++) {
        (void)hn_rng_u32(&one);
    }
    many = one;
    hn_draw_ref(&one, taken, n_taken, n_all, n, expected);
    hn_draw_cpu(&many, taken, n_taken, n_all, n, actual);
    if (n > 0) {
        assert_memory_equal(expected, actual, (size_t)n * sizeof *expected);
    }
    for (int i = 0; i < 5; i++) {
        assert_int_equal(hn_rng_u32(&one), hn_rng_u32(&many));
    }
    free(taken), free(expected), free(actual);
}

static void test_equals_ref(void **state) {
    (void)state;
    for (int n = 0; n <= 100; n++) {
        compare((uint64_t)n % 7, 10429, n, n % 5, (uint64_t)n);
    }
    const uint64_t n_taken[] = {0, 1, 2, 3, 15, 16, 17, 127, 128, 129, 130, 255, 256, 1000};
    for (size_t t = 0; t < sizeof n_taken / sizeof n_taken[0]; t++) {
        const uint64_t n_left[] = {1, 2, 3, 40, 5000};
        for (size_t l = 0; l < sizeof n_left / sizeof n_left[0]; l++) {
            compare(n_taken[t], n_taken[t] + n_left[l], 70, (int)(t % 5), 100 * t + l);
        }
    }
}

/* Remainders by every kind of bound: small, powers of two and their neighbours, the largest. */
static void test_bounds(void **state) {
    (void)state;
    for (uint64_t bound = 1; bound <= 70; bound++) {
        compare(0, bound, 320, 0, bound);
    }
    for (int bits = 7; bits <= 31; bits++) {
        for (int64_t d = -1; d <= (bits < 31 ? 1 : -1); d++) {
            compare(0, (uint64_t)((INT64_C(1) << bits) + d), 3200, 0, (uint64_t)bits);
        }
    }
}

/* A word below the bound is rare, 2^-33 or less: this sequence's eighth word of 64 bits is 399377710. The first bound
 * throws it back, the second does not. */
static void test_thrown_back(void **state) {
    (void)state;
    const uint64_t bounds[] = {1500000000, 2147483647};
    for (int b = 0; b < 2; b++) {
        for (int n = 1; n <= 40; n++) {
            int32_t expected[40], actual[40];
            HnRng one, many, words;
            hn_rng_start(&one, 1, HN_STREAM_TEST, 0, 376442800);
            many = words = one;
            for (int i = 0; i < 7; i++) {
                (void)hn_rng_u64(&words);
            }
            assert_int_equal(hn_rng_u64(&words), 399377710);
            hn_draw_ref(&one, NULL, 0, bounds[b], n, expected);
            hn_draw_cpu(&many, NULL, 0, bounds[b], n, actual);
            assert_memory_equal(expected, actual, (size_t)n * sizeof expected[0]);
            assert_int_equal(hn_rng_u32(&one), hn_rng_u32(&many));
        }
    }
}

/* All but one are taken, or all but the first, or but the last: only one number can come. */
static void test_known_answer(void **state) {
    (void)state;
    enum { N = 300 };
    int32_t taken[N], drawn[40];
    for (int left = 0; left < N; left += 23) {
        for (int i = 0; i < N - 1; i++) {
            taken[i] = i < left ? i : i + 1;
        }
        HnRng rng;
        hn_rng_start(&rng, 1, HN_STREAM_TEST, 0, 0);
        hn_draw_cpu(&rng, taken, N - 1, N, 40, drawn);
        for (int i = 0; i < 40; i++) {
            assert_int_equal(drawn[i], left);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_equals_ref), cmocka_unit_test(test_bounds),
                                       cmocka_unit_test(test_thrown_back), cmocka_unit_test(test_known_answer)};
    return CHECK_ON_EVERY_PATH(tests);
}
