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
    hn_rows_gather(batch->negatives, batch->item_vectors, batch->negative_row, batch->n, batch->dim);
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
