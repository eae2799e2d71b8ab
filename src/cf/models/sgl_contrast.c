/* The contrastive loss (SGL, eq. 10 and 11): each row of a batch in the first view is told, by cosine over tau, from
 * all users or all items of the second view, or from the batch's:
 *
 *     L_q = ln s_q - (x_q z_q - 1) / tau,   s_q = sum over v of exp((x_q z_v - 1) / tau)
 *     dL_q/dx_q = (p_q / s_q - z_q) / tau,  dL/dz_v = sum over q of x_q exp((x_q z_v - 1) / tau) / (tau s_q) - x_v /
 * tau
 *
 * (kernels/contrast.h). Every rank has all queries, and goes over its own users, and its share of what all ranks have.
 */
#include <math.h>
#include <string.h>

#include "cf/models/sgl_private.h"
#include "cf/rows.h"
#include "cf/sums.h"
#include "row.h"

/* Rows that queries are told from. */
typedef struct Keys {
    const SglBlocks *blocks;
    const float *unit;
    float *gradient;
    uint64_t n_all;
} Keys;

static HnStatus add_queries(Sgl *sgl, SglSide *side, HnError *err) {
    SglQueries *queries = &sgl->queries;
    const size_t width = (size_t)sgl->width;
    side->first_query = queries->n + side->place;
    HN_TRY(hn_sgl_gather(sgl, side, side->batch_unit, width, queries->unit + queries->n * width, err));
    HN_TRY(hn_sgl_gather(sgl, side, side->weight, 1, queries->weight + queries->n, err));
    queries->n += side->n_queries;
    return HN_OK;
}

static HnQueries packed(const Sgl *sgl) {
    return (HnQueries){sgl->queries.n, sgl->width, (float)sgl->context.config->ssl.tau, sgl->queries.packed};
}

/* totals, over the keys of all ranks */
static HnStatus pull(Sgl *sgl, const Keys *keys, HnError *err) {
    SglQueries *queries = &sgl->queries;
    const HnQueries of_kernel = packed(sgl);
    const size_t n_totals = queries->n * (size_t)(sgl->width + 1);
    memset(queries->totals, 0, n_totals * sizeof *queries->totals);
    hn_contrast_pack(queries->unit, queries->n, sgl->width, queries->packed);
    queries->shift = hn_contrast_shift(keys->n_all);
    hn_contrast_pull_cpu(&of_kernel, keys->unit, keys->blocks->begin + keys->blocks->first,
                         keys->blocks->last - keys->blocks->first, queries->shift, queries->totals, sgl->scratch);
    return hn_comm_sum_i64(sgl->context.comm, queries->totals, n_totals, err);
}

/* What a loss of 1 of one row adds to the whole loss. */
static double share(const Sgl *sgl, const HnBatch *batch) {
    const HnTrainConfig *config = sgl->context.config;
    const uint64_t n_terms = sgl->together_unit != NULL ? sgl->queries.n : batch->n_used;
    const bool sum = config->ssl.reduce == HN_SSL_SUM ||
                     (config->ssl.reduce == HN_SSL_AS_LOSS && config->loss.reduce == HN_REDUCE_SUM);
    return config->ssl.lambda / (sum || n_terms == 0 ? 1.0 : (double)n_terms);
}

/* s_q and p_q / s_q - z_q of one query. */
static double slope(const Sgl *sgl, uint64_t q, const float *key, float *d_unit) {
    const SglQueries *queries = &sgl->queries;
    const size_t width = (size_t)sgl->width;
    const int64_t *total = queries->totals + q * (width + 1);
    for (size_t c = 0; c < width; c++) {
        d_unit[c] = (float)((double)total[c] / (double)total[width]) - key[c];
    }
    return ldexp((double)total[width], -queries->shift);
}

/* The loss of this side's own queries, and the gradient of their rows. */
static void finish(Sgl *sgl, SglSide *side, const HnBatch *batch, HnLossSums *sums) {
    const HnRowOps *ops = hn_row_ops_cpu();
    const size_t width = (size_t)sgl->width, dim = (size_t)sgl->context.dim;
    const double tau = sgl->context.config->ssl.tau, c = share(sgl, batch);
    int64_t total = 0;
    int bad = 0;
#pragma omp parallel for schedule(static) reduction(+ : total, bad)
    for (uint64_t r = 0; r < side->n_batch; r++) {
        const float *key = side->unit + (size_t)side->rows[r] * width, *unit = side->batch_unit + r * width;
        float *d_unit = side->batch_d_unit + r * width;
        const double sum = slope(sgl, side->first_query + r, key, d_unit);
        const double value = log(sum) - ((double)ops->dot(unit, key, sgl->context.dim) - 1.0) / tau;
        const double weight = c * (double)side->weight[r];
        ops->scale(d_unit, (float)(weight / tau), d_unit, sgl->width);
        hn_sgl_unit_gradient(sgl, d_unit, unit, side->batch_length[r], side->batch_gradient + r * dim);
        bad += !isfinite(value);
        total += isfinite(value) ? hn_loss_to_fixed(weight * value * (double)batch->n_used) : 0;
    }
    /* Every rank has made the items'. */
    sums->own += side == &sgl->users || hn_comm_rank(sgl->context.comm) == 0 ? total : 0;
    sums->bad = sums->bad || bad > 0;
}

