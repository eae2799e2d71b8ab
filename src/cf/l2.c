#include "cf/l2.h"

#include <math.h>
#include <string.h>

#include "cf/model.h"
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

/* The rows of pair k: of its user and positive, and of its first negative, after which the others lie; NULL where
 * negatives are rows of a table. */
typedef struct PairRows {
    const float *user, *positive, *negatives;
    int n; /* elements of a row */
} PairRows;

static PairRows rows_of_pair(const HnTrainConfig *config, const HnBatch *batch, const HnTable *users,
                             const HnTable *items, uint32_t k) {
    const size_t first = (size_t)k * (size_t)batch->negatives;
    if (config->train.reg_rows == HN_ROWS_FINAL) {
        const size_t w = (size_t)batch->width;
        return (PairRows){batch->user_vectors + (size_t)batch->user_row[k] * w,
                          batch->item_vectors + (size_t)batch->positive_row[k] * w, batch->negative_vectors + first * w,
                          batch->width};
    }
    const size_t d = (size_t)batch->dim;
    const float *mixed = batch->hops > 0 ? batch->negative_ego + first * batch->l2_n : NULL;
    if (batch->row_hops > 0) {
        const size_t row = (size_t)batch->row_hops * d;
        return (PairRows){batch->user_hops + (size_t)batch->user_row[k] * row + batch->l2_first,
                          batch->item_hops + (size_t)batch->positive_row[k] * row + batch->l2_first, mixed,
                          (int)batch->l2_n};
    }
    if (hn_model_layers(config) == 0) { /* the batch's own blocks have the tables' rows, and are near */
        return (PairRows){batch->user_vectors + (size_t)batch->user_row[k] * d,
                          batch->item_vectors + (size_t)batch->positive_row[k] * d, mixed, batch->dim};
    }
    return (PairRows){users->value + (size_t)batch->user[k] * d, items->value + (size_t)batch->positive[k] * d, mixed,
                      batch->dim};
}

/* Where the sampler draws whole items: the row of draw m of the batch. */
static const float *drawn_row(const HnTrainConfig *config, const HnBatch *batch, const HnTable *items, size_t m) {
    const size_t d = (size_t)batch->dim;
    if (batch->row_hops == 0 && hn_model_layers(config) == 0) {
        return batch->item_vectors + (size_t)batch->negative_row[m] * d;
    }
    return batch->row_hops > 0
               ? batch->item_hops + (size_t)batch->negative_row[m] * (size_t)batch->row_hops * d + batch->l2_first
               : items->value + (size_t)batch->negative[m] * d;
}

/* Asks for a pair's rows; of several negatives for the first. */
static void fetch_pair(const HnTrainConfig *config, const HnBatch *batch, const HnTable *users, const HnTable *items,
                       uint32_t k) {
    const PairRows rows = rows_of_pair(config, batch, users, items, k);
    hn_row_fetch(rows.user, rows.n);
    hn_row_fetch(rows.positive, rows.n);
    hn_row_fetch(rows.negatives != NULL ? rows.negatives
                                        : drawn_row(config, batch, items, k * (size_t)batch->negatives),
                 rows.n);
}

