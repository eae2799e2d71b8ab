#include <math.h>

#include "cf/rows.h"
#include "cf/samplers/plain.h"
#include "draw.h"
#include "row.h"
#include "score.h"

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

/* sampler.similarity of two rows, where it is no product: see scores_of. */
static float similarity(HnSimilarity rule, const HnRowOps *ops, const float *user, const float *item, int n) {
    if (rule == HN_SIMILAR_DISTANCE) {
        return squared_distance(ops, user, item, n);
    }
    return ops->dot(user, item, n) /
           fmaxf(sqrtf(ops->dot(user, user, n)) * sqrtf(ops->dot(item, item, n)), LEAST_LENGTH);
}

/* A pair on its way, its first pool drawn and asked for while the pair before it is looked at. */
typedef struct Pool {
    bool usable; /* false: the user took every item */
    HnDrawPair pair;
    HnRng rng;
    int32_t items[HN_MOST_CANDIDATES];
} Pool;

static void draw_pool(const Choice *choice, int dim, Pool *pool) {
    const int n = (int)choice->context->config->sampler.candidates;
    hn_draw_cpu(&pool->rng, pool->pair.taken, pool->pair.n_taken, choice->context->shards->n_items, n, pool->items);
    for (int m = 0; m < n; m++) {
        hn_row_fetch(choice->finals->items + (size_t)pool->items[m] * (size_t)dim, dim);
    }
}

static void start_pair(const Choice *choice, const HnBatch *batch, uint32_t k, Pool *pool) {
    const HnSamplerContext *context = choice->context;
    const size_t dim = (size_t)batch->width;
    hn_row_fetch(choice->finals->users + (size_t)batch->user[k] * dim, batch->width);
    hn_row_fetch(choice->finals->items + (size_t)batch->positive[k] * dim, batch->width);
    pool->usable = hn_plain_pair(batch, context->shards, context->seed, k, &pool->pair, &pool->rng);
    if (pool->usable) {
        draw_pool(choice, batch->width, pool);
    }
}

static void scores_of(const Choice *choice, const float *user, const int32_t *items, int n, int dim, float *scores) {
    const HnScoreTable table = {choice->finals->items, (size_t)dim, dim};
    const HnSimilarity rule = choice->context->config->sampler.similarity;
    if (rule == HN_SIMILAR_PRODUCT) {
        hn_scores_cpu(&table, user, items, n, scores);
        return;
    }
    for (int m = 0; m < n; m++) {
        scores[m] = similarity(rule, hn_row_ops_cpu(), user, table.rows + (size_t)items[m] * table.stride, dim);
    }
}

static void choose_of(const Choice *choice, const HnBatch *batch, Pool *pool, int32_t *drawn) {
    const HnTrainConfig *config = choice->context->config;
    const int n = (int)config->sampler.candidates, dim = batch->width;
    const float *user = choice->finals->users + (size_t)batch->user[pool->pair.k] * (size_t)dim;
    float scores[HN_MOST_CANDIDATES], positive;
    scores_of(choice, user, &batch->positive[pool->pair.k], 1, dim, &positive);
    for (int d = 0; d < batch->draws; d++) {
        if (d > 0 && !choice->one_pool) {
            draw_pool(choice, dim, pool);
        }
        if (d == 0 || !choice->one_pool) {
            scores_of(choice, user, pool->items, n, dim, scores);
        }
        drawn[d] = pool->items[choice->choose(config, scores, n, positive, d, &pool->rng)];
    }
}

void hn_candidates_choose(const HnSamplerContext *context, HnBatch *batch, const HnFinals *finals, HnChoose *choose) {
    const bool all = context->config->sampler.name == HN_SAMPLER_DNS && context->config->sampler.mn == HN_DNS_ALL;
    const Choice choice = {context, finals, choose, all};
#pragma omp parallel if (batch->n > 64)
    {
        Pool pools[2];
        uint32_t ready = batch->n; /* the pair that is on its way */
#pragma omp for schedule(static)
        for (uint32_t k = 0; k < batch->n; k++) {
            if (ready != k) {
                start_pair(&choice, batch, k, &pools[k % 2]);
            }
            ready = k + 1;
            if (ready < batch->n) {
                start_pair(&choice, batch, ready, &pools[ready % 2]);
            }
            if (pools[k % 2].usable) {
                choose_of(&choice, batch, &pools[k % 2], batch->negative + (size_t)k * (size_t)batch->draws);
            }
        }
    }
}
