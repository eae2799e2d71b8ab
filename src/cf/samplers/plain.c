#include "cf/samplers/plain.h"

#include "base/alloc.h"
#include "cf/rows.h"

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

/* The r-th item outside a sorted list, without rejection: items[j] - j of those outside lie below the j-th taken one.
 * The search has no branch that depends on r, which no processor could foretell. */
static int32_t outside(const int32_t *taken, uint64_t n_taken, uint64_t r) {
    uint64_t low = 0;
    for (uint64_t left = n_taken; left > 0;) { /* the answer is low .. low + left */
        const uint64_t half = left - left / 2, last = low + half - 1;
        const bool below = (uint64_t)taken[last] - last <= r;
        low = below ? low + half : low;
        left = below ? left - half : half - 1;
    }
    return (int32_t)(r + low);
}

int32_t hn_sample_next(const int32_t *taken, uint64_t n_taken, uint64_t n_items, HnRng *rng) {
    return outside(taken, n_taken, hn_rng_below64(rng, n_items - n_taken));
}

void hn_sample_next_run(const HnDrawPair *pair, uint64_t n_items, HnRng *rng, int n, int32_t *items) {
    enum { RUN = 64 };
    uint64_t numbers[RUN];
    for (int m = 0; m < n; m += RUN) {
        const int some = n - m < RUN ? n - m : RUN;
        hn_rng_below64_run(rng, n_items - pair->n_taken, (uint64_t)some, numbers);
        for (int i = 0; i < some; i++) {
            items[m + i] = outside(pair->taken, pair->n_taken, numbers[i]);
        }
    }
}

void hn_plain_draw(HnBatch *batch, const HnUserShards *shards, uint64_t seed, HnDrawOne *draw, const void *context) {
    const uint64_t base = shards->train.offsets[0];
#pragma omp parallel for schedule(static) if (batch->n > 64)
    for (uint32_t k = 0; k < batch->n; k++) {
        const uint64_t *range = shards->train.offsets + batch->user[k];
        const uint32_t soon = k + HN_FETCH_AHEAD < batch->n ? k + HN_FETCH_AHEAD : k;
        hn_fetch(shards->train.items + (shards->train.offsets[batch->user[soon]] - base));
        const HnDrawPair pair = {k, shards->train.items + (range[0] - base), batch->draw_all ? 0 : range[1] - range[0]};
        HnRng rng;
        hn_rng_start(&rng, seed, HN_STREAM_NEGATIVE, batch->epoch, hn_batch_draw_key(batch, base, k));
        if (pair.n_taken < shards->n_items) {
            draw(context, batch, &pair, &rng, batch->negative + (size_t)k * (size_t)batch->draws);
        }
    }
}
