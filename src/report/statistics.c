#include "report/statistics.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/alloc.h"

double hn_mean(const double *values, size_t n) {
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += values[i];
    }
    return n == 0 ? (double)NAN : sum / (double)n;
}

double hn_sample_deviation(const double *values, size_t n) {
    if (n < 2) {
        return (double)NAN;
    }
    double mean = hn_mean(values, n), squares = 0.0;
    for (size_t i = 0; i < n; i++) {
        squares += (values[i] - mean) * (values[i] - mean);
    }
    return sqrt(squares / (double)(n - 1));
}

/* The continued fraction of Abramowitz and Stegun 26.5.8, evaluated by Lentz's method. */
static double beta_fraction(double a, double b, double x) {
    const double tiny = 1e-300;
    double c = 1.0, d = 1.0 - (a + b) * x / (a + 1.0);
    d = 1.0 / (fabs(d) < tiny ? tiny : d);
    double fraction = d;
    for (int m = 1; m <= 500; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0));
        for (int half = 0; half < 2; half++) {
            double numerator = half == 0 ? even : odd;
            d = 1.0 + numerator * d;
            d = 1.0 / (fabs(d) < tiny ? tiny : d);
            c = 1.0 + numerator / c;
            c = fabs(c) < tiny ? tiny : c;
            fraction *= d * c;
        }
        if (fabs(d * c - 1.0) < 1e-16) {
            break;
        }
    }
    return fraction;
}

double hn_incomplete_beta(double a, double b, double x) {
    if (!(x > 0.0)) {
        return x <= 0.0 ? 0.0 : (double)NAN;
    }
    if (x >= 1.0) {
        return 1.0;
    }
    double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
    /* The fraction converges fast below the mean; above it the symmetric one does. */
    return x < (a + 1.0) / (a + b + 2.0) ? front * beta_fraction(a, b, x) / a
                                         : 1.0 - front * beta_fraction(b, a, 1.0 - x) / b;
}

double hn_t_two_sided(double t, double freedom) {
    return isinf(t) ? 0.0 : hn_incomplete_beta(freedom / 2.0, 0.5, freedom / (freedom + t * t));
}

double hn_paired_t(const double *differences, size_t n) {
    if (n < 2) {
        return (double)NAN;
    }
    double mean = hn_mean(differences, n);
    double error = hn_sample_deviation(differences, n) / sqrt((double)n);
    if (error == 0.0) {
        return mean == 0.0 ? 1.0 : 0.0;
    }
    return hn_t_two_sided(mean / error, (double)n - 1.0);
}

static int compare_magnitudes(const void *a, const void *b) {
    double left = fabs(*(const double *)a), right = fabs(*(const double *)b);
    return (left > right) - (left < right);
}

/* Twice the rank of each of the sorted values (so that shared ranks are whole); returns twice the rank sum of the
 * positive ones. */
static size_t double_ranks(const double *sorted, size_t n, size_t *ranks) {
    size_t positive = 0;
    for (size_t from = 0; from < n;) {
        size_t to = from + 1;
        while (to < n && fabs(sorted[to]) == fabs(sorted[from])) {
            to++;
        }
        for (size_t i = from; i < to; i++) {
            ranks[i] = from + 1 + to; /* 2 * mean of from+1 .. to */
            positive += sorted[i] > 0.0 ? ranks[i] : 0;
        }
        from = to;
    }
    return positive;
}

/* Probability of each sum when every rank is counted or not with probability 1/2; then both tails at `positive`. */
static double sign_pattern_p(const size_t *ranks, size_t n, size_t positive, size_t total, double *probability) {
    probability[0] = 1.0;
    size_t highest = 0;
    for (size_t i = 0; i < n; i++) {
        highest += ranks[i];
        for (size_t sum = highest + 1; sum-- > 0;) {
            double with = sum >= ranks[i] ? probability[sum - ranks[i]] : 0.0;
            probability[sum] = 0.5 * (probability[sum] + with);
        }
    }
    double below = 0.0, above = 0.0;
    for (size_t sum = 0; sum <= total; sum++) {
        below += sum <= positive ? probability[sum] : 0.0;
        above += sum >= positive ? probability[sum] : 0.0;
    }
    double p = 2.0 * (below < above ? below : above);
    return p > 1.0 ? 1.0 : p;
}

HnStatus hn_wilcoxon(const double *differences, size_t n, double *p, HnError *err) {
    enum { MAX_PAIRS = 200 };
    double sorted[MAX_PAIRS];
    size_t ranks[MAX_PAIRS], n_kept = 0, total = 0;
    *p = (double)NAN;
    if (n == 0 || n > MAX_PAIRS) {
        return HN_OK;
    }
    for (size_t i = 0; i < n; i++) {
        if (differences[i] != 0.0) {
            sorted[n_kept++] = differences[i];
        }
    }
    qsort(sorted, n_kept, sizeof *sorted, compare_magnitudes);
    size_t positive = double_ranks(sorted, n_kept, ranks);
    for (size_t i = 0; i < n_kept; i++) {
        total += ranks[i];
    }
    double *probability = hn_alloc(total + 1, sizeof *probability, "a rank distribution", err);
    if (probability == NULL) {
        return HN_MEMORY;
    }
    *p = sign_pattern_p(ranks, n_kept, positive, total, probability);
    hn_free(probability);
    return HN_OK;
}
