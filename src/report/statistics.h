/* The few statistics that the tables need. Private to this room. */
#ifndef HN_REPORT_STATISTICS_H
#define HN_REPORT_STATISTICS_H

#include <stddef.h>

#include "base/error.h"

double hn_mean(const double *values, size_t n);             /* NaN for n = 0 */
double hn_sample_deviation(const double *values, size_t n); /* n - 1 in the denominator; NaN for n < 2 */

/* The regularised incomplete beta function I_x(a, b), a and b > 0, 0 <= x <= 1. */
double hn_incomplete_beta(double a, double b, double x);

/* Two-sided p of Student's t with `freedom` degrees of freedom. */
double hn_t_two_sided(double t, double freedom);

/* Paired t-test: two-sided p that the mean of the differences is 0. NaN for n < 2; 1 where all differences are 0. */
double hn_paired_t(const double *differences, size_t n);

/* Wilcoxon's signed-rank test, exact: zeros are dropped, tied ranks are shared, and the distribution is that of all
 * sign patterns over these ranks. NaN in *p where n is 0 or over 200; 1 where all differences are 0. */
HnStatus hn_wilcoxon(const double *differences, size_t n, double *p, HnError *err);

#endif
