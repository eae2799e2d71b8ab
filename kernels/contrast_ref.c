#include <math.h>
#include <stddef.h>

#include "contrast.h"
#include "exp.h"
#include "fixed.h"

/* e_qv, from the packed query. */
static float weight(const HnQueries *queries, uint64_t q, const float *key) {
    const size_t width = (size_t)queries->width;
    const float *x = queries->packed + q / HN_CONTRAST_STRIP * HN_CONTRAST_STRIP * width + q % HN_CONTRAST_STRIP;
    float score = 0.0f;
    for (size_t c = 0; c < width; c++) {
        score = fmaf(key[c], x[c * HN_CONTRAST_STRIP], score);
    }
    hn_exp_ref(&score, 1, 1.0f / queries->tau, -1.0f / queries->tau);
    return score;
}

void hn_contrast_pull_ref(const HnQueries *queries, const float *keys, const uint64_t *begin, uint64_t n_blocks,
                          int shift, int64_t *totals) {
    const size_t width = (size_t)queries->width;
    for (uint64_t q = 0; q < queries->n; q++) {
        for (uint64_t b = 0; b < n_blocks; b++) {
            for (size_t c = 0; c <= width; c++) { /* the last column is s_q */
                float sum = 0.0f;
                for (uint64_t v = begin[b]; v < begin[b + 1]; v++) {
                    const float e = weight(queries, q, keys + v * width);
                    sum = fmaf(e, c < width ? keys[v * width + c] : 1.0f, sum);
                }
                hn_fixed_add_ref(&sum, shift, &totals[q * (width + 1) + c], 1);
            }
        }
    }
}

void hn_contrast_push_ref(const HnQueries *queries, const float *y, const float *keys, uint64_t n_keys, float *g) {
    const size_t width = (size_t)queries->width;
    for (uint64_t v = 0; v < n_keys; v++) {
        for (size_t c = 0; c < width; c++) {
            float sum = 0.0f;
            for (uint64_t q = 0; q < queries->n; q++) {
                sum = fmaf(weight(queries, q, keys + v * width), y[q * width + c], sum);
            }
            g[v * width + c] = sum;
        }
    }
}
