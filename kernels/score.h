/* Choosing among candidates: scores of a row with rows that lie anywhere in a table, and the place of the largest or
 * the nearest one. Equal on every path: a score is the dot product of row.h. */
#ifndef HN_KERNEL_SCORE_H
#define HN_KERNEL_SCORE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Rows of n_columns, `stride` apart from row to row. */
typedef struct HnScoreTable {
    const float *rows;
    size_t stride;
    int n_columns;
} HnScoreTable;

/* scores[m] = <row, table row chosen[m]>, m < n. */
void hn_scores_ref(const HnScoreTable *table, const float *row, const int32_t *chosen, int n, float *scores);
void hn_scores_cpu(const HnScoreTable *table, const float *row, const int32_t *chosen, int n, float *scores);

/* What a scan from the first of n >= 1 scores ends at that moves on to what is larger, or nearer to `wanted` (distances
 * in doubles): of equal ones the first; not to what is no number, nor away from a first that is none. */
int hn_score_largest_ref(const float *scores, int n);
int hn_score_largest_cpu(const float *scores, int n);
int hn_score_nearest_ref(const float *scores, int n, double wanted);
int hn_score_nearest_cpu(const float *scores, int n, double wanted);

#ifdef __cplusplus
}
#endif
#endif
