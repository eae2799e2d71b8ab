/* Whose train pair number p is: the pairs of one user are held, so that walking over neighbours reads each user once.
 */
#ifndef HN_SEMANTIC_PAIR_CURSOR_H
#define HN_SEMANTIC_PAIR_CURSOR_H

#include "data/dataset.h"

/* Zero-initialise, set dataset (borrowed). */
typedef struct HnPairCursor {
    const HnDataset *dataset;
    uint64_t *offsets; /* [n_users+1]: train pairs of each user */
    uint32_t user;     /* whose pairs are held */
    HnPairs pairs;
} HnPairCursor;

/* Holds the pairs of the user whom the train pair belongs to; cursor->user is that user. */
HnStatus hn_pair_cursor_hold(HnPairCursor *cursor, uint64_t pair, HnError *err);
/* The item of a pair of the user held. */
uint32_t hn_pair_cursor_item(const HnPairCursor *cursor, uint64_t pair);
void hn_pair_cursor_free(HnPairCursor *cursor);

#endif
