/* MixGCF (Huang et al., KDD 2021): n~_l = a_l p_l + (1 - a_l) h_l with a_l uniform on [0, 1).
 *
 * sampler.mix_per hop, the authors': one a_l for a pair and hop, so candidates rank the same mixed or not, and need not
 * be mixed to choose among them. Float k * hops + l of the sequence (seed, HN_STREAM_MIX, epoch, pair), k the negative.
 *
 * element, SELFRec's: an a for every pair, candidate, hop and column; the candidates are compared as mixed. The
 * sequence (seed, HN_STREAM_MIX, epoch, (pair * n_items + candidate) * hops + l + k 2^56): a candidate drawn twice
 * counts once.
 */
#include "cf/model.h"
#include "cf/samplers/hop_mix.h"
#include "row.h"

enum { MOST_DIM = 8192 }; /* the bound of model.dim */

static void weights_per_hop(const HnHopMix *mix, const HnHopPair *pair, float *weights) {
    HnRng rng;
    float a = 0.0f;
    hn_rng_start(&rng, mix->context.seed, HN_STREAM_MIX, pair->epoch, pair->pair);
    const int place = pair->negative * hn_model_hops(mix->context.config) + pair->hop;
    for (int i = 0; i <= place; i++) {
        a = hn_rng_float(&rng);
    }
    for (int c = 0; c < pair->dim; c++) {
        weights[c] = 1.0f - a;
    }
}

static void weights_per_element(const HnHopMix *mix, const HnHopPair *pair, float *weights) {
    const uint64_t hops = (uint64_t)hn_model_hops(mix->context.config);
    const uint64_t candidate = pair->pair * mix->context.shards->n_items + (uint64_t)pair->item;
    HnRng rng;
    hn_rng_start(&rng, mix->context.seed, HN_STREAM_MIX, pair->epoch,
                 candidate * hops + (uint64_t)pair->hop + ((uint64_t)pair->negative << 56));
    for (int c = 0; c < pair->dim; c++) {
        weights[c] = 1.0f - hn_rng_float(&rng);
    }
}

static float score_mixed(const HnHopMix *mix, const HnHopPair *pair) {
    float mixed[MOST_DIM];
    weights_per_element(mix, pair, mixed);
    for (int c = 0; c < pair->dim; c++) {
        mixed[c] = (1.0f - mixed[c]) * pair->positive[c] + mixed[c] * pair->candidate[c];
    }
    return hn_row_ops_cpu()->dot(pair->user, mixed, pair->dim);
}

static HnStatus mixgcf_create(const HnSamplerContext *context, const HnBatch *batch, void **state, HnError *err) {
    const bool per_hop = context->config->sampler.mix_per == HN_MIX_PER_HOP;
    const HnHopMix how = {.weights_of = per_hop ? weights_per_hop : weights_per_element,
                          .score = per_hop ? NULL : score_mixed};
    return hn_hop_mix_create(context, batch, &how, state, err);
}

const HnSamplerOps HN_SAMPLER_OPS_MIXGCF = {.name = "mixgcf", .create = mixgcf_create, HN_HOP_SAMPLER};
