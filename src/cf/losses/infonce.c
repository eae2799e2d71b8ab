/* Alignment, paper eq. 9: for a pair (u, i) with hard negative h, cosine similarities over tau,
 *
 *     L = -ln( exp(a) / (exp(a) + sum_n exp(c_n)) ),   a = cos(e_u, e_i)/tau,  c_n = cos(e_u, h_n)/tau
 *
 * n runs over the pair's own hard negative, or over all of the batch (then every rank gathers the batch's rows and sums
 * in position order, so that bits do not depend on ranks). Pairs without a hard negative take no part; the mean is over
 * all pairs of the batch. d cos(x,y)/dx = (y/|y| - cos x/|x|) / |x|.
 */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "cf/loss.h"
#include "cf/rows.h"
#include "cf/sums.h"
#include "row.h"

enum { FACT_PRESENT, FACT_LOG_DENOMINATOR, N_FACTS };

HnStatus hn_align_create(HnAlign *align, const HnTrainConfig *config, uint64_t max_positions, int dim, HnError *err) {
    *align = (HnAlign){.lambda = (float)config->align.lambda,
                       .tau = (float)config->align.tau,
                       .in_batch = config->align.negatives == HN_ALIGN_BATCH,
                       .max_positions = max_positions};
    if (align->in_batch && align->lambda > 0.0f) {
        align->user_unit = hn_alloc(max_positions, (size_t)dim * sizeof(float), "rows of the whole batch", err);
        align->hard_unit = hn_alloc(max_positions, (size_t)dim * sizeof(float), "rows of the whole batch", err);
        align->facts = hn_alloc(max_positions, N_FACTS * sizeof(float), "rows of the whole batch", err);
        if (!align->user_unit || !align->hard_unit || !align->facts) {
            hn_align_free(align);
            return HN_MEMORY;
        }
    }
    return HN_OK;
}

void hn_align_free(HnAlign *align) {
    hn_free(align->facts);
    hn_free(align->hard_unit);
    hn_free(align->user_unit);
    *align = (HnAlign){0};
}

/* d_x += weight * d cos(x, y) / dx, with cos and both lengths known. */
static void add_cosine_gradient(const HnRowOps *ops, float *d_x, float weight, float cosine, const float *x,
                                float x_length, const float *y, float y_length, int dim) {
    ops->axpy(d_x, weight / (x_length * y_length), y, dim);
    ops->axpy(d_x, -weight * cosine / (x_length * x_length), x, dim);
}

/* The rows of one pair and their lengths. */
typedef struct Triple {
    const float *user, *positive, *hard;
    float user_length, positive_length, hard_length, positive_cosine;
} Triple;

static Triple triple(const HnBatch *batch, const float *hard, uint32_t k, const HnRowOps *ops) {
    const size_t d = (size_t)batch->width;
    Triple t = {.user = batch->user_vectors + (size_t)batch->user_row[k] * d,
                .positive = batch->item_vectors + (size_t)batch->positive_row[k] * d,
                .hard = hard + (size_t)k * d};
    t.user_length = hn_row_length(t.user, batch->width);
    t.positive_length = hn_row_length(t.positive, batch->width);
    t.hard_length = hn_row_length(t.hard, batch->width);
    t.positive_cosine = ops->dot(t.user, t.positive, batch->width) / (t.user_length * t.positive_length);
    return t;
}

static float own_pair(HnBatch *batch, const HnAlign *align, const float *hard, float *d_hard, uint32_t k,
                      const HnRowOps *ops) {
    const size_t d = (size_t)batch->width;
    Triple t = triple(batch, hard, k, ops);
    float hard_cosine = ops->dot(t.user, t.hard, batch->width) / (t.user_length * t.hard_length), slope;
    float value = HN_LOSS_OPS_BPR.pair(t.positive_cosine / align->tau, hard_cosine / align->tau, 0.0f, &slope);
    float w = align->lambda * slope / (align->tau * (float)batch->n_used);
    float *d_user = batch->d_user + k * d;
    add_cosine_gradient(ops, d_user, w, hard_cosine, t.user, t.user_length, t.hard, t.hard_length, batch->width);
    add_cosine_gradient(ops, d_user, -w, t.positive_cosine, t.user, t.user_length, t.positive, t.positive_length,
                        batch->width);
    add_cosine_gradient(ops, d_hard + k * d, w, hard_cosine, t.hard, t.hard_length, t.user, t.user_length,
                        batch->width);
    add_cosine_gradient(ops, batch->d_positive + k * d, -w, t.positive_cosine, t.positive, t.positive_length, t.user,
                        t.user_length, batch->width);
    return value;
}

