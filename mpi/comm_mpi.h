/* The MPI side of a group, for mpi/ and for parallel stores in hdf5_schemas: nobody else sees mpi.h. */
#ifndef HN_COMM_MPI_H
#define HN_COMM_MPI_H

#include <mpi.h>

#include "comm_ops.h"
#include "watch.h"

/* Collective over `from`, which stays the caller's: the group works on a duplicate. */
HnStatus hn_comm_from_mpi(MPI_Comm from, HnWatch *watch, HnComm **comm, HnError *err);
/* MPI_COMM_NULL for a group that is not MPI's (backend "self"). Borrowed. */
MPI_Comm hn_comm_mpi_handle(const HnComm *comm);
MPI_Datatype hn_mpi_type(HnCommType type);
MPI_Op hn_mpi_op(HnCommReduction reduction);
/* HN_OK, or the text of an MPI error code in *err. */
HnStatus hn_mpi_check(int code, const char *what, HnError *err);

#endif
