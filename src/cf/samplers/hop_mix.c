#include "cf/samplers/hop_mix.h"

#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "cf/model.h"
#include "cf/rows.h"
#include "draw.h"
#include "row.h"
#include "score.h"

enum { MOST_HOPS = 17, MOST_DIM = 8192 }; /* the bounds of model.layers and one, of model.dim */
enum { AHEAD = 2 };                       /* candidates that are fetched before their turn */

HnStatus hn_hop_mix_create(const HnSamplerContext *context, const HnBatch *batch, const HnHopMix *how, void **state,
                           HnError *err) {
    HnHopMix *mix = hn_alloc(1, sizeof *mix, "sampler", err);
    if (mix == NULL) {
        return HN_MEMORY;
    }
    *mix = *how;
    mix->context = *context;
    mix->concat = batch->width != batch->dim;
    mix->weights = hn_alloc(batch->capacity, (size_t)(batch->draws * batch->dim) * sizeof(float), "sampler", err);
    if (mix->weights == NULL) {
        hn_free(mix);
        return HN_MEMORY;
    }
    if (batch->hops == 1 && hn_comm_rank(context->comm) == 0) {
        hn_log(HN_LOG_INFO,
               "the backbone has no layers: hop by hop means one hop, the hardest candidate mixed with the "
               "positive");
    }
    *state = mix;
    return HN_OK;
}

void hn_hop_mix_free(void *state) {
    HnHopMix *mix = state;
    if (mix != NULL) {
        hn_free(mix->weights);
        hn_free(mix);
    }
}

uint64_t hn_hop_mix_bytes(const HnTrainConfig *config, uint64_t n_local_pairs, uint64_t n_positions, uint64_t text_dim,
                          bool exact, int ranks) {
    (void)text_dim, (void)exact, (void)ranks;
    const uint64_t capacity = n_positions < n_local_pairs ? n_positions : n_local_pairs;
    const HnBatchShape shape = hn_batch_shape(config);
    return sizeof(HnHopMix) + capacity * (uint64_t)shape.draws * (uint64_t)shape.dim * sizeof(float);
}

/* ---- the hardest candidate of each hop ---- */

typedef struct Choice {
    const HnHopMix *mix;
    const HnFinals *finals;
} Choice;

/* Scores one candidate at every hop; of equally hard ones the one drawn first stays. The rows [hops][dim]. */
static void consider(const HnHopMix *mix, const HnBatch *batch, HnHopPair *at, const float *user,
                     const float *candidate, const float *positive, int32_t *hardest, float *best) {
    const size_t dim = (size_t)batch->dim;
    for (int l = 0; l < batch->hops; l++) {
        const size_t hop = (size_t)l * dim;
        at->hop = l, at->user = mix->concat ? user + hop : user;
        at->positive = positive + hop, at->candidate = candidate + hop;
        const float score = mix->score(mix, at);
        if (hardest[l] < 0 || score > best[l]) {
            hardest[l] = at->item, best[l] = score;
        }
    }
}

/* The same of all candidates at once, where a score is a product; the next hop's rows are asked for meanwhile. */
static void consider_products(const HnHopMix *mix, const HnBatch *batch, const float *user, const float *rows,
                              const int32_t *items, int32_t *hardest) {
    const int n = (int)mix->context.config->sampler.candidates;
    const size_t dim = (size_t)batch->dim, row = (size_t)batch->hops * dim;
    float scores[HN_MOST_CANDIDATES];
    for (int l = -1; l < batch->hops; l++) {
        const float *next = rows + (size_t)(l + 1) * dim;
        for (int m = 0; m < n && l + 1 < batch->hops; m++) {
            hn_row_fetch(next + (size_t)items[m] * row, batch->dim);
        }
        if (l >= 0) {
            const HnScoreTable table = {rows + (size_t)l * dim, row, batch->dim};
            hn_scores_cpu(&table, mix->concat ? user + (size_t)l * dim : user, items, n, scores);
            hardest[l] = items[hn_score_largest_cpu(scores, n)];
        }
    }
}

