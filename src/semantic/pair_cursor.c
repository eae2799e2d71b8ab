#include "pair_cursor.h"

#include "base/alloc.h"

HnStatus hn_pair_cursor_hold(HnPairCursor *cursor, uint64_t pair, HnError *err) {
    uint64_t low = 0, high = hn_dataset_users(cursor->dataset);
    if (cursor->pairs.offsets && pair >= cursor->pairs.offsets[0] && pair < cursor->pairs.offsets[1]) {
        return HN_OK;
    }
    if (!cursor->offsets) {
        HN_TRY(hn_dataset_offsets(cursor->dataset, HN_PART_TRAIN, &cursor->offsets, err));
    }
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        if (cursor->offsets[middle] <= pair) {
            low = middle;
        } else {
            high = middle;
        }
    }
    hn_pairs_free(&cursor->pairs);
    cursor->pairs = (HnPairs){0};
    cursor->user = (uint32_t)low;
    return hn_dataset_pairs(cursor->dataset, HN_PART_TRAIN, low, low + 1, &cursor->pairs, err);
}

uint32_t hn_pair_cursor_item(const HnPairCursor *cursor, uint64_t pair) {
    return (uint32_t)cursor->pairs.items[pair - cursor->pairs.offsets[0]];
}

void hn_pair_cursor_free(HnPairCursor *cursor) {
    hn_pairs_free(&cursor->pairs);
    hn_free(cursor->offsets);
    cursor->offsets = NULL;
}
