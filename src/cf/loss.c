#include "cf/loss.h"

#include <math.h>

#include "cf/sums.h"
#include "row.h"

const char *const HN_LOSS_PART_NAMES[HN_N_LOSSES] = {"total", "ranking",      "align",      "l2",
                                                     "own",   "harder_share", "false_share"};

HnRanking hn_ranking(const HnTrainConfig *config, const HnBatch *batch) {
    const bool hinge = config->loss.name == HN_LOSS_HINGE;
    const bool mean = config->loss.reduce == HN_REDUCE_MEAN;
    return (HnRanking){.loss = hn_pair_loss(config->loss.name),
                       .parameter = (float)(hinge ? config->loss.margin : config->loss.epsilon),
                       .divisor = mean && batch->n_used > 0 ? (float)batch->n_used : 1.0f};
}

const HnPairLoss *hn_pair_loss(HnLossName name) {
    return name == HN_LOSS_BPR ? &HN_LOSS_OPS_BPR : name == HN_LOSS_HINGE ? &HN_LOSS_OPS_HINGE : NULL;
}

/* d e_u = g (e_n - e_p), d e_p = -g e_u, d e_n = g e_u, with g the slope over the divisor. */
static float pair_gradient(HnBatch *batch, uint32_t k, const HnRanking *ranking, const HnRowOps *ops) {
    const int dim = batch->width;
    const size_t d = (size_t)dim;
    const float *user = batch->user_vectors + (size_t)batch->user_row[k] * d;
    const float *positive = batch->item_vectors + (size_t)batch->positive_row[k] * d;
    const float *negative = batch->negatives + (size_t)k * d;
    float slope;
    float value =
        ranking->loss->pair(ops->dot(user, positive, dim), ops->dot(user, negative, dim), ranking->parameter, &slope);
    float g = slope / ranking->divisor;
    ops->mix(batch->d_user + (size_t)k * d, g, negative, -g, positive, dim);
    ops->scale(batch->d_positive + (size_t)k * d, -g, user, dim);
    ops->scale(batch->d_negative + (size_t)k * d, g, user, dim);
    return value;
}

void hn_loss_ranking(HnBatch *batch, const HnRanking *ranking, HnLossSums *sums) {
    const HnRowOps *ops = hn_row_ops_cpu();
    const double limit = hn_loss_limit(batch->n_positions);
    int64_t total = 0;
    int bad = 0;
#pragma omp parallel for schedule(static) reduction(+ : total, bad) if (batch->n > 64)
    for (uint32_t k = 0; k < batch->n; k++) {
        float value = pair_gradient(batch, k, ranking, ops);
        if (fabsf(value) < (float)limit) {
            total += hn_loss_to_fixed((double)value);
        } else {
            bad++;
        }
    }
    sums->ranking += total;
    sums->bad = sums->bad || bad > 0;
}