/* ln(exp(a) + sum over the batch's hard negatives of exp(c)), shifted by 1/tau: no cosine exceeds 1. */
static float log_denominator(const HnBatch *batch, const HnAlign *align, const float *user_unit, float a,
                             const HnRowOps *ops) {
    const float top = 1.0f / align->tau;
    double sum = exp((double)(a - top));
    for (uint64_t q = 0; q < batch->n_positions; q++) {
        if (align->facts[q * N_FACTS + FACT_PRESENT] > 0.0f) {
            float c = ops->dot(user_unit, align->hard_unit + q * (size_t)batch->width, batch->width) / align->tau;
            sum += (double)expf(c - top);
        }
    }
    return top + (float)log(sum);
}

/* Unit rows of this rank's pairs at their positions, then everyone's: x + 0 is exact in any order. */
static HnStatus gather_units(HnBatch *batch, HnAlign *align, const float *hard, const bool *present, HnComm *comm,
                             HnError *err) {
    const HnRowOps *ops = hn_row_ops_cpu();
    const size_t d = (size_t)batch->width, n = batch->n_positions;
    memset(align->user_unit, 0, n * d * sizeof(float));
    memset(align->hard_unit, 0, n * d * sizeof(float));
    memset(align->facts, 0, n * N_FACTS * sizeof(float));
    for (uint32_t k = 0; k < batch->n; k++) {
        if (present[k]) {
            size_t at = batch->position[k];
            Triple t = triple(batch, hard, k, ops);
            ops->scale(align->user_unit + at * d, 1.0f / t.user_length, t.user, batch->width);
            ops->scale(align->hard_unit + at * d, 1.0f / t.hard_length, t.hard, batch->width);
            align->facts[at * N_FACTS + FACT_PRESENT] = 1.0f;
        }
    }
    HN_TRY(hn_comm_sum_f32(comm, align->user_unit, n * d, err));
    HN_TRY(hn_comm_sum_f32(comm, align->hard_unit, n * d, err));
    return hn_comm_sum_f32(comm, align->facts, n * N_FACTS, err);
}

/* Row k of the softmax: loss, and the gradient of user and positive. */
static float batch_row(HnBatch *batch, HnAlign *align, const float *hard, uint32_t k, const HnRowOps *ops) {
    const int dim = batch->width;
    const size_t d = (size_t)dim, at = batch->position[k];
    const float *unit = align->user_unit + at * d;
    Triple t = triple(batch, hard, k, ops);
    float a = t.positive_cosine / align->tau, log_sum = log_denominator(batch, align, unit, a, ops);
    float w = align->lambda / (align->tau * (float)batch->n_used), to_positive = w * (expf(a - log_sum) - 1.0f);
    float *d_user = batch->d_user + k * d;
    add_cosine_gradient(ops, d_user, to_positive, t.positive_cosine, t.user, t.user_length, t.positive,
                        t.positive_length, dim);
    add_cosine_gradient(ops, batch->d_positive + k * d, to_positive, t.positive_cosine, t.positive, t.positive_length,
                        t.user, t.user_length, dim);
    for (uint64_t q = 0; q < batch->n_positions; q++) {
        if (align->facts[q * N_FACTS + FACT_PRESENT] > 0.0f) {
            float cosine = ops->dot(unit, align->hard_unit + q * d, dim);
            float weight = w * expf(cosine / align->tau - log_sum);
            add_cosine_gradient(ops, d_user, weight, cosine, t.user, t.user_length, align->hard_unit + q * d, 1.0f,
                                dim);
        }
    }
    align->facts[at * N_FACTS + FACT_LOG_DENOMINATOR] = log_sum;
    return log_sum - a;
}

