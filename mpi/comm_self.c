/* The group of one rank: every collective is the identity. Builds without MPI. */
#include <string.h>

#include "base/alloc.h"
#include "comm_ops.h"

static HnStatus self_create(HnWatch *watch, HnComm **out, HnError *err);

static HnStatus self_split(HnComm *comm, int colour, int key, HnComm **out, HnError *err) {
    (void)key;
    return colour < 0 ? HN_OK : self_create(comm->watch, out, err);
}

static void self_free(HnComm *comm) {
    hn_free(comm);
}

static HnStatus self_nothing(HnComm *comm, HnError *err) {
    (void)comm;
    (void)err;
    return HN_OK;
}

static HnStatus self_broadcast(HnComm *comm, void *data, size_t n_bytes, int root, HnError *err) {
    (void)comm;
    (void)data;
    (void)n_bytes;
    (void)root;
    (void)err;
    return HN_OK;
}

static HnStatus self_reduce(HnComm *comm, void *data, size_t n, HnCommType type, HnCommReduction reduction,
                            HnError *err) {
    (void)comm;
    (void)data;
    (void)n;
    (void)type;
    (void)reduction;
    (void)err;
    return HN_OK;
}

static HnStatus self_gather_all(HnComm *comm, const void *mine, void *all, const size_t *n_bytes, HnError *err) {
    (void)comm;
    (void)err;
    if (n_bytes[0] > 0) {
        memmove(all, mine, n_bytes[0]);
    }
    return HN_OK;
}

static HnStatus self_send(HnComm *comm, int to, const HnMessage *message, HnError *err) {
    (void)comm;
    (void)message;
    return hn_fail(err, HN_INTERNAL, "a message to rank %d of a group of one", to);
}

static HnStatus self_receive(HnComm *comm, int *from, HnMessage *message, bool *got, HnError *err) {
    (void)comm;
    (void)from;
    (void)message;
    (void)err;
    *got = false;
    return HN_OK;
}

static const HnCommOps self_ops = {.name = "self",
                                   .split = self_split,
                                   .free = self_free,
                                   .barrier = self_nothing,
                                   .broadcast = self_broadcast,
                                   .reduce = self_reduce,
                                   .reduce_start = self_reduce,
                                   .wait = self_nothing,
                                   .gather_all = self_gather_all,
                                   .send = self_send,
                                   .receive = self_receive,
                                   .flush = self_nothing};

static HnStatus self_create(HnWatch *watch, HnComm **out, HnError *err) {
    HnComm *comm = hn_alloc(1, sizeof *comm, "group of one rank", err);
    if (comm == NULL) {
        return HN_MEMORY;
    }
    comm->ops = &self_ops;
    comm->watch = watch;
    comm->size = 1;
    *out = comm;
    return HN_OK;
}

HnStatus hn_comm_self(HnComm **out, HnError *err) {
    *out = NULL;
    return self_create(NULL, out, err);
}
