#include "cf/l2.h"

#include <math.h>

#include "cf/rows.h"
#include "cf/sums.h"
#include "row.h"

enum { USERS, POSITIVES, NEGATIVES };

static double divisor_of(const HnTrainConfig *config, const HnBatch *batch) {
    const double pairs = batch->n_used > 0 ? (double)batch->n_used : 1.0;
    switch (config->train.reg_divide) {
    case HN_REG_UNDIVIDED:
        return 1.0;
    case HN_REG_BY_BATCH:
        return pairs;
    case HN_REG_BY_BATCH_TWICE:
        break;
    }
    return pairs * (double)config->train.batch;
}

double hn_l2_own_value(const HnTrainConfig *config, const HnBatch *batch, double squares) {
    const double lambda = config->train.l2;
    switch (config->train.reg) {
    case HN_REG_SQ_HALF:
        return 0.5 * lambda * squares / divisor_of(config, batch);
    case HN_REG_NORM:
        return lambda * sqrt(squares) / divisor_of(config, batch);
    case HN_REG_ALL_PARAMS:
        break;
    }
    return lambda * squares;
}

double hn_l2_own_weight(const HnTrainConfig *config, const HnBatch *batch, double squares) {
    const double lambda = config->train.l2;
    switch (config->train.reg) {
    case HN_REG_SQ_HALF:
        return batch->n_used > 0 ? lambda / divisor_of(config, batch) : 0.0;
    case HN_REG_NORM:
        return squares > 0.0 ? lambda / (sqrt(squares) * divisor_of(config, batch)) : 0.0;
    case HN_REG_ALL_PARAMS:
        break;
    }
    return 2.0 * lambda;
}

void hn_l2_own_gradient(HnTable *table, double weight) {
    hn_row_ops_cpu()->axpy(table->gradient, (float)weight, table->value, (int)(table->n_rows * (uint64_t)table->dim));
}

float hn_l2_share(const HnTrainConfig *config, const HnBatch *batch) {
    return config->train.reg == HN_REG_SQ_HALF ? (float)hn_l2_own_weight(config, batch, 0.0) : 0.0f;
}

/* A block's squares so far, in fixed units; bad counts what has no place in them. */
typedef struct Block {
    int64_t total;
    int bad;
} Block;

static void add_row(Block *block, const float *row, int dim, double limit) {
    const double squares = (double)hn_row_ops_cpu()->dot(row, row, dim);
    if (squares < limit) {
        block->total += hn_loss_to_fixed(squares);
    } else {
        block->bad++;
    }
}

static Block table_squares(const HnTable *table, double limit) {
    int64_t total = 0;
    int bad = 0;
#pragma omp parallel for schedule(static) reduction(+ : total, bad)
    for (uint64_t r = 0; r < table->n_rows; r++) {
        Block row = {0, 0};
        add_row(&row, table->value + r * (uint64_t)table->dim, table->dim, limit);
        total += row.total;
        bad += row.bad;
    }
    return (Block){total, bad};
}

/* A pair's rows; of several negatives the first. */
static void fetch_rows(const HnBatch *batch, const HnTable *users, const HnTable *items, uint32_t k) {
    const size_t d = (size_t)batch->dim;
    hn_row_fetch(users->value + (size_t)batch->user[k] * d, batch->dim);
    hn_row_fetch(items->value + (size_t)batch->positive[k] * d, batch->dim);
    if (batch->hops == 0) {
        hn_row_fetch(items->value + (size_t)batch->negative[k * (size_t)batch->negatives] * d, batch->dim);
    }
}

static void batch_squares(const HnBatch *batch, const HnTable *users, const HnTable *items, HnLossSums *sums) {
    const double limit = hn_loss_limit(batch->n_positions);
    const size_t d = (size_t)batch->dim, negatives = (size_t)batch->negatives;
    int64_t of_users = 0, of_positives = 0, of_negatives = 0;
    int bad = 0;
#pragma omp parallel for schedule(static) reduction(+ : of_users, of_positives, of_negatives, bad) if (batch->n > 64)
    for (uint32_t k = 0; k < batch->n; k++) {
        Block user = {0, 0}, positive = {0, 0}, negative = {0, 0};
        fetch_rows(batch, users, items, k + HN_FETCH_AHEAD < batch->n ? k + HN_FETCH_AHEAD : k);
        add_row(&user, users->value + (size_t)batch->user[k] * d, batch->dim, limit);
        add_row(&positive, items->value + (size_t)batch->positive[k] * d, batch->dim, limit);
        for (size_t m = k * negatives; m < (k + 1) * negatives; m++) {
            add_row(&negative,
                    batch->hops > 0 ? batch->negative_ego + m * d : items->value + (size_t)batch->negative[m] * d,
                    batch->dim, limit);
        }
        of_users += user.total, of_positives += positive.total, of_negatives += negative.total;
        bad += user.bad + positive.bad + negative.bad;
    }
    sums->squares[USERS] = of_users, sums->squares[POSITIVES] = of_positives, sums->squares[NEGATIVES] = of_negatives;
    sums->bad = sums->bad || bad > 0;
}

