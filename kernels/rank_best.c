/* The k best of a stream, amortised constant work a candidate for any k: candidates above the threshold are buffered,
 * and a full buffer is cut to its k best by quickselect. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rank_private.h"

/* Bits that order as the floats do, in the upper half; lower item numbers above higher ones, in the lower half. */
static uint64_t key_of(float score, int32_t item) {
    uint32_t bits;
    memcpy(&bits, &score, sizeof bits);
    bits ^= (bits >> 31) != 0 ? 0xFFFFFFFFu : 0x80000000u;
    return (uint64_t)bits << 32 | (0xFFFFFFFFu - (uint32_t)item);
}

static float key_score(uint64_t key) {
    uint32_t bits = (uint32_t)(key >> 32);
    float score;
    bits ^= (bits >> 31) != 0 ? 0x80000000u : 0xFFFFFFFFu;
    memcpy(&score, &bits, sizeof score);
    return score;
}

static int32_t key_item(uint64_t key) {
    return (int32_t)(0xFFFFFFFFu - (uint32_t)key);
}

/* Moves the k largest of n distinct keys to the front, the smallest of them to keys[k - 1]. 0 < k <= n. */
static void keys_select(uint64_t *keys, int n, int k) {
    int low = 0, high = n - 1;
    while (low < high) {
        const uint64_t pivot = keys[low + (high - low) / 2];
        int i = low - 1, j = high + 1;
        for (;;) {
            do {
                i++;
            } while (keys[i] > pivot);
            do {
                j--;
            } while (keys[j] < pivot);
            if (i >= j) {
                break;
            }
            const uint64_t swap = keys[i];
            keys[i] = keys[j];
            keys[j] = swap;
        }
        if (k - 1 <= j) {
            high = j;
        } else {
            low = j + 1;
        }
    }
}

float hn_rank_best_cut(HnRankBest *best) {
    if (best->count < best->k) {
        return NAN;
    }
    keys_select(best->keys, best->count, best->k);
    best->count = best->k;
    return key_score(best->keys[best->k - 1]);
}

float hn_rank_best_add(HnRankBest *best, float score, int32_t item, float threshold) {
    best->keys[best->count++] = key_of(score + 0.0f, item); /* a zero has no sign: equal scores, equal bits */
    return best->count < best->capacity ? threshold : hn_rank_best_cut(best);
}

static int key_compare(const void *left, const void *right) {
    uint64_t a, b;
    memcpy(&a, left, sizeof a);
    memcpy(&b, right, sizeof b);
    return (a < b) - (a > b);
}

static void keys_sort(uint64_t *keys, int n) {
    if (n > 64) {
        qsort(keys, (size_t)n, sizeof *keys, key_compare);
        return;
    }
    for (int i = 1; i < n; i++) {
        const uint64_t key = keys[i];
        int at = i;
        for (; at > 0 && keys[at - 1] < key; at--) {
            keys[at] = keys[at - 1];
        }
        keys[at] = key;
    }
}

void hn_rank_best_finish(HnRankBest *best, int width, int32_t *top, float *scores) {
    if (best->count > best->k) {
        keys_select(best->keys, best->count, best->k);
        best->count = best->k;
    }
    keys_sort(best->keys, best->count);
    for (int i = 0; i < width; i++) {
        top[i] = i < best->count ? key_item(best->keys[i]) : -1;
        if (scores != NULL) {
            scores[i] = i < best->count ? key_score(best->keys[i]) : 0.0f;
        }
    }
}
