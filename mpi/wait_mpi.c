#include "wait_mpi.h"

#include <sched.h>
#include <time.h>
#include <unistd.h>

#include "comm_mpi.h"

/* So many polls before a rank sleeps between them: most messages come within, and a long wait leaves the core idle. */
#define POLLS_AWAKE 300
#define NAP_NS 20000

HnStatus hn_mpi_find_crowd(MPI_Comm comm, bool *crowded, HnError *err) {
    MPI_Comm host = MPI_COMM_NULL;
    int ranks = 0;
    *crowded = false;
    HN_TRY(hn_mpi_check(MPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host),
                        "finding the ranks of this host", err));
    MPI_Comm_size(host, &ranks);
    MPI_Comm_free(&host);
    int any = ranks > sysconf(_SC_NPROCESSORS_ONLN);
    HN_TRY(hn_mpi_check(MPI_Allreduce(MPI_IN_PLACE, &any, 1, MPI_INT, MPI_MAX, comm), "counting ranks and cores", err));
    *crowded = any != 0;
    return HN_OK;
}

void hn_mpi_give_way(bool long_wait) {
    if (long_wait) {
        (void)nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
    } else {
        (void)sched_yield();
    }
}

/* Started with this code. */
static int finish(int code, MPI_Request *request) {
    int done = 0, polls = 0;
    while (code == MPI_SUCCESS) {
        code = MPI_Test(request, &done, MPI_STATUS_IGNORE);
        if (done) {
            break;
        }
        hn_mpi_give_way(polls == POLLS_AWAKE);
        polls += polls < POLLS_AWAKE;
    }
    return code;
}

int hn_mpi_wait(MPI_Request *request, bool crowded) {
    return crowded ? finish(MPI_SUCCESS, request) : MPI_Wait(request, MPI_STATUS_IGNORE);
}

int hn_mpi_barrier(MPI_Comm comm, bool crowded) {
    MPI_Request request = MPI_REQUEST_NULL;
    return crowded ? finish(MPI_Ibarrier(comm, &request), &request) : MPI_Barrier(comm);
}

int hn_mpi_broadcast(void *data, int n, int root, MPI_Comm comm, bool crowded) {
    MPI_Request request = MPI_REQUEST_NULL;
    return crowded ? finish(MPI_Ibcast(data, n, MPI_BYTE, root, comm, &request), &request)
                   : MPI_Bcast(data, n, MPI_BYTE, root, comm);
}

int hn_mpi_reduce(void *data, int n, MPI_Datatype type, MPI_Op op, MPI_Comm comm, bool crowded) {
    MPI_Request request = MPI_REQUEST_NULL;
    return crowded ? finish(MPI_Iallreduce(MPI_IN_PLACE, data, n, type, op, comm, &request), &request)
                   : MPI_Allreduce(MPI_IN_PLACE, data, n, type, op, comm);
}

int hn_mpi_gather(const void *mine, int n, void *all, const int *counts, const int *places, MPI_Comm comm,
                  bool crowded) {
    MPI_Request request = MPI_REQUEST_NULL;
    return crowded ? finish(MPI_Iallgatherv(mine, n, MPI_BYTE, all, counts, places, MPI_BYTE, comm, &request), &request)
                   : MPI_Allgatherv(mine, n, MPI_BYTE, all, counts, places, MPI_BYTE, comm);
}
