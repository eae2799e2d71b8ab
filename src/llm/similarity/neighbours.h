/* The nearest items of an item in text space, found in batches and remembered.
 *
 * Nearness is the dot product of rows of length 1 (cosine); order: nearer first, equal ones by lower item number
 * (kernels/rank.h), so a list does not depend on the batch it was found in, on threads or on ranks.
 */
#ifndef HN_LLM_SIMILARITY_NEIGHBOURS_H
#define HN_LLM_SIMILARITY_NEIGHBOURS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct HnNeighbours HnNeighbours;

/* vectors [n_items][dim] is borrowed. k neighbours an item are kept (fewer in a smaller pool). */
HnStatus hn_neighbours_create(const float *vectors, uint64_t n_items, int dim, int k, HnNeighbours **neighbours,
                              HnError *err);
void hn_neighbours_free(HnNeighbours **neighbours);
int hn_neighbours_k(const HnNeighbours *neighbours);
/* Makes sure that the lists of these items (repeats are fine) are known. */
HnStatus hn_neighbours_find(HnNeighbours *neighbours, const uint32_t *items, size_t n, HnError *err);
/* [k], nearest first, -1 behind the last; the item itself is never in it. Only after hn_neighbours_find. */
const int32_t *hn_neighbours_of(const HnNeighbours *neighbours, uint32_t item);

#endif
