/* Statistics against closed forms, tables and published examples. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "report/statistics.h"

static void assert_near(double value, double expected, double tolerance) {
    if (!(fabs(value - expected) <= tolerance)) {
        fail_msg("%.12g is not within %g of %.12g", value, tolerance, expected);
    }
}

static void means_and_deviations(void **state) {
    (void)state;
    const double values[] = {2, 4, 4, 4, 5, 5, 7, 9};
    assert_near(hn_mean(values, 8), 5.0, 1e-15);
    assert_near(hn_sample_deviation(values, 8), sqrt(32.0 / 7.0), 1e-15);
    assert_true(isnan(hn_mean(values, 0)));
    assert_true(isnan(hn_sample_deviation(values, 1)));
}

static void incomplete_beta_has_its_closed_forms(void **state) {
    (void)state;
    const double half_pi = 1.57079632679489661923;
    for (double x = 0.0; x <= 1.0; x += 0.03125) {
        assert_near(hn_incomplete_beta(1, 1, x), x, 1e-14);
        assert_near(hn_incomplete_beta(0.5, 0.5, x), asin(sqrt(x)) / half_pi, 1e-13);
        assert_near(hn_incomplete_beta(3, 1, x), x * x * x, 1e-14);
        assert_near(hn_incomplete_beta(2, 3, x), 6 * x * x - 8 * x * x * x + 3 * x * x * x * x, 1e-13);
        assert_near(hn_incomplete_beta(7.5, 2.25, x) + hn_incomplete_beta(2.25, 7.5, 1 - x), 1.0, 1e-13);
    }
}

/* Two-sided 5 % and 1 % points of Student's t, from the printed tables. */
static void t_has_its_table(void **state) {
    (void)state;
    const double table[][3] = {{1, 12.706205, 63.656741}, {2, 4.302653, 9.924843},  {4, 2.776445, 4.604095},
                               {9, 2.262157, 3.249836},   {30, 2.042272, 2.749996}, {1000, 1.962339, 2.580755}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        assert_near(hn_t_two_sided(table[i][1], table[i][0]), 0.05, 1e-7);
        assert_near(hn_t_two_sided(-table[i][2], table[i][0]), 0.01, 1e-8);
    }
    assert_near(hn_t_two_sided(1.0, 1), 0.5, 1e-14);
    assert_near(hn_t_two_sided(0.0, 5), 1.0, 1e-14);
    assert_near(hn_t_two_sided((double)INFINITY, 5), 0.0, 0.0);
}

/* Student's own example (1908): hours of sleep gained by ten patients; R's t.test gives t = 4.0621, p = 0.002833. */
static void paired_t_has_students_example(void **state) {
    (void)state;
    const double differences[] = {1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4};
    assert_near(hn_paired_t(differences, 10), 0.002833, 5e-7);
    const double zeros[] = {0, 0, 0}, equal[] = {0.5, 0.5}, one[] = {1};
    assert_near(hn_paired_t(zeros, 3), 1.0, 0.0);
    assert_near(hn_paired_t(equal, 2), 0.0, 0.0);
    assert_true(isnan(hn_paired_t(one, 1)));
}

static double wilcoxon(const double *differences, size_t n) {
    HnError err = HN_ERROR_INIT;
    double p = 0.0;
    assert_int_equal(hn_wilcoxon(differences, n, &p, &err), HN_OK);
    return p;
}

/* Hollander and Wolfe (1973), depression scores; R's wilcox.test gives V = 40, p = 0.03906. */
static void wilcoxon_has_its_examples(void **state) {
    (void)state;
    const double first[] = {1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30};
    const double second[] = {0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29};
    double differences[9], all_above[12];
    for (int i = 0; i < 9; i++) {
        differences[i] = first[i] - second[i];
    }
    assert_near(wilcoxon(differences, 9), 20.0 / 512.0, 1e-15);
    for (size_t n = 1; n <= 12; n++) {
        all_above[n - 1] = (double)n;
        assert_near(wilcoxon(all_above, n), n == 1 ? 1.0 : ldexp(1.0, 1 - (int)n), 1e-15);
    }
    const double tied[] = {1, 1, -1}, mixed[] = {0, 2, 0, 3}, zeros[] = {0, 0};
    assert_near(wilcoxon(tied, 3), 1.0, 1e-15);
    assert_near(wilcoxon(mixed, 4), 0.5, 1e-15);
    assert_near(wilcoxon(zeros, 2), 1.0, 0.0);
    assert_true(isnan(wilcoxon(tied, 0)));
}

/* The exact distribution against all 2^n sign patterns, tried one by one, with ties among the ranks. */
static void wilcoxon_counts_all_patterns(void **state) {
    (void)state;
    const double magnitudes[] = {1, 2, 2, 3, 5, 5, 5, 8};
    const double ranks[] = {1, 2.5, 2.5, 4, 6, 6, 6, 8};
    for (unsigned signs = 0; signs < 256; signs++) {
        double differences[8], sum = 0.0;
        unsigned below = 0, above = 0;
        for (unsigned i = 0; i < 8; i++) {
            differences[i] = signs >> i & 1 ? magnitudes[i] : -magnitudes[i];
            sum += signs >> i & 1 ? ranks[i] : 0.0;
        }
        for (unsigned pattern = 0; pattern < 256; pattern++) {
            double other = 0.0;
            for (unsigned i = 0; i < 8; i++) {
                other += pattern >> i & 1 ? ranks[i] : 0.0;
            }
            below += other <= sum ? 1u : 0u;
            above += other >= sum ? 1u : 0u;
        }
        double p = fmin(1.0, 2.0 * (below < above ? below : above) / 256.0);
        assert_near(wilcoxon(differences, 8), p, 1e-14);
    }
}

static void wilcoxon_without_memory(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    const double differences[] = {1, 2, 3};
    double p = 0.0;
    hn_alloc_fail_at(1);
    assert_int_equal(hn_wilcoxon(differences, 3, &p, &err), HN_MEMORY);
    assert_int_equal(hn_alloc_live_blocks(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(means_and_deviations),      cmocka_unit_test(incomplete_beta_has_its_closed_forms),
        cmocka_unit_test(t_has_its_table),           cmocka_unit_test(paired_t_has_students_example),
        cmocka_unit_test(wilcoxon_has_its_examples), cmocka_unit_test(wilcoxon_counts_all_patterns),
        cmocka_unit_test(wilcoxon_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
