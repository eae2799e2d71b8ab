/* Collectives on device memory over NCCL, for one device a rank. Built where nccl.h is found (library hn_nccl); nothing
 * else of the project links it, so no program needs a driver to start.
 *
 * Calls are asynchronous: they queue work on the caller's stream and return. hn_nccl_wait waits for the stream, and
 * notices a lost peer, which waiting inside CUDA would not. All are collective.
 */
#ifndef HN_COMM_NCCL_H
#define HN_COMM_NCCL_H

#include <stddef.h>
#include <stdint.h>

#include "comm.h"

typedef struct HnNccl HnNccl;

/* Collective over comm, which serves to meet and is not kept. device: CUDA device number of this rank. */
HnStatus hn_nccl_start(HnComm *comm, int device, HnNccl **nccl, HnError *err);
void hn_nccl_free(HnNccl **nccl);

/* In place on n elements of device memory; stream is a cudaStream_t. The i64 sum is exact, in any order. */
HnStatus hn_nccl_sum_f32(HnNccl *nccl, float *data, size_t n, void *stream, HnError *err);
HnStatus hn_nccl_sum_i64(HnNccl *nccl, int64_t *data, size_t n, void *stream, HnError *err);
HnStatus hn_nccl_broadcast(HnNccl *nccl, void *data, size_t n_bytes, int root, void *stream, HnError *err);
/* Returns when all work of the stream is done, or within timeout_s with HN_NETWORK; the group is unusable then. */
HnStatus hn_nccl_wait(HnNccl *nccl, void *stream, double timeout_s, HnError *err);

uint64_t hn_nccl_bytes_moved(const HnNccl *nccl); /* payload that this rank handed in */

#endif
