/* RNS: a uniform random item that the user never took, drawn anew for every pair and epoch. */
#include "base/rng.h"
#include "cf/samplers/plain.h"

int32_t hn_sample_outside(const int32_t *taken, uint64_t n_taken, uint64_t n_items, uint64_t seed, uint32_t epoch,
                          uint64_t pair) {
    if (n_taken >= n_items) {
        return -1;
    }
    HnRng rng;
    hn_rng_start(&rng, seed, HN_STREAM_NEGATIVE, epoch, pair);
    return hn_sample_next(taken, n_taken, n_items, &rng);
}

static void draw_one(const void *context, const HnBatch *batch, const HnDrawPair *pair, HnRng *rng, int32_t *drawn) {
    const HnUserShards *shards = context;
    for (int d = 0; d < batch->draws; d++) {
        drawn[d] = hn_sample_next(pair->taken, pair->n_taken, shards->n_items, rng);
    }
}

void hn_sample_negatives(HnBatch *batch, const HnUserShards *shards, uint64_t seed) {
    hn_plain_draw(batch, shards, seed, draw_one, shards);
}

static void rns_draw(void *state, HnBatch *batch, const HnFinals *finals) {
    (void)finals;
    const HnSamplerContext *context = state;
    hn_sample_negatives(batch, context->shards, context->seed);
}

const HnSamplerOps HN_SAMPLER_OPS_RNS = {.name = "rns",
                                         .create = hn_plain_create,
                                         .free = hn_plain_free,
                                         .bytes = hn_plain_bytes,
                                         .draw = rns_draw,
                                         HN_PLAIN_SAMPLER};
