/* A group of ranks, as other rooms see it: no MPI types. Three back ends stand behind one ops table: a single rank
 * (comm_self.c, no MPI needed), MPI (comm_mpi.c), and NCCL for device buffers (comm_nccl.c, where built).
 *
 * Every call marked collective must be made by all ranks of the group in the same order. A failing rank calls
 * hn_comm_abort: the whole job ends within a bounded time with the first cause printed once.
 */
#ifndef HN_COMM_H
#define HN_COMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct HnComm HnComm;

int hn_comm_rank(const HnComm *comm);
int hn_comm_size(const HnComm *comm);
const char *hn_comm_backend(const HnComm *comm); /* "self", "mpi" */

HnStatus hn_comm_self(HnComm **comm, HnError *err); /* the one-rank group; always available */
/* Collective. Ranks of one colour form a group, ordered by key; colour < 0: no group (*out = NULL). */
HnStatus hn_comm_split(HnComm *comm, int colour, int key, HnComm **out, HnError *err);
void hn_comm_free(HnComm **comm);

HnStatus hn_comm_barrier(HnComm *comm, HnError *err);
HnStatus hn_comm_broadcast(HnComm *comm, void *data, size_t n_bytes, int root, HnError *err);
/* In place. The i64 sum is exact, hence independent of rank count and order; the float sums are not: the same ranks on
 * the same hosts give the same bits, as long as the hosts' ranks can share memory (or never can; which is said). */
HnStatus hn_comm_sum_f32(HnComm *comm, float *data, size_t n, HnError *err);
HnStatus hn_comm_sum_f64(HnComm *comm, double *data, size_t n, HnError *err);
HnStatus hn_comm_sum_i64(HnComm *comm, int64_t *data, size_t n, HnError *err);
HnStatus hn_comm_sum_i32(HnComm *comm, int32_t *data, size_t n, HnError *err);
/* A NaN on any rank is the result everywhere; -0 counts below +0. */
HnStatus hn_comm_max_f32(HnComm *comm, float *data, size_t n, HnError *err);
HnStatus hn_comm_max_i64(HnComm *comm, int64_t *data, size_t n, HnError *err);
/* Started now, complete after hn_comm_wait (once for every start); data must not be touched between. One in flight a
 * group. */
HnStatus hn_comm_sum_f32_start(HnComm *comm, float *data, size_t n, HnError *err);
HnStatus hn_comm_sum_i64_start(HnComm *comm, int64_t *data, size_t n, HnError *err);
HnStatus hn_comm_wait(HnComm *comm, HnError *err);
/* Rank r contributes n_bytes[r] bytes; all receive the concatenation in rank order. n_bytes is the same on all ranks.
 */
HnStatus hn_comm_gather_all(HnComm *comm, const void *mine, void *all, const size_t *n_bytes, HnError *err);
/* True on all ranks if flag is true on any. The stop flag rides on this once a step. */
HnStatus hn_comm_any(HnComm *comm, bool *flag, HnError *err);
/* All ranks learn whether one failed: returns the first failing rank's status and message everywhere. */
HnStatus hn_comm_agree(HnComm *comm, HnStatus mine, HnError *err);

/* ---- ranks of one host ---- */

/* This rank's place among those of its host, of which every host has `size`; size 1: no two ranks share memory (one a
 * host, hosts with different numbers of them, or no room, which is said once). */
typedef struct HnCommHost {
    int rank, size, n_hosts;
} HnCommHost;
/* Collective. */
HnStatus hn_comm_host(HnComm *comm, HnCommHost *host, HnError *err);

/* Zeroed memory that all ranks of a host see at once; nothing of it outlives them. */
typedef struct HnHostBlock {
    void *data;
    size_t n_bytes;
} HnHostBlock;
/* Collective; the ranks of a host name the same n_bytes > 0. data is NULL on all ranks of the group where one host has
 * no room (said), or host.size is 1. free is local: what others have mapped stays theirs. */
HnStatus hn_comm_host_block(HnComm *comm, size_t n_bytes, HnHostBlock *block, HnError *err);
void hn_comm_host_block_free(HnComm *comm, HnHostBlock *block);

/* A meeting of the host's ranks, in two halves: after `await` a rank sees what the others wrote to blocks before they
 * called `arrive`. Collective over the host, where host.size > 1. payload: bytes that a sum over all ranks would have
 * carried in place of this; counted by hn_comm_bytes_moved, so that the number does not depend on who shares a host. */
void hn_comm_host_arrive(HnComm *comm, uint64_t payload);
void hn_comm_host_await(HnComm *comm);
/* Sums over the ranks with this one's place on all hosts, which name the same n; in place. */
HnStatus hn_comm_sum_hosts_f32(HnComm *comm, float *data, size_t n, HnError *err);
HnStatus hn_comm_sum_hosts_i64(HnComm *comm, int64_t *data, size_t n, HnError *err);

/* Bytes that this rank handed to collectives so far: payload, not wire protocol. Sums and maxima count their array,
 * a broadcast counts at its root, a gather counts each rank's own part; the same on one rank as on many. */
uint64_t hn_comm_bytes_moved(const HnComm *comm);

#endif
