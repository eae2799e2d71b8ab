/* DGCF's turns, and the steps that both passes take. */
#include <math.h>
#include <string.h>

#include "cf/models/dgcf_private.h"
#include "cf/sums.h"
#include "fixed.h"
#include "row.h"

static const float LEAST_SUM = 1e-8f; /* of shares, where a row has no edge */

/* ---- sums over edges ---- */

static const float *direction(const Dgcf *model, const float *weights, int a) {
    return weights + (uint64_t)a * model->n_edges * (uint64_t)model->factors;
}

void hn_dgcf_to_users(Dgcf *model, const float *weights, int a, const DgcfRows *x, float *y) {
    hn_route_sum_cpu(&model->user_rows, direction(model, weights, a), x->items, y);
}

/* The shift for terms that are products of these two, on any rank. */
static HnStatus agree_on_shift(Dgcf *model, float first, float second, int *shift, HnError *err) {
    float most[2] = {first, second};
    HN_TRY(hn_agree_max(model->context.comm, most, 2, NULL, err));
    const float bound = most[0] * most[1];
    if (!isfinite(bound)) {
        return hn_fail(err, HN_NUMERIC,
                       "DGCF's vectors are not finite: lower train.learning_rate (with another --out)");
    }
    const int fits = hn_fixed_shift(bound);
    *shift = fits > 120 ? 120 : fits < -120 ? -120 : fits;
    return HN_OK;
}

HnStatus hn_dgcf_to_items(Dgcf *model, const float *weights, int a, const DgcfRows *x, float *y, HnError *err) {
    const uint64_t dim = (uint64_t)model->context.dim, n_weights = model->n_edges * (uint64_t)model->factors;
    const float *of_a = direction(model, weights, a);
    int shift = 0;
    HN_TRY(agree_on_shift(model, hn_max_magnitude_cpu(of_a, n_weights),
                          hn_max_magnitude_cpu(x->users, model->n_users * dim), &shift, err));
    hn_route_fixed_cpu(&model->item_rows, of_a, x->users, shift, model->totals);
    HN_TRY(hn_comm_sum_i64(model->context.comm, model->totals, model->n_items * dim, err));
    hn_fixed_to_float_cpu(model->totals, shift, NULL, y, NULL, model->n_items, (int)dim);
    return HN_OK;
}

void hn_dgcf_dots(const Dgcf *model, const DgcfRows *h, const DgcfRows *t, int add, float *out) {
    hn_route_dots_cpu(&model->user_rows, h->users, t->items, add, out);
    hn_route_dots_cpu(&model->user_rows, t->users, h->items, add, out + model->n_edges * (uint64_t)model->factors);
}

void hn_dgcf_edges_to_users(const Dgcf *model, const float *x, float *y) {
    const HnCsr *graph = &model->user_rows.graph;
    const uint64_t factors = (uint64_t)model->factors;
    const int64_t n = (int64_t)graph->n_rows;
#pragma omp parallel for schedule(static)
    for (int64_t u = 0; u < n; u++) {
        float *row = y + (uint64_t)u * factors;
        memset(row, 0, factors * sizeof *row);
        for (uint64_t k = graph->offsets[u] * factors; k < graph->offsets[u + 1] * factors; k++) {
            row[k % factors] += x[k];
        }
    }
}

HnStatus hn_dgcf_edges_to_items(Dgcf *model, const float *x, float *y, HnError *err) {
    const HnCsr *graph = &model->item_rows.graph;
    const uint64_t factors = (uint64_t)model->factors;
    const int64_t n = (int64_t)graph->n_rows;
    int shift = 0;
    HN_TRY(agree_on_shift(model, hn_max_magnitude_cpu(x, model->n_edges * factors), 1.0f, &shift, err));
    const float unit = ldexpf(1.0f, shift);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++) {
        int64_t *row = model->totals + (uint64_t)i * factors;
        memset(row, 0, factors * sizeof *row);
        for (uint64_t k = graph->offsets[i]; k < graph->offsets[i + 1]; k++) {
            const float *edge = x + (uint64_t)model->item_edges[k] * factors;
            for (uint64_t f = 0; f < factors; f++) {
                row[f] += (int64_t)(edge[f] * unit);
            }
        }
    }
    HN_TRY(hn_comm_sum_i64(model->context.comm, model->totals, model->n_items * factors, err));
    hn_fixed_to_float_cpu(model->totals, shift, NULL, y, NULL, model->n_items, model->factors);
    return HN_OK;
}

/* ---- chunks of rows ---- */

static void unit_rows(const Dgcf *model, uint64_t n, const float *x, float *unit, float *lengths) {
    const size_t factors = (size_t)model->factors, chunk = (size_t)model->context.dim / factors;
    const HnRowOps *ops = hn_row_ops_cpu();
#pragma omp parallel for schedule(static) if (n > 256)
    for (uint64_t r = 0; r < n * factors; r++) {
        const float length = sqrtf(ops->dot(x + r * chunk, x + r * chunk, (int)chunk));
        lengths[r] = length > 1e-12f ? 1.0f / length : 0.0f;
        ops->scale(unit + r * chunk, lengths[r], x + r * chunk, (int)chunk);
    }
}

void hn_dgcf_unit(const Dgcf *model, const DgcfRows *x, const DgcfRows *unit, const DgcfRows *lengths) {
    unit_rows(model, model->n_users, x->users, unit->users, lengths->users);
    unit_rows(model, model->n_items, x->items, unit->items, lengths->items);
}

