/* comm.h over MPI-3.1. Counts above what an int holds go out in pieces. */
#include "comm_mpi.h"

#include <string.h>

#include "base/alloc.h"
#include "comm_ops.h"
#include "host_group.h"
#include "wait_mpi.h"

#define MESSAGE_TAG 77
#define MESSAGE_WORDS 4
#define PIECE_ELEMENTS ((size_t)1 << 28)
#define WORTH_SHARING ((size_t)1 << 16)

typedef struct Outgoing {
    uint64_t words[MESSAGE_WORDS];
    struct Outgoing *next;
    MPI_Request request;
} Outgoing;

typedef struct CommMpi {
    HnComm base;
    MPI_Comm handle;
    MPI_Request *requests; /* [n_requests], of the sum in flight */
    int n_requests;
    Outgoing *outbox;  /* messages that have not left yet */
    HnHostGroup *host; /* for sums within a host; NULL until a large one comes, or where MPI does it better */
    bool host_tried, host_in_flight;
} CommMpi;

HnStatus hn_mpi_check(int code, const char *what, HnError *err) {
    if (code == MPI_SUCCESS) {
        return HN_OK;
    }
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    MPI_Error_string(code, text, &length);
    return hn_fail(err, HN_INTERNAL, "MPI failed in %s: %s", what, text);
}

static CommMpi *mpi_of(HnComm *comm) {
    return (CommMpi *)comm;
}

MPI_Datatype hn_mpi_type(HnCommType type) {
    switch (type) {
    case HN_COMM_F32:
        return MPI_FLOAT;
    case HN_COMM_F64:
        return MPI_DOUBLE;
    case HN_COMM_I32:
        return MPI_INT32_T;
    case HN_COMM_I64:
        return MPI_INT64_T;
    case HN_COMM_BYTE:
        break;
    }
    return MPI_BYTE;
}

MPI_Op hn_mpi_op(HnCommReduction reduction) {
    return reduction == HN_COMM_SUM ? MPI_SUM : MPI_MAX;
}

static size_t piece_of(const HnComm *comm) {
    return comm->piece_elements > 0 ? comm->piece_elements : PIECE_ELEMENTS;
}

static size_t min_size(size_t a, size_t b) {
    return a < b ? a : b;
}

static HnStatus host_try(CommMpi *mpi, HnError *err) {
    const bool tried = mpi->host_tried;
    mpi->host_tried = true;
    return tried ? HN_OK : hn_host_group_create(mpi->handle, mpi->base.ranks_a_host, &mpi->host, err);
}

/* How ranks wait for each other, which tests change in between. */
static HnHostGroup *host_as_now(CommMpi *mpi) {
    if (mpi->host != NULL) {
        mpi->host->crowded = mpi->base.crowded;
        mpi->host->sum.patience = mpi->base.crowded ? 30 : 2000;
    }
    return mpi->host;
}

/* The group's way through shared memory, made when the first sum comes that is worth it: n is the same on all ranks. */
static HnStatus host_for(CommMpi *mpi, size_t n_bytes, HnHostGroup **host, HnError *err) {
    if (n_bytes >= WORTH_SHARING) {
        HN_TRY(host_try(mpi, err));
    }
    /* By the call alone, never by what came before it: float sums have another order in MPI's hands, and a training
     * that is taken up again must add as one that went on. Small pieces are wanted of MPI's way. */
    *host = mpi->base.piece_elements > 0 || n_bytes < WORTH_SHARING ? NULL : host_as_now(mpi);
    return HN_OK;
}

static HnStatus mpi_barrier(HnComm *comm, HnError *err) {
    return hn_mpi_check(hn_mpi_barrier(mpi_of(comm)->handle, comm->crowded), "a barrier", err);
}

static HnStatus mpi_broadcast(HnComm *comm, void *data, size_t n_bytes, int root, HnError *err) {
    size_t piece = piece_of(comm);
    for (size_t at = 0; at < n_bytes; at += piece) {
        int count = (int)min_size(piece, n_bytes - at);
        HN_TRY(hn_mpi_check(hn_mpi_broadcast((char *)data + at, count, root, mpi_of(comm)->handle, comm->crowded),
                            "a broadcast", err));
    }
    return HN_OK;
}

