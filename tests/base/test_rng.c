/* Randomness: pure functions of their coordinates, unbiased, and permutations that are permutations. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"

/* Sanitizers make these loops fifty times slower; there they look at fewer sizes. */
#if defined(__SANITIZE_ADDRESS__)
#define FEWER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FEWER 1
#endif
#endif
#ifndef FEWER
#define FEWER 0
#endif

/* The numbers are part of every result that was ever published with this program: they may never change. */
static void draws_are_frozen(void **state) {
    (void)state;
    HnRng rng;
    hn_rng_start(&rng, 2024, HN_STREAM_TEST, 7, (UINT64_C(1) << 40) + 9);
    const uint32_t expected[6] = {0x032eb383u, 0x3be3ad3au, 0x80677486u, 0x16a76c77u, 0x86bfcca7u, 0x367d6255u};
    for (int i = 0; i < 6; i++) {
        assert_int_equal(hn_rng_u32(&rng), expected[i]);
    }
    HnPermutation permutation;
    hn_permutation_start(&permutation, 10, 2024, HN_STREAM_SHUFFLE, 3);
    const uint64_t order[10] = {1, 2, 8, 9, 7, 4, 5, 6, 0, 3};
    for (uint64_t i = 0; i < 10; i++) {
        assert_int_equal(hn_permute(&permutation, i), order[i]);
    }
}

static void every_coordinate_matters(void **state) {
    (void)state;
    const struct {
        uint64_t seed, b;
        HnRngStream stream;
        uint32_t a;
    } starts[] = {
        {1, 0, HN_STREAM_TEST, 0},
        {2, 0, HN_STREAM_TEST, 0},
        {1, 1, HN_STREAM_TEST, 0},
        {1, UINT64_C(1) << 32, HN_STREAM_TEST, 0},
        {1, 0, HN_STREAM_TEST, 1},
        {1, 0, HN_STREAM_NEGATIVE, 0},
        {UINT64_C(1) << 32 | 1, 0, HN_STREAM_TEST, 0},
    };
    enum { N = sizeof starts / sizeof starts[0] };
    uint64_t firsts[N];
    for (int i = 0; i < N; i++) {
        HnRng rng, again;
        hn_rng_start(&rng, starts[i].seed, starts[i].stream, starts[i].a, starts[i].b);
        hn_rng_start(&again, starts[i].seed, starts[i].stream, starts[i].a, starts[i].b);
        firsts[i] = hn_rng_u64(&rng);
        assert_int_equal(firsts[i], hn_rng_u64(&again));
        for (int j = 0; j < i; j++) {
            assert_int_not_equal(firsts[i], firsts[j]);
        }
    }
}

/* Pearson's statistic of n_cells equally likely cells. */
static double chi_square(const uint32_t *counts, size_t n_cells, double n_draws) {
    double expected = n_draws / (double)n_cells, sum = 0.0;
    for (size_t i = 0; i < n_cells; i++) {
        sum += ((double)counts[i] - expected) * ((double)counts[i] - expected) / expected;
    }
    return sum;
}

/* Mean k, variance 2k for k + 1 cells: six deviations are out of reach for a fair generator. */
static void assert_plausible(double statistic, size_t n_cells) {
    double freedom = (double)n_cells - 1.0;
    assert_true(statistic < freedom + 6.0 * sqrt(2.0 * freedom) + 6.0);
    assert_true(statistic > freedom - 6.0 * sqrt(2.0 * freedom));
}

static void bounded_draws_are_uniform(void **state) {
    (void)state;
    const uint32_t bounds[] = {1, 2, 3, 10, 1000};
    for (size_t b = 0; b < sizeof bounds / sizeof bounds[0]; b++) {
        uint32_t counts[1000] = {0}, counts64[1000] = {0};
        HnRng rng;
        hn_rng_start(&rng, 5, HN_STREAM_TEST, (uint32_t)b, 0);
        for (int i = 0; i < 200000; i++) {
            uint32_t draw = hn_rng_below(&rng, bounds[b]);
            uint64_t draw64 = hn_rng_below64(&rng, bounds[b]);
            assert_true(draw < bounds[b] && draw64 < bounds[b]);
            counts[draw]++;
            counts64[draw64]++;
        }
        if (bounds[b] > 1) {
            assert_plausible(chi_square(counts, bounds[b], 200000.0), bounds[b]);
            assert_plausible(chi_square(counts64, bounds[b], 200000.0), bounds[b]);
        }
    }
}

/* With bound 3 * 2^30 a plain product or remainder makes some values twice as likely: half of the range would hold 2/3.
 */
static void large_bounds_are_unbiased(void **state) {
    (void)state;
    HnRng rng;
    hn_rng_start(&rng, 6, HN_STREAM_TEST, 0, 0);
    uint32_t low = 0, low64 = 0;
    for (int i = 0; i < 100000; i++) {
        low += hn_rng_below(&rng, UINT32_C(3) << 30) % 3 == 0 ? 1u : 0u;
        low64 += hn_rng_below64(&rng, UINT64_C(3) << 62) < UINT64_C(1) << 62 ? 1u : 0u;
    }
    assert_true(fabs((double)low - 100000.0 / 3.0) < 6.0 * sqrt(100000.0 * 2.0 / 9.0));
    assert_true(fabs((double)low64 - 100000.0 / 3.0) < 6.0 * sqrt(100000.0 * 2.0 / 9.0));
}

