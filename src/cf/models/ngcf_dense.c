/* NGCF's gradients through the dense part of a layer, and those of the weights.
 *
 * Rows go in runs that the data set alone cuts (within virtual shards, for users). A run's gradient of the weights is
 * one chain in floats; runs are added up as 64-bit integers, so neither threads nor ranks matter. Their unit comes from
 * a bound on the whole sum: rows times the largest input times the largest gradient; 2^60 of it leave the bits of a
 * float even for sums far below the bound.
 */
#include <math.h>
#include <string.h>

#include "cf/models/ngcf_private.h"
#include "cf/rows.h"
#include "row.h"

enum { BITS = 60 };

/* The unit of a sum that is at most `bound` is 2^-shift. */
static int shift_of(double bound) {
    int exponent = 0;
    (void)frexp(bound, &exponent);
    return bound > 0.0 ? BITS - exponent : 0;
}

static void add_fixed(int64_t *total, const float *x, uint64_t n, int shift) {
    const double factor = ldexp(1.0, shift);
    for (uint64_t i = 0; i < n; i++) {
        total[i] += (int64_t)((double)x[i] * factor);
    }
}

/* Where the three kinds of a layer's parameters begin: W1, W2, biases. */
static void kinds(const Ngcf *model, uint64_t begin[4]) {
    const uint64_t square = (uint64_t)model->context.dim * (uint64_t)model->context.dim;
    begin[0] = 0, begin[1] = square, begin[2] = 2 * square, begin[3] = model->n_layer;
}

typedef struct Dense {
    const HnInteract *layer;
    const NgcfPass *pass;
    float *d, *direct;
    const int *shifts;
    bool counted; /* the weights' gradients of these rows are this rank's business */
} Dense;

static void dense_rows(const Dense *dense, uint64_t begin, uint64_t end) {
    const NgcfPass *pass = dense->pass;
    const Ngcf *model = pass->model;
    const int dim = model->context.dim;
    const uint64_t at = begin * (uint64_t)dim;
    NgcfThread *thread = hn_ngcf_thread(model);
    uint64_t kind[4];
    kinds(model, kind);
    float *biases = model->rule.biased ? thread->partial + kind[2] : NULL;
    const HnInteractSums sums = {thread->partial, thread->partial + kind[1], biases,
                                 biases != NULL ? biases + dim : NULL};
    memset(thread->partial, 0, dense->counted ? model->n_layer * sizeof(float) : 0);
    hn_interact_backward_cpu(dense->layer, end - begin, pass->e + at, pass->s + at, pass->marks + at, dense->d + at,
                             dense->direct + at, dense->counted ? &sums : NULL, thread->scratch);
    for (uint64_t r = begin; model->rule.averaged && r < end; r++) { /* the row's own part of its sum */
        const uint64_t row = pass->rows != NULL ? (uint64_t)pass->rows[r] : r;
        hn_row_ops_cpu()->axpy(dense->direct + r * (uint64_t)dim, pass->side->inverse[row],
                               dense->d + r * (uint64_t)dim, dim);
    }
    hn_ngcf_note(thread, 1, dense->d + at, (end - begin) * (uint64_t)dim);
    for (int k = 0; dense->counted && k < 3; k++) {
        add_fixed(thread->total + kind[k], thread->partial + kind[k], kind[k + 1] - kind[k], dense->shifts[k]);
    }
}

static void dense_side(const Ngcf *model, const Dense *whole) {
    const NgcfSide *side = whole->pass->side;
    const int64_t n_chunks = (int64_t)side->n_chunks;
    const bool items = side == &model->items;
    const int size = hn_comm_size(model->context.comm), rank = hn_comm_rank(model->context.comm);
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t c = 0; c < n_chunks; c++) {
        uint64_t begin = side->chunk_begin[c], end = side->chunk_begin[c + 1];
        if (whole->pass->rows != NULL) {
            const HnPlaces in = hn_rows_within(side->rows, side->n_rows, begin, end);
            begin = in.begin, end = in.end;
        }
        Dense part = *whole;
        part.counted = !items || c % size == rank;
        if (begin < end) {
            dense_rows(&part, begin, end);
        }
    }
}

HnStatus hn_ngcf_dense(Ngcf *model, const NgcfPass passes[2], float *const d[2], float *const direct[2],
                       const float bounds[3], uint64_t n_rows_of_all, HnError *err) {
    const int l = passes[0].layer;
    const HnInteract layer = hn_ngcf_layer(model, l);
    const double e = (double)bounds[0], s = (double)bounds[1];
    const double most = (double)n_rows_of_all * (double)bounds[2] * (double)layer.kept_scale;
    const double inputs[3] = {model->rule.with_self ? s + e : s, s * e, 1.0};
    int *shifts = model->shifts + 3 * l;
    for (int k = 0; k < 3; k++) {
        if (!isfinite(most * inputs[k])) {
            return hn_fail(err, HN_NUMERIC,
                           "NGCF's gradients are not finite: lower train.learning_rate (with another --out)");
        }
        shifts[k] = shift_of(most * inputs[k]);
    }
    for (int t = 0; t < model->n_threads; t++) {
        memset(model->threads[t].total, 0, model->n_layer * sizeof(int64_t));
    }
    for (int side = 0; side < 2; side++) {
        dense_side(model, &(Dense){&layer, &passes[side], d[side], direct[side], shifts, true});
    }
    int64_t *total = model->totals + (uint64_t)l * model->n_layer;
    memset(total, 0, model->n_layer * sizeof *total);
    for (int t = 0; t < model->n_threads; t++) {
        for (uint64_t i = 0; i < model->n_layer; i++) {
            total[i] += model->threads[t].total[i];
        }
    }
    return HN_OK;
}

HnStatus hn_ngcf_gather_sums(Ngcf *model, HnError *err) {
    HN_TRY(hn_comm_sum_i64(model->context.comm, model->totals, model->parameters.n_rows, err));
    uint64_t kind[4];
    kinds(model, kind);
    for (int l = 0; l < model->context.layers; l++) {
        const uint64_t at = (uint64_t)l * model->n_layer;
        for (int k = 0; k < 3; k++) {
            const double unit = ldexp(1.0, -model->shifts[3 * l + k]);
            for (uint64_t i = at + kind[k]; i < at + kind[k + 1]; i++) {
                model->parameters.gradient[i] = (float)((double)model->totals[i] * unit);
            }
        }
    }
    return HN_OK;
}
