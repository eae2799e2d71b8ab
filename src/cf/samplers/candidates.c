#include "cf/samplers/plain.h"
#include "row.h"

enum { MOST_CANDIDATES = 4096 }; /* the bound of sampler.candidates */

/* What one pair's choice needs. */
typedef struct Pair {
    const HnSamplerContext *context;
    const HnFinals *finals;
    HnChoose *choose;
    const int32_t *taken;
    uint64_t n_taken;
    HnRng rng;
} Pair;

static int32_t choose_one(Pair *pair, const HnBatch *batch, uint32_t k) {
    const HnTrainConfig *config = pair->context->config;
    const HnRowOps *ops = hn_row_ops_cpu();
    const int n = (int)config->sampler.candidates, dim = batch->dim;
    const uint64_t n_items = pair->context->shards->n_items;
    const float *user = pair->finals->users + (size_t)batch->user[k] * (size_t)dim;
    int32_t items[MOST_CANDIDATES];
    float scores[MOST_CANDIDATES];
    if (pair->n_taken >= n_items) {
        return -1;
    }
    for (int m = 0; m < n; m++) {
        items[m] = hn_sample_next(pair->taken, pair->n_taken, n_items, &pair->rng);
#if defined(__GNUC__)
        for (int c = 0; c < dim; c += 16) {
            __builtin_prefetch(pair->finals->items + (size_t)items[m] * (size_t)dim + c);
        }
#endif
    }
    for (int m = 0; m < n; m++) {
        scores[m] = ops->dot(user, pair->finals->items + (size_t)items[m] * (size_t)dim, dim);
    }
    const float positive = ops->dot(user, pair->finals->items + (size_t)batch->positive[k] * (size_t)dim, dim);
    return items[pair->choose(config, scores, n, positive, &pair->rng)];
}

void hn_candidates_choose(const HnSamplerContext *context, HnBatch *batch, const HnFinals *finals, HnChoose *choose) {
    const HnUserShards *shards = context->shards;
    const uint64_t base = shards->train.offsets[0];
#pragma omp parallel for schedule(static) if (batch->n > 16)
    for (uint32_t k = 0; k < batch->n; k++) {
        const uint64_t *range = shards->train.offsets + batch->user[k];
        Pair pair = {.context = context,
                     .finals = finals,
                     .choose = choose,
                     .taken = shards->train.items + (range[0] - base),
                     .n_taken = range[1] - range[0]};
        hn_rng_start(&pair.rng, context->seed, HN_STREAM_NEGATIVE, batch->epoch, base + batch->local[k]);
        batch->negative[k] = choose_one(&pair, batch, k);
    }
}
