/* Dropout: which elements of which rows are kept.
 *
 * Element c of the row with number `node` is kept where the 16 bits that fall to it are at least `threshold`, so it is
 * dropped with probability threshold / 2^16. The bits are a function of (seed, step, part, node, c) alone: 16 at a
 * time, low half first, of the words that base/rng.h draws for (seed, HN_STREAM_DROPOUT, a = step, b = part * 2^32 +
 * node). Integers: the same everywhere.
 */
#ifndef HN_KERNEL_KEEP_H
#define HN_KERNEL_KEEP_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct HnKeep {
    uint64_t seed;
    uint32_t step, part;
    uint32_t threshold; /* at most 2^16: 0 keeps all, 2^16 none */
} HnKeep;

/* marks [n_rows][dim] = mark where kept, else 0. Row r has node number first + (rows != NULL ? rows[r] : r). On the
 * calling thread. */
void hn_keep_ref(const HnKeep *keep, uint64_t first, const int32_t *rows, uint64_t n_rows, int dim, uint8_t mark,
                 uint8_t *marks);
void hn_keep_cpu(const HnKeep *keep, uint64_t first, const int32_t *rows, uint64_t n_rows, int dim, uint8_t mark,
                 uint8_t *marks);

#ifdef __cplusplus
}
#endif
#endif
