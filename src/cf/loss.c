#include "cf/loss.h"

#include <math.h>

#include "cf/rows.h"
#include "cf/sums.h"
#include "row.h"

const char *const HN_LOSS_PART_NAMES[HN_N_LOSSES] = {"total", "ranking", "align", "l2", "own", "harder_share"};

const HnPairLoss *hn_pair_loss(HnLossName name) {
    return name == HN_LOSS_HINGE ? &HN_LOSS_OPS_HINGE : &HN_LOSS_OPS_BPR;
}

/* d e_u = g (e_n - e_p), d e_p = -g e_u, d e_n = g e_u, with g the slope over the number of pairs. */
static float pair_gradient(HnBatch *batch, uint32_t k, const HnPairLoss *loss, float margin, const HnRowOps *ops) {
    const int dim = batch->width;
    const size_t d = (size_t)dim;
    const float *user = batch->user_vectors + (size_t)batch->user_row[k] * d;
    const float *positive = batch->item_vectors + (size_t)batch->positive_row[k] * d;
    const float *negative = batch->negatives + (size_t)k * d;
    float slope;
    float value = loss->pair(ops->dot(user, positive, dim), ops->dot(user, negative, dim), margin, &slope);
    float g = slope / (float)batch->n_used;
    ops->mix(batch->d_user + (size_t)k * d, g, negative, -g, positive, dim);
    ops->scale(batch->d_positive + (size_t)k * d, -g, user, dim);
    ops->scale(batch->d_negative + (size_t)k * d, g, user, dim);
    return value;
}

void hn_loss_ranking(HnBatch *batch, const HnPairLoss *loss, float margin, HnLossSums *sums) {
    const HnRowOps *ops = hn_row_ops_cpu();
    const double limit = hn_loss_limit(batch->n_positions);
    int64_t total = 0;
    int bad = 0;
#pragma omp parallel for schedule(static) reduction(+ : total, bad) if (batch->n > 64)
    for (uint32_t k = 0; k < batch->n; k++) {
        float value = pair_gradient(batch, k, loss, margin, ops);
        if (fabsf(value) < (float)limit) {
            total += hn_loss_to_fixed((double)value);
        } else {
            bad++;
        }
    }
    sums->ranking += total;
    sums->bad = sums->bad || bad > 0;
}

static double squared(const HnRowOps *ops, const float *row, int dim) {
    return (double)ops->dot(row, row, dim);
}

void hn_loss_l2(const HnBatch *batch, const HnTable *users, const HnTable *items, double lambda, HnLossSums *sums) {
    const HnRowOps *ops = hn_row_ops_cpu();
    const double limit = hn_loss_limit(batch->n_positions);
    const size_t d = (size_t)batch->dim;
    int64_t total = 0;
    int bad = 0;
#pragma omp parallel for schedule(static) reduction(+ : total, bad) if (batch->n > 64)
    for (uint32_t k = 0; k < batch->n; k++) {
        const float *negative =
            batch->hops > 0 ? batch->negative_ego + k * d : items->value + (size_t)batch->negative[k] * d;
        double value = squared(ops, users->value + (size_t)batch->user[k] * d, batch->dim) +
                       squared(ops, items->value + (size_t)batch->positive[k] * d, batch->dim) +
                       squared(ops, negative, batch->dim);
        value *= 0.5 * lambda;
        if (value < limit) {
            total += hn_loss_to_fixed(value);
        } else {
            bad++;
        }
    }
    sums->l2_rows += total;
    sums->bad = sums->bad || bad > 0;
}

/* One of the batch's rows: n * lambda / n_used of itself, n its occurrences among the batch's users, or its positives
 * and negatives. */
static void l2_gradient_row(const HnBatch *batch, const HnTable *table, int32_t row, double lambda, uint32_t uses,
                            float *gradient) {
    const double share = batch->n_used > 0 ? lambda / (double)batch->n_used : 0.0;
    const float *value = table->value + (size_t)row * (size_t)table->dim;
    hn_row_ops_cpu()->axpy(gradient, (float)share * (float)uses, value, table->dim);
}

void hn_l2_gradient_users(const HnBatch *batch, const HnTable *users, double lambda, uint64_t first, uint64_t last,
                          float *gradients) {
    const HnPlaces in = hn_rows_within(batch->users, batch->n_users, first, last);
    for (uint32_t r = in.begin; r < in.end; r++) {
        l2_gradient_row(batch, users, batch->users[r], lambda, batch->user_begin[r + 1] - batch->user_begin[r],
                        gradients + ((uint64_t)batch->users[r] - first) * (uint64_t)batch->dim);
    }
}

void hn_l2_gradient_items(const HnBatch *batch, const HnTable *items, double lambda, uint64_t first, uint64_t last,
                          float *gradients) {
    const HnPlaces in = hn_rows_within(batch->items, batch->n_items, first, last);
    for (uint32_t r = in.begin; r < in.end; r++) {
        l2_gradient_row(batch, items, batch->items[r], lambda, (uint32_t)batch->item_uses[r],
                        gradients + ((uint64_t)batch->items[r] - first) * (uint64_t)batch->dim);
    }
}
