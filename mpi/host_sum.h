/* Sums and maxima over the ranks of one host, through memory that they share. MPI's own go through buffers of a few KB
 * and one rank's arithmetic: on one host they were found twenty times slower than the memory.
 *
 * Each rank has two slots in the shared block, used in turn. An array goes through in pieces: every rank lays the
 * others' slices of its piece into its slot, adds up its own slice over all ranks in rank order, lays the result into
 * its slot, and takes the others' from theirs. The order of every sum is that of the ranks (with several hosts: of the
 * ranks of each, then as MPI joins the hosts), and all ranks get the same bits.
 */
#ifndef HN_HOST_SUM_H
#define HN_HOST_SUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "comm_ops.h"

typedef struct HnHostSum {
    int rank, size;       /* within the host */
    unsigned char *block; /* shared: [size] counters, a line each; [2][size] slots */
    size_t block_bytes;
    uint64_t arrivals; /* of this rank; its counter says the same to the others */
    uint64_t turn;     /* pieces so far */
    int patience;      /* polls before idle() */

    /* Called now and then while waiting. */
    void (*idle)(void *context, bool long_wait);
    /* Several hosts: adds up a slice over the ranks that have it on the other hosts. NULL = one host. */
    HnStatus (*across)(void *context, void *data, size_t n, HnCommType type, HnCommReduction reduction, HnError *err);
    void *context;

    /* The sum that was started. */
    unsigned char *data;
    size_t n;
    HnCommType type;
    HnCommReduction reduction;
} HnHostSum;

size_t hn_host_sum_bytes(int size); /* of the shared block */
/* block: shared, zeroed before any rank goes on. Borrowed. */
void hn_host_sum_start_up(HnHostSum *sum, int rank, int size, unsigned char *block);

/* Collective over the host's ranks (over all hosts' where there is `across`), in the same order on all. In place.
 * data must not be touched between start and finish. */
void hn_host_sum_start(HnHostSum *sum, void *data, size_t n, HnCommType type, HnCommReduction reduction);
HnStatus hn_host_sum_finish(HnHostSum *sum, HnError *err);
void hn_host_sum_barrier(HnHostSum *sum);
/* Its halves. Before `await` no sum may be started or finished. */
void hn_host_sum_arrive(HnHostSum *sum);
void hn_host_sum_await(HnHostSum *sum);

#endif
