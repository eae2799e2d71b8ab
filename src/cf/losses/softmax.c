/* The losses of sampler in_batch: softmax (Wu et al. 2023, BSL's SL: cosines over tau, the positive not in the
 * denominator) and the pair losses, every pair of the batch against all others.
 *
 * Every rank gathers the batch's rows, by position: x + 0 is exact in any order. It then computes the rows of the
 * matrix of scores that belong to its own users, and the columns that belong to its own positives, in blocks of exact
 * products (product.h), so a number does not depend on who computes it. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "cf/loss.h"
#include "cf/rows.h"
#include "cf/sums.h"
#include "product.h"
#include "row.h"

enum { ROWS = 128 }; /* pairs of a block */

static bool is_in_batch(const HnTrainConfig *config) {
    return config->sampler.name == HN_SAMPLER_IN_BATCH;
}

uint64_t hn_in_batch_bytes(const HnTrainConfig *config, uint64_t n_positions, int width) {
    const uint64_t w = (uint64_t)width;
    return !is_in_batch(config) ? 0
                                : 4 * (n_positions * (2 * w + 3 + ROWS) + 2 * ROWS * w) +
                                      hn_product_scratch_bytes(ROWS, (int64_t)n_positions, width) +
                                      hn_product_scratch_bytes(ROWS, width, (int64_t)n_positions);
}

HnStatus hn_in_batch_create(HnInBatch *own, const HnTrainConfig *config, const HnBatch *batch, HnError *err) {
    *own = (HnInBatch){.tau = config->loss.name == HN_LOSS_SOFTMAX ? (float)config->loss.tau : 0.0f};
    if (!is_in_batch(config)) {
        return HN_OK;
    }
    const char *what = "rows of the whole batch";
    const uint64_t n = batch->max_positions, row = (uint64_t)batch->width * sizeof(float);
    const size_t scores = hn_product_scratch_bytes(ROWS, (int64_t)n, batch->width);
    const size_t sums = hn_product_scratch_bytes(ROWS, batch->width, (int64_t)n);
    own->user = hn_alloc(n, row, what, err);
    own->item = hn_alloc(n, row, what, err);
    own->present = hn_alloc(n, sizeof(float), what, err);
    own->level = hn_alloc(n, sizeof(float), what, err);
    own->own_slope = hn_alloc(batch->capacity, sizeof(float), what, err);
    own->weights = hn_alloc(n, ROWS * sizeof(float), what, err);
    own->left = hn_alloc(ROWS, row, what, err);
    own->sum = hn_alloc(ROWS, row, what, err);
    own->scratch = hn_alloc(scores > sums ? scores : sums, 1, what, err);
    if (!own->user || !own->item || !own->present || !own->level || !own->own_slope || !own->weights || !own->left ||
        !own->sum || !own->scratch) {
        hn_in_batch_free(own);
        return HN_MEMORY;
    }
    return HN_OK;
}

void hn_in_batch_free(HnInBatch *own) {
    float *blocks[] = {own->sum,   own->left,    own->weights, own->own_slope,
                       own->level, own->present, own->item,    own->user};
    hn_free(own->scratch);
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        hn_free(blocks[i]);
    }
    *own = (HnInBatch){0};
}

/* This rank's rows at their positions, then everyone's. */
static HnStatus gather(const HnBatch *batch, const HnInBatch *own, HnComm *comm, HnError *err) {
    const HnRowOps *ops = hn_row_ops_cpu();
    const size_t d = (size_t)batch->width, n = batch->n_positions;
    memset(own->user, 0, n * d * sizeof(float));
    memset(own->item, 0, n * d * sizeof(float));
    memset(own->present, 0, n * sizeof(float));
    memset(own->level, 0, n * sizeof(float));
    for (uint32_t k = 0; k < batch->n; k++) {
        const float *user = batch->user_vectors + (size_t)batch->user_row[k] * d;
        const float *item = batch->item_vectors + (size_t)batch->positive_row[k] * d;
        const size_t at = batch->position[k];
        const bool unit = own->tau > 0.0f;
        ops->scale(own->user + at * d, unit ? 1.0f / hn_row_length(user, batch->width) : 1.0f, user, batch->width);
        ops->scale(own->item + at * d, unit ? 1.0f / hn_row_length(item, batch->width) : 1.0f, item, batch->width);
        own->present[at] = 1.0f;
    }
    HN_TRY(hn_comm_sum_f32(comm, own->user, n * d, err));
    HN_TRY(hn_comm_sum_f32(comm, own->item, n * d, err));
    return hn_comm_sum_f32(comm, own->present, n, err);
}

/* One pass over blocks of this rank's pairs: rows of the matrix (users against all items) or columns. */
typedef struct Pass {
    HnBatch *batch;
    const HnInBatch *own;
    const HnRanking *ranking;
    HnLossSums *sums;
    bool rows;
} Pass;

/* ln of the sum of exp(c / tau) over the other pairs. */
static float log_denominator(const Pass *pass, const float *scores, size_t at) {
    const HnInBatch *own = pass->own;
    float top = -INFINITY;
    double sum = 0.0;
    for (size_t q = 0; q < pass->batch->n_positions; q++) {
        top = q != at && own->present[q] > 0.0f ? fmaxf(top, scores[q]) : top;
    }
    for (size_t q = 0; q < pass->batch->n_positions; q++) {
        sum += q != at && own->present[q] > 0.0f ? (double)expf((scores[q] - top) / own->tau) : 0.0;
    }
    return top / own->tau + (float)log(sum);
}

