/* Looking things up in ascending lists of row numbers. */
#ifndef HN_BASE_SORTED_H
#define HN_BASE_SORTED_H

#include <stdbool.h>
#include <stdint.h>

/* The place of the first of n ascending numbers that is not below value; n where all are. */
static inline uint64_t hn_sorted_place(const int32_t *sorted, uint64_t n, int64_t value) {
    uint64_t low = 0, high = n;
    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;
        if (sorted[middle] < value) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static inline bool hn_sorted_has(const int32_t *sorted, uint64_t n, int32_t value) {
    const uint64_t place = hn_sorted_place(sorted, n, value);
    return place < n && sorted[place] == value;
}

#endif
