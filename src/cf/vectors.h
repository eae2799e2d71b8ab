/* The hard-negative vectors of this rank's train pairs, in memory as they are stored (f16 or f32). */
#ifndef HN_CF_VECTORS_H
#define HN_CF_VECTORS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "cf/shards.h"
#include "config/experiment.h"

typedef struct HnVectors {
    uint64_t n, dim;  /* this rank's pairs; text width */
    uint8_t *present; /* [n] 1 = the row holds a vector (stored, or random by configuration) */
    uint16_t *halves; /* [n][dim] one of the two */
    float *floats;    /* [n][dim] */
    uint64_t n_stored;
} HnVectors;

/* Reads the rows of this rank's pairs, and checks that the store is about these very pairs. semantic.vectors = random
 * puts noise in place of every stored vector, semantic.missing = random_vector in place of every absent one: element
 * (pair, column) normal with variance 1/dim, a function of (seed, pair) alone. Local. */
HnStatus hn_vectors_load(const char *path, const HnUserShards *shards, const HnTrainConfig *config, uint64_t seed,
                         HnVectors *vectors, HnError *err);
void hn_vectors_free(HnVectors *vectors);
void hn_vectors_row(const HnVectors *vectors, uint64_t local_pair, float *row); /* [dim] */

#endif
