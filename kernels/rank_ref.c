#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "rank.h"

static bool is_masked(const int32_t *first, const int32_t *last, int32_t item) {
    for (; first < last; first++) {
        if (*first == item) {
            return true;
        }
    }
    return false;
}

static float score_of(const float *user, const float *item, int dim) {
    float score = 0.0f;
    for (int d = 0; d < dim; d++) {
        score = fmaf(user[d], item[d], score);
    }
    return score + 0.0f; /* a zero has no sign */
}

/* Puts an item into the best-first list of at most k; of equal scores the one that came first stays ahead. */
static void list_insert(const float *user, const float *items, int dim, int k, int32_t *top, int32_t item) {
    const float score = score_of(user, items + (size_t)item * (size_t)dim, dim);
    int at = k;
    while (at > 0 && (top[at - 1] < 0 || score > score_of(user, items + (size_t)top[at - 1] * (size_t)dim, dim))) {
        at--;
    }
    for (int i = k - 1; i > at; i--) {
        top[i] = top[i - 1];
    }
    if (at < k) {
        top[at] = item;
    }
}

void hn_rank_ref(const float *users, uint64_t n_users, const float *items, uint64_t n_items, int dim,
                 const uint64_t *mask_offsets, const int32_t *mask_items, int k, int32_t *top, float *scores) {
    for (uint64_t u = 0; u < n_users; u++) {
        const float *user = users + u * (uint64_t)dim;
        int32_t *best = top + u * (uint64_t)k;
        for (int i = 0; i < k; i++) {
            best[i] = -1;
        }
        for (uint64_t i = 0; i < n_items; i++) {
            const float score = score_of(user, items + i * (uint64_t)dim, dim);
            if (!isnan(score) &&
                !is_masked(mask_items + mask_offsets[u], mask_items + mask_offsets[u + 1], (int32_t)i)) {
                list_insert(user, items, dim, k, best, (int32_t)i);
            }
        }
        for (int i = 0; scores != NULL && i < k; i++) {
            scores[u * (uint64_t)k + (uint64_t)i] =
                best[i] >= 0 ? score_of(user, items + (size_t)best[i] * (size_t)dim, dim) : 0.0f;
        }
    }
}
