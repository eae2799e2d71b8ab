/* Softmax of many rows against many (InfoNCE: van den Oord et al. 2018; SGL: Wu et al., SIGIR 2021, eq. 10), without
 * their matrix in memory. For unit rows x_q (queries) and z_v (keys) and a temperature tau,
 *
 *     e_qv = exp((<x_q, z_v> - 1) / tau)       in (0, 1], so no maximum has to be known first
 *     pull:  s_q = sum over v of e_qv,   p_q = sum over v of e_qv z_v      (loss and gradient of the queries)
 *     push:  g_v = sum over q of e_qv y_q                                  (gradient of the keys, y_q = x_q w_q / s_q)
 *
 * Tiles of e are made, used and dropped in the first caches; push makes them again. Cost: 4 dense products and 2
 * exponentials of n_queries x n_keys.
 *
 * Bits: a score is a chain of fused multiply-adds over the columns; pull adds keys of one block in order, in floats,
 * and blocks in fixed point, exactly, so blocks may be dealt to ranks and threads in any way; push adds queries in
 * order. The same on every path.
 */
#ifndef HN_KERNEL_CONTRAST_H
#define HN_KERNEL_CONTRAST_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { HN_CONTRAST_COLUMNS = 16 }; /* `width` is a multiple of this: fill rows with zeros */
enum { HN_CONTRAST_STRIP = 32 };   /* queries are packed in strips of so many */

/* Queries as pull and push read them. */
typedef struct HnQueries {
    uint64_t n;
    int width;
    float tau;
    const float *packed; /* hn_contrast_packed(n, width) floats, from hn_contrast_pack */
} HnQueries;

/* Floats of n packed queries. */
static inline uint64_t hn_contrast_packed(uint64_t n, int width) {
    return (n + HN_CONTRAST_STRIP - 1) / HN_CONTRAST_STRIP * HN_CONTRAST_STRIP * (uint64_t)width;
}
/* rows [n][width] to strips, each [width][HN_CONTRAST_STRIP]; missing queries of the last are 0. */
void hn_contrast_pack(const float *rows, uint64_t n, int width, float *packed);

/* 2^shift is the scale of totals for n_keys keys over all ranks: no sum overflows. */
int hn_contrast_shift(uint64_t n_keys);
/* totals [n queries][width + 1] += p_q and s_q over keys [begin[n_blocks]][width]; block b is rows begin[b] ..
 * begin[b+1]-1. scratch (_cpu): hn_contrast_scratch(width) floats. */
void hn_contrast_pull_ref(const HnQueries *queries, const float *keys, const uint64_t *begin, uint64_t n_blocks,
                          int shift, int64_t *totals);
void hn_contrast_pull_cpu(const HnQueries *queries, const float *keys, const uint64_t *begin, uint64_t n_blocks,
                          int shift, int64_t *totals, float *scratch);
uint64_t hn_contrast_scratch(int width); /* for the threads there are now: not to be raised afterwards */

/* g [n_keys][width] overwritten; y [n queries][width]. */
void hn_contrast_push_ref(const HnQueries *queries, const float *y, const float *keys, uint64_t n_keys, float *g);
void hn_contrast_push_cpu(const HnQueries *queries, const float *y, const float *keys, uint64_t n_keys, float *g);

#ifdef __cplusplus
}
#endif
#endif