static HnStatus mpi_reduce(HnComm *comm, void *data, size_t n, HnCommType type, HnCommReduction reduction,
                           HnError *err) {
    size_t piece = piece_of(comm);
    MPI_Op op = hn_mpi_op(reduction);
    HnHostGroup *host;
    HN_TRY(host_for(mpi_of(comm), n * hn_comm_type_bytes(type), &host, err));
    if (host != NULL && !mpi_of(comm)->host_in_flight) {
        hn_host_sum_start(&host->sum, data, n, type, reduction);
        return hn_host_sum_finish(&host->sum, err);
    }
    for (size_t at = 0; at < n; at += piece) {
        int count = (int)min_size(piece, n - at);
        HN_TRY(hn_mpi_check(hn_mpi_reduce((char *)data + at * hn_comm_type_bytes(type), count, hn_mpi_type(type), op,
                                          mpi_of(comm)->handle, comm->crowded),
                            "a reduction", err));
    }
    return HN_OK;
}

static HnStatus mpi_reduce_start(HnComm *comm, void *data, size_t n, HnCommType type, HnCommReduction reduction,
                                 HnError *err) {
    CommMpi *mpi = mpi_of(comm);
    size_t piece = piece_of(comm);
    size_t n_pieces = (n - 1) / piece + 1;
    MPI_Op op = hn_mpi_op(reduction);
    HnHostGroup *host;
    HN_TRY(host_for(mpi, n * hn_comm_type_bytes(type), &host, err));
    if (host != NULL) {
        mpi->host_in_flight = true;
        hn_host_sum_start(&host->sum, data, n, type, reduction);
        return HN_OK;
    }
    mpi->requests = hn_alloc(n_pieces, sizeof *mpi->requests, "requests of a sum", err);
    if (mpi->requests == NULL) {
        return HN_MEMORY;
    }
    for (size_t at = 0; at < n; at += piece) {
        int count = (int)min_size(piece, n - at);
        HN_TRY(hn_mpi_check(MPI_Iallreduce(MPI_IN_PLACE, (char *)data + at * hn_comm_type_bytes(type), count,
                                           hn_mpi_type(type), op, mpi->handle, &mpi->requests[mpi->n_requests]),
                            "starting a reduction", err));
        mpi->n_requests++;
    }
    return HN_OK;
}

static HnStatus mpi_wait(HnComm *comm, HnError *err) {
    CommMpi *mpi = mpi_of(comm);
    HnStatus status = HN_OK;
    if (mpi->host_in_flight) {
        mpi->host_in_flight = false;
        return hn_host_sum_finish(&mpi->host->sum, err);
    }
    for (int i = 0; i < mpi->n_requests; i++) {
        HnStatus one = hn_mpi_check(hn_mpi_wait(&mpi->requests[i], comm->crowded), "the end of a reduction", err);
        status = status == HN_OK ? one : status;
    }
    hn_free(mpi->requests);
    mpi->requests = NULL;
    mpi->n_requests = 0;
    return status;
}

/* Everything in one call where an int can say where each part lies. */
static HnStatus gather_small(CommMpi *mpi, const void *mine, void *all, const size_t *n_bytes, HnError *err) {
    size_t size = (size_t)mpi->base.size;
    int *counts = hn_alloc(2 * size, sizeof *counts, "counts of a gather", err);
    if (counts == NULL) {
        return HN_MEMORY;
    }
    int *places = counts + size;
    int at = 0;
    for (size_t r = 0; r < size; r++) {
        counts[r] = (int)n_bytes[r];
        places[r] = at;
        at += counts[r];
    }
    HnStatus status =
        hn_mpi_check(hn_mpi_gather(mine, counts[mpi->base.rank], all, counts, places, mpi->handle, mpi->base.crowded),
                     "a gather", err);
    hn_free(counts);
    return status;
}