static void draw_one(const void *context, const HnBatch *batch, const HnDrawPair *pair, HnRng *rng, int32_t *drawn) {
    const Choice *choice = context;
    const HnHopMix *mix = choice->mix;
    const int n = (int)mix->context.config->sampler.candidates;
    const size_t row = (size_t)batch->hops * (size_t)batch->dim;
    const float *rows = choice->finals->item_hops;
    const float *user = choice->finals->users + (size_t)batch->user[pair->k] * (size_t)batch->width;
    HnHopPair at = {.epoch = batch->epoch,
                    .pair = hn_batch_draw_key(batch, mix->context.shards->train.offsets[0], pair->k),
                    .dim = batch->dim};
    int32_t items[HN_MOST_CANDIDATES];
    float best[MOST_HOPS];
    for (at.negative = 0; at.negative < batch->negatives; at.negative++, drawn += batch->hops) {
        hn_draw_cpu(rng, pair->taken, pair->n_taken, mix->context.shards->n_items, n, items);
        if (mix->score == NULL) {
            consider_products(mix, batch, user, rows, items, drawn);
            continue;
        }
        for (int m = 0; m < n; m++) {
            hn_row_fetch(rows + (size_t)items[m + AHEAD < n ? m + AHEAD : m] * row, (int)row);
            at.item = items[m];
            consider(mix, batch, &at, user, rows + (size_t)items[m] * row,
                     rows + (size_t)batch->positive[pair->k] * row, drawn, best);
        }
    }
}

void hn_hop_mix_draw(void *state, HnBatch *batch, const HnFinals *finals) {
    const HnHopMix *mix = state;
    const Choice choice = {mix, finals};
    hn_plain_draw(batch, mix->context.shards, mix->context.seed, draw_one, &choice);
}

/* ---- mixing ---- */

/* [hops][dim] of an item, which has this row in the batch. */
static const float *hops_of(const HnBatch *batch, int32_t item, int32_t row) {
    const size_t n = (size_t)batch->hops * (size_t)batch->dim;
    return batch->all_item_hops != NULL ? batch->all_item_hops + (size_t)item * n : batch->item_hops + (size_t)row * n;
}

/* The rows of one draw of pair k: negative and hop. */
static HnHopPair hop_pair(const HnHopMix *mix, const HnBatch *batch, uint32_t k, int of_pair) {
    const int hop = of_pair % batch->hops;
    const size_t at = (size_t)hop * (size_t)batch->dim;
    const size_t draw = (size_t)k * (size_t)batch->draws + (size_t)of_pair;
    const float *user = batch->user_vectors + (size_t)batch->user_row[k] * (size_t)batch->width;
    return (HnHopPair){.epoch = batch->epoch,
                       .pair = hn_batch_draw_key(batch, mix->context.shards->train.offsets[0], k),
                       .item = batch->negative[draw],
                       .negative = of_pair / batch->hops,
                       .hop = hop,
                       .dim = batch->dim,
                       .user = mix->concat ? user + at : user,
                       .positive = hops_of(batch, batch->positive[k], batch->positive_row[k]) + at,
                       .candidate = hops_of(batch, batch->negative[draw], batch->negative_row[draw]) + at};
}

/* Pools the mixed hops [hops][dim] of negative m of the batch; some are what L2 takes. */
static void pool(const HnHopMix *mix, HnBatch *batch, size_t m, const float *hops) {
    const HnRowOps *ops = hn_row_ops_cpu();
    const size_t dim = (size_t)batch->dim;
    float *negative = batch->negative_vectors + m * (size_t)batch->width;
    memcpy(batch->negative_ego + m * batch->l2_n, hops + batch->l2_first, batch->l2_n * sizeof(float));
    if (mix->concat) {
        memcpy(negative, hops, (size_t)batch->width * sizeof(float));
        return;
    }
    memset(negative, 0, dim * sizeof(float));
    for (int l = 0; l < batch->hops; l++) {
        ops->axpy(negative, hn_model_hop_share(mix->context.config, l), hops + (size_t)l * dim, batch->dim);
    }
}

