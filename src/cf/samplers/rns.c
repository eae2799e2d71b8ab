/* RNS: a uniform random item that the user never took, drawn anew for every pair and epoch. */
#include "base/rng.h"
#include "cf/samplers/plain.h"

/* The r-th item outside a sorted list, without rejection: items[j] - j of those outside lie below the j-th taken one.
 */
int32_t hn_sample_outside(const int32_t *taken, uint64_t n_taken, uint64_t n_items, uint64_t seed, uint32_t epoch,
                          uint64_t pair) {
    if (n_taken >= n_items) {
        return -1;
    }
    HnRng rng;
    hn_rng_start(&rng, seed, HN_STREAM_NEGATIVE, epoch, pair);
    return hn_sample_next(taken, n_taken, n_items, &rng);
}

int32_t hn_sample_next(const int32_t *taken, uint64_t n_taken, uint64_t n_items, HnRng *rng) {
    uint64_t r = hn_rng_below64(rng, n_items - n_taken), low = 0, high = n_taken;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if ((uint64_t)taken[middle] - middle > r) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return (int32_t)(r + low);
}

void hn_sample_negatives(HnBatch *batch, const HnUserShards *shards, uint64_t seed) {
    const uint64_t base = shards->train.offsets[0];
#pragma omp parallel for schedule(static) if (batch->n > 64)
    for (uint32_t k = 0; k < batch->n; k++) {
        const uint64_t *range = shards->train.offsets + batch->user[k];
        batch->negative[k] = hn_sample_outside(shards->train.items + (range[0] - base), range[1] - range[0],
                                               shards->n_items, seed, batch->epoch, base + batch->local[k]);
    }
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