/* Column k of the softmax: every user of the batch pushes this pair's hard negative. */
static void batch_column(const HnBatch *batch, const HnAlign *align, const float *hard, float *d_hard, uint32_t k,
                         const HnRowOps *ops) {
    const int dim = batch->width;
    const size_t d = (size_t)dim, at = batch->position[k];
    const float *unit = align->hard_unit + at * d, *row = hard + k * d;
    float hard_length = hn_row_length(row, dim), w = align->lambda / (align->tau * (float)batch->n_used);
    for (uint64_t q = 0; q < batch->n_positions; q++) {
        const float *facts = align->facts + q * N_FACTS;
        if (facts[FACT_PRESENT] > 0.0f) {
            float cosine = ops->dot(align->user_unit + q * d, unit, dim);
            float weight = w * expf(cosine / align->tau - facts[FACT_LOG_DENOMINATOR]);
            add_cosine_gradient(ops, d_hard + k * d, weight, cosine, row, hard_length, align->user_unit + q * d, 1.0f,
                                dim);
        }
    }
}

static void add_value(float value, double limit, int64_t *total, int *bad) {
    if (fabsf(value) < (float)limit) {
        *total += hn_loss_to_fixed((double)value);
    } else {
        (*bad)++;
    }
}

static HnStatus align_batch(HnBatch *batch, HnAlign *align, const float *hard, const bool *present, float *d_hard,
                            HnComm *comm, int64_t *total_out, int *bad_out, HnError *err) {
    const HnRowOps *ops = hn_row_ops_cpu();
    const double limit = hn_loss_limit(batch->n_positions);
    int64_t total = 0;
    int bad = 0;
    HN_TRY(gather_units(batch, align, hard, present, comm, err));
#pragma omp parallel for schedule(static) reduction(+ : total, bad)
    for (uint32_t k = 0; k < batch->n; k++) {
        if (present[k]) {
            add_value(batch_row(batch, align, hard, k, ops), limit, &total, &bad);
        }
    }
    /* Facts: PRESENT is everyone's already, so only the new column may be summed again. */
    for (uint64_t q = 0; q < batch->n_positions && hn_comm_size(comm) > 1; q++) {
        align->facts[q * N_FACTS + FACT_PRESENT] = 0.0f;
    }
    for (uint32_t k = 0; k < batch->n && hn_comm_size(comm) > 1; k++) {
        align->facts[(size_t)batch->position[k] * N_FACTS + FACT_PRESENT] = present[k] ? 1.0f : 0.0f;
    }
    HN_TRY(hn_comm_sum_f32(comm, align->facts, batch->n_positions * N_FACTS, err));
#pragma omp parallel for schedule(static)
    for (uint32_t k = 0; k < batch->n; k++) {
        if (present[k]) {
            batch_column(batch, align, hard, d_hard, k, ops);
        }
    }
    *total_out = total, *bad_out = bad;
    return HN_OK;
}

HnStatus hn_loss_align(HnBatch *batch, HnAlign *align, const float *hard, const bool *present, float *d_hard,
                       HnComm *comm, HnLossSums *sums, HnError *err) {
    const HnRowOps *ops = hn_row_ops_cpu();
    const double limit = hn_loss_limit(batch->n_positions);
    int64_t total = 0;
    int bad = 0;
    if (align->lambda <= 0.0f) {
        return HN_OK;
    }
    if (align->in_batch) {
        HN_TRY(align_batch(batch, align, hard, present, d_hard, comm, &total, &bad, err));
    } else {
#pragma omp parallel for schedule(static) reduction(+ : total, bad)
        for (uint32_t k = 0; k < batch->n; k++) {
            if (present[k]) {
                add_value(own_pair(batch, align, hard, d_hard, k, ops), limit, &total, &bad);
            }
        }
    }
    sums->align += total;
    sums->bad = sums->bad || bad > 0;
    return HN_OK;
}
