/* Which way a ranking goes: both give the same bits. */
#include <omp.h>

#include "rank.h"
#include "rank_private.h"
#include "rank_screen.h"

HnStatus hn_rank_cpu(const float *users, uint64_t n_users, const float *items, uint64_t n_items, int dim,
                     const uint64_t *mask_offsets, const int32_t *mask_items, int k, int32_t *top, float *scores,
                     HnError *err) {
    if (dim < 1 || k < 1 || n_items > INT32_MAX / 4) {
        return hn_fail(err, HN_RANGE,
                       "ranking wants a width and a k of at least 1 and at most %d items, not %d, %d, %llu",
                       INT32_MAX / 4, dim, k, (unsigned long long)n_items);
    }
    const HnRankTask task = {users, items, n_users, n_items, dim, k, mask_offsets, mask_items, top, scores};
    HnRankScreened screened;
    return hn_rank_screen_pays(&task) ? hn_rank_screen(&task, &screened, err) : hn_rank_floats(&task, err);
}

uint64_t hn_rank_bytes(uint64_t n_items, int dim) {
    return n_items * ((uint64_t)dim + 16 + 8 * (uint64_t)omp_get_max_threads());
}
