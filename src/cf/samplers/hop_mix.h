/* What samplers share that make a negative hop by hop (MixGCF, DINS). For pair (u, p) and hop l, from a pool of
 * sampler.candidates uniform draws, outside the user's train items unless sampler.draw_from is all:
 *
 *     h_l  = the candidate's vector at hop l that scores highest with q        chosen, not differentiated
 *     n~_l = (1 - w_l) p_l + w_l h_l                                           w_l [dim]: the sampler's
 *     e_n  = the hops n~_0 .. n~_L pooled as the backbone pools them; L2 takes n~_0
 *
 * With K negatives each has a pool of its own. q is the user's final vector, or where the hops stand side by side the
 * part of it that belongs to hop l. A model without layers has one hop, its final vector.
 */
#ifndef HN_CF_SAMPLER_HOP_MIX_H
#define HN_CF_SAMPLER_HOP_MIX_H

#include "base/rng.h"
#include "cf/samplers/plain.h"

/* One pair's mixing at one hop. */
typedef struct HnHopPair {
    uint32_t epoch;
    uint64_t pair;                            /* number of the train pair */
    int32_t item;                             /* the candidate */
    int negative, hop, dim;                   /* negative: which of the pair's */
    const float *user, *positive, *candidate; /* [dim] q, p_l and the candidate's vector at the hop */
} HnHopPair;

typedef struct HnHopMix HnHopMix;

/* Shares of the candidate, [dim]. */
typedef void HnHopWeights(const HnHopMix *mix, const HnHopPair *pair, float *weights);
/* The candidate's score with q. */
typedef float HnHopScore(const HnHopMix *mix, const HnHopPair *pair);

struct HnHopMix {
    HnSamplerContext context;
    HnHopWeights *weights_of;
    HnHopScore *score; /* NULL: <q, h_l> */
    bool trained;      /* w = sigmoid(q (h - p) - ..): gradients go through it */
    bool concat;       /* hops stand side by side in a final vector */
    float *weights;    /* [capacity][K][hops][dim] of the step under way */
};

/* how: weights_of, score, trained. Logs once where the backbone has one hop alone. */
HnStatus hn_hop_mix_create(const HnSamplerContext *context, const HnBatch *batch, const HnHopMix *how, void **state,
                           HnError *err);
void hn_hop_mix_free(void *state);
uint64_t hn_hop_mix_bytes(const HnTrainConfig *config, uint64_t n_local_pairs, uint64_t n_positions, uint64_t text_dim,
                          bool exact, int ranks);
void hn_hop_mix_draw(void *state, HnBatch *batch, const HnFinals *finals);
HnStatus hn_hop_mix_forward(void *state, HnBatch *batch, HnError *err);
HnStatus hn_hop_mix_backward(void *state, HnBatch *batch, HnError *err);

/* The part of HnSamplerOps that is the same for both. */
#define HN_HOP_SAMPLER                                                                                             \
    .by_score = true, .by_hop = true, .free = hn_hop_mix_free, .bytes = hn_hop_mix_bytes, .draw = hn_hop_mix_draw, \
    .forward = hn_hop_mix_forward, .align = hn_plain_align, .backward = hn_hop_mix_backward,                       \
    .text_dim = hn_plain_text_dim, .parameters = hn_plain_parameters, .l2 = hn_plain_l2, .facts = hn_plain_facts

#endif