/* keys->gradient of this rank's blocks, without the queries' own keys. queries->unit become factors. */
static void push(Sgl *sgl, const Keys *keys, const HnBatch *batch) {
    const HnRowOps *ops = hn_row_ops_cpu();
    SglQueries *queries = &sgl->queries;
    const HnQueries of_kernel = packed(sgl);
    const size_t width = (size_t)sgl->width;
    const uint64_t first = keys->blocks->begin[keys->blocks->first], last = keys->blocks->begin[keys->blocks->last];
    const double c = share(sgl, batch) / sgl->context.config->ssl.tau;
#pragma omp parallel for schedule(static)
    for (uint64_t q = 0; q < queries->n; q++) {
        const double sum = ldexp((double)queries->totals[q * (width + 1) + width], -queries->shift);
        float *row = queries->unit + q * width;
        ops->scale(row, (float)(c * (double)queries->weight[q] / sum), row, sgl->width);
    }
    hn_contrast_push_cpu(&of_kernel, queries->unit, keys->unit + first * width, last - first,
                         keys->gradient + first * width);
}

/* side->a from the gradient of all unit rows, after the batch's own keys are taken off. */
static void spread(const Sgl *sgl, SglSide *side, float *gradient, const HnBatch *batch) {
    const HnRowOps *ops = hn_row_ops_cpu();
    const size_t width = (size_t)sgl->width, dim = (size_t)sgl->context.dim;
    const double c = share(sgl, batch) / sgl->context.config->ssl.tau;
    for (uint64_t r = 0; r < side->n_batch; r++) {
        ops->axpy(gradient + (size_t)side->rows[r] * width, -(float)(c * (double)side->weight[r]),
                  side->batch_unit + r * width, sgl->width);
    }
#pragma omp parallel for schedule(static)
    for (uint64_t r = 0; r < side->table->n_rows; r++) {
        hn_sgl_unit_gradient(sgl, gradient + r * width, side->unit + r * width, side->length[r], side->a + r * dim);
    }
}

/* From all rows of the same side. */
static HnStatus against_all(Sgl *sgl, SglSide *side, const HnBatch *batch, HnLossSums *sums, HnError *err) {
    const Keys keys = {&side->blocks, side->unit, side->b, side->n_all};
    const bool shared = side == &sgl->items && hn_comm_size(sgl->context.comm) > 1;
    sgl->queries.n = 0;
    HN_TRY(add_queries(sgl, side, err));
    HN_TRY(pull(sgl, &keys, err));
    finish(sgl, side, batch, sums);
    push(sgl, &keys, batch);
    if (shared) {
        const float *mine = side->b + side->blocks.begin[side->blocks.first] * (size_t)sgl->width;
        HN_TRY(hn_sgl_gather_blocks(sgl, &side->blocks, mine, side->sum, err));
    }
    spread(sgl, side, shared ? side->sum : side->b, batch);
    return HN_OK;
}

/* The rows of the second view that the batch has, in the order of the queries. */
static HnStatus gather_keys(Sgl *sgl, const SglSide *side, uint64_t at, HnError *err) {
    hn_rows_gather(side->b, side->unit, side->rows, side->n_batch, sgl->width);
    return hn_sgl_gather(sgl, side, side->b, (size_t)sgl->width, sgl->together_unit + at * (size_t)sgl->width, err);
}

static void spread_together(Sgl *sgl, SglSide *side, const float *gradient, const HnBatch *batch) {
    const float *own = gradient + side->first_query * (size_t)sgl->width;
    const HnSpread rows = {side->rows, own, (uint32_t)side->n_batch, sgl->width, side->table->n_rows, side->b, NULL};
    hn_rows_spread(&rows, NULL);
    spread(sgl, side, side->b, batch);
}

/* From the batch's users and items. */
static HnStatus against_batch(Sgl *sgl, const HnBatch *batch, HnLossSums *sums, HnError *err) {
    SglSide *users = &sgl->users, *items = &sgl->items;
    SglQueries *queries = &sgl->queries;
    SglBlocks *blocks = &sgl->together;
    queries->n = 0;
    HN_TRY(add_queries(sgl, users, err));
    HN_TRY(add_queries(sgl, items, err));
    HN_TRY(gather_keys(sgl, users, 0, err));
    HN_TRY(gather_keys(sgl, items, users->n_queries, err));
    hn_sgl_cut(sgl, blocks, queries->n);
    const Keys keys = {blocks, sgl->together_unit, sgl->together_gradient, queries->n};
    HN_TRY(pull(sgl, &keys, err));
    finish(sgl, users, batch, sums);
    finish(sgl, items, batch, sums);
    push(sgl, &keys, batch);
    float *all = queries->unit; /* of no more use */
    HN_TRY(
        hn_sgl_gather_blocks(sgl, blocks, keys.gradient + blocks->begin[blocks->first] * (size_t)sgl->width, all, err));
    spread_together(sgl, users, all, batch);
    spread_together(sgl, items, all, batch);
    return HN_OK;
}

HnStatus hn_sgl_contrast(Sgl *sgl, const HnBatch *batch, HnLossSums *sums, HnError *err) {
    if (sgl->together_unit != NULL) {
        return against_batch(sgl, batch, sums, err);
    }
    HN_TRY(against_all(sgl, &sgl->users, batch, sums, err));
    return against_all(sgl, &sgl->items, batch, sums, err);
}