static void batch_squares(const HnTrainConfig *config, const HnBatch *batch, const HnTable *users, const HnTable *items,
                          HnLossSums *sums) {
    const double limit = hn_loss_limit(batch->n_positions);
    const size_t negatives = (size_t)batch->negatives;
    int64_t of_users = 0, of_positives = 0, of_negatives = 0;
    int bad = 0;
#pragma omp parallel for schedule(static) reduction(+ : of_users, of_positives, of_negatives, bad) if (batch->n > 64)
    for (uint32_t k = 0; k < batch->n; k++) {
        Block user = {0, 0}, positive = {0, 0}, negative = {0, 0};
        const PairRows rows = rows_of_pair(config, batch, users, items, k);
        fetch_pair(config, batch, users, items, k + HN_FETCH_AHEAD < batch->n ? k + HN_FETCH_AHEAD : k);
        add_row(&user, rows.user, rows.n, limit);
        add_row(&positive, rows.positive, rows.n, limit);
        for (size_t m = 0; m < negatives; m++) {
            const float *row = rows.negatives != NULL ? rows.negatives + m * (size_t)rows.n
                                                      : drawn_row(config, batch, items, k * negatives + m);
            add_row(&negative, row, rows.n, limit);
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
        batch_squares(config, batch, users, items, sums);
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

/* L2 of final rows, to the pairs' gradients. */
static void add_final(const HnL2 *l2, HnBatch *batch) {
    const HnRowOps *ops = hn_row_ops_cpu();
    const size_t w = (size_t)batch->width, negatives = (size_t)batch->negatives;
#pragma omp parallel for schedule(static) if (batch->n > 64)
    for (uint32_t k = 0; k < batch->n; k++) {
        const PairRows rows = rows_of_pair(l2->config, batch, NULL, NULL, k);
        ops->axpy(batch->d_user + k * w, (float)l2->user, rows.user, rows.n);
        ops->axpy(batch->d_positive + k * w, (float)l2->positive, rows.positive, rows.n);
        for (size_t m = 0; m < negatives && l2->negative != 0.0; m++) {
            ops->axpy(batch->d_negative + (k * negatives + m) * w, (float)l2->negative, rows.negatives + m * w, rows.n);
        }
    }
}

void hn_l2_hops(const HnL2 *l2, HnBatch *batch) {
    const HnRowOps *ops = hn_row_ops_cpu();
    const size_t row = (size_t)batch->row_hops * (size_t)batch->dim, first = batch->l2_first;
    const int n = (int)batch->l2_n;
    for (size_t r = 0; r < batch->n_users && row > 0; r++) {
        const uint32_t uses = batch->user_begin[r + 1] - batch->user_begin[r];
        memset(batch->d_user_hops + r * row, 0, row * sizeof(float));
        ops->axpy(batch->d_user_hops + r * row + first, (float)l2->user * (float)uses,
                  batch->user_hops + r * row + first, n);
    }
    for (size_t r = 0; r < batch->n_items && row > 0; r++) {
        const int32_t positives = batch->positive_uses[r], negatives = batch->item_uses[r] - positives;
        if (batch->hops == 0) {
            memset(batch->d_item_hops + r * row, 0, row * sizeof(float));
        }
        ops->axpy(batch->d_item_hops + r * row + first, (float)(l2->positive * positives + l2->negative * negatives),
                  batch->item_hops + r * row + first, n);
    }
}

HnStatus hn_l2_pairs(const HnTrainConfig *config, HnBatch *batch, HnComm *comm, HnLossSums *sums, HnError *err) {
    const bool final = config->train.reg_rows == HN_ROWS_FINAL;
    batch->negative_l2 = 0.0f;
    if (config->train.reg == HN_REG_ALL_PARAMS || (!final && batch->hops == 0)) {
        return HN_OK;
    }
    HnLossSums totals = *sums;
    if (config->train.reg == HN_REG_NORM && hn_comm_size(comm) > 1) {
        HN_TRY(hn_comm_sum_i64(comm, totals.squares, sizeof totals.squares / sizeof *totals.squares, err));
    }
    const HnL2 l2 = hn_l2_of_batch(config, batch, &totals);
    if (final) {
        add_final(&l2, batch);
    } else {
        batch->negative_l2 = (float)l2.negative;
    }
    return HN_OK;
}

static void add_weighted(const HnTable *table, uint64_t row, float weight, float *gradient) {
    hn_row_ops_cpu()->axpy(gradient, weight, table->value + row * (uint64_t)table->dim, table->dim);
}

static void add_all(const HnTable *table, double weight, uint64_t first, uint64_t last, float *gradients) {
    for (uint64_t r = first; r < last; r++) {
        add_weighted(table, r, (float)weight, gradients + (r - first) * (uint64_t)table->dim);
    }
}

/* Final rows and hops have their L2 in the pairs' and hops' gradients already. */
static bool of_tables(const HnL2 *l2, const HnBatch *batch) {
    return l2->config->train.reg_rows != HN_ROWS_FINAL && batch->row_hops == 0;
}

void hn_l2_gradient_users(const HnL2 *l2, const HnBatch *batch, const HnTable *users, uint64_t first, uint64_t last,
                          float *gradients) {
    if (l2->config->train.reg == HN_REG_ALL_PARAMS) {
        add_all(users, l2->user, first, last, gradients);
        return;
    }
    if (!of_tables(l2, batch)) {
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
    if (!of_tables(l2, batch)) {
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
