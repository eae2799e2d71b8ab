/* The next token from logits: temperature, top-k, top-p, repetition penalty; draws by counter, so that a text depends
 * on (seed, key, position) and its own logits, never on rank, batch or order.
 *
 * In the order of transformers' generate: the penalty divides positive and multiplies negative logits of tokens seen;
 * then what a grammar does not allow is left out; then logits are divided by the temperature; top-k keeps those not
 * below the k-th largest (all of its equals too); top-p keeps the likeliest tokens whose likelier ones have less than
 * p of the mass together (of equals those of lower ids first; one at least). Each step takes time linear in the
 * vocabulary: thresholds are found by counting, nothing is sorted.
 */
#ifndef HN_LLM_GENERATE_SAMPLING_H
#define HN_LLM_GENERATE_SAMPLING_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct HnSampling {
    double temperature;        /* 0: the best token (lowest id among equals) */
    uint32_t top_k;            /* 0: all */
    double top_p;              /* 1: all */
    double repetition_penalty; /* 1: none (Keskar et al. 2019; over prompt and answer, as transformers does) */
    uint64_t seed;
} HnSampling;

/* What one choice is made from. */
typedef struct HnChoice {
    float *logits;        /* [n_vocab]; changed. NaN and minus infinity are never chosen */
    const uint64_t *mask; /* bit t % 64 of word t / 64: token t is allowed; NULL: all are */
    const uint32_t *seen; /* [n_seen] distinct tokens of prompt and answer so far; used by the penalty alone */
    size_t n_seen;
    uint64_t key;      /* of the request */
    uint32_t position; /* tokens of the answer before this one */
} HnChoice;

/* What may be drawn after all steps: ids ascending, and their masses, which sum to total. */
typedef struct HnCandidates {
    const uint32_t *ids;
    const float *mass;
    size_t n;
    double total;
} HnCandidates;

typedef struct HnSampler HnSampler; /* scratch memory of one thread */

/* HN_RANGE: a setting outside its range; which, and what is allowed. */
HnStatus hn_sampling_check(const HnSampling *sampling, HnError *err);
HnStatus hn_sampler_create(uint32_t n_vocab, HnSampler **sampler, HnError *err);
void hn_sampler_free(HnSampler **sampler);
/* HN_NUMERIC: no token is left that can be drawn, or a logit is plus infinity. */
HnStatus hn_sampler_choose(HnSampler *sampler, const HnSampling *sampling, const HnChoice *choice, uint32_t *token,
                           HnError *err);
/* The distribution that hn_sampler_choose draws from, for temperature above 0; valid until the sampler's next call. */
HnStatus hn_sampler_candidates(HnSampler *sampler, const HnSampling *sampling, const HnChoice *choice,
                               HnCandidates *candidates, HnError *err);

#endif
