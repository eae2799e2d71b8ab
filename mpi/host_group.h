/* The memory that the ranks of one host share, for host_sum.h, and what goes on beside its sums. */
#ifndef HN_HOST_GROUP_H
#define HN_HOST_GROUP_H

#include <mpi.h>

#include "host_sum.h"

typedef struct HnHostGroup {
    HnHostSum sum;
    MPI_Comm group;   /* of all ranks; borrowed */
    MPI_Comm on_host; /* this host's */
    MPI_Comm across;  /* the ranks of all hosts that have this one's place on theirs; MPI_COMM_NULL = one host */
    bool crowded;
    int n_hosts;
} HnHostGroup;

/* Collective over group: *out stays NULL where sums are better left to MPI (no two ranks on a host, hosts with
 * different numbers of ranks) or where the memory cannot be had, which is said once. ranks_a_host: see comm_ops.h. */
HnStatus hn_host_group_create(MPI_Comm group, int ranks_a_host, HnHostGroup **out, HnError *err);
void hn_host_group_free(HnHostGroup **host);
/* See comm.h. */
HnStatus hn_host_group_block(HnHostGroup *host, size_t n_bytes, HnHostBlock *block, HnError *err);
void hn_host_block_free(HnHostBlock *block);
HnStatus hn_host_group_sum_hosts(HnHostGroup *host, void *data, size_t n, HnCommType type, HnError *err);

#endif
