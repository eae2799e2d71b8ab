#include <math.h>

#include "row.h"
#include "score.h"

void hn_scores_ref(const HnScoreTable *table, const float *row, const int32_t *chosen, int n, float *scores) {
    for (int m = 0; m < n; m++) {
        scores[m] = hn_row_ops_ref()->dot(row, table->rows + (size_t)chosen[m] * table->stride, table->n_columns);
    }
}

int hn_score_largest_ref(const float *scores, int n) {
    int found = 0;
    for (int m = 1; m < n; m++) {
        found = scores[m] > scores[found] ? m : found;
    }
    return found;
}

int hn_score_nearest_ref(const float *scores, int n, double wanted) {
    int found = 0;
    for (int m = 1; m < n; m++) {
        found = fabs((double)scores[m] - wanted) < fabs((double)scores[found] - wanted) ? m : found;
    }
    return found;
}
