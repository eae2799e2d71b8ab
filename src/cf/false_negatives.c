#include "cf/false_negatives.h"

#include <math.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "row.h"

#define FALSE_COSINE 0.99

/* Room for the pairs of the first users that have pairs in both parts, then the pairs. */
static HnStatus choose(const HnTrainer *trainer, const uint64_t *train, const uint64_t *test, HnFalseNegatives *look,
                       HnError *err) {
    const uint64_t n_users = trainer->shards.n_users, wanted = (uint64_t)trainer->config->eval.false_negative_users;
    HnPermutation order;
    uint64_t chosen = 0, seen = 0;
    hn_permutation_start(&order, n_users, 0, HN_STREAM_LOOK, 0);
    for (; seen < n_users && chosen < wanted; seen++) {
        uint64_t user = hn_permute(&order, seen);
        if (train[user + 1] > train[user] && test[user + 1] > test[user]) {
            chosen++;
            look->n_pairs += train[user + 1] - train[user];
        }
    }
    look->pairs = hn_alloc(look->n_pairs, sizeof *look->pairs, "pairs to look at", err);
    if (look->pairs == NULL) {
        return HN_MEMORY;
    }
    for (uint64_t k = 0, n = 0; k < seen; k++) {
        uint64_t user = hn_permute(&order, k);
        for (uint64_t p = train[user]; p < train[user + 1] && test[user + 1] > test[user]; p++) {
            look->pairs[n++] = p;
        }
    }
    return HN_OK;
}

static HnStatus create_local(const HnTrainer *trainer, HnFalseNegatives *look, HnError *err) {
    const HnDataset *dataset = trainer->job->dataset;
    const HnUserShards *shards = &trainer->shards;
    uint64_t *train = NULL, *test = NULL;
    HnStatus status = hn_dataset_offsets(dataset, HN_PART_TRAIN, &train, err);
    status = status == HN_OK ? hn_dataset_offsets(dataset, HN_PART_TEST, &test, err) : status;
    status = status == HN_OK ? choose(trainer, train, test, look, err) : status;
    hn_free(test);
    hn_free(train);
    return status == HN_OK
               ? hn_dataset_pairs(dataset, HN_PART_TEST, shards->user_begin, shards->user_end, &look->test, err)
               : status;
}

HnStatus hn_false_negatives_create(const HnTrainer *trainer, HnFalseNegatives *look, HnError *err) {
    *look = (HnFalseNegatives){0};
    const HnTrainConfig *config = trainer->config;
    if (config->eval.false_negative_users == 0 || config->sampler.name == HN_SAMPLER_IN_BATCH) {
        return HN_OK;
    }
    return hn_comm_agree(trainer->comm, create_local(trainer, look, err), err);
}

void hn_false_negatives_free(HnFalseNegatives *look) {
    hn_pairs_free(&look->test);
    hn_free(look->pairs);
    *look = (HnFalseNegatives){0};
}

/* Negative m of the batch. */
static bool is_false(const HnFalseNegatives *look, const HnTrainer *trainer, uint64_t m) {
    const HnBatch *batch = &trainer->batch;
    const HnRowOps *ops = hn_row_ops_cpu();
    const size_t d = (size_t)batch->width;
    const float *negative = batch->negative_vectors + m * d;
    const uint64_t *offsets = look->test.offsets + batch->user[m / (uint64_t)batch->negatives];
    const double square = (double)ops->dot(negative, negative, batch->width);
    for (uint64_t t = offsets[0] - look->test.offsets[0]; t < offsets[1] - look->test.offsets[0]; t++) {
        const float *item = trainer->finals.items + (size_t)look->test.items[t] * d;
        double dot = (double)ops->dot(negative, item, batch->width);
        double squares = square * (double)ops->dot(item, item, batch->width);
        if (squares > 0.0 && dot > FALSE_COSINE * sqrt(squares)) {
            return true;
        }
    }
    return false;
}

HnStatus hn_false_negatives_share(HnFalseNegatives *look, HnTrainer *trainer, uint64_t epoch, double *share,
                                  HnError *err) {
    const uint64_t at_once = trainer->batch.max_positions;
    int64_t counts[2] = {0, 0}; /* false ones, all */
    *share = 0.0;
    for (uint64_t begin = 0; begin < look->n_pairs; begin += at_once) {
        uint64_t left = look->n_pairs - begin;
        HN_TRY(hn_trainer_look(trainer, look->pairs + begin, left < at_once ? left : at_once, epoch, err));
        const uint64_t n = (uint64_t)trainer->batch.n * (uint64_t)trainer->batch.negatives;
        int64_t n_false = 0;
#pragma omp parallel for schedule(static) reduction(+ : n_false)
        for (uint64_t m = 0; m < n; m++) {
            n_false += is_false(look, trainer, m);
        }
        counts[0] += n_false;
        counts[1] += (int64_t)n;
    }
    if (look->n_pairs > 0) {
        HN_TRY(hn_comm_sum_i64(trainer->comm, counts, 2, err));
        *share = counts[1] > 0 ? (double)counts[0] / (double)counts[1] : 0.0;
    }
    return HN_OK;
}
