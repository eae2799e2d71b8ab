#include "cf/loss_sums.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "cf/sums.h"
#include "fixed.h"
#include "row.h"

enum { N_LOSS_SUMS = 5 };

uint64_t hn_loss_adder_bytes(uint64_t capacity, uint64_t n_batch_items, int dim, bool exact) {
    return exact ? 8 * (capacity + n_batch_items) * (uint64_t)dim : 4 * n_batch_items * (uint64_t)dim;
}

HnStatus hn_loss_adder_create(HnComm *comm, bool exact, const HnBatch *batch, HnLossAdder *adder, HnError *err) {
    *adder = (HnLossAdder){.comm = comm, .exact = exact};
    size_t d = (size_t)batch->dim, n = hn_batch_most_items(batch->max_positions, batch->n_all_items) * d + N_LOSS_SUMS;
    if (exact) {
        adder->fixed = hn_alloc(2 * batch->capacity, d * sizeof(int32_t), "fixed-point gradients", err);
        adder->totals = hn_alloc(n, sizeof(int64_t), "fixed-point gradient sums", err);
    } else {
        adder->floats = hn_alloc(n, sizeof(float), "gradient sums", err);
    }
    if (exact ? !adder->fixed || !adder->totals : !adder->floats) {
        hn_loss_adder_free(adder);
        return HN_MEMORY;
    }
    return HN_OK;
}

void hn_loss_adder_free(HnLossAdder *adder) {
    hn_free(adder->floats);
    hn_free(adder->totals);
    hn_free(adder->fixed);
    *adder = (HnLossAdder){0};
}

static void add_users(HnBatch *batch) {
    const HnRowOps *ops = hn_row_ops_cpu();
    const size_t d = (size_t)batch->dim;
#pragma omp parallel for schedule(static) if (batch->n_users > 64)
    for (uint32_t u = 0; u < batch->n_users; u++) {
        float *row = batch->d_user_vectors + u * d;
        const uint32_t first = batch->user_begin[u]; /* every user of a batch has a pair */
        memcpy(row, batch->d_user + batch->user_pairs[first] * d, d * sizeof(float));
        for (uint32_t e = first + 1; e < batch->user_begin[u + 1]; e++) {
            ops->axpy(row, 1.0f, batch->d_user + batch->user_pairs[e] * d, batch->dim);
        }
    }
}

/* The row that an entry of item_entries stands for, in a block of positives or one of negatives. */
#define ENTRY_ROW(positives, negatives, entry, d) \
    ((((entry)&1) ? (negatives) : (positives)) + (size_t)((entry) >> 1) * (d))

static HnStatus add_items_exact(HnLossAdder *adder, HnBatch *batch, float largest, HnLossSums *sums, HnError *err) {
    const size_t d = (size_t)batch->dim;
    const int shift = hn_fixed_shift(largest);
    int32_t *positives = adder->fixed, *negatives = adder->fixed + batch->n * d;
    hn_fixed_from_float_cpu(batch->d_positive, shift, positives, batch->n * d);
    hn_fixed_from_float_cpu(batch->d_negative, shift, negatives, batch->n * d);
    memset(adder->totals, 0, (batch->n_items * d + N_LOSS_SUMS) * sizeof *adder->totals);
#pragma omp parallel for schedule(dynamic, 64) if (batch->n_items > 64)
    for (uint32_t i = 0; i < batch->n_items; i++) {
        for (uint32_t e = batch->item_begin[i]; e < batch->item_begin[i + 1]; e++) {
            hn_sum_add_row(adder->totals + i * d, ENTRY_ROW(positives, negatives, batch->item_entries[e], d),
                           batch->dim);
        }
    }
    int64_t *losses = adder->totals + batch->n_items * d;
    losses[0] = sums->ranking, losses[1] = sums->align, losses[2] = sums->l2_rows;
    losses[3] = sums->n_hard, losses[4] = sums->n_harder;
    HN_TRY(hn_comm_sum_i64(adder->comm, adder->totals, batch->n_items * d + N_LOSS_SUMS, err));
    hn_fixed_to_float_cpu(adder->totals, shift, NULL, batch->d_item_vectors, NULL, batch->n_items, batch->dim);
    sums->ranking = losses[0], sums->align = losses[1], sums->l2_rows = losses[2];
    sums->n_hard = losses[3], sums->n_harder = losses[4];
    return HN_OK;
}

static HnStatus add_items_float(HnLossAdder *adder, HnBatch *batch, HnLossSums *sums, HnError *err) {
    const HnRowOps *ops = hn_row_ops_cpu();
    const size_t d = (size_t)batch->dim;
    const bool alone = hn_comm_size(adder->comm) == 1;
    float *sum = alone ? batch->d_item_vectors : adder->floats;
#pragma omp parallel for schedule(dynamic, 64) if (batch->n_items > 64)
    for (uint32_t i = 0; i < batch->n_items; i++) {
        memset(sum + i * d, 0, d * sizeof *sum); /* other ranks may have touched this item, and not this one */
        for (uint32_t e = batch->item_begin[i]; e < batch->item_begin[i + 1]; e++) {
            ops->axpy(sum + i * d, 1.0f, ENTRY_ROW(batch->d_positive, batch->d_negative, batch->item_entries[e], d),
                      batch->dim);
        }
    }
    if (!alone) {
        float *losses = adder->floats + batch->n_items * d;
        losses[0] = (float)hn_loss_from_fixed(sums->ranking);
        losses[1] = (float)hn_loss_from_fixed(sums->align);
        losses[2] = (float)hn_loss_from_fixed(sums->l2_rows);
        losses[3] = (float)sums->n_hard, losses[4] = (float)sums->n_harder;
        HN_TRY(hn_comm_sum_f32(adder->comm, adder->floats, batch->n_items * d + N_LOSS_SUMS, err));
        sums->ranking = hn_loss_to_fixed((double)losses[0]);
        sums->align = hn_loss_to_fixed((double)losses[1]);
        sums->l2_rows = hn_loss_to_fixed((double)losses[2]);
        sums->n_hard = (int64_t)losses[3], sums->n_harder = (int64_t)losses[4];
        memcpy(batch->d_item_vectors, adder->floats, batch->n_items * d * sizeof(float));
    }
    return HN_OK;
}

HnStatus hn_loss_add_up(HnLossAdder *adder, HnBatch *batch, HnLossSums *sums, bool *stop, HnError *err) {
    const size_t n = (size_t)batch->n * (size_t)batch->dim;
    float largest = 0.0f, negatives = 0.0f;
    if (adder->exact) {
        largest = hn_max_magnitude_cpu(batch->d_positive, n);
        negatives = hn_max_magnitude_cpu(batch->d_negative, n);
    }
    if (sums->bad || !isfinite(largest) || !isfinite(negatives)) {
        largest = INFINITY;
    }
    largest = negatives > largest ? negatives : largest;
    HN_TRY(hn_agree_max(adder->comm, &largest, 1, stop, err));
    if (!isfinite(largest)) {
        return hn_fail(err, HN_NUMERIC,
                       "the loss is not finite: lower train.learning_rate, or raise train.l2 (with another "
                       "--out, since the folder keeps its configuration)");
    }
    add_users(batch);
    return adder->exact ? add_items_exact(adder, batch, largest, sums, err) : add_items_float(adder, batch, sums, err);
}
