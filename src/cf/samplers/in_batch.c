/* In-batch negatives: the positives of all other pairs of the batch, none removed, whatever the user took. The loss
 * goes through them itself (hn_loss_in_batch); a pair's own draw is its positive, which touches no further row. */
#include "cf/samplers/plain.h"

static void draw_one(const void *context, const HnBatch *batch, const HnDrawPair *pair, HnRng *rng, int32_t *drawn) {
    (void)context, (void)rng;
    drawn[0] = batch->positive[pair->k];
}

static void in_batch_draw(void *state, HnBatch *batch, const HnFinals *finals) {
    (void)finals;
    const HnSamplerContext *context = state;
    hn_plain_draw(batch, context->shards, context->seed, draw_one, NULL);
}

const HnSamplerOps HN_SAMPLER_OPS_IN_BATCH = {.name = "in_batch",
                                              .create = hn_plain_create,
                                              .free = hn_plain_free,
                                              .bytes = hn_plain_bytes,
                                              .draw = in_batch_draw,
                                              HN_PLAIN_SAMPLER};