static HnStatus mpi_gather_all(HnComm *comm, const void *mine, void *all, const size_t *n_bytes, HnError *err) {
    size_t total = 0;
    for (int r = 0; r < comm->size; r++) {
        total += n_bytes[r];
    }
    if (total <= piece_of(comm)) {
        return gather_small(mpi_of(comm), mine, all, n_bytes, err);
    }
    char *part = all;
    for (int r = 0; r < comm->size; r++) {
        if (r == comm->rank && n_bytes[r] > 0) {
            memcpy(part, mine, n_bytes[r]);
        }
        HN_TRY(mpi_broadcast(comm, part, n_bytes[r], r, err));
        part += n_bytes[r];
    }
    return HN_OK;
}

/* ---- ranks of one host ---- */

static HnStatus mpi_host(HnComm *comm, HnCommHost *place, HnError *err) {
    CommMpi *mpi = mpi_of(comm);
    HN_TRY(host_try(mpi, err));
    if (mpi->host != NULL) {
        *place = (HnCommHost){mpi->host->sum.rank, mpi->host->sum.size, mpi->host->n_hosts};
    }
    return HN_OK;
}

static HnStatus mpi_host_block(HnComm *comm, size_t n_bytes, HnHostBlock *block, HnError *err) {
    CommMpi *mpi = mpi_of(comm);
    HN_TRY(host_try(mpi, err));
    return mpi->host == NULL ? HN_OK : hn_host_group_block(mpi->host, n_bytes, block, err);
}

static void mpi_host_arrive(HnComm *comm) {
    hn_host_sum_arrive(&mpi_of(comm)->host->sum);
}

static void mpi_host_await(HnComm *comm) {
    hn_host_sum_await(&host_as_now(mpi_of(comm))->sum);
}

static HnStatus mpi_sum_hosts(HnComm *comm, void *data, size_t n, HnCommType type, HnError *err) {
    return hn_host_group_sum_hosts(host_as_now(mpi_of(comm)), data, n, type, err);
}

/* ---- messages ---- */

/* Frees messages that have left; with `wait`, waits for all. */
static HnStatus outbox_progress(CommMpi *mpi, bool wait, HnError *err) {
    Outgoing **link = &mpi->outbox;
    while (*link != NULL) {
        Outgoing *out = *link;
        int left = 0;
        if (wait) {
            HN_TRY(hn_mpi_check(hn_mpi_wait(&out->request, mpi->base.crowded), "sending a message", err));
            left = 1;
        } else {
            HN_TRY(hn_mpi_check(MPI_Test(&out->request, &left, MPI_STATUS_IGNORE), "sending a message", err));
        }
        if (left) {
            *link = out->next;
            hn_free(out);
        } else {
            link = &out->next;
        }
    }
    return HN_OK;
}

static HnStatus mpi_send(HnComm *comm, int to, const HnMessage *message, HnError *err) {
    CommMpi *mpi = mpi_of(comm);
    HN_TRY(outbox_progress(mpi, false, err));
    Outgoing *out = hn_alloc(1, sizeof *out, "message", err);
    if (out == NULL) {
        return HN_MEMORY;
    }
    memcpy(out->words, message, sizeof out->words);
    HnStatus status =
        hn_mpi_check(MPI_Isend(out->words, MESSAGE_WORDS, MPI_UINT64_T, to, MESSAGE_TAG, mpi->handle, &out->request),
                     "sending a message", err);
    if (status != HN_OK) {
        hn_free(out);
        return status;
    }
    out->next = mpi->outbox;
    mpi->outbox = out;
    return HN_OK;
}