/* Slope of the loss of a row by the score of one of its negatives; the loss, to *value. */
static float slope_of(const Pass *pass, float level, float score, float *value) {
    const float tau = pass->own->tau;
    float slope;
    if (tau > 0.0f) {
        *value = 0.0f;
        return expf(score / tau - level) / tau;
    }
    const float others = (float)(pass->batch->n_used - 1);
    *value = pass->ranking->loss->pair(level, score, pass->ranking->parameter, &slope) / others;
    return slope / others;
}

/* Scores of a row or column in, slopes out; a row's loss, and the slope by its positive's score, come along. */
static float slopes(const Pass *pass, size_t at, float level, float *line, double *own_slope) {
    const HnInBatch *own = pass->own;
    double loss = 0.0;
    *own_slope = 0.0;
    for (size_t q = 0; q < pass->batch->n_positions; q++) {
        float value = 0.0f, slope = 0.0f;
        if (q != at && own->present[q] > 0.0f) {
            slope = slope_of(pass, pass->rows ? level : own->level[q], line[q], &value);
        }
        line[q] = slope;
        loss += (double)value;
        *own_slope -= (double)slope;
    }
    return (float)loss;
}

/* The row of pair k: its loss and level, and the slope by its positive's score, which is returned. */
static float finish_row(const Pass *pass, uint32_t k, float *line) {
    const HnInBatch *own = pass->own;
    const size_t at = pass->batch->position[k];
    const float positive = line[at], level = own->tau > 0.0f ? log_denominator(pass, line, at) : positive;
    double own_slope;
    float loss = slopes(pass, at, level, line, &own_slope);
    own->level[at] = level;
    if (own->tau > 0.0f) {
        loss = level - positive / own->tau;
        own_slope = -1.0 / (double)own->tau;
    }
    const bool good = fabsf(loss) < (float)hn_loss_limit(pass->batch->n_positions);
    const int64_t fixed = good ? hn_loss_to_fixed((double)loss) : 0;
#pragma omp atomic
    pass->sums->ranking += fixed;
    if (!good) {
#pragma omp atomic write
        pass->sums->bad = true;
    }
    return (float)own_slope;
}

/* The gradient by pair k's vector x from that by z: z itself, or x over its length. */
static void write_gradient(const Pass *pass, float *out, const float *x, const float *z, const float *d_z) {
    const HnRowOps *ops = hn_row_ops_cpu();
    const int n = pass->batch->width;
    const bool unit = pass->own->tau > 0.0f;
    const float share = 1.0f / ((unit ? hn_row_length(x, n) : 1.0f) * pass->ranking->divisor);
    ops->mix(out, share, d_z, unit ? -share * ops->dot(z, d_z, n) : 0.0f, z, n);
}

static HnStatus block(const Pass *pass, uint32_t first, uint32_t n, HnError *err) {
    HnBatch *batch = pass->batch;
    const HnInBatch *own = pass->own;
    const int64_t width = batch->width, positions = (int64_t)batch->n_positions;
    const size_t d = (size_t)width, stride = (size_t)batch->n_positions;
    const float *mine = pass->rows ? own->user : own->item, *others = pass->rows ? own->item : own->user;
    for (uint32_t r = 0; r < n; r++) {
        memcpy(own->left + r * d, mine + batch->position[first + r] * d, d * sizeof(float));
    }
    HN_TRY(hn_product_cpu(false, true, n, positions, width, own->left, width, others, width, false, own->weights,
                          positions, own->scratch, err));
#pragma omp parallel for schedule(static)
    for (uint32_t r = 0; r < n; r++) {
        double unused;
        if (pass->rows) {
            own->own_slope[first + r] = finish_row(pass, first + r, own->weights + r * stride);
        } else {
            (void)slopes(pass, batch->position[first + r], 0.0f, own->weights + r * stride, &unused);
        }
        own->weights[r * stride + batch->position[first + r]] = own->own_slope[first + r];
    }
    HN_TRY(hn_product_cpu(false, false, n, width, positions, own->weights, positions, others, width, false, own->sum,
                          width, own->scratch, err));
#pragma omp parallel for schedule(static)
    for (uint32_t r = 0; r < n; r++) {
        const uint32_t k = first + r;
        const float *z = own->left + r * d, *d_z = own->sum + r * d;
        if (pass->rows) {
            write_gradient(pass, batch->d_user + k * d, batch->user_vectors + (size_t)batch->user_row[k] * d, z, d_z);
        } else {
            write_gradient(pass, batch->d_positive + k * d, batch->item_vectors + (size_t)batch->positive_row[k] * d, z,
                           d_z);
        }
    }
    return HN_OK;
}

static HnStatus run(const Pass *pass, HnError *err) {
    const uint32_t n = pass->batch->n;
    for (uint32_t first = 0; first < n; first += ROWS) {
        HN_TRY(block(pass, first, n - first < ROWS ? n - first : ROWS, err));
    }
    return HN_OK;
}

HnStatus hn_loss_in_batch(HnBatch *batch, HnInBatch *own, const HnRanking *ranking, HnComm *comm, HnLossSums *sums,
                          HnError *err) {
    const size_t bytes = (size_t)batch->n * (size_t)batch->width * sizeof(float);
    memset(batch->d_negative, 0, bytes);
    if (batch->n_used < 2) {
        memset(batch->d_user, 0, bytes);
        memset(batch->d_positive, 0, bytes);
        return HN_OK;
    }
    HN_TRY(gather(batch, own, comm, err));
    Pass pass = {.batch = batch, .own = own, .ranking = ranking, .sums = sums, .rows = true};
    HN_TRY(hn_comm_agree(comm, run(&pass, err), err));
    HN_TRY(hn_comm_sum_f32(comm, own->level, batch->n_positions, err)); /* every rank has filled its own */
    pass.rows = false;
    return hn_comm_agree(comm, run(&pass, err), err);
}
