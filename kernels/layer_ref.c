#include "layer.h"

void hn_layer_finish_ref(float *rows, const float *bias, uint64_t n_rows, uint64_t width, bool bend, float slope) {
    for (uint64_t r = 0; r < n_rows; r++) {
        for (uint64_t c = 0; c < width; c++) {
            const float x = rows[r * width + c] + bias[c];
            rows[r * width + c] = bend && !(x > 0.0f) ? slope * x : x;
        }
    }
}

void hn_layer_unbend_ref(float *d, const float *y, uint64_t n, float slope) {
    for (uint64_t i = 0; i < n; i++) {
        if (!(y[i] > 0.0f)) {
            d[i] = slope * d[i];
        }
    }
}

void hn_layer_column_sums_ref(const float *d, uint64_t n_rows, uint64_t width, uint64_t begin, uint64_t end,
                              float *sums) {
    for (uint64_t c = begin; c < end; c++) {
        float total = 0.0f;
        for (uint64_t r = 0; r < n_rows; r++) {
            total += d[r * width + c];
        }
        sums[c] = total;
    }
}
