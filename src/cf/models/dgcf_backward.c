/* DGCF backward, turn by turn from the last: through what a turn adds to the logits, then through its sums, then
 * through its softmax. The gradient of the logits goes on from turn to turn in place. */
#include <string.h>

#include "cf/models/dgcf_private.h"
#include "row.h"

static void clear(const Dgcf *model, const DgcfRows *rows) {
    const uint64_t row = (uint64_t)model->context.dim * sizeof(float);
    memset(rows->users, 0, model->n_users * row);
    memset(rows->items, 0, model->n_items * row);
}

static void add(const Dgcf *model, const DgcfRows *into, const DgcfRows *x) {
    const int dim = model->context.dim;
    const uint64_t n[2] = {model->n_users, model->n_items};
    float *const to[2] = {into->users, into->items};
    const float *const from[2] = {x->users, x->items};
    for (int side = 0; side < 2; side++) {
#pragma omp parallel for schedule(static)
        for (uint64_t r = 0; r < n[side]; r++) {
            hn_row_ops_cpu()->axpy(to[side] + r * (uint64_t)dim, 1.0f, from[side] + r * (uint64_t)dim, dim);
        }
    }
}

/* into[rows[r]] += share * d[r], in rows of `step` columns of which dim are taken. */
static void add_rows(int dim, float *into, const int32_t *rows, uint64_t n, float share, const float *d,
                     uint64_t step) {
    for (uint64_t r = 0; r < n; r++) {
        hn_row_ops_cpu()->axpy(into + (uint64_t)rows[r] * (uint64_t)dim, share, d + r * step, dim);
    }
}

/* What the losses ask of every layer: their share of the final vectors' gradients, and the hops'. */
static void begin(Dgcf *model, const HnBatch *batch) {
    const int dim = model->context.dim, layers = model->context.layers;
    const uint64_t d = (uint64_t)dim, hops = (uint64_t)(layers + 1) * d;
    for (int l = 0; l <= layers; l++) {
        const float share = hn_model_hop_share(model->context.config, l);
        clear(model, &model->d[l]);
        add_rows(dim, model->d[l].users, batch->users, batch->n_users, share, batch->d_user_vectors, d);
        add_rows(dim, model->d[l].items, batch->items, batch->n_items, share, batch->d_item_vectors, d);
        if (batch->d_item_hops != NULL) {
            add_rows(dim, model->d[l].items, batch->items, batch->n_items, 1.0f, batch->d_item_hops + (uint64_t)l * d,
                     hops);
        }
        for (uint64_t r = 0; model->has_own && r < model->n_drawn; r++) {
            const int32_t user = model->drawn[r] - (int32_t)model->context.users->first_row;
            if (user >= 0 && (uint64_t)user < model->n_users) {
                add_rows(dim, model->d[l].users, &user, 1, share, model->d_drawn + r * d, d);
            }
        }
        if (model->has_own) {
            add_rows(dim, model->d[l].items, model->drawn + model->n_drawn, model->n_drawn, share,
                     model->d_drawn + model->n_drawn * d, d);
        }
    }
    model->has_own = false;
}

/* sum = d * (1 - bent^2) */
static void unbend(float *d, const float *bent, uint64_t n) {
    const int64_t count = (int64_t)n;
#pragma omp parallel for schedule(static) if (count > 10000)
    for (int64_t i = 0; i < count; i++) {
        d[i] *= 1.0f - bent[i] * bent[i];
    }
}

/* logit += < unit(z), tanh(unit(e)) >: to dz, and to the gradient of e. */
static HnStatus through_logits(Dgcf *model, int k, HnError *err) {
    const int l = k / model->iterations;
    const uint64_t dim = (uint64_t)model->context.dim;
    hn_dgcf_bend(model, l);
    hn_dgcf_to_users(model, model->logits, 0, &model->bent, model->sum.users);
    HN_TRY(hn_dgcf_to_items(model, model->logits, 1, &model->bent, model->sum.items, err));
    hn_dgcf_unit(model, &model->turns[k].z, &model->unit, &model->lengths);
    hn_dgcf_through_unit(model, &model->sum, &model->unit, &model->lengths, &model->dz);
    hn_dgcf_to_users(model, model->logits, 1, &model->unit, model->sum.users);
    HN_TRY(hn_dgcf_to_items(model, model->logits, 0, &model->unit, model->sum.items, err));
    unbend(model->sum.users, model->bent.users, model->n_users * dim);
    unbend(model->sum.items, model->bent.items, model->n_items * dim);
    hn_dgcf_unit(model, &model->e[l], &model->unit, &model->lengths);
    hn_dgcf_through_unit(model, &model->sum, &model->unit, &model->lengths, &model->d[l]);
    return HN_OK;
}

/* small: from the gradients of the roots to those of the sums of shares; D^-1/2 to D, none where D was too small. */
static void to_sums(float *d, const float *roots, uint64_t n) {
    for (uint64_t i = 0; i < n; i++) {
        d[i] = roots[i] < 9999.0f ? -0.5f * roots[i] * roots[i] * roots[i] * d[i] : 0.0f;
    }
}

