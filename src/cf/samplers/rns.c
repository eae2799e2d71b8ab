/* RNS: a uniform random item that the user never took, drawn anew for every pair and epoch. */
#include "base/alloc.h"
#include "base/rng.h"
#include "cf/rows.h"
#include "cf/sampler.h"

/* The r-th item outside a sorted list, without rejection: items[j] - j of those outside lie below the j-th taken one.
 */
int32_t hn_sample_outside(const int32_t *taken, uint64_t n_taken, uint64_t n_items, uint64_t seed, uint32_t epoch,
                          uint64_t pair) {
    if (n_taken >= n_items) {
        return -1;
    }
    HnRng rng;
    hn_rng_start(&rng, seed, HN_STREAM_NEGATIVE, epoch, pair);
    uint64_t r = hn_rng_below64(&rng, n_items - n_taken), low = 0, high = n_taken;
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

static HnStatus rns_create(const HnSamplerContext *context, const HnBatch *batch, void **state, HnError *err) {
    (void)batch;
    HnSamplerContext *copy = hn_alloc(1, sizeof *copy, "sampler", err);
    if (copy == NULL) {
        return HN_MEMORY;
    }
    *copy = *context;
    *state = copy;
    return HN_OK;
}

static void rns_free(void *state) {
    hn_free(state);
}

static uint64_t rns_bytes(const HnTrainConfig *config, uint64_t n_local_pairs, uint64_t n_positions, uint64_t text_dim,
                          bool exact, int ranks) {
    (void)config, (void)n_local_pairs, (void)n_positions, (void)text_dim, (void)exact, (void)ranks;
    return sizeof(HnSamplerContext);
}

static void rns_draw(void *state, HnBatch *batch) {
    const HnSamplerContext *context = state;
    hn_sample_negatives(batch, context->shards, context->seed);
}

static HnStatus rns_forward(void *state, HnBatch *batch, HnError *err) {
    (void)state, (void)err;
    hn_rows_gather(batch->negatives, batch->item_vectors, batch->negative_row, batch->n, batch->dim);
    return HN_OK;
}

static HnStatus rns_align(void *state, HnBatch *batch, HnLossSums *sums, HnError *err) {
    (void)state, (void)batch, (void)sums, (void)err;
    return HN_OK;
}

static HnStatus rns_backward(void *state, HnBatch *batch, HnError *err) {
    (void)state, (void)batch, (void)err;
    return HN_OK;
}

static uint64_t rns_text_dim(void *state) {
    (void)state;
    return 0;
}

static HnTable *rns_parameters(void *state) {
    (void)state;
    return NULL;
}

static double rns_l2(void *state) {
    (void)state;
    return 0.0;
}

static HnStatus rns_facts(void *state, HnSamplerFacts *facts, HnError *err) {
    (void)state, (void)err;
    *facts = (HnSamplerFacts){0};
    return HN_OK;
}

const HnSamplerOps HN_SAMPLER_OPS_RNS = {.name = "rns",
                                         .create = rns_create,
                                         .free = rns_free,
                                         .bytes = rns_bytes,
                                         .draw = rns_draw,
                                         .forward = rns_forward,
                                         .align = rns_align,
                                         .backward = rns_backward,
                                         .text_dim = rns_text_dim,
                                         .parameters = rns_parameters,
                                         .l2 = rns_l2,
                                         .facts = rns_facts};
