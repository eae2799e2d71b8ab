/* A prepared data set, read from dataset.h5 by ranges of users. Items and users are 0-based indices; raw ids are kept
 * in the store. A train PAIR's number is its index in train/items (pairs sorted by user, then item): the key of every
 * per-pair row in the negative stores.
 */
#ifndef HN_DATA_DATASET_H
#define HN_DATA_DATASET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

typedef enum HnPart { HN_PART_TRAIN, HN_PART_VALID, HN_PART_TEST } HnPart;

/* Items of users user_begin .. user_end-1. offsets are absolute (offsets[0] = number of the first pair). Owned; free
 * with hn_pairs_free. */
typedef struct HnPairs {
    uint64_t user_begin, user_end;
    uint64_t *offsets; /* [user_end - user_begin + 1] */
    int32_t *items;    /* [offsets[last] - offsets[0]], ascending within a user, no duplicates */
} HnPairs;

typedef struct HnDataset HnDataset;
HnStatus hn_dataset_open(const char *path, HnDataset **dataset, HnError *err);
void hn_dataset_close(HnDataset **dataset);
uint64_t hn_dataset_users(const HnDataset *dataset);
uint64_t hn_dataset_items(const HnDataset *dataset);
uint64_t hn_dataset_count(const HnDataset *dataset, HnPart part); /* pairs */
bool hn_dataset_synthetic(const HnDataset *dataset);
const char *hn_dataset_id(const HnDataset *dataset); /* content digest, 64 hex digits */
HnStatus hn_dataset_pairs(const HnDataset *dataset, HnPart part, uint64_t user_begin, uint64_t user_end, HnPairs *pairs,
                          HnError *err);
/* The train offsets of all users ([n_users+1], hn_free), for sharding. */
HnStatus hn_dataset_offsets(const HnDataset *dataset, HnPart part, uint64_t **offsets, HnError *err);
void hn_pairs_free(HnPairs *pairs);

typedef enum HnTextField {
    HN_TEXT_USER_ID,
    HN_TEXT_ITEM_ID,
    HN_TEXT_TITLE,
    HN_TEXT_DESCRIPTION,
    HN_TEXT_CATEGORIES,
    HN_TEXT_ATTRIBUTES,
    HN_TEXT_REVIEW /* one row per TRAIN pair */
} HnTextField;
bool hn_dataset_has_text(const HnDataset *dataset, HnTextField field);
/* Strings of rows row_begin .. row_end-1 (users, items or train pairs): bytes and offsets[n+1], both freed by hn_free.
 * A field that the data set lacks gives empty strings. */
HnStatus hn_dataset_text(const HnDataset *dataset, HnTextField field, uint64_t row_begin, uint64_t row_end,
                         char **bytes, uint64_t **offsets, HnError *err);

#endif
