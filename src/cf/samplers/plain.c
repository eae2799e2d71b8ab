#include "cf/samplers/plain.h"

#include "base/alloc.h"
#include "cf/rows.h"
#include "draw.h"

HnStatus hn_plain_create(const HnSamplerContext *context, const HnBatch *batch, void **state, HnError *err) {
    (void)batch;
    HnSamplerContext *copy = hn_alloc(1, sizeof *copy, "sampler", err);
    if (copy == NULL) {
        return HN_MEMORY;
    }
    *copy = *context;
    *state = copy;
    return HN_OK;
}

void hn_plain_free(void *state) {
    hn_free(state);
}

uint64_t hn_plain_bytes(const HnTrainConfig *config, uint64_t n_local_pairs, uint64_t n_positions, uint64_t text_dim,
                        bool exact, int ranks) {
    (void)config, (void)n_local_pairs, (void)n_positions, (void)text_dim, (void)exact, (void)ranks;
    return sizeof(HnSamplerContext);
}

HnStatus hn_plain_forward(void *state, HnBatch *batch, HnError *err) {
    (void)state, (void)err;
    hn_rows_gather(batch->negative_vectors, batch->item_vectors, batch->negative_row,
                   (uint64_t)batch->n * (uint64_t)batch->negatives, batch->width);
    return HN_OK;
}

HnStatus hn_plain_align(void *state, HnBatch *batch, HnLossSums *sums, HnError *err) {
    (void)state, (void)batch, (void)sums, (void)err;
    return HN_OK;
}

HnStatus hn_plain_backward(void *state, HnBatch *batch, HnError *err) {
    (void)state, (void)batch, (void)err;
    return HN_OK;
}

uint64_t hn_plain_text_dim(void *state) {
    (void)state;
    return 0;
}

HnTable *hn_plain_parameters(void *state) {
    (void)state;
    return NULL;
}

double hn_plain_l2(void *state) {
    (void)state;
    return 0.0;
}

HnStatus hn_plain_facts(void *state, HnSamplerFacts *facts, HnError *err) {
    (void)state, (void)err;
    *facts = (HnSamplerFacts){0};
    return HN_OK;
}

int32_t hn_sample_next(const int32_t *taken, uint64_t n_taken, uint64_t n_items, HnRng *rng) {
    int32_t item;
    hn_draw_cpu(rng, taken, n_taken, n_items, 1, &item);
    return item;
}

bool hn_plain_pair(const HnBatch *batch, const HnUserShards *shards, uint64_t seed, uint32_t k, HnDrawPair *pair,
                   HnRng *rng) {
    const uint64_t *offsets = shards->train.offsets, base = offsets[0], *range = offsets + batch->user[k];
    const uint32_t soon = k + HN_FETCH_AHEAD < batch->n ? k + HN_FETCH_AHEAD : k;
    const uint32_t later = soon + HN_FETCH_AHEAD < batch->n ? soon + HN_FETCH_AHEAD : soon;
    hn_fetch(offsets + batch->user[later]); /* so that where the items begin is known when they are asked for */
    hn_fetch(shards->train.items + (offsets[batch->user[soon]] - base));
    *pair = (HnDrawPair){k, shards->train.items + (range[0] - base), batch->draw_all ? 0 : range[1] - range[0]};
    hn_rng_start(rng, seed, HN_STREAM_NEGATIVE, batch->epoch, hn_batch_draw_key(batch, base, k));
    return pair->n_taken < shards->n_items;
}

void hn_plain_draw(HnBatch *batch, const HnUserShards *shards, uint64_t seed, HnDrawOne *draw, const void *context) {
#pragma omp parallel for schedule(static) if (batch->n > 64)
    for (uint32_t k = 0; k < batch->n; k++) {
        HnDrawPair pair;
        HnRng rng;
        if (hn_plain_pair(batch, shards, seed, k, &pair, &rng)) {
            draw(context, batch, &pair, &rng, batch->negative + (size_t)k * (size_t)batch->draws);
        }
    }
}
