#include <math.h>

#include "base/alloc.h"
#include "report/results.h"
#include "report/statistics.h"

const double hn_significance_level = 0.05;

bool hn_cell_is_significant(const HnCell *cell) {
    return cell->t_p < hn_significance_level; /* false for NaN */
}

static bool has_value(const HnResult *result, size_t metric) {
    return result->present && !isnan(result->test[metric]);
}

static void describe(const HnResults *results, const HnResultRow *row, size_t metric, double *values, HnCell *cell) {
    cell->least = cell->most = (double)NAN;
    for (size_t s = 0; s < results->n_seeds; s++) {
        if (has_value(&row->results[s], metric)) {
            double value = row->results[s].test[metric];
            values[cell->n++] = value;
            cell->least = fmin(cell->least, value); /* fmin and fmax ignore NaN */
            cell->most = fmax(cell->most, value);
        }
    }
    cell->mean = hn_mean(values, cell->n);
    cell->deviation = hn_sample_deviation(values, cell->n);
}

static HnStatus compare_with_first(const HnResults *results, const HnResultRow *row, size_t metric, double *differences,
                                   HnCell *cell, HnError *err) {
    cell->difference = cell->t_p = cell->wilcoxon_p = (double)NAN;
    if (row == results->rows) {
        return HN_OK;
    }
    for (size_t s = 0; s < results->n_seeds; s++) {
        const HnResult *first = &results->rows[0].results[s];
        if (has_value(first, metric) && has_value(&row->results[s], metric)) {
            differences[cell->n_pairs++] = row->results[s].test[metric] - first->test[metric];
        }
    }
    cell->difference = hn_mean(differences, cell->n_pairs);
    cell->t_p = hn_paired_t(differences, cell->n_pairs);
    return hn_wilcoxon(differences, cell->n_pairs, &cell->wilcoxon_p, err);
}

/* A mean over fewer seeds than another row has may owe its height to luck: it cannot be the best. */
static void mark_best(const HnResults *results, size_t metric, HnCell *cells) {
    size_t most_seeds = 0;
    double best = (double)NAN;
    for (size_t r = 0; r < results->n_rows; r++) {
        size_t n = cells[r * results->n_metrics + metric].n;
        most_seeds = n > most_seeds ? n : most_seeds;
    }
    for (size_t r = 0; r < results->n_rows; r++) {
        const HnCell *cell = &cells[r * results->n_metrics + metric];
        best = cell->n == most_seeds ? fmax(best, cell->mean) : best;
    }
    for (size_t r = 0; r < results->n_rows && results->n_rows > 1; r++) {
        HnCell *cell = &cells[r * results->n_metrics + metric];
        cell->best = cell->n == most_seeds && cell->mean == best;
    }
}

HnStatus hn_results_summarise(const HnResults *results, HnCell **cells, HnError *err) {
    *cells = hn_alloc(results->n_rows * results->n_metrics, sizeof **cells, "cells of the table", err);
    double *values = hn_alloc(results->n_seeds, sizeof *values, "values of a cell", err);
    HnStatus status = *cells == NULL || values == NULL ? HN_MEMORY : HN_OK;
    for (size_t m = 0; m < results->n_metrics && status == HN_OK; m++) {
        for (size_t r = 0; r < results->n_rows && status == HN_OK; r++) {
            HnCell *cell = &(*cells)[r * results->n_metrics + m];
            describe(results, &results->rows[r], m, values, cell);
            status = compare_with_first(results, &results->rows[r], m, values, cell, err);
        }
        if (status == HN_OK) {
            mark_best(results, m, *cells);
        }
    }
    hn_free(values);
    if (status != HN_OK) {
        hn_free(*cells);
        *cells = NULL;
    }
    return status;
}
