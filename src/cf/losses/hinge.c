/* Hinge with a margin, as the authors' code trains: max(0, margin + s_n - s_p). */
#include "cf/loss.h"

static float hinge(float score_positive, float score_negative, float margin, float *slope) {
    float x = margin + (score_negative - score_positive);
    *slope = x > 0.0f ? 1.0f : 0.0f;
    return x > 0.0f ? x : x == x ? 0.0f : x; /* NaN stays NaN, so that it is noticed */
}

const HnPairLoss HN_LOSS_OPS_HINGE = {"hinge", hinge};
