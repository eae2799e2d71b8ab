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
 * users. On processors with AVX512-VNNI (path avx512), byte products rule out nearly all items first, by a bound that
 * leaves the result as it is to the bit (rank_screen.h). All scores are computed in floats for fewer than 24 users or
 * 512 items, for k above n_items / 16 or dim above 16384; if an item, and for blocks of users of whom one, has a NaN,
 * an infinity or a magnitude above 2^40; and from where on ties make more than one score in 32 a candidate. Scratch:
 * the packed items, 4 bytes a value in floats or 1 byte a value and 16 an item in bytes; with the latter, 8 bytes an
 * item and thread, too. */
HnStatus hn_rank_cpu(const float *users, uint64_t n_users, const float *items, uint64_t n_items, int dim,
                     const uint64_t *mask_offsets, const int32_t *mask_items, int k, int32_t *top, float *scores,
                     HnError *err);

/* Scratch of hn_rank_cpu with the threads there are now, in bytes, lists of candidates left out; for plans. */
uint64_t hn_rank_bytes(uint64_t n_items, int dim);

#ifdef __cplusplus
}
#endif
#endif
