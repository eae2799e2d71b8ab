/* Full ranking: the k best items of every user among all items that are not masked, no score matrix in memory.
 *
 * score(u, i) = chain of fused multiply-adds over dimension 0 .. dim-1 in that order, on every path and in every
 * blocking, so a user's ranking does not depend on its neighbours in a block, ranks, threads or processor. Order:
 * higher score first, equal scores by lower item number. NaN scores are never ranked; a score of zero is
 * +0.
 */
#ifndef HN_KERNEL_RANK_H
#define HN_KERNEL_RANK_H

#include <stdint.h>

#include "base/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* users [n_users][dim]; items [n_items][dim]; row u's masked items are mask_items[mask_offsets[u] ..
 * mask_offsets[u+1]), ascending (mask_offsets[0] may be > 0: it is an index into mask_items as given). top [n_users][k]
 * gets item numbers, -1 (with score 0) where fewer than k items are left; scores [n_users][k] may be NULL. */
void hn_rank_ref(const float *users, uint64_t n_users, const float *items, uint64_t n_items, int dim,
                 const uint64_t *mask_offsets, const int32_t *mask_items, int k, int32_t *top, float *scores);
/* The same, blocked and dispatched; needs scratch memory, hence can fail. Items are packed once per call: pass many
 * users. */
HnStatus hn_rank_cpu(const float *users, uint64_t n_users, const float *items, uint64_t n_items, int dim,
                     const uint64_t *mask_offsets, const int32_t *mask_items, int k, int32_t *top, float *scores,
                     HnError *err);

#ifdef __cplusplus
}
#endif
#endif