static HnStatus mpi_receive(HnComm *comm, int *from, HnMessage *message, bool *got, HnError *err) {
    CommMpi *mpi = mpi_of(comm);
    HN_TRY(outbox_progress(mpi, false, err));
    int there = 0;
    MPI_Status probed;
    HN_TRY(hn_mpi_check(MPI_Iprobe(MPI_ANY_SOURCE, MESSAGE_TAG, mpi->handle, &there, &probed), "looking for a message",
                        err));
    if (!there) {
        return HN_OK;
    }
    HN_TRY(hn_mpi_check(
        MPI_Recv(message, MESSAGE_WORDS, MPI_UINT64_T, probed.MPI_SOURCE, MESSAGE_TAG, mpi->handle, MPI_STATUS_IGNORE),
        "receiving a message", err));
    *from = probed.MPI_SOURCE;
    *got = true;
    return HN_OK;
}

static HnStatus mpi_flush(HnComm *comm, HnError *err) {
    return outbox_progress(mpi_of(comm), true, err);
}

static HnStatus create(MPI_Comm handle, HnWatch *watch, bool crowded, HnComm **out, HnError *err);

static HnStatus mpi_split(HnComm *comm, int colour, int key, HnComm **out, HnError *err) {
    MPI_Comm handle = MPI_COMM_NULL;
    HN_TRY(hn_mpi_check(MPI_Comm_split(mpi_of(comm)->handle, colour < 0 ? MPI_UNDEFINED : colour, key, &handle),
                        "forming a group", err));
    return handle == MPI_COMM_NULL ? HN_OK : create(handle, comm->watch, comm->crowded, out, err);
}

static void mpi_free(HnComm *comm) {
    CommMpi *mpi = mpi_of(comm);
    HnError ignored = HN_ERROR_INIT;
    mpi->host_in_flight = false; /* the others may be gone */
    (void)mpi_wait(comm, &ignored);
    (void)mpi_flush(comm, &ignored);
    hn_host_group_free(&mpi->host);
    MPI_Comm_free(&mpi->handle);
    hn_free(mpi);
}

static const HnCommOps mpi_ops = {.name = "mpi",
                                  .split = mpi_split,
                                  .free = mpi_free,
                                  .barrier = mpi_barrier,
                                  .broadcast = mpi_broadcast,
                                  .reduce = mpi_reduce,
                                  .reduce_start = mpi_reduce_start,
                                  .wait = mpi_wait,
                                  .gather_all = mpi_gather_all,
                                  .host = mpi_host,
                                  .host_block = mpi_host_block,
                                  .host_block_free = hn_host_block_free,
                                  .host_arrive = mpi_host_arrive,
                                  .host_await = mpi_host_await,
                                  .sum_hosts = mpi_sum_hosts,
                                  .send = mpi_send,
                                  .receive = mpi_receive,
                                  .flush = mpi_flush};

/* Takes over handle, also on failure. */
static HnStatus create(MPI_Comm handle, HnWatch *watch, bool crowded, HnComm **out, HnError *err) {
    CommMpi *mpi = hn_alloc(1, sizeof *mpi, "group of ranks", err);
    if (mpi == NULL) {
        MPI_Comm_free(&handle);
        return HN_MEMORY;
    }
    MPI_Comm_set_errhandler(handle, MPI_ERRORS_RETURN);
    MPI_Comm_rank(handle, &mpi->base.rank);
    MPI_Comm_size(handle, &mpi->base.size);
    mpi->base.ops = &mpi_ops;
    mpi->base.watch = watch;
    mpi->base.crowded = crowded;
    mpi->handle = handle;
    *out = &mpi->base;
    return HN_OK;
}

HnStatus hn_comm_from_mpi(MPI_Comm from, HnWatch *watch, HnComm **comm, HnError *err) {
    *comm = NULL;
    MPI_Comm handle = MPI_COMM_NULL;
    bool crowded = false;
    HN_TRY(hn_mpi_find_crowd(from, &crowded, err));
    HN_TRY(hn_mpi_check(MPI_Comm_dup(from, &handle), "duplicating a group", err));
    return create(handle, watch, crowded, comm, err);
}

MPI_Comm hn_comm_mpi_handle(const HnComm *comm) {
    return comm->ops == &mpi_ops ? ((const CommMpi *)comm)->handle : MPI_COMM_NULL;
}