void hn_l2_squares(const HnTrainConfig *config, const HnBatch *batch, const HnTable *users, const HnTable *items,
                   const HnUserShards *shards, HnLossSums *sums) {
    if (config->train.reg != HN_REG_ALL_PARAMS) {
        batch_squares(batch, users, items, sums);
        return;
    }
    const double limit = hn_loss_limit(shards->n_users + shards->n_items);
    const Block of_users = table_squares(users, limit);
    const Block of_items = shards->first == 0 ? table_squares(items, limit) : (Block){0, 0}; /* once, not once a rank */
    sums->squares[USERS] = of_users.total;
    sums->squares[POSITIVES] = of_items.total;
    sums->bad = sums->bad || of_users.bad + of_items.bad > 0;
}

HnL2 hn_l2_of_batch(const HnTrainConfig *config, const HnBatch *batch, const HnLossSums *sums) {
    HnL2 l2 = {.config = config};
    double *const weights[] = {&l2.user, &l2.positive, &l2.negative};
    const int n = config->sampler.name == HN_SAMPLER_IN_BATCH ? NEGATIVES : NEGATIVES + 1;
    for (int block = 0; block < n; block++) {
        const double squares = hn_loss_from_fixed(sums->squares[block]);
        l2.value += hn_l2_own_value(config, batch, squares);
        *weights[block] = hn_l2_own_weight(config, batch, squares);
    }
    return l2;
}

static void add_weighted(const HnTable *table, uint64_t row, float weight, float *gradient) {
    hn_row_ops_cpu()->axpy(gradient, weight, table->value + row * (uint64_t)table->dim, table->dim);
}

static void add_all(const HnTable *table, double weight, uint64_t first, uint64_t last, float *gradients) {
    for (uint64_t r = first; r < last; r++) {
        add_weighted(table, r, (float)weight, gradients + (r - first) * (uint64_t)table->dim);
    }
}

void hn_l2_gradient_users(const HnL2 *l2, const HnBatch *batch, const HnTable *users, uint64_t first, uint64_t last,
                          float *gradients) {
    if (l2->config->train.reg == HN_REG_ALL_PARAMS) {
        add_all(users, l2->user, first, last, gradients);
        return;
    }
    const HnPlaces in = hn_rows_within(batch->users, batch->n_users, first, last);
    for (uint32_t r = in.begin; r < in.end; r++) {
        const uint64_t row = (uint64_t)batch->users[r];
        const uint32_t uses = batch->user_begin[r + 1] - batch->user_begin[r];
        add_weighted(users, row, (float)l2->user * (float)uses, gradients + (row - first) * (uint64_t)batch->dim);
    }
}

void hn_l2_gradient_items(const HnL2 *l2, const HnBatch *batch, const HnTable *items, uint64_t first, uint64_t last,
                          float *gradients) {
    if (l2->config->train.reg == HN_REG_ALL_PARAMS) {
        add_all(items, l2->positive, first, last, gradients);
        return;
    }
    const bool alike = l2->positive == l2->negative;
    const HnPlaces in = hn_rows_within(batch->items, batch->n_items, first, last);
    for (uint32_t r = in.begin; r < in.end; r++) {
        const uint64_t row = (uint64_t)batch->items[r];
        const int32_t positives = batch->positive_uses[r], negatives = batch->item_uses[r] - positives;
        const float weight = alike ? (float)l2->positive * (float)batch->item_uses[r]
                                   : (float)(l2->positive * positives + l2->negative * negatives);
        add_weighted(items, row, weight, gradients + (row - first) * (uint64_t)batch->dim);
    }
}
