#include "cf/loss_sums.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/alloc.h"
#include "cf/sums.h"
#include "fixed.h"
#include "row.h"

/* What crosses ranks of the losses, as integers; items whose totals a thread holds, on one rank. */
enum { N_LOSS_SUMS = 8, ITEMS_AT_ONCE = 16 };

/* The blocks of pairs' gradient rows that go to items, and the sums they go to. */
enum { POSITIVES, NEGATIVES, POSITIVE_HOPS, NEGATIVE_HOPS, N_SOURCES };

static uint64_t hop_row(int hops, int dim) {
    return (uint64_t)hops * (uint64_t)dim;
}

/* Elements of an item's sums. */
static uint64_t item_row(int width, int hops, int dim) {
    return (uint64_t)width + hop_row(hops, dim);
}

/* Elements of a pair's rows: of the positive and of the drawn items, by hop or not. */
static uint64_t pair_row(int width, int hops, int dim, int negatives) {
    const uint64_t n = (uint64_t)negatives;
    return (uint64_t)width + (hops > 0 ? (1 + n) * hop_row(hops, dim) : n * (uint64_t)width);
}

static uint64_t rows_of_totals(uint64_t n_batch_items, bool exact) {
    const uint64_t windows = exact ? (uint64_t)omp_get_max_threads() * ITEMS_AT_ONCE : 0;
    return windows > n_batch_items ? windows : n_batch_items;
}

uint64_t hn_loss_adder_bytes(const HnBatchShape *shape, uint64_t capacity, uint64_t n_batch_items, bool exact) {
    const uint64_t items = rows_of_totals(n_batch_items, exact) * item_row(shape->width, shape->hops, shape->dim);
    return exact ? 4 * capacity * pair_row(shape->width, shape->hops, shape->dim, shape->negatives) + 8 * items
                 : 4 * items;
}

