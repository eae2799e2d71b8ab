/* What samplers share that choose an item for each pair and nothing else: no parameters, no loss of their own. Their
 * state is a copy of the context, or begins with it. */
#ifndef HN_CF_SAMPLER_PLAIN_H
#define HN_CF_SAMPLER_PLAIN_H

#include "base/rng.h"
#include "cf/sampler.h"

HnStatus hn_plain_create(const HnSamplerContext *context, const HnBatch *batch, void **state, HnError *err);
void hn_plain_free(void *state);
uint64_t hn_plain_bytes(const HnTrainConfig *config, uint64_t n_local_pairs, uint64_t n_positions, uint64_t text_dim,
                        bool exact, int ranks);
HnStatus hn_plain_forward(void *state, HnBatch *batch, HnError *err);
HnStatus hn_plain_align(void *state, HnBatch *batch, HnLossSums *sums, HnError *err);
HnStatus hn_plain_backward(void *state, HnBatch *batch, HnError *err);
uint64_t hn_plain_text_dim(void *state);
HnTable *hn_plain_parameters(void *state);
double hn_plain_l2(void *state);
HnStatus hn_plain_facts(void *state, HnSamplerFacts *facts, HnError *err);

/* The part of HnSamplerOps that is the same for all of them. */
#define HN_PLAIN_SAMPLER                                                                 \
    .forward = hn_plain_forward, .align = hn_plain_align, .backward = hn_plain_backward, \
    .text_dim = hn_plain_text_dim, .parameters = hn_plain_parameters, .l2 = hn_plain_l2, .facts = hn_plain_facts

/* The next draw of a sequence: uniform over the items that a sorted list lacks, of which there is one. */
int32_t hn_sample_next(const int32_t *taken, uint64_t n_taken, uint64_t n_items, HnRng *rng);

/* A pair that can have a negative: its place in the batch, and the items that it may not draw, ascending: those that
 * its user took, or none (sampler.draw_from). */
typedef struct HnDrawPair {
    uint32_t k;
    const int32_t *taken;
    uint64_t n_taken;
} HnDrawPair;
/* Pair k of the batch and the beginning of its own sequence; false where its user took every item. */
bool hn_plain_pair(const HnBatch *batch, const HnUserShards *shards, uint64_t seed, uint32_t k, HnDrawPair *pair,
                   HnRng *rng);
/* Draws for one pair, drawn [draws of the batch]; rng begins the pair's own sequence. */
typedef void HnDrawOne(const void *context, const HnBatch *batch, const HnDrawPair *pair, HnRng *rng, int32_t *drawn);
/* batch->negative of every pair by draw, by all threads; left as it is, -1, where the user took every item. */
void hn_plain_draw(HnBatch *batch, const HnUserShards *shards, uint64_t seed, HnDrawOne *draw, const void *context);

enum { HN_MOST_CANDIDATES = 4096 }; /* the bound of sampler.candidates */
/* Chooses from n candidates by their scores with the user (or what sampler.similarity says), for negative `which` of
 * the pair; returns its place. rng goes on where the draws ended. */
typedef int HnChoose(const HnTrainConfig *config, const float *scores, int n, float positive, int which, HnRng *rng);
/* For every negative of every pair (for all of a pair's, where sampler.mn is all): sampler.candidates uniform draws
 * from the items that the pair may draw (repeats may occur), their scores, and the choice. */
void hn_candidates_choose(const HnSamplerContext *context, HnBatch *batch, const HnFinals *finals, HnChoose *choose);

#endif
