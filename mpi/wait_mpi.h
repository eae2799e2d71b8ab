/* MPI's collectives, and how a rank waits in them. Where every rank has a core of its own, MPI spins, which is fastest.
 * Where more ranks than cores run, a rank that spins holds up the one it waits for. Open MPI can be told to yield,
 * MPICH cannot: each collective then takes whole time slices of all that wait (seen: 100 times slower). So on a crowded
 * host ranks poll, yield, and soon sleep between the polls. All ranks of a group must wait in the same way. */
#ifndef HN_WAIT_MPI_H
#define HN_WAIT_MPI_H

#include <mpi.h>
#include <stdbool.h>

#include "base/error.h"

/* Collective: whether any host of these ranks runs more of them than it has cores; the same answer on all. */
HnStatus hn_mpi_find_crowd(MPI_Comm comm, bool *crowded, HnError *err);

/* Between two polls: lets another thread have the core, or sleeps for a moment. */
void hn_mpi_give_way(bool long_wait);

/* These return codes of MPI; sums and maxima work in place. */
int hn_mpi_wait(MPI_Request *request, bool crowded);
int hn_mpi_barrier(MPI_Comm comm, bool crowded);
int hn_mpi_broadcast(void *data, int n, int root, MPI_Comm comm, bool crowded); /* bytes */
int hn_mpi_reduce(void *data, int n, MPI_Datatype type, MPI_Op op, MPI_Comm comm, bool crowded);
int hn_mpi_gather(const void *mine, int n, void *all, const int *counts, const int *places, MPI_Comm comm,
                  bool crowded); /* bytes */

#endif
