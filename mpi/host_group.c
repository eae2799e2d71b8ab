#include "host_group.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "comm_mpi.h"
#include "wait_mpi.h"

enum { NAME_BYTES = 64 };

/* A rank that waits here is in no call of MPI: messages between others may need it to look. */
static void idle(void *context, bool long_wait) {
    const HnHostGroup *host = context;
    int there;
    (void)MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, host->group, &there, MPI_STATUS_IGNORE);
    if (long_wait || host->crowded) {
        hn_mpi_give_way(long_wait);
    }
}

static HnStatus across(void *context, void *data, size_t n, HnCommType type, HnCommReduction reduction, HnError *err) {
    const HnHostGroup *host = context;
    return hn_mpi_check(
        hn_mpi_reduce(data, (int)n, hn_mpi_type(type), hn_mpi_op(reduction), host->across, host->crowded),
        "a reduction across hosts", err);
}

/* A fresh block under a name for the host's other ranks; the name is empty where there is none. */
static unsigned char *block_make(size_t n_bytes, char name[NAME_BYTES]) {
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)snprintf(name, NAME_BYTES, "/hnlmrec-%ld-%" PRId64 "-%ld", (long)getpid(), (int64_t)now.tv_sec, now.tv_nsec);
    const int file = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    void *block = MAP_FAILED;
    if (file >= 0) {
        const int full = posix_fallocate(file, 0, (off_t)n_bytes); /* a full disk shows here, not as a signal later */
        block = full == 0 ? mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) : MAP_FAILED;
        errno = full != 0 ? full : errno;
        (void)close(file);
    }
    if (block == MAP_FAILED) {
        hn_log(HN_LOG_WARN,
               "no shared memory for this host's ranks (%zu bytes: %s): their sums take a slower way, which without "
               "`reproducible: true` has other last bits; make room in /dev/shm",
               n_bytes, strerror(errno));
        if (file >= 0) {
            (void)shm_unlink(name);
        }
        name[0] = '\0';
        return NULL;
    }
    return block;
}

static unsigned char *block_open(size_t n_bytes, const char *name) {
    const int file = name[0] == '\0' ? -1 : shm_open(name, O_RDWR, 0600);
    void *block = MAP_FAILED;
    if (file >= 0) {
        block = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        (void)close(file);
    }
    return block == MAP_FAILED ? NULL : block;
}

/* The name is gone as soon as all have opened it: only a kill in between leaves the block behind. */
static unsigned char *block_share(MPI_Comm on_host, int rank, size_t n_bytes) {
    char name[NAME_BYTES] = "";
    unsigned char *block = rank == 0 ? block_make(n_bytes, name) : NULL;
    if (MPI_Bcast(name, NAME_BYTES, MPI_CHAR, 0, on_host) == MPI_SUCCESS && rank != 0) {
        block = block_open(n_bytes, name);
    }
    (void)MPI_Barrier(on_host);
    if (rank == 0 && block != NULL) {
        (void)shm_unlink(name);
    }
    return block;
}

/* Every host has the same number of ranks, more than one. */
static HnStatus hosts_are_even(MPI_Comm group, int size, bool *even, HnError *err) {
    int most_and_least[2] = {size, -size};
    HN_TRY(
        hn_mpi_check(MPI_Allreduce(MPI_IN_PLACE, most_and_least, 2, MPI_INT, MPI_MAX, group), "comparing hosts", err));
    *even = most_and_least[0] == -most_and_least[1] && most_and_least[0] > 1;
    return HN_OK;
}

/* The ranks of a host, or neighbours that stand for them. */
static HnStatus find_host(HnHostGroup *host, int ranks_a_host, HnError *err) {
    int rank;
    HN_TRY(hn_mpi_check(MPI_Comm_split_type(host->group, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host->on_host),
                        "finding the ranks of this host", err));
    if (ranks_a_host > 0) {
        MPI_Comm part;
        MPI_Comm_rank(host->on_host, &rank);
        HN_TRY(hn_mpi_check(MPI_Comm_split(host->on_host, rank / ranks_a_host, 0, &part), "parting a host", err));
        MPI_Comm_free(&host->on_host);
        host->on_host = part;
    }
    return HN_OK;
}

