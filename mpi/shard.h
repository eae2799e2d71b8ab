/* Sharding arithmetic: pure functions, tested without MPI. */
#ifndef HN_SHARD_H
#define HN_SHARD_H

#include <stdint.h>

#include "base/error.h"

/* Cuts rows 0 .. n_rows-1 into n_shards contiguous ranges of about equal weight, where row r weighs
 * offsets[r+1]-offsets[r] + 1. begin[n_shards+1]. A function of offsets and n_shards alone. */
void hn_shard_by_weight(const uint64_t *offsets, uint64_t n_rows, int n_shards, uint64_t *begin);
/* Which contiguous block of virtual shards a rank owns: [*first, *last). Needs n_ranks <= n_shards. */
HnStatus hn_shard_of_rank(int n_shards, int n_ranks, int rank, int *first, int *last, HnError *err);
/* The simple block cut: [*begin, *end) of n for part `part` of n_parts. */
void hn_shard_block(uint64_t n, int n_parts, int part, uint64_t *begin, uint64_t *end);

#endif
