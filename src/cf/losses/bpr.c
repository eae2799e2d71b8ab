/* BPR (Rendle et al. 2009; paper eq. 1 and 8): -ln sigmoid(s_p - s_n), in the form that neither overflows nor cancels.
 */
#include <math.h>

#include "cf/loss.h"

static float bpr(float score_positive, float score_negative, float margin, float *slope) {
    (void)margin;
    float x = score_negative - score_positive;
    float e = expf(-fabsf(x));
    *slope = (x >= 0.0f ? 1.0f : e) / (1.0f + e);
    return fmaxf(x, 0.0f) + log1pf(e);
}

const HnPairLoss HN_LOSS_OPS_BPR = {"bpr", bpr};