HnStatus hn_loss_adder_create(HnComm *comm, bool exact, const HnBatch *batch, HnLossAdder *adder, HnError *err) {
    *adder = (HnLossAdder){.comm = comm, .exact = exact};
    const uint64_t row_of_item = item_row(batch->width, batch->hops, batch->dim);
    const uint64_t n = rows_of_totals(batch->most_items, exact) * row_of_item + N_LOSS_SUMS;
    if (exact) {
        const uint64_t row = pair_row(batch->width, batch->hops, batch->dim, batch->negatives);
        adder->fixed = hn_alloc(batch->capacity, row * sizeof(int32_t), "fixed-point gradients", err);
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
    const size_t d = (size_t)batch->width;
#pragma omp parallel for schedule(static) if (batch->n_users > 64)
    for (uint32_t u = 0; u < batch->n_users; u++) {
        float *row = batch->d_user_vectors + u * d;
        const uint32_t first = batch->user_begin[u]; /* every user of a batch has a pair */
        memcpy(row, batch->d_user + batch->user_pairs[first] * d, d * sizeof(float));
        for (uint32_t e = first + 1; e < batch->user_begin[u + 1]; e++) {
            ops->axpy(row, 1.0f, batch->d_user + batch->user_pairs[e] * d, batch->width);
        }
    }
}

/* What one entry of item_entries adds to its item's sums: n elements at `from` of a source, to `to` of the item's row
 * of vectors or of hops. A positive has a part of both. */
typedef struct Part {
    int source;
    size_t from, to;
    int n;
} Part;

static int parts_of(const HnBatch *batch, uint32_t entry, Part parts[2]) {
    const uint32_t stride = 1 + (uint32_t)batch->draws, draw = entry % stride;
    const size_t pair = entry / stride, width = (size_t)batch->width, dim = (size_t)batch->dim;
    const size_t hops = (size_t)batch->hops * dim;
    if (draw == 0) {
        parts[0] = (Part){POSITIVES, pair * width, 0, batch->width};
        parts[1] = (Part){POSITIVE_HOPS, pair * hops, 0, (int)hops};
        return batch->hops > 0 ? 2 : 1;
    }
    const size_t drawn = pair * (stride - 1) + draw - 1; /* [pairs][draws] */
    parts[0] = batch->hops > 0 ? (Part){NEGATIVE_HOPS, drawn * dim, drawn % (size_t)batch->hops * dim, batch->dim}
                               : (Part){NEGATIVES, drawn * width, 0, batch->width};
    return 1;
}

static bool of_hops(int source) {
    return source >= POSITIVE_HOPS;
}

/* Pairs' rows by source, and their elements; 0 where there are none. */
typedef struct Sources {
    const float *rows[N_SOURCES];
    size_t n[N_SOURCES];
} Sources;

static Sources sources_of(const HnBatch *batch) {
    const size_t n = (size_t)batch->n * (size_t)batch->width;
    const size_t n_hops = (size_t)batch->n * (size_t)batch->hops * (size_t)batch->dim;
    const size_t negatives = (size_t)batch->negatives;
    return (Sources){{batch->d_positive, batch->d_negative, batch->d_positive_hops, batch->d_negative_hops},
                     {n, batch->hops > 0 ? 0 : n * negatives, n_hops, n_hops * negatives}};
}

static void pack_losses(const HnLossSums *sums, int64_t out[N_LOSS_SUMS]) {
    out[0] = sums->ranking, out[1] = sums->align, out[2] = sums->own;
    out[3] = sums->n_hard, out[4] = sums->n_harder;
    memcpy(out + 5, sums->squares, sizeof sums->squares);
}

static void unpack_losses(HnLossSums *sums, const int64_t in[N_LOSS_SUMS]) {
    sums->ranking = in[0], sums->align = in[1], sums->own = in[2];
    sums->n_hard = in[3], sums->n_harder = in[4];
    memcpy(sums->squares, in + 5, sizeof sums->squares);
}

/* Sums of items first .. last-1. */
static void add_run(const HnBatch *batch, int32_t *const fixed[N_SOURCES], uint32_t first, uint32_t last,
                    int64_t *vectors, int64_t *item_hops) {
    const size_t width = (size_t)batch->width, hops = (size_t)batch->hops * (size_t)batch->dim;
    memset(vectors, 0, (last - first) * width * sizeof *vectors);
    memset(item_hops, 0, (last - first) * hops * sizeof *item_hops);
    for (uint32_t i = first; i < last; i++, vectors += width, item_hops += hops) {
        for (uint32_t e = batch->item_begin[i]; e < batch->item_begin[i + 1]; e++) {
            Part parts[2];
            const int n_parts = parts_of(batch, batch->item_entries[e], parts);
            for (const Part *p = parts; p < parts + n_parts; p++) {
                hn_sum_add_row((of_hops(p->source) ? item_hops : vectors) + p->to, fixed[p->source] + p->from, p->n);
            }
        }
    }
}

/* Totals of items first .. last-1, back to floats. */
static void take_totals(HnBatch *batch, uint32_t first, uint32_t last, const int64_t *vectors, const int64_t *item_hops,
                        int shift) {
    const size_t width = (size_t)batch->width, hops = (size_t)batch->hops * (size_t)batch->dim;
    hn_fixed_to_float_cpu(vectors, shift, NULL, batch->d_item_vectors + first * width, NULL, last - first,
                          batch->width);
    if (hops > 0) {
        hn_fixed_to_float_cpu(item_hops, shift, NULL, batch->d_item_hops + first * hops, NULL, last - first, (int)hops);
    }
}

/* On one rank the totals of a run of items are done with at once: each thread has a window for them. */
static void add_runs(HnLossAdder *adder, HnBatch *batch, int32_t *const fixed[N_SOURCES], int shift) {
    const size_t width = (size_t)batch->width, hops = (size_t)batch->hops * (size_t)batch->dim;
    const uint32_t n = batch->n_items;
    const bool alone = hn_comm_size(adder->comm) == 1;
#pragma omp parallel for schedule(dynamic, 4) if (n > 64)
    for (uint32_t first = 0; first < n; first += ITEMS_AT_ONCE) {
        const uint32_t last = n - first < ITEMS_AT_ONCE ? n : first + ITEMS_AT_ONCE;
        int64_t *window = adder->totals + (size_t)omp_get_thread_num() * ITEMS_AT_ONCE * (width + hops);
        int64_t *vectors = alone ? window : adder->totals + first * width;
        int64_t *item_hops = alone ? window + ITEMS_AT_ONCE * width : adder->totals + n * width + first * hops;
        add_run(batch, fixed, first, last, vectors, item_hops);
        if (alone) {
            take_totals(batch, first, last, vectors, item_hops, shift);
        }
    }
}

static HnStatus add_items_exact(HnLossAdder *adder, HnBatch *batch, float largest, HnLossSums *sums, HnError *err) {
    const size_t n_vectors = batch->n_items * (size_t)batch->width;
    const size_t n_totals = n_vectors + batch->n_items * (size_t)batch->hops * (size_t)batch->dim;
    const Sources sources = sources_of(batch);
    const int shift = hn_fixed_shift(largest);
    int32_t *fixed[N_SOURCES], *next = adder->fixed;
    for (int s = 0; s < N_SOURCES; s++) {
        fixed[s] = next;
        hn_fixed_from_float_cpu(sources.rows[s], shift, next, sources.n[s]);
        next += sources.n[s];
    }
    add_runs(adder, batch, fixed, shift);
    if (hn_comm_size(adder->comm) > 1) {
        int64_t *losses = adder->totals + n_totals;
        pack_losses(sums, losses);
        HN_TRY(hn_comm_sum_i64(adder->comm, adder->totals, n_totals + N_LOSS_SUMS, err));
        unpack_losses(sums, losses);
        take_totals(batch, 0, batch->n_items, adder->totals, adder->totals + n_vectors, shift);
    }
    return HN_OK;
}

static void add_items_here(const HnBatch *batch, float *vectors, float *item_hops) {
    const HnRowOps *ops = hn_row_ops_cpu();
    const size_t width = (size_t)batch->width, hops = (size_t)batch->hops * (size_t)batch->dim;
    const Sources sources = sources_of(batch);
#pragma omp parallel for schedule(dynamic, 64) if (batch->n_items > 64)
    for (uint32_t i = 0; i < batch->n_items; i++) {
        float *vector = vectors + i * width, *hop = hops > 0 ? item_hops + i * hops : NULL;
        memset(vector, 0, width * sizeof *vector); /* other ranks may have touched this item, and not this one */
        if (hops > 0) {
            memset(hop, 0, hops * sizeof *hop);
        }
        for (uint32_t e = batch->item_begin[i]; e < batch->item_begin[i + 1]; e++) {
            Part parts[2];
            const int n_parts = parts_of(batch, batch->item_entries[e], parts);
            for (const Part *p = parts; p < parts + n_parts; p++) {
                ops->axpy((of_hops(p->source) ? hop : vector) + p->to, 1.0f, sources.rows[p->source] + p->from, p->n);
            }
        }
    }
}

static HnStatus add_items_float(HnLossAdder *adder, HnBatch *batch, HnLossSums *sums, HnError *err) {
    if (hn_comm_size(adder->comm) == 1) {
        add_items_here(batch, batch->d_item_vectors, batch->d_item_hops);
        return HN_OK;
    }
    const size_t n_vectors = (size_t)batch->n_items * (size_t)batch->width;
    const size_t n_hops = (size_t)batch->n_items * (size_t)batch->hops * (size_t)batch->dim;
    float *losses = adder->floats + n_vectors + n_hops;
    int64_t exact[N_LOSS_SUMS];
    add_items_here(batch, adder->floats, adder->floats + n_vectors);
    pack_losses(sums, exact);
    for (int i = 0; i < N_LOSS_SUMS; i++) {
        losses[i] = (float)hn_loss_from_fixed(exact[i]);
    }
    HN_TRY(hn_comm_sum_f32(adder->comm, adder->floats, n_vectors + n_hops + N_LOSS_SUMS, err));
    for (int i = 0; i < N_LOSS_SUMS; i++) {
        exact[i] = hn_loss_to_fixed((double)losses[i]);
    }
    unpack_losses(sums, exact);
    memcpy(batch->d_item_vectors, adder->floats, n_vectors * sizeof(float));
    if (n_hops > 0) {
        memcpy(batch->d_item_hops, adder->floats + n_vectors, n_hops * sizeof(float));
    }
    return HN_OK;
}

HnStatus hn_loss_add_up(HnLossAdder *adder, HnBatch *batch, HnLossSums *sums, bool *stop, HnError *err) {
    const Sources sources = sources_of(batch);
    float largest = 0.0f;
    bool bad = sums->bad;
    for (int s = 0; s < N_SOURCES && adder->exact; s++) {
        const float of_source = hn_max_magnitude_cpu(sources.rows[s], sources.n[s]);
        bad = bad || !isfinite(of_source);
        largest = of_source > largest ? of_source : largest;
    }
    largest = bad ? INFINITY : largest;
    HN_TRY(hn_agree_max(adder->comm, &largest, 1, stop, err));
    if (!isfinite(largest)) {
        return hn_fail(err, HN_NUMERIC,
                       "the loss is not finite: lower train.learning_rate, or raise train.l2 (with another "
                       "--out, since the folder keeps its configuration)");
    }
    add_users(batch);
    return adder->exact ? add_items_exact(adder, batch, largest, sums, err) : add_items_float(adder, batch, sums, err);
}
