/* comm.h over the ops table: argument checks, counting, watchdog stamps, and what is the same for every back end. */
#include "comm.h"

#include <string.h>

#include "comm_ops.h"

int hn_comm_rank(const HnComm *comm) {
    return comm->rank;
}

int hn_comm_size(const HnComm *comm) {
    return comm->size;
}

const char *hn_comm_backend(const HnComm *comm) {
    return comm->ops->name;
}

uint64_t hn_comm_bytes_moved(const HnComm *comm) {
    return comm->bytes_moved;
}

size_t hn_comm_type_bytes(HnCommType type) {
    switch (type) {
    case HN_COMM_F32:
    case HN_COMM_I32:
        return 4;
    case HN_COMM_F64:
    case HN_COMM_I64:
        return 8;
    case HN_COMM_BYTE:
        break;
    }
    return 1;
}

HnStatus hn_comm_split(HnComm *comm, int colour, int key, HnComm **out, HnError *err) {
    *out = NULL;
    hn_watch_enter(comm->watch, "split");
    HnStatus status = comm->ops->split(comm, colour, key, out, err);
    hn_watch_leave(comm->watch);
    return status;
}

void hn_comm_free(HnComm **comm) {
    if (*comm != NULL) {
        (*comm)->ops->free(*comm);
        *comm = NULL;
    }
}

HnStatus hn_comm_barrier(HnComm *comm, HnError *err) {
    hn_watch_enter(comm->watch, "barrier");
    HnStatus status = comm->ops->barrier(comm, err);
    hn_watch_leave(comm->watch);
    return status;
}

HnStatus hn_comm_broadcast(HnComm *comm, void *data, size_t n_bytes, int root, HnError *err) {
    if (root < 0 || root >= comm->size) {
        return hn_fail(err, HN_INTERNAL, "broadcast from rank %d in a group of %d", root, comm->size);
    }
    if (n_bytes == 0) {
        return HN_OK;
    }
    if (comm->rank == root) {
        comm->bytes_moved += n_bytes;
    }
    hn_watch_enter(comm->watch, "broadcast");
    HnStatus status = comm->ops->broadcast(comm, data, n_bytes, root, err);
    hn_watch_leave(comm->watch);
    return status;
}

static HnStatus reduce(HnComm *comm, void *data, size_t n, HnCommType type, HnCommReduction reduction, const char *name,
                       HnError *err) {
    if (n == 0) {
        return HN_OK;
    }
    comm->bytes_moved += n * hn_comm_type_bytes(type);
    hn_watch_enter(comm->watch, name);
    HnStatus status = comm->ops->reduce(comm, data, n, type, reduction, err);
    hn_watch_leave(comm->watch);
    return status;
}

HnStatus hn_comm_sum_f32(HnComm *comm, float *data, size_t n, HnError *err) {
    return reduce(comm, data, n, HN_COMM_F32, HN_COMM_SUM, "sum of f32", err);
}

HnStatus hn_comm_sum_f64(HnComm *comm, double *data, size_t n, HnError *err) {
    return reduce(comm, data, n, HN_COMM_F64, HN_COMM_SUM, "sum of f64", err);
}

HnStatus hn_comm_sum_i64(HnComm *comm, int64_t *data, size_t n, HnError *err) {
    return reduce(comm, data, n, HN_COMM_I64, HN_COMM_SUM, "sum of i64", err);
}

HnStatus hn_comm_sum_i32(HnComm *comm, int32_t *data, size_t n, HnError *err) {
    return reduce(comm, data, n, HN_COMM_I32, HN_COMM_SUM, "sum of i32", err);
}

HnStatus hn_comm_max_i64(HnComm *comm, int64_t *data, size_t n, HnError *err) {
    return reduce(comm, data, n, HN_COMM_I64, HN_COMM_MAX, "max of i64", err);
}

/* Floats as integers of the same order, NaN above all: what MPI_MAX does with a NaN is not defined, and a NaN that gets
 * lost here would pass for a finite scale. The map is its own inverse but for the bits of a NaN. */
static void order_keys(void *data, size_t n, bool from_floats) {
    unsigned char *bytes = data;
    for (size_t i = 0; i < n; i++) {
        int32_t key;
        memcpy(&key, bytes + 4 * i, 4);
        if (from_floats && (key & 0x7fffffff) > 0x7f800000) {
            key = INT32_MAX;
        } else if (key < 0) {
            key ^= 0x7fffffff;
        }
        memcpy(bytes + 4 * i, &key, 4);
    }
}

HnStatus hn_comm_max_f32(HnComm *comm, float *data, size_t n, HnError *err) {
    order_keys(data, n, true);
    HnStatus status = reduce(comm, data, n, HN_COMM_I32, HN_COMM_MAX, "max of f32", err);
    order_keys(data, n, false);
    return status;
}

static HnStatus reduce_start(HnComm *comm, void *data, size_t n, HnCommType type, HnError *err) {
    if (comm->in_flight) {
        return hn_fail(err, HN_INTERNAL, "a sum was started in a group that has one in flight already");
    }
    comm->in_flight = true;
    if (n == 0) {
        return HN_OK;
    }
    comm->bytes_moved += n * hn_comm_type_bytes(type);
    hn_watch_enter(comm->watch, "start of a sum");
    HnStatus status = comm->ops->reduce_start(comm, data, n, type, HN_COMM_SUM, err);
    hn_watch_leave(comm->watch);
    return status;
}

HnStatus hn_comm_sum_f32_start(HnComm *comm, float *data, size_t n, HnError *err) {
    return reduce_start(comm, data, n, HN_COMM_F32, err);
}

