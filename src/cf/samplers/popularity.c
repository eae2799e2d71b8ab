/* Popularity sampling: items in proportion to degree^sampler.exponent, or ln(degree + 1), over all ranks, the user's
 * own rejected. An alias table (Walker 1977, in Vose's form) gives each draw in constant time. */
#include <math.h>

#include "base/alloc.h"
#include "base/sorted.h"
#include "cf/samplers/plain.h"

enum { MOST_TRIES = 64 }; /* then the weights of what is left are gone through one by one */

typedef struct Popularity {
    HnSamplerContext context;
    double *weight; /* [n_items] */
    double *keep;   /* [n_items] probability that a column stays with its own item */
    int32_t *alias; /* [n_items] or else this one */
} Popularity;

static void popularity_free(void *state) {
    Popularity *own = state;
    if (own != NULL) {
        hn_free(own->alias);
        hn_free(own->keep);
        hn_free(own->weight);
        hn_free(own);
    }
}

/* Columns of equal height: each below the mean is filled up from one above it. */
static void fill_columns(Popularity *own, uint64_t n, int32_t *small, int32_t *large) {
    uint64_t n_small = 0, n_large = 0;
    double sum = 0.0;
    for (uint64_t i = 0; i < n; i++) {
        sum += own->weight[i];
    }
    for (uint64_t i = 0; i < n; i++) {
        own->keep[i] = own->weight[i] * (double)n / sum;
        own->alias[i] = (int32_t)i;
        if (own->keep[i] < 1.0) {
            small[n_small++] = (int32_t)i;
        } else {
            large[n_large++] = (int32_t)i;
        }
    }
    while (n_small > 0 && n_large > 0) {
        const int32_t poor = small[--n_small], rich = large[n_large - 1];
        own->alias[poor] = rich;
        own->keep[rich] -= 1.0 - own->keep[poor];
        if (own->keep[rich] < 1.0) {
            n_large--;
            small[n_small++] = rich;
        }
    }
    while (n_small > 0) { /* rounding leaves them a hair below 1 */
        own->keep[small[--n_small]] = 1.0;
    }
}

static double weight_of(const HnTrainConfig *config, double degree) {
    return config->sampler.weight == HN_WEIGHT_LOG ? log(degree + 1.0) : pow(degree, config->sampler.exponent);
}

static HnStatus popularity_create(const HnSamplerContext *context, const HnBatch *batch, void **state, HnError *err) {
    (void)batch;
    const uint64_t n = context->shards->n_items;
    const HnDegrees *degrees = &context->graph->item_degrees;
    Popularity *own = hn_alloc(1, sizeof *own, "sampler", err);
    if (own == NULL) {
        return HN_MEMORY;
    }
    own->context = *context;
    own->weight = hn_alloc(n, sizeof *own->weight, "popularity", err);
    own->keep = hn_alloc(n, sizeof *own->keep, "popularity", err);
    own->alias = hn_alloc(n, sizeof *own->alias, "popularity", err);
    int32_t *lists = hn_alloc(2 * n, sizeof *lists, "popularity", err);
    if (!own->weight || !own->keep || !own->alias || lists == NULL) {
        hn_free(lists);
        popularity_free(own);
        return HN_MEMORY;
    }
    for (uint64_t i = 0; i < n; i++) {
        const double degree = degrees->scale[i] > 0.0f ? nearbyint(1.0 / (double)degrees->scale[i]) : 0.0;
        own->weight[i] = weight_of(context->config, degree);
    }
    fill_columns(own, n, lists, lists + n);
    hn_free(lists);
    *state = own;
    return HN_OK;
}

static uint64_t popularity_bytes(const HnTrainConfig *config, uint64_t n_local_pairs, uint64_t n_positions,
                                 uint64_t text_dim, bool exact, int ranks) {
    (void)config, (void)n_local_pairs, (void)n_positions, (void)text_dim, (void)exact, (void)ranks;
    return sizeof(Popularity); /* and 20 bytes an item, which the plan's tables dwarf */
}

/* Exact, for users who took nearly everything that is popular; uniform where all that is left has weight 0. */
static int32_t draw_from_rest(const Popularity *own, const HnDrawPair *pair, HnRng *rng) {
    const uint64_t n = own->context.shards->n_items;
    double total = 0.0;
    for (uint64_t i = 0; i < n; i++) {
        total += hn_sorted_has(pair->taken, pair->n_taken, (int32_t)i) ? 0.0 : own->weight[i];
    }
    double left = hn_rng_double(rng) * total;
    int32_t last = -1;
    for (uint64_t i = 0; i < n && total > 0.0; i++) {
        if (own->weight[i] > 0.0 && !hn_sorted_has(pair->taken, pair->n_taken, (int32_t)i)) {
            last = (int32_t)i;
            left -= own->weight[i];
            if (left < 0.0) {
                break;
            }
        }
    }
    return last >= 0 ? last : hn_sample_next(pair->taken, pair->n_taken, n, rng);
}

static int32_t draw_item(const Popularity *own, const HnDrawPair *pair, HnRng *rng) {
    for (int i = 0; i < MOST_TRIES; i++) {
        const uint64_t column = hn_rng_below64(rng, own->context.shards->n_items);
        const int32_t item = hn_rng_double(rng) < own->keep[column] ? (int32_t)column : own->alias[column];
        if (!hn_sorted_has(pair->taken, pair->n_taken, item)) {
            return item;
        }
    }
    return draw_from_rest(own, pair, rng);
}

static void draw_one(const void *context, const HnBatch *batch, const HnDrawPair *pair, HnRng *rng, int32_t *drawn) {
    for (int d = 0; d < batch->draws; d++) {
        drawn[d] = draw_item(context, pair, rng);
    }
}

static void popularity_draw(void *state, HnBatch *batch, const HnFinals *finals) {
    (void)finals;
    const Popularity *own = state;
    hn_plain_draw(batch, own->context.shards, own->context.seed, draw_one, own);
}

const HnSamplerOps HN_SAMPLER_OPS_POPULARITY = {.name = "popularity",
                                                .create = popularity_create,
                                                .free = popularity_free,
                                                .bytes = popularity_bytes,
                                                .draw = popularity_draw,
                                                HN_PLAIN_SAMPLER};
