#include <math.h>

#include "linear_private.h"

/* One chain over the inputs from what y starts with; where blocks have scales, one chain a block from zero, and one
 * over the blocks. */
void hn_linear_ref(const HnWeight *weight, const float *bias, int64_t m, const float *x, int64_t ldx, bool add,
                   float *y, int64_t ldy) {
    const HnLinearLayout layout = hn_linear_layout(weight->type, weight->n, weight->k);
    const bool pairs = hn_linear_pairs(weight->type), scaled = layout.scale_bytes > 0;
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < weight->n; j++) {
            float total = (add ? y[i * ldy + j] : 0.0f) + (bias != NULL ? bias[j] : 0.0f);
            for (int64_t first = 0; first < weight->k; first += layout.block) {
                float sum = scaled ? 0.0f : total;
                for (int64_t l = first; l < weight->k && l < first + layout.block; l++) {
                    const float left = x[i * ldx + l];
                    sum = fmaf(pairs ? hn_bf16_to_float(hn_bf16_from_float(left)) : left,
                               hn_linear_value(weight, &layout, j, l), sum);
                }
                total = scaled ? fmaf(sum, hn_linear_scale(weight, &layout, j, first / layout.block), total) : sum;
            }
            y[i * ldy + j] = total;
        }
    }
}
