/* DINS (Wu et al., 2023, "Dimension Independent Mixup for Hard Negative Sample"): every column of the hardest candidate
 * is mixed with the positive's by how much of the score it carries,
 *
 *     w_l = exp(q h_l) / (alpha exp(q p_l) + exp(q h_l)) = 1 / (1 + alpha exp(q (p_l - h_l)))       column by column
 *
 * and gradients go through w.
 */
#include <math.h>

#include "cf/samplers/hop_mix.h"

static void weights_of(const HnHopMix *mix, const HnHopPair *pair, float *weights) {
    const float alpha = (float)mix->context.config->sampler.dins_alpha;
    for (int c = 0; c < pair->dim; c++) {
        weights[c] = 1.0f / (1.0f + alpha * expf(pair->user[c] * (pair->positive[c] - pair->candidate[c])));
    }
}

static HnStatus dins_create(const HnSamplerContext *context, const HnBatch *batch, void **state, HnError *err) {
    const HnHopMix how = {.weights_of = weights_of, .trained = true};
    return hn_hop_mix_create(context, batch, &how, state, err);
}

const HnSamplerOps HN_SAMPLER_OPS_DINS = {.name = "dins", .create = dins_create, HN_HOP_SAMPLER};
