#include "cf/rows.h"
#include "cf/samplers/plain.h"
#include "row.h"

enum { MOST_CANDIDATES = 4096 }; /* the bound of sampler.candidates */

typedef struct Choice {
    const HnSamplerContext *context;
    const HnFinals *finals;
    HnChoose *choose;
} Choice;

static int32_t choose_one(const void *context, const HnBatch *batch, const HnDrawPair *pair, HnRng *rng) {
    const Choice *choice = context;
    const HnTrainConfig *config = choice->context->config;
    const HnRowOps *ops = hn_row_ops_cpu();
    const int n = (int)config->sampler.candidates, dim = batch->width;
    const uint64_t n_items = choice->context->shards->n_items;
    const float *user = choice->finals->users + (size_t)batch->user[pair->k] * (size_t)dim;
    const float *rows = choice->finals->items;
    int32_t items[MOST_CANDIDATES];
    float scores[MOST_CANDIDATES];
    for (int m = 0; m < n; m++) {
        items[m] = hn_sample_next(pair->taken, pair->n_taken, n_items, rng);
        hn_row_fetch(rows + (size_t)items[m] * (size_t)dim, dim);
    }
    for (int m = 0; m < n; m++) {
        scores[m] = ops->dot(user, rows + (size_t)items[m] * (size_t)dim, dim);
    }
    const float positive = ops->dot(user, rows + (size_t)batch->positive[pair->k] * (size_t)dim, dim);
    return items[choice->choose(config, scores, n, positive, rng)];
}

void hn_candidates_choose(const HnSamplerContext *context, HnBatch *batch, const HnFinals *finals, HnChoose *choose) {
    const Choice choice = {context, finals, choose};
    hn_plain_draw(batch, context->shards, context->seed, choose_one, &choice);
}
