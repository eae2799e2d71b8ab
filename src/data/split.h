/* Splits of one user's pairs into train, validation and test: a pure function of (rule, seed, user, the pairs), so that
 * it does not depend on other users, ranks or order of reading.
 *
 * ratio: random. The number of test (and of validation) pairs of a user with n pairs is n * share, rounded up or down
 * at random so that it is n * share on average for users of any activity; the pairs are those with the smallest random
 * keys. Draws: stream HN_STREAM_SPLIT, a = user index, b = position of the pair in the user's list (ascending items).
 * time: the same counts, but the last pairs by time are the test, those before them validation; ties in time are
 * broken by the random keys.
 * leave_one_out: the last pair by time is the test and the one before it validation; without times, by random key. With
 * two pairs there is no validation pair, with one no test pair.
 * Every user keeps at least one train pair.
 * given: as the files say; of a user's train pairs data.valid_share becomes validation, by a stream of its own
 * (HN_STREAM_VALID_SHARE), as many as with ratio.
 *
 * Of the train pairs that this gives a user, data.train_share keeps a share, rounded up and at least one: those with
 * the smallest keys of a stream of their own (HN_STREAM_TRAIN_SHARE), so that what a small share keeps a larger one
 * keeps too. The others are in no part.
 */
#ifndef HN_DATA_SPLIT_H
#define HN_DATA_SPLIT_H

#include <stdint.h>

#include "base/error.h"
#include "base/text.h"
#include "config/experiment.h"

typedef struct HnSplit {
    HnSplitRule rule;
    double ratio[3]; /* train, valid, test */
    uint64_t seed;
    double valid_share; /* rule given */
    double left_out;    /* 1 - data.train_share */
} HnSplit;

enum { HN_PART_NONE = 3 }; /* left out */

typedef struct HnSplitKey { /* room for the sort, one a pair */
    int64_t time;
    uint64_t key;
    uint32_t position;
} HnSplitKey;

/* Checks the ratio: three shares in 0..1 that sum to 1, train > 0. */
HnStatus hn_split_setup(const HnDataConfig *config, HnSplit *split, HnError *err);
/* Train pairs that are kept of n. */
uint64_t hn_split_kept(const HnSplit *split, uint64_t n);
/* Rule given. parts [n], as the files have them: some of the train part become validation, and those that are left out
 * of it HN_PART_NONE. keys [n]. */
void hn_split_given(const HnSplit *split, uint32_t user, uint64_t n, uint8_t *parts, HnSplitKey *keys);
/* counts[HN_PART_TRAIN .. HN_PART_TEST] of user with n pairs. */
void hn_split_counts(const HnSplit *split, uint32_t user, uint64_t n, uint64_t counts[3]);
/* times [n] or NULL (unknown: then random keys stand for the order); parts [n] gets the HnPart of each, or
 * HN_PART_NONE; keys [n].
 */
void hn_split_user(const HnSplit *split, uint32_t user, uint64_t n, const int64_t *times, uint8_t *parts,
                   HnSplitKey *keys);

/* Adds "; 10 % of each user's train pairs as validation, seed 7" where some are, and "; 20 % of each user's train
 * pairs, seed 7" where not all are kept. */
HnStatus hn_split_recipe_share(const HnSplit *split, HnText *recipe, HnError *err);

#endif