static void reals_fill_the_unit_interval(void **state) {
    (void)state;
    enum { N = 200000 };
    HnRng rng;
    hn_rng_start(&rng, 7, HN_STREAM_TEST, 0, 0);
    double sum = 0.0, normal_sum = 0.0, normal_squares = 0.0, normal_fourths = 0.0;
    for (int i = 0; i < N; i++) {
        float f = hn_rng_float(&rng);
        double d = hn_rng_double(&rng), z = hn_rng_normal(&rng);
        assert_true(f >= 0.0F && f < 1.0F && d >= 0.0 && d < 1.0 && isfinite(z));
        sum += d + (double)f;
        normal_sum += z;
        normal_squares += z * z;
        normal_fourths += z * z * z * z;
    }
    assert_true(fabs(sum / N - 1.0) < 6.0 * sqrt(1.0 / 6.0 / N));
    assert_true(fabs(normal_sum / N) < 6.0 / sqrt(N));
    assert_true(fabs(normal_squares / N - 1.0) < 6.0 * sqrt(2.0 / N));
    assert_true(fabs(normal_fourths / N - 3.0) < 6.0 * sqrt(96.0 / N));
}

static void permutations_are_bijections(void **state) {
    (void)state;
    static unsigned char seen[3001];
    for (uint64_t n = 1; n <= 3000; n += FEWER && n >= 200 ? 100 : 1) {
        HnPermutation permutation;
        hn_permutation_start(&permutation, n, 11, HN_STREAM_SHUFFLE, (uint32_t)n);
        memset(seen, 0, sizeof seen);
        for (uint64_t i = 0; i < n; i++) {
            uint64_t element = hn_permute(&permutation, i);
            assert_true(element < n);
            assert_int_equal(seen[element], 0);
            seen[element] = 1;
            if (n % 7 == 0 || n < 100) {
                assert_int_equal(hn_permute_inverse(&permutation, element), i);
            }
        }
    }
}

static void large_permutations_invert(void **state) {
    (void)state;
    const uint64_t sizes[] = {(UINT64_C(1) << 32) - 1, UINT64_C(1) << 32, (UINT64_C(1) << 32) + 1,
                              UINT64_C(100000000007), UINT64_MAX};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        HnPermutation permutation;
        hn_permutation_start(&permutation, sizes[s], 12, HN_STREAM_TEST, 0);
        for (uint64_t i = 0; i < 1000; i++) {
            uint64_t position = i % 2 == 0 ? i : sizes[s] - 1 - i;
            uint64_t element = hn_permute(&permutation, position);
            assert_true(element < sizes[s]);
            assert_int_equal(hn_permute_inverse(&permutation, element), position);
        }
    }
}

/* Over many epochs each position gets each element equally often, and neighbours are not kept together. */
static void permutations_are_uniform(void **state) {
    (void)state;
    const uint64_t sizes[] = {2, 3, 5, 8, 13, 30};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        uint64_t n = sizes[s];
        uint32_t counts[900] = {0}, distances[30] = {0};
        enum { EPOCHS = FEWER ? 2000 : 20000 };
        for (uint32_t epoch = 0; epoch < EPOCHS; epoch++) {
            HnPermutation permutation;
            hn_permutation_start(&permutation, n, 13, HN_STREAM_SHUFFLE, epoch);
            for (uint64_t i = 0; i < n; i++) {
                counts[i * n + hn_permute(&permutation, i)]++;
            }
            distances[(hn_permute(&permutation, 1) + n - hn_permute(&permutation, 0)) % n]++;
        }
        for (uint64_t i = 0; i < n; i++) {
            assert_plausible(chi_square(counts + i * n, n, EPOCHS), n);
        }
        assert_int_equal(distances[0], 0);
        if (n > 2) {
            assert_plausible(chi_square(distances + 1, n - 1, EPOCHS), n - 1);
        }
    }
}

static void test_permutation_of_a_run(void **state) {
    (void)state;
    const uint64_t sizes[] = {1, 2, 15, 16, 17, 100, 5000, 70000};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        HnPermutation permutation;
        hn_permutation_start(&permutation, sizes[s], 3, HN_STREAM_TEST, 1);
        const uint64_t first = sizes[s] / 3, n = sizes[s] - first;
        uint64_t *positions = calloc(n + 1, sizeof *positions);
        assert_non_null(positions);
        positions[n] = 77;
        hn_permute_inverse_run(&permutation, first, n, positions);
        for (uint64_t i = 0; i < n; i++) {
            assert_true(positions[i] == hn_permute_inverse(&permutation, first + i));
        }
        assert_true(positions[n] == 77);
        hn_permute_inverse_run(&permutation, first, 0, positions);
        free(positions);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_permutation_of_a_run),   cmocka_unit_test(draws_are_frozen),
        cmocka_unit_test(every_coordinate_matters),    cmocka_unit_test(bounded_draws_are_uniform),
        cmocka_unit_test(large_bounds_are_unbiased),   cmocka_unit_test(reals_fill_the_unit_interval),
        cmocka_unit_test(permutations_are_bijections), cmocka_unit_test(large_permutations_invert),
        cmocka_unit_test(permutations_are_uniform),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
