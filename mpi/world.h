/* The MPI world of a run: start, roles, end. Only src/app includes this. mpi.h stays behind it. */
#ifndef HN_WORLD_H
#define HN_WORLD_H

#include "comm.h"

/* Starts MPI if the program was launched by mpirun or srun, or if it stands alone (a world of one); *world is the group
 * of all ranks. Not thread-parallel: MPI_THREAD_FUNNELED. */
HnStatus hn_world_start(int *argc, char ***argv, HnComm **world, HnError *err);
void hn_world_end(HnComm **world);
/* Prints the cause once (rank and stage named) and ends every rank of the job. Does not return. */
_Noreturn void hn_world_abort(HnComm *world, const char *stage, const HnError *err);
/* Ranks of this world on this host, and my index among them (collective). */
HnStatus hn_world_local(HnComm *world, int *local_rank, int *local_size, HnError *err);
const char *hn_world_library(void); /* "Open MPI v4.1.4 ..." ; works before hn_world_start */

typedef enum HnRole { HN_ROLE_WORKER = 1, HN_ROLE_TRAINER = 2 } HnRole; /* a rank may hold both */
/* Pure: the roles of `rank` among `size`. workers/trainers as configured (0 = automatic). forced: what HNLMREC_ROLE
 * says on each rank, n = size entries, 0 = unset. Error where no trainer or no worker would be left, or more are asked
 * for than exist. */
HnStatus hn_roles_assign(int size, int64_t workers, int64_t trainers, const int *forced, int *roles /* [size] */,
                         HnError *err);

#endif
