/* BPR (Rendle et al. 2009; paper eq. 1 and 8): -ln sigmoid(s_p - s_n), in the form that neither overflows nor cancels.
 */
#include <math.h>

#include "cf/loss.h"

/* -ln(epsilon + sigmoid(-x)), as SELFRec and RecBole keep the logarithm finite. */
static float with_epsilon(float x, float e, float epsilon, float *slope) {
    const float away = (x >= 0.0f ? 1.0f : e) / (1.0f + e), sigmoid = (x >= 0.0f ? e : 1.0f) / (1.0f + e);
    *slope = sigmoid * away / (epsilon + sigmoid);
    return -logf(epsilon + sigmoid);
}

static float bpr(float score_positive, float score_negative, float epsilon, float *slope) {
    float x = score_negative - score_positive;
    float e = expf(-fabsf(x));
    if (epsilon > 0.0f) {
        return with_epsilon(x, e, epsilon, slope);
    }
    *slope = (x >= 0.0f ? 1.0f : e) / (1.0f + e);
    return fmaxf(x, 0.0f) + log1pf(e);
}

const HnPairLoss HN_LOSS_OPS_BPR = {"bpr", bpr};
