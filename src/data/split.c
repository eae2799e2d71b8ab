#include "split.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "dataset.h"

HnStatus hn_split_setup(const HnDataConfig *config, HnSplit *split, HnError *err) {
    *split = (HnSplit){.rule = config->split,
                       .seed = (uint64_t)config->split_seed,
                       .ratio = {1, 0, 0},
                       .valid_share = config->split == HN_SPLIT_GIVEN ? config->valid_share : 0.0,
                       .left_out = 1.0 - config->train_share};
    if (config->split != HN_SPLIT_BY_RATIO && config->split != HN_SPLIT_BY_TIME) {
        return HN_OK;
    }
    double sum = 0;
    for (size_t k = 0; k < config->split_ratio.n && k < 3; k++) {
        split->ratio[k] = config->split_ratio.items[k];
        sum += split->ratio[k];
        if (!(split->ratio[k] >= 0 && split->ratio[k] <= 1)) {
            return hn_fail(err, HN_CONFIG, "data.split_ratio: each share must be in 0 to 1");
        }
    }
    if (config->split_ratio.n != 3 || fabs(sum - 1) > 1e-6 || split->ratio[0] <= 0) {
        return hn_fail(err, HN_CONFIG,
                       "data.split_ratio needs three shares (train, valid, test) that sum to 1, train above 0; for "
                       "example [0.8, 0.1, 0.1]");
    }
    return HN_OK;
}

/* n * share, rounded up with the probability that makes it right on average. */
static uint64_t round_at_random(const HnSplit *split, HnRngStream stream, uint32_t user, uint64_t draw, double exact) {
    HnRng rng;
    double whole = floor(exact + 1e-9); /* 10 * 0.1 is meant to be 1 */
    hn_rng_start(&rng, split->seed, stream, user, UINT64_MAX - draw);
    return (uint64_t)whole + (exact - whole > hn_rng_double(&rng) + 1e-9 ? 1 : 0);
}

uint64_t hn_split_kept(const HnSplit *split, uint64_t n) {
    uint64_t left_out = (uint64_t)floor((double)n * split->left_out + 1e-9); /* half of 4 is meant to be 2 */
    return left_out < n ? n - left_out : (n > 0 ? 1 : 0);
}

void hn_split_counts(const HnSplit *split, uint32_t user, uint64_t n, uint64_t counts[3]) {
    uint64_t test = 0, valid = 0;
    if (split->rule == HN_SPLIT_LEAVE_ONE_OUT) {
        test = n >= 2;
        valid = n >= 3;
    } else if (split->rule != HN_SPLIT_GIVEN) {
        test = round_at_random(split, HN_STREAM_SPLIT, user, 0, (double)n * split->ratio[2]);
        valid = round_at_random(split, HN_STREAM_SPLIT, user, 1, (double)n * split->ratio[1]);
        while (n > 0 && test + valid >= n) {
            *(valid > 0 ? &valid : &test) -= 1;
        }
    }
    counts[HN_PART_TRAIN] = hn_split_kept(split, n - test - valid);
    counts[HN_PART_VALID] = valid;
    counts[HN_PART_TEST] = test;
}

static int compare_keys(const void *left, const void *right) {
    const HnSplitKey *a = left, *b = right;
    if (a->time != b->time) {
        return a->time < b->time ? -1 : 1;
    }
    if (a->key != b->key) {
        return a->key < b->key ? -1 : 1;
    }
    return (a->position > b->position) - (a->position < b->position);
}

/* A user's train pairs in the order of random keys; returns their number. */
static uint64_t shuffle_train(const HnSplit *split, HnRngStream stream, uint32_t user, uint64_t n, const uint8_t *parts,
                              HnSplitKey *keys) {
    uint64_t n_train = 0;
    for (uint64_t p = 0; p < n; p++) {
        if (parts[p] == HN_PART_TRAIN) {
            HnRng rng;
            hn_rng_start(&rng, split->seed, stream, user, stream == HN_STREAM_VALID_SHARE ? n_train : p);
            keys[n_train++] = (HnSplitKey){0, hn_rng_u64(&rng), (uint32_t)p};
        }
    }
    qsort(keys, n_train, sizeof *keys, compare_keys);
    return n_train;
}

static void thin(const HnSplit *split, uint32_t user, uint64_t n, uint8_t *parts, HnSplitKey *keys) {
    const uint64_t n_train =
        split->left_out > 0 ? shuffle_train(split, HN_STREAM_TRAIN_SHARE, user, n, parts, keys) : 0;
    for (uint64_t k = hn_split_kept(split, n_train); k < n_train; k++) {
        parts[keys[k].position] = HN_PART_NONE;
    }
}

void hn_split_given(const HnSplit *split, uint32_t user, uint64_t n, uint8_t *parts, HnSplitKey *keys) {
    if (split->valid_share > 0) {
        const uint64_t n_train = shuffle_train(split, HN_STREAM_VALID_SHARE, user, n, parts, keys);
        const double exact = (double)n_train * split->valid_share;
        uint64_t valid = round_at_random(split, HN_STREAM_VALID_SHARE, user, 0, exact);
        valid -= valid > 0 && valid >= n_train; /* one stays */
        for (uint64_t k = 0; k < valid; k++) {
            parts[keys[k].position] = HN_PART_VALID;
        }
    }
    thin(split, user, n, parts, keys);
}

void hn_split_user(const HnSplit *split, uint32_t user, uint64_t n, const int64_t *times, uint8_t *parts,
                   HnSplitKey *keys) {
    HnSplit whole = *split;
    uint64_t counts[3];
    whole.left_out = 0;
    hn_split_counts(&whole, user, n, counts);
    bool by_time = times != NULL && split->rule != HN_SPLIT_BY_RATIO;
    for (uint64_t p = 0; p < n; p++) {
        HnRng rng;
        hn_rng_start(&rng, split->seed, HN_STREAM_SPLIT, user, p);
        keys[p] = (HnSplitKey){by_time ? times[p] : 0, hn_rng_u64(&rng), (uint32_t)p};
    }
    qsort(keys, n, sizeof *keys, compare_keys);
    for (uint64_t p = 0; p < n; p++) {
        parts[keys[p].position] = p < counts[HN_PART_TRAIN]                           ? HN_PART_TRAIN
                                  : p < counts[HN_PART_TRAIN] + counts[HN_PART_VALID] ? HN_PART_VALID
                                                                                      : HN_PART_TEST;
    }
    thin(split, user, n, parts, keys);
}

HnStatus hn_split_recipe_share(const HnSplit *split, HnText *recipe, HnError *err) {
    if (split->valid_share > 0) {
        HN_TRY(hn_text_printf(recipe, err, "; %g %% of each user's train pairs as validation, seed %llu",
                              100.0 * split->valid_share, (unsigned long long)split->seed));
    }
    return split->left_out > 0 ? hn_text_printf(recipe, err, "; %g %% of each user's train pairs, seed %llu",
                                                100.0 * (1.0 - split->left_out), (unsigned long long)split->seed)
                               : HN_OK;
}
