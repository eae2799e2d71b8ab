/* `linear` without vector instructions: every block is widened, whatever the number of rows. */
#include <math.h>

#include "linear_private.h"

static void tile_run(const HnLinearTile *t, int rows) {
    const float *w = (const float *)(const void *)t->w;
    for (int i = 0; i < rows; i++) {
        const float *x = (const float *)t->x + i * t->ldx;
        float *y = t->y + i * t->ldy;
        for (int64_t first = 0; first < t->k; first += t->block) {
            const float *scale = t->scale != NULL ? t->scale + first / t->block * HN_STRIP : NULL;
            float total[HN_STRIP] = {0};
            if (scale == NULL) {
                memcpy(total, y, sizeof total);
            }
            for (int64_t l = first; l < t->k && l < first + t->block; l++) {
                for (int j = 0; j < HN_STRIP; j++) {
                    total[j] = fmaf(x[l], w[l * HN_STRIP + j], total[j]);
                }
            }
            for (int j = 0; j < HN_STRIP; j++) {
                y[j] = scale != NULL ? fmaf(total[j], scale[j], y[j]) : total[j];
            }
        }
    }
}

static void widen(HnWeightType type, const unsigned char *w, int64_t k, void *panel) {
    float *out = panel;
    for (int64_t l = 0; l < k; l++) {
        for (int64_t j = 0; j < HN_STRIP; j++) {
            out[l * HN_STRIP + j] =
                hn_linear_pair_value(type, w + (size_t)(l / 2) * hn_linear_pair_bytes(type), j, l % 2);
        }
    }
}

static void scales(const unsigned char *code, const float *step, float *scale) {
    for (int j = 0; j < HN_STRIP; j++) {
        scale[j] = fmaf((float)code[j], step[j], step[HN_STRIP + j]);
    }
}

const HnLinearOps *hn_linear_scalar(void) {
    static const HnLinearOps ops = {.path = "scalar",
                                    .bits = "plain",
                                    .panel = HN_WEIGHT_F32,
                                    .tile_rows = HN_LINEAR_ROWS,
                                    .task_rows = 128,
                                    .tile = tile_run,
                                    .widen = widen,
                                    .scales = scales};
    return &ops;
}