/* weights, which hold the gradients of the weights: what both directions of an edge ask of the root of one end (of the
 * user's where of_users, times the other end's), to out [n_edges][F]. */
static void ask_roots(const Dgcf *model, const DgcfTurn *turn, bool of_users, float *out) {
    const HnCsr *graph = &model->user_rows.graph;
    const size_t factors = (size_t)model->factors, size = model->n_edges * factors;
    const int64_t n = (int64_t)graph->n_rows;
#pragma omp parallel for schedule(static)
    for (int64_t u = 0; u < n; u++) {
        for (uint64_t k = graph->offsets[u]; k < graph->offsets[u + 1]; k++) {
            const float *other = of_users ? turn->roots.items + (size_t)graph->columns[k] * factors
                                          : turn->roots.users + (size_t)u * factors;
            for (size_t f = 0; f < factors; f++) {
                const size_t at = k * factors + f;
                out[at] = other[f] *
                          (model->weights[at] * turn->shares[at] + model->weights[size + at] * turn->shares[size + at]);
            }
        }
    }
}

/* logits += softmax's gradient, of one edge and direction: d is that of the shares. */
static void through_softmax(size_t factors, const float *shares, const float *d_weights, const float *user_roots,
                            const float *item_roots, const float *d_sums, float *logits) {
    float mean = 0.0f;
    for (size_t f = 0; f < factors; f++) {
        mean += shares[f] * (d_weights[f] * (user_roots[f] * item_roots[f]) + d_sums[f]);
    }
    for (size_t f = 0; f < factors; f++) {
        logits[f] += shares[f] * (d_weights[f] * (user_roots[f] * item_roots[f]) + d_sums[f] - mean);
    }
}

/* From the gradients of a turn's weights, in weights, to those of the logits before it. */
static HnStatus through_shares(Dgcf *model, const DgcfTurn *turn, HnError *err) {
    const HnCsr *graph = &model->user_rows.graph;
    const size_t factors = (size_t)model->factors, size = model->n_edges * factors;
    const int64_t n = (int64_t)graph->n_rows;
    ask_roots(model, turn, true, model->asked);
    hn_dgcf_edges_to_users(model, model->asked, model->small.users);
    ask_roots(model, turn, false, model->asked);
    HN_TRY(hn_dgcf_edges_to_items(model, model->asked, model->small.items, err));
    to_sums(model->small.users, turn->roots.users, model->n_users * factors);
    to_sums(model->small.items, turn->roots.items, model->n_items * factors);
#pragma omp parallel for schedule(static)
    for (int64_t u = 0; u < n; u++) {
        const float *of_user = turn->roots.users + (size_t)u * factors;
        for (uint64_t k = graph->offsets[u]; k < graph->offsets[u + 1]; k++) {
            const size_t item = (size_t)graph->columns[k] * factors, at = k * factors;
            const float *of_item = turn->roots.items + item;
            through_softmax(factors, turn->shares + at, model->weights + at, of_user, of_item,
                            model->small.users + (size_t)u * factors, model->logits + at);
            through_softmax(factors, turn->shares + size + at, model->weights + size + at, of_user, of_item,
                            model->small.items + item, model->logits + size + at);
        }
    }
    return HN_OK;
}

static HnStatus back_turn(Dgcf *model, int k, HnError *err) {
    const int l = k / model->iterations;
    DgcfTurn *turn = &model->turns[k];
    clear(model, &model->dz);
    if ((k + 1) % model->iterations == 0) {
        add(model, &model->dz, &model->d[l + 1]);
    }
    if (k + 1 < model->n_turns) {
        HN_TRY(through_logits(model, k, err));
    }
    hn_dgcf_weigh(model, turn, model->weights);
    hn_dgcf_to_users(model, model->weights, 1, &model->dz, model->sum.users);
    HN_TRY(hn_dgcf_to_items(model, model->weights, 0, &model->dz, model->sum.items, err));
    add(model, &model->d[l], &model->sum);
    if (k == 0) { /* the first logits are constants */
        return HN_OK;
    }
    hn_dgcf_dots(model, &model->dz, &model->e[l], 0, model->weights);
    return through_shares(model, turn, err);
}

HnStatus hn_dgcf_backward(void *state, HnBatch *batch, bool keep, const HnRowsDone *users_done,
                          const HnRowsDone *items_done, HnError *err) {
    (void)keep;
    Dgcf *model = state;
    begin(model, batch);
    memset(model->logits, 0, 2 * model->n_edges * (uint64_t)model->factors * sizeof(float));
    for (int k = model->n_turns - 1; k >= 0; k--) {
        HN_TRY(back_turn(model, k, err));
    }
    hn_rows_done_cpu(users_done, model->d[0].users, model->n_users, model->context.dim);
    hn_rows_done_cpu(items_done, model->d[0].items, model->n_items, model->context.dim);
    return HN_OK;
}