HnStatus hn_comm_sum_i64_start(HnComm *comm, int64_t *data, size_t n, HnError *err) {
    return reduce_start(comm, data, n, HN_COMM_I64, err);
}

HnStatus hn_comm_wait(HnComm *comm, HnError *err) {
    if (!comm->in_flight) {
        return hn_fail(err, HN_INTERNAL, "waiting for a sum that was never started");
    }
    comm->in_flight = false;
    hn_watch_enter(comm->watch, "wait for a sum");
    HnStatus status = comm->ops->wait(comm, err);
    hn_watch_leave(comm->watch);
    return status;
}

HnStatus hn_comm_gather_all(HnComm *comm, const void *mine, void *all, const size_t *n_bytes, HnError *err) {
    comm->bytes_moved += n_bytes[comm->rank];
    hn_watch_enter(comm->watch, "gather");
    HnStatus status = comm->ops->gather_all(comm, mine, all, n_bytes, err);
    hn_watch_leave(comm->watch);
    return status;
}

HnStatus hn_comm_any(HnComm *comm, bool *flag, HnError *err) {
    int64_t value = *flag ? 1 : 0;
    HN_TRY(reduce(comm, &value, 1, HN_COMM_I64, HN_COMM_MAX, "any", err));
    *flag = value != 0;
    return HN_OK;
}

HnStatus hn_comm_agree(HnComm *comm, HnStatus mine, HnError *err) {
    /* The largest of size - rank over the failing ranks is the first one that failed; 0 where all is well. */
    int64_t first = mine == HN_OK ? 0 : comm->size - comm->rank;
    HnError trouble = HN_ERROR_INIT;
    HnStatus status = reduce(comm, &first, 1, HN_COMM_I64, HN_COMM_MAX, "agree", &trouble);
    if (status != HN_OK) {
        return hn_fail(err, status, "%s", trouble.message);
    }
    if (first == 0) {
        hn_watch_told_elsewhere(comm->watch, false);
        return HN_OK;
    }
    int teller = comm->size - (int)first;
    HnError cause = HN_ERROR_INIT;
    if (comm->rank == teller) {
        if (err != NULL && err->status != HN_OK) {
            cause = *err;
        }
        cause.status = mine;
    }
    status = hn_comm_broadcast(comm, &cause, sizeof cause, teller, &trouble);
    if (status != HN_OK) {
        return hn_fail(err, status, "%s", trouble.message);
    }
    hn_watch_told_elsewhere(comm->watch, comm->rank != teller);
    if (err != NULL) {
        *err = cause;
    }
    return cause.status;
}

/* ---- ranks of one host ---- */

HnStatus hn_comm_host(HnComm *comm, HnCommHost *host, HnError *err) {
    *host = (HnCommHost){.size = 1, .n_hosts = comm->size};
    if (comm->ops->host == NULL) {
        return HN_OK;
    }
    hn_watch_enter(comm->watch, "finding the ranks of a host");
    HnStatus status = comm->ops->host(comm, host, err);
    hn_watch_leave(comm->watch);
    return status;
}

HnStatus hn_comm_host_block(HnComm *comm, size_t n_bytes, HnHostBlock *block, HnError *err) {
    *block = (HnHostBlock){0};
    if (comm->ops->host_block == NULL) {
        return HN_OK;
    }
    hn_watch_enter(comm->watch, "sharing memory");
    HnStatus status = comm->ops->host_block(comm, n_bytes, block, err);
    hn_watch_leave(comm->watch);
    return status;
}

void hn_comm_host_block_free(HnComm *comm, HnHostBlock *block) {
    if (block->data != NULL) {
        comm->ops->host_block_free(block);
    }
    *block = (HnHostBlock){0};
}

void hn_comm_host_arrive(HnComm *comm, uint64_t payload) {
    comm->bytes_moved += payload;
    comm->ops->host_arrive(comm);
}

void hn_comm_host_await(HnComm *comm) {
    hn_watch_enter(comm->watch, "meeting of a host's ranks");
    comm->ops->host_await(comm);
    hn_watch_leave(comm->watch);
}

static HnStatus sum_hosts(HnComm *comm, void *data, size_t n, HnCommType type, HnError *err) {
    if (n == 0) {
        return HN_OK;
    }
    hn_watch_enter(comm->watch, "sum over hosts");
    HnStatus status = comm->ops->sum_hosts(comm, data, n, type, err);
    hn_watch_leave(comm->watch);
    return status;
}

HnStatus hn_comm_sum_hosts_f32(HnComm *comm, float *data, size_t n, HnError *err) {
    return sum_hosts(comm, data, n, HN_COMM_F32, err);
}

HnStatus hn_comm_sum_hosts_i64(HnComm *comm, int64_t *data, size_t n, HnError *err) {
    return sum_hosts(comm, data, n, HN_COMM_I64, err);
}

HnStatus hn_message_send(HnComm *comm, int to, const HnMessage *message, HnError *err) {
    return comm->ops->send(comm, to, message, err);
}

HnStatus hn_message_receive(HnComm *comm, int *from, HnMessage *message, bool *got, HnError *err) {
    *got = false;
    return comm->ops->receive(comm, from, message, got, err);
}

HnStatus hn_message_flush(HnComm *comm, HnError *err) {
    hn_watch_enter(comm->watch, "last messages of a deal");
    HnStatus status = comm->ops->flush(comm, err);
    hn_watch_leave(comm->watch);
    return status;
}
