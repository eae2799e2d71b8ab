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
                       .divisor = mean && batch->n_used > 0 ? (float)batch->n_used : 1.0f,
                       .tau = config->loss.name == HN_LOSS_SOFTMAX ? (float)config->loss.tau : 0.0f,
                       .joint = config->sampler.negatives > 1};
}

const HnPairLoss *hn_pair_loss(HnLossName name) {
    return name == HN_LOSS_BPR ? &HN_LOSS_OPS_BPR : name == HN_LOSS_HINGE ? &HN_LOSS_OPS_HINGE : NULL;
}

/* ln(1 + sum exp(s_k - s_p)) of n scores, which become its derivatives by s_k: exp(s_k - s_p) over what the logarithm
 * is of. */
static float joint_loss(float positive, float *scores, int n) {
    float largest = 0.0f, sum = 0.0f;
    for (int k = 0; k < n; k++) {
        largest = fmaxf(largest, scores[k] - positive);
    }
    for (int k = 0; k < n; k++) {
        sum += expf(scores[k] - positive - largest);
    }
    const float loss = largest + logf(expf(-largest) + sum);
    for (int k = 0; k < n; k++) {
        scores[k] = expf(scores[k] - positive - loss);
    }
    return loss;
}

/* The same of the sum of the pair losses. */
static float loss_of_each(const HnRanking *ranking, float positive, float *scores, int n) {
    float loss = 0.0f;
    for (int k = 0; k < n; k++) {
        float slope;
        loss += ranking->loss->pair(positive, scores[k], ranking->parameter, &slope);
        scores[k] = slope;
    }
    return loss;
}

/* With g_k the slopes over the divisor: d e_u = sum g_k (e_k - e_p), d e_p = -(sum g_k) e_u, d e_k = g_k e_u. */
static float gradient_of_many(HnBatch *batch, uint32_t k, const HnRanking *ranking, const HnRowOps *ops) {
    const int dim = batch->width, n = batch->negatives;
    const size_t d = (size_t)dim, first = (size_t)k * (size_t)n;
    const float *user = batch->user_vectors + (size_t)batch->user_row[k] * d;
    const float *positive = batch->item_vectors + (size_t)batch->positive_row[k] * d;
    const float *negatives = batch->negative_vectors + first * d, score = ops->dot(user, positive, dim);
    float slopes[HN_MOST_NEGATIVES], sum = 0.0f, *d_user = batch->d_user + (size_t)k * d;
    for (int m = 0; m < n; m++) {
        slopes[m] = ops->dot(user, negatives + (size_t)m * d, dim);
    }
    const float value = ranking->joint ? joint_loss(score, slopes, n) : loss_of_each(ranking, score, slopes, n);
    for (int m = 0; m < n; m++) {
        sum += slopes[m];
    }
    ops->scale(d_user, -sum / ranking->divisor, positive, dim);
    ops->scale(batch->d_positive + (size_t)k * d, -sum / ranking->divisor, user, dim);
    for (int m = 0; m < n; m++) {
        const float g = slopes[m] / ranking->divisor;
        ops->axpy(d_user, g, negatives + (size_t)m * d, dim);
        ops->scale(batch->d_negative + (first + (size_t)m) * d, g, user, dim);
    }
    return value;
}

/* d e_u = g (e_n - e_p), d e_p = -g e_u, d e_n = g e_u, with g the slope over the divisor. */
static float pair_gradient(HnBatch *batch, uint32_t k, const HnRanking *ranking, const HnRowOps *ops) {
    const int dim = batch->width;
    const size_t d = (size_t)dim;
    const float *user = batch->user_vectors + (size_t)batch->user_row[k] * d;
    const float *positive = batch->item_vectors + (size_t)batch->positive_row[k] * d;
    const float *negative = batch->negative_vectors + (size_t)k * d;
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
        const float value = ranking->tau > 0.0f    ? hn_loss_sampled_softmax(batch, k, ranking)
                            : batch->negatives > 1 ? gradient_of_many(batch, k, ranking, ops)
                                                   : pair_gradient(batch, k, ranking, ops);
        if (fabsf(value) < (float)limit) {
            total += hn_loss_to_fixed((double)value);
        } else {
            bad++;
        }
    }
    sums->ranking += total;
    sums->bad = sums->bad || bad > 0;
}