HnStatus hn_hop_mix_forward(void *state, HnBatch *batch, HnError *err) {
    (void)err;
    const HnHopMix *mix = state;
    const size_t dim = (size_t)batch->dim, row = (size_t)batch->draws * dim;
#pragma omp parallel for schedule(static) if (batch->n > 64)
    for (uint32_t k = 0; k < batch->n; k++) {
        float *hops = batch->d_negative_hops + k * row; /* free until backward */
        for (int d = 0; d < batch->draws; d++) {
            const HnHopPair pair = hop_pair(mix, batch, k, d);
            const float *p = pair.positive, *h = pair.candidate;
            float *mixed = hops + (size_t)d * dim, *w = mix->weights + k * row + (size_t)d * dim;
            mix->weights_of(mix, &pair, w);
            for (size_t c = 0; c < dim; c++) {
                mixed[c] = (1.0f - w[c]) * p[c] + w[c] * h[c];
            }
        }
        for (int m = 0; m < batch->negatives; m++) {
            pool(mix, batch, (size_t)k * (size_t)batch->negatives + (size_t)m, hops + (size_t)(m * batch->hops) * dim);
        }
    }
    return HN_OK;
}

/* r = d n~_l of negative m of the batch. */
static void hop_gradient(const HnHopMix *mix, const HnBatch *batch, size_t m, int hop, float *r) {
    const HnRowOps *ops = hn_row_ops_cpu();
    const size_t dim = (size_t)batch->dim;
    const float *d_negative = batch->d_negative + m * (size_t)batch->width;
    if (mix->concat) {
        memcpy(r, d_negative + (size_t)hop * dim, dim * sizeof(float));
    } else {
        ops->scale(r, hn_model_hop_share(mix->context.config, hop), d_negative, batch->dim);
    }
    const size_t at = (size_t)hop * dim;
    if (at >= batch->l2_first && at < batch->l2_first + batch->l2_n) {
        ops->axpy(r, batch->negative_l2, batch->negative_ego + m * batch->l2_n + (at - batch->l2_first), batch->dim);
    }
}

/* w = sigmoid(q (h - p) - ..): with c = r (h - p) w (1 - w), what reaches q, p and h through w. */
static void through_weights(const HnHopPair *pair, const float *w, const float *r, float *d_positive, float *d_negative,
                            float *d_user) {
    for (int i = 0; i < pair->dim; i++) {
        const float apart = pair->candidate[i] - pair->positive[i], c = r[i] * apart * w[i] * (1.0f - w[i]);
        d_positive[i] -= c * pair->user[i];
        d_negative[i] += c * pair->user[i];
        d_user[i] += c * apart;
    }
}

/* One draw's part of the gradients of pair k. */
static void draw_backward(const HnHopMix *mix, HnBatch *batch, uint32_t k, int draw) {
    const HnHopPair pair = hop_pair(mix, batch, k, draw);
    const size_t dim = (size_t)batch->dim, hop = (size_t)pair.hop * dim;
    const size_t at = ((size_t)k * (size_t)batch->draws + (size_t)draw) * dim;
    const float *w = mix->weights + at;
    float *d_positive = batch->d_positive_hops + (size_t)k * (size_t)batch->hops * dim + hop;
    float *d_negative = batch->d_negative_hops + at, r[MOST_DIM];
    hop_gradient(mix, batch, (size_t)k * (size_t)batch->negatives + (size_t)pair.negative, pair.hop, r);
    for (size_t c = 0; c < dim; c++) {
        const float before = pair.negative == 0 ? 0.0f : d_positive[c];
        d_positive[c] = before + (1.0f - w[c]) * r[c];
        d_negative[c] = w[c] * r[c];
    }
    if (mix->trained) {
        float *d_user = batch->d_user + (size_t)k * (size_t)batch->width;
        through_weights(&pair, w, r, d_positive, d_negative, mix->concat ? d_user + hop : d_user);
    }
}

HnStatus hn_hop_mix_backward(void *state, HnBatch *batch, HnError *err) {
    (void)err;
#pragma omp parallel for schedule(static) if (batch->n > 64)
    for (uint32_t k = 0; k < batch->n; k++) {
        for (int d = 0; d < batch->draws; d++) {
            draw_backward(state, batch, k, d);
        }
    }
    return HN_OK;
}