/* Whether every rank of the group has a block. */
static HnStatus all_share(const HnHostGroup *host, const void *block, bool *usable, HnError *err) {
    int all = block != NULL;
    HN_TRY(hn_mpi_check(MPI_Allreduce(MPI_IN_PLACE, &all, 1, MPI_INT, MPI_MIN, host->group), "sharing memory", err));
    *usable = all != 0;
    return HN_OK;
}

static HnStatus fill(HnHostGroup *host, int ranks_a_host, bool *usable, HnError *err) {
    int rank, size, n_ranks;
    HN_TRY(find_host(host, ranks_a_host, err));
    MPI_Comm_rank(host->on_host, &rank);
    MPI_Comm_size(host->on_host, &size);
    MPI_Comm_size(host->group, &n_ranks);
    HN_TRY(hosts_are_even(host->group, size, usable, err));
    if (!*usable) {
        return HN_OK;
    }
    unsigned char *block = block_share(host->on_host, rank, hn_host_sum_bytes(size));
    hn_host_sum_start_up(&host->sum, rank, size, block);
    host->n_hosts = n_ranks / size;
    HN_TRY(all_share(host, block, usable, err));
    if (!*usable && rank == 0 && block != NULL) {
        hn_log(HN_LOG_WARN, "the ranks of this host share no memory (another /dev/shm each, or none): their sums go "
                            "through MPI, which is "
                            "slower, and without `reproducible: true` has other last bits");
    }
    if (*usable && size < n_ranks) {
        HN_TRY(hn_mpi_check(MPI_Comm_split(host->group, rank, 0, &host->across), "joining hosts", err));
        MPI_Comm_set_errhandler(host->across, MPI_ERRORS_RETURN);
        host->sum.across = across;
    }
    return HN_OK;
}

HnStatus hn_host_group_create(MPI_Comm group, int ranks_a_host, HnHostGroup **out, HnError *err) {
    bool usable = false;
    *out = NULL;
    HnHostGroup *host = hn_alloc(1, sizeof *host, "ranks of a host", err);
    if (host == NULL) {
        return HN_MEMORY;
    }
    host->group = group;
    host->on_host = host->across = MPI_COMM_NULL;
    HnStatus status = fill(host, ranks_a_host, &usable, err);
    host->sum.idle = idle;
    host->sum.context = host;
    if (status != HN_OK || !usable) {
        hn_host_group_free(&host);
    }
    *out = host;
    return status;
}

void hn_host_group_free(HnHostGroup **host) {
    if (*host == NULL) {
        return;
    }
    if ((*host)->sum.block != NULL) {
        (void)munmap((*host)->sum.block, (*host)->sum.block_bytes);
    }
    if ((*host)->across != MPI_COMM_NULL) {
        MPI_Comm_free(&(*host)->across);
    }
    if ((*host)->on_host != MPI_COMM_NULL) {
        MPI_Comm_free(&(*host)->on_host);
    }
    hn_free(*host);
    *host = NULL;
}

HnStatus hn_host_group_block(HnHostGroup *host, size_t n_bytes, HnHostBlock *block, HnError *err) {
    bool usable;
    *block = (HnHostBlock){block_share(host->on_host, host->sum.rank, n_bytes), n_bytes};
    HnStatus status = all_share(host, block->data, &usable, err);
    if (block->data != NULL && (status != HN_OK || !usable)) {
        hn_host_block_free(block);
    }
    return status;
}

void hn_host_block_free(HnHostBlock *block) {
    (void)munmap(block->data, block->n_bytes);
    block->data = NULL;
}

HnStatus hn_host_group_sum_hosts(HnHostGroup *host, void *data, size_t n, HnCommType type, HnError *err) {
    enum { PIECE = 1 << 28 }; /* what an int counts */
    const size_t width = hn_comm_type_bytes(type);
    for (size_t at = 0; at < n && host->sum.across != NULL; at += PIECE) {
        HN_TRY(across(host, (char *)data + at * width, n - at < PIECE ? n - at : PIECE, type, HN_COMM_SUM, err));
    }
    return HN_OK;
}
