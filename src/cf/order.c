#include "cf/order.h"

#include <omp.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"

enum { RUN = 4096 }; /* pairs that a thread places at a time */

HnStatus hn_order_create(uint64_t n_pairs, uint64_t first_pair, uint64_t n_local, uint64_t batch, bool drop_last,
                         HnOrder *order, HnError *err) {
    uint64_t n_batches = drop_last ? n_pairs / batch : (n_pairs + batch - 1) / batch;
    *order = (HnOrder){.n_pairs = n_pairs,
                       .first_pair = first_pair,
                       .n_local = n_local,
                       .batch = batch,
                       .n_batches = n_batches,
                       .n_threads = omp_get_max_threads()};
    if (n_batches == 0) {
        return hn_fail(err, HN_CONFIG,
                       "train.batch is %llu, but there are only %llu training pairs and train.drop_last leaves out "
                       "smaller batches: lower train.batch, or set train.drop_last to false",
                       (unsigned long long)batch, (unsigned long long)n_pairs);
    }
    if (n_batches > UINT32_MAX) {
        return hn_fail(err, HN_CONFIG, "train.batch %llu makes more than 2^32 batches of %llu training pairs: raise it",
                       (unsigned long long)batch, (unsigned long long)n_pairs);
    }
    order->begin = hn_alloc(n_batches + 2, sizeof *order->begin, "batch bounds", err);
    order->local = hn_alloc(n_local, sizeof *order->local, "order of pairs", err);
    order->position = hn_alloc(n_local, sizeof *order->position, "order of pairs", err);
    order->scratch = hn_alloc(batch * (uint64_t)order->n_threads, sizeof *order->scratch, "order of a batch", err);
    order->place = hn_alloc(n_local, sizeof *order->place, "order of pairs", err);
    if (!order->begin || !order->local || !order->position || !order->scratch || !order->place) {
        hn_order_free(order);
        return HN_MEMORY;
    }
    return HN_OK;
}

void hn_order_free(HnOrder *order) {
    hn_free(order->place);
    hn_free(order->scratch);
    hn_free(order->position);
    hn_free(order->local);
    hn_free(order->begin);
    *order = (HnOrder){0};
}

/* Positions of one batch are distinct and below `batch`: placing beats comparing. */
static void sort_batch(HnOrder *order, uint64_t begin, uint64_t end, uint64_t size, uint32_t *scratch) {
    const uint32_t none = UINT32_MAX;
    memset(scratch, 0xff, size * sizeof *scratch);
    for (uint64_t k = begin; k < end; k++) {
        scratch[order->position[k]] = order->local[k];
    }
    uint64_t k = begin;
    for (uint64_t slot = 0; slot < size && k < end; slot++) {
        if (scratch[slot] != none) {
            order->local[k] = scratch[slot];
            order->position[k++] = (uint32_t)slot;
        }
    }
}

/* A pair's place: the batch above, the position in it below. */
static void find_places(HnOrder *order, uint64_t seed, uint32_t epoch) {
    HnPermutation permutation;
    hn_permutation_start(&permutation, order->n_pairs, seed, HN_STREAM_SHUFFLE, epoch);
#pragma omp parallel for schedule(static)
    for (uint64_t p = 0; p < order->n_local; p += RUN) {
        const uint64_t n = order->n_local - p < RUN ? order->n_local - p : RUN;
        uint64_t *place = order->place + p;
        hn_permute_inverse_run(&permutation, order->first_pair + p, n, place);
        for (uint64_t i = 0; i < n; i++) {
            place[i] = (place[i] / order->batch) << 32 | place[i] % order->batch;
        }
    }
}

void hn_order_start_epoch(HnOrder *order, uint64_t seed, uint32_t epoch) {
    find_places(order, seed, epoch);
    /* Counting sort by batch; begin[t+2] counts, so that begin[t+1] is the cursor of batch t and ends as its end. */
    memset(order->begin, 0, (order->n_batches + 2) * sizeof *order->begin);
    for (uint64_t p = 0; p < order->n_local; p++) {
        if (order->place[p] >> 32 < order->n_batches) {
            order->begin[(order->place[p] >> 32) + 2]++;
        }
    }
    for (uint64_t t = 1; t < order->n_batches + 1; t++) {
        order->begin[t + 1] += order->begin[t];
    }
    for (uint64_t p = 0; p < order->n_local; p++) {
        if (order->place[p] >> 32 < order->n_batches) {
            const uint64_t k = order->begin[(order->place[p] >> 32) + 1]++;
            order->local[k] = (uint32_t)p;
            order->position[k] = (uint32_t)order->place[p];
        }
    }
#pragma omp parallel for schedule(static) num_threads(order->n_threads)
    for (uint64_t t = 0; t < order->n_batches; t++) {
        sort_batch(order, order->begin[t], order->begin[t + 1], hn_order_batch_size(order, t),
                   order->scratch + (uint64_t)omp_get_thread_num() * order->batch);
    }
}

uint64_t hn_order_batch_size(const HnOrder *order, uint64_t step) {
    uint64_t left = order->n_pairs - step * order->batch;
    return left < order->batch ? left : order->batch;
}
