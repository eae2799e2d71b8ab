#include <math.h>

#include "cf/rows.h"
#include "cf/samplers/plain.h"
#include "row.h"

#define LEAST_LENGTH 1e-8f /* product of two rows' lengths, for cosines */

typedef struct Choice {
    const HnSamplerContext *context;
    const HnFinals *finals;
    HnChoose *choose;
    bool one_pool; /* for all negatives of a pair */
} Choice;

static float squared_distance(const HnRowOps *ops, const float *x, const float *y, int n) {
    enum { RUN = 256 };
    float apart[RUN], sum = 0.0f;
    for (int c = 0; c < n; c += RUN) {
        const int some = n - c < RUN ? n - c : RUN;
        ops->mix(apart, 1.0f, x + c, -1.0f, y + c, some);
        sum += ops->dot(apart, apart, some);
    }
    return sum;
}

/* sampler.similarity of two rows. */
static float similarity(HnSimilarity rule, const HnRowOps *ops, const float *user, const float *item, int n) {
    if (rule == HN_SIMILAR_DISTANCE) {
        return squared_distance(ops, user, item, n);
    }
    const float product = ops->dot(user, item, n);
    if (rule == HN_SIMILAR_PRODUCT) {
        return product;
    }
    return product / fmaxf(sqrtf(ops->dot(user, user, n)) * sqrtf(ops->dot(item, item, n)), LEAST_LENGTH);
}

static void choose_one(const void *context, const HnBatch *batch, const HnDrawPair *pair, HnRng *rng, int32_t *drawn) {
    const Choice *choice = context;
    const HnTrainConfig *config = choice->context->config;
    const HnRowOps *ops = hn_row_ops_cpu();
    const int n = (int)config->sampler.candidates, dim = batch->width;
    const uint64_t n_items = choice->context->shards->n_items;
    const float *user = choice->finals->users + (size_t)batch->user[pair->k] * (size_t)dim;
    const float *rows = choice->finals->items;
    int32_t items[HN_MOST_CANDIDATES];
    float scores[HN_MOST_CANDIDATES];
    const HnSimilarity rule = config->sampler.similarity;
    const float positive = similarity(rule, ops, user, rows + (size_t)batch->positive[pair->k] * (size_t)dim, dim);
    for (int d = 0; d < batch->draws; d++) {
        if (d == 0 || !choice->one_pool) {
            hn_sample_next_run(pair, n_items, rng, n, items);
            for (int m = 0; m < n; m++) {
                hn_row_fetch(rows + (size_t)items[m] * (size_t)dim, dim);
            }
            for (int m = 0; m < n; m++) {
                scores[m] = similarity(rule, ops, user, rows + (size_t)items[m] * (size_t)dim, dim);
            }
        }
        drawn[d] = items[choice->choose(config, scores, n, positive, d, rng)];
    }
}

void hn_candidates_choose(const HnSamplerContext *context, HnBatch *batch, const HnFinals *finals, HnChoose *choose) {
    const bool all = context->config->sampler.name == HN_SAMPLER_DNS && context->config->sampler.mn == HN_DNS_ALL;
    const Choice choice = {context, finals, choose, all};
    hn_plain_draw(batch, context->shards, context->seed, choose_one, &choice);
}
