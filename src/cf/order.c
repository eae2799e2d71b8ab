#include "cf/order.h"

#include <omp.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"

enum { RUN = 4096 }; /* pairs that a thread places at a time */
#define NO_PAIR UINT32_MAX

static uint64_t slots_of_user(uint64_t n_pairs, uint64_t n_users) {
    return n_pairs > n_users && n_users > 0 ? n_pairs / n_users : 1;
}

uint64_t hn_order_positions(HnEpochUnit unit, uint64_t batch, uint64_t n_pairs, uint64_t n_users) {
    if (unit == HN_EPOCH_DISTINCT_USERS) {
        return (n_pairs / batch + 1) * batch;
    }
    return unit == HN_EPOCH_USER ? n_users * slots_of_user(n_pairs, n_users) : n_pairs;
}

uint64_t hn_order_room(HnEpochUnit unit, uint64_t batch, uint64_t n_pairs, uint64_t n_users, uint64_t n_local_pairs,
                       uint64_t n_local_users) {
    return unit == HN_EPOCH_EDGE   ? n_local_pairs
           : unit == HN_EPOCH_USER ? n_local_users * slots_of_user(n_pairs, n_users)
                                   : hn_order_positions(unit, batch, n_pairs, n_users);
}

uint64_t hn_order_bytes(HnEpochUnit unit, uint64_t room, uint64_t batch, uint64_t n_batches) {
    return 8 * (n_batches + 2) + room * (unit == HN_EPOCH_EDGE ? 16 : 20) + 4 * batch * (uint64_t)omp_get_max_threads();
}

HnStatus hn_order_create(const HnUserShards *shards, HnEpochUnit unit, uint64_t batch, bool drop_last, HnOrder *order,
                         HnError *err) {
    const uint64_t n_pairs = shards->n_pairs, n_users = shards->n_users;
    const uint64_t n_positions = hn_order_positions(unit, batch, n_pairs, n_users);
    const uint64_t n_batches = drop_last ? n_positions / batch : (n_positions + batch - 1) / batch;
    const uint64_t room =
        hn_order_room(unit, batch, n_pairs, n_users, shards->n_local_pairs, hn_user_shards_count(shards));
    *order = (HnOrder){.unit = unit,
                       .shards = shards,
                       .n_positions = n_positions,
                       .per_user = slots_of_user(n_pairs, n_users),
                       .room = room,
                       .batch = batch,
                       .n_batches = n_batches,
                       .n_threads = omp_get_max_threads()};
    if (unit == HN_EPOCH_DISTINCT_USERS && batch > n_users) {
        return hn_fail(
            err, HN_CONFIG,
            "train.epoch_unit distinct_users has batches of distinct users, but train.batch is %llu and there are "
            "%llu users: lower train.batch, or set train.epoch_unit: user",
            (unsigned long long)batch, (unsigned long long)n_users);
    }
    if (n_batches == 0) {
        return hn_fail(err, HN_CONFIG,
                       "train.batch is %llu, but there are only %llu training pairs and train.drop_last leaves out "
                       "smaller batches: lower train.batch, or set train.drop_last to false",
                       (unsigned long long)batch, (unsigned long long)n_positions);
    }
    if (n_batches > UINT32_MAX) {
        return hn_fail(err, HN_CONFIG, "train.batch %llu makes more than 2^32 batches of %llu positions: raise it",
                       (unsigned long long)batch, (unsigned long long)n_positions);
    }
    order->begin = hn_alloc(n_batches + 2, sizeof *order->begin, "batch bounds", err);
    order->local = hn_alloc(room, sizeof *order->local, "order of pairs", err);
    order->position = hn_alloc(room, sizeof *order->position, "order of pairs", err);
    order->scratch = hn_alloc(batch * (uint64_t)order->n_threads, sizeof *order->scratch, "order of a batch", err);
    order->place = hn_alloc(room, sizeof *order->place, "order of pairs", err);
    if (unit != HN_EPOCH_EDGE) {
        order->slot_pair = hn_alloc(room, sizeof *order->slot_pair, "order of pairs", err);
    }
    if (!order->begin || !order->local || !order->position || !order->scratch || !order->place ||
        (unit != HN_EPOCH_EDGE && !order->slot_pair)) {
        hn_order_free(order);
        return HN_MEMORY;
    }
    return HN_OK;
}

void hn_order_free(HnOrder *order) {
    hn_free(order->slot_pair);
    hn_free(order->place);
    hn_free(order->scratch);
    hn_free(order->position);
    hn_free(order->local);
    hn_free(order->begin);
    *order = (HnOrder){0};
}

static uint64_t place_of(const HnOrder *order, uint64_t position) {
    return (position / order->batch) << 32 | position % order->batch;
}

/* Where slots first .. first+n-1 of all ranks' fall. */
static void shuffle(HnOrder *order, uint64_t first, uint64_t n, uint64_t seed, uint32_t epoch) {
    HnPermutation permutation;
    hn_permutation_start(&permutation, order->n_positions, seed, HN_STREAM_SHUFFLE, epoch);
#pragma omp parallel for schedule(static)
    for (uint64_t p = 0; p < n; p += RUN) {
        const uint64_t some = n - p < RUN ? n - p : RUN;
        uint64_t *place = order->place + p;
        hn_permute_inverse_run(&permutation, first + p, some, place);
        for (uint64_t i = 0; i < some; i++) {
            place[i] = place_of(order, place[i]);
        }
    }
}