static void through_rows(const Dgcf *model, uint64_t n, const float *d, const float *unit, const float *lengths,
                         float *into) {
    const size_t factors = (size_t)model->factors, chunk = (size_t)model->context.dim / factors;
    const HnRowOps *ops = hn_row_ops_cpu();
#pragma omp parallel for schedule(static) if (n > 256)
    for (uint64_t r = 0; r < n * factors; r++) {
        const size_t at = r * chunk;
        const float along = ops->dot(unit + at, d + at, (int)chunk);
        ops->axpy(into + at, lengths[r], d + at, (int)chunk);
        ops->axpy(into + at, -along * lengths[r], unit + at, (int)chunk);
    }
}

void hn_dgcf_through_unit(const Dgcf *model, const DgcfRows *d, const DgcfRows *unit, const DgcfRows *lengths,
                          const DgcfRows *into) {
    through_rows(model, model->n_users, d->users, unit->users, lengths->users, into->users);
    through_rows(model, model->n_items, d->items, unit->items, lengths->items, into->items);
}

/* tanh of elements of unit vectors: Lambert's continued fraction to its seventh step, off by less than 1e-10 for |x| up
 * to 1, so that roundings are all that is left; a plain loop, which the compiler turns into vectors. */
static void tanh_all(float *x, uint64_t n) {
    const int64_t count = (int64_t)n;
#pragma omp parallel for schedule(static) if (count > 10000)
    for (int64_t i = 0; i < count; i++) {
        const float s = x[i] * x[i];
        const float above = 135135.0f + s * (17325.0f + s * (378.0f + s));
        const float below = 135135.0f + s * (62370.0f + s * (3150.0f + s * 28.0f));
        x[i] = x[i] * above / below;
    }
}

void hn_dgcf_bend(Dgcf *model, int l) {
    const uint64_t dim = (uint64_t)model->context.dim;
    if (model->bent_layer == l) {
        return;
    }
    model->bent_layer = l;
    hn_dgcf_unit(model, &model->e[l], &model->bent, &model->lengths);
    tanh_all(model->bent.users, model->n_users * dim);
    tanh_all(model->bent.items, model->n_items * dim);
}

/* ---- a turn ---- */

static void softmax_edges(const Dgcf *model, float *shares) {
    const int64_t n = 2 * (int64_t)model->n_edges;
    const size_t factors = (size_t)model->factors;
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < n; k++) {
        const float *logit = model->logits + (size_t)k * factors;
        float *share = shares + (size_t)k * factors, most = logit[0], total = 0.0f;
        for (size_t f = 1; f < factors; f++) {
            most = logit[f] > most ? logit[f] : most;
        }
        for (size_t f = 0; f < factors; f++) {
            share[f] = expf(logit[f] - most);
            total += share[f];
        }
        for (size_t f = 0; f < factors; f++) {
            share[f] /= total;
        }
    }
}

static void to_roots(float *roots, uint64_t n) {
    for (uint64_t i = 0; i < n; i++) {
        roots[i] = 1.0f / sqrtf(roots[i] > LEAST_SUM ? roots[i] : LEAST_SUM);
    }
}

void hn_dgcf_weigh(const Dgcf *model, const DgcfTurn *turn, float *weights) {
    const HnCsr *graph = &model->user_rows.graph;
    const size_t factors = (size_t)model->factors, size = model->n_edges * factors;
    const int64_t n = (int64_t)graph->n_rows;
#pragma omp parallel for schedule(static)
    for (int64_t u = 0; u < n; u++) {
        const float *row = turn->roots.users + (size_t)u * factors;
        for (uint64_t k = graph->offsets[u]; k < graph->offsets[u + 1]; k++) {
            const float *column = turn->roots.items + (size_t)graph->columns[k] * factors;
            for (size_t f = 0; f < factors; f++) {
                const size_t at = k * factors + f;
                const float both = row[f] * column[f];
                weights[at] = turn->shares[at] * both;
                weights[size + at] = turn->shares[size + at] * both;
            }
        }
    }
}

static HnStatus run_turn(Dgcf *model, int k, HnError *err) {
    DgcfTurn *turn = &model->turns[k];
    const uint64_t factors = (uint64_t)model->factors, size = model->n_edges * factors;
    const int l = k / model->iterations;
    softmax_edges(model, turn->shares);
    hn_dgcf_edges_to_users(model, turn->shares, turn->roots.users);
    HN_TRY(hn_dgcf_edges_to_items(model, turn->shares + size, turn->roots.items, err));
    to_roots(turn->roots.users, model->n_users * factors);
    to_roots(turn->roots.items, model->n_items * factors);
    hn_dgcf_weigh(model, turn, model->weights);
    hn_dgcf_to_users(model, model->weights, 0, &model->e[l], turn->z.users);
    HN_TRY(hn_dgcf_to_items(model, model->weights, 1, &model->e[l], turn->z.items, err));
    if (k + 1 < model->n_turns) { /* nobody reads the last turn's logits */
        hn_dgcf_unit(model, &turn->z, &model->unit, &model->lengths);
        hn_dgcf_bend(model, l);
        hn_dgcf_dots(model, &model->unit, &model->bent, 1, model->logits);
    }
    return HN_OK;
}

HnStatus hn_dgcf_layers(Dgcf *model, HnError *err) {
    const uint64_t n = 2 * model->n_edges * (uint64_t)model->factors;
    model->bent_layer = -1; /* new vectors */
    for (uint64_t i = 0; i < n; i++) {
        model->logits[i] = 1.0f;
    }
    for (int k = 0; k < model->n_turns; k++) {
        HN_TRY(run_turn(model, k, err));
    }
    return HN_OK;
}