/* A uniform one of a local user's pairs. */
static uint32_t pair_of_user(const HnUserShards *shards, uint64_t user, HnRng *rng) {
    const uint64_t *offsets = shards->train.offsets, n = offsets[user + 1] - offsets[user];
    return n > 0 ? (uint32_t)(offsets[user] - offsets[0] + hn_rng_below64(rng, n)) : NO_PAIR;
}

static void fill_users_slots(HnOrder *order, uint64_t seed, uint32_t epoch) {
    const HnUserShards *shards = order->shards;
    const uint64_t first = shards->user_begin * order->per_user;
    shuffle(order, first, order->room, seed, epoch);
#pragma omp parallel for schedule(static)
    for (uint64_t s = 0; s < order->room; s++) {
        HnRng rng;
        hn_rng_start(&rng, seed, HN_STREAM_EPOCH_PAIR, epoch, first + s);
        order->slot_pair[s] = pair_of_user(shards, s / order->per_user, &rng);
    }
}

/* Slots are positions here; every rank looks at all of them. */
static void draw_users(HnOrder *order, uint64_t seed, uint32_t epoch) {
    const HnUserShards *shards = order->shards;
#pragma omp parallel for schedule(static)
    for (uint64_t s = 0; s < order->room; s++) {
        HnRng rng;
        hn_rng_start(&rng, seed, HN_STREAM_EPOCH_PAIR, epoch, s);
        const uint64_t user = hn_rng_below64(&rng, shards->n_users);
        const bool mine = user >= shards->user_begin && user < shards->user_end;
        order->place[s] = place_of(order, s);
        order->slot_pair[s] = mine ? pair_of_user(shards, user - shards->user_begin, &rng) : NO_PAIR;
    }
}

/* Slots are positions here too; a batch's users begin a permutation of all that is its own. */
static void draw_distinct_users(HnOrder *order, uint64_t seed, uint32_t epoch) {
    const HnUserShards *shards = order->shards;
#pragma omp parallel for schedule(static)
    for (uint64_t t = 0; t < order->n_batches; t++) {
        HnPermutation users;
        hn_permutation_start(&users, shards->n_users, seed, HN_STREAM_EPOCH_USER,
                             epoch * (uint32_t)order->n_batches + (uint32_t)t);
        for (uint64_t s = t * order->batch; s < (t + 1) * order->batch; s++) {
            HnRng rng;
            const uint64_t user = hn_permute(&users, s - t * order->batch);
            const bool mine = user >= shards->user_begin && user < shards->user_end;
            hn_rng_start(&rng, seed, HN_STREAM_EPOCH_PAIR, epoch, s);
            order->place[s] = place_of(order, s);
            order->slot_pair[s] = mine ? pair_of_user(shards, user - shards->user_begin, &rng) : NO_PAIR;
        }
    }
}

static uint32_t pair_of_slot(const HnOrder *order, uint64_t slot) {
    return order->slot_pair == NULL ? (uint32_t)slot : order->slot_pair[slot];
}

/* Positions of one batch are distinct and below `batch`: placing beats comparing. */
static void sort_batch(HnOrder *order, uint64_t begin, uint64_t end, uint64_t size, uint32_t *scratch) {
    memset(scratch, 0xff, size * sizeof *scratch);
    for (uint64_t k = begin; k < end; k++) {
        scratch[order->position[k]] = order->local[k];
    }
    uint64_t k = begin;
    for (uint64_t slot = 0; slot < size && k < end; slot++) {
        if (scratch[slot] != NO_PAIR) {
            order->local[k] = scratch[slot];
            order->position[k++] = (uint32_t)slot;
        }
    }
}

/* Counting sort by batch; begin[t+2] counts, so that begin[t+1] is the cursor of batch t and ends as its end. */
static void sort_slots(HnOrder *order) {
    memset(order->begin, 0, (order->n_batches + 2) * sizeof *order->begin);
    for (uint64_t s = 0; s < order->room; s++) {
        if (order->place[s] >> 32 < order->n_batches && pair_of_slot(order, s) != NO_PAIR) {
            order->begin[(order->place[s] >> 32) + 2]++;
        }
    }
    for (uint64_t t = 1; t < order->n_batches + 1; t++) {
        order->begin[t + 1] += order->begin[t];
    }
    for (uint64_t s = 0; s < order->room; s++) {
        if (order->place[s] >> 32 < order->n_batches && pair_of_slot(order, s) != NO_PAIR) {
            const uint64_t k = order->begin[(order->place[s] >> 32) + 1]++;
            order->local[k] = pair_of_slot(order, s);
            order->position[k] = (uint32_t)order->place[s];
        }
    }
#pragma omp parallel for schedule(static) num_threads(order->n_threads)
    for (uint64_t t = 0; t < order->n_batches; t++) {
        sort_batch(order, order->begin[t], order->begin[t + 1], hn_order_batch_size(order, t),
                   order->scratch + (uint64_t)omp_get_thread_num() * order->batch);
    }
}

void hn_order_start_epoch(HnOrder *order, uint64_t seed, uint32_t epoch) {
    switch (order->unit) {
    case HN_EPOCH_EDGE:
        shuffle(order, order->shards->train.offsets[0], order->room, seed, epoch);
        break;
    case HN_EPOCH_USER:
        fill_users_slots(order, seed, epoch);
        break;
    case HN_EPOCH_USER_UNIFORM:
        draw_users(order, seed, epoch);
        break;
    case HN_EPOCH_DISTINCT_USERS:
        draw_distinct_users(order, seed, epoch);
        break;
    }
    sort_slots(order);
}

uint64_t hn_order_batch_size(const HnOrder *order, uint64_t step) {
    uint64_t left = order->n_positions - step * order->batch;
    return left < order->batch ? left : order->batch;
}
