/* Behind comm.h: what a back end provides, and the part of a group that all back ends share. Only mpi/ and its tests
 * include this.
 */
#ifndef HN_COMM_OPS_H
#define HN_COMM_OPS_H

#include "comm.h"
#include "watch.h"

typedef enum HnCommType { HN_COMM_F32, HN_COMM_F64, HN_COMM_I32, HN_COMM_I64, HN_COMM_BYTE } HnCommType;
typedef enum HnCommReduction { HN_COMM_SUM, HN_COMM_MAX } HnCommReduction;

size_t hn_comm_type_bytes(HnCommType type); /* of one element */

/* A small message between two ranks of a group, outside the collectives: hn_deal_* is made of these. */
typedef struct HnMessage {
    uint64_t kind;
    uint64_t a, b, c;
} HnMessage;

/* comm.c has checked arguments and n > 0 (where there is an n) before it calls one of these. */
typedef struct HnCommOps {
    const char *name;
    HnStatus (*split)(HnComm *comm, int colour, int key, HnComm **out, HnError *err);
    void (*free)(HnComm *comm);
    HnStatus (*barrier)(HnComm *comm, HnError *err);
    HnStatus (*broadcast)(HnComm *comm, void *data, size_t n_bytes, int root, HnError *err);
    HnStatus (*reduce)(HnComm *comm, void *data, size_t n, HnCommType type, HnCommReduction reduction, HnError *err);
    HnStatus (*reduce_start)(HnComm *comm, void *data, size_t n, HnCommType type, HnCommReduction reduction,
                             HnError *err);
    HnStatus (*wait)(HnComm *comm, HnError *err);
    HnStatus (*gather_all)(HnComm *comm, const void *mine, void *all, const size_t *n_bytes, HnError *err);
    /* Ranks of one host; all NULL where a rank is always alone. The last three: only where host says size > 1. */
    HnStatus (*host)(HnComm *comm, HnCommHost *host, HnError *err);
    HnStatus (*host_block)(HnComm *comm, size_t n_bytes, HnHostBlock *block, HnError *err);
    void (*host_block_free)(HnHostBlock *block);
    void (*host_arrive)(HnComm *comm);
    void (*host_await)(HnComm *comm);
    HnStatus (*sum_hosts)(HnComm *comm, void *data, size_t n, HnCommType type, HnError *err);
    /* Never waits: the message is copied, and goes out while later calls poll. Order per (from, to) is kept. */
    HnStatus (*send)(HnComm *comm, int to, const HnMessage *message, HnError *err);
    HnStatus (*receive)(HnComm *comm, int *from, HnMessage *message, bool *got, HnError *err);
    HnStatus (*flush)(HnComm *comm, HnError *err); /* returns when all messages sent have left */
} HnCommOps;

/* The first member of every back end's group. */
struct HnComm {
    const HnCommOps *ops;
    HnWatch *watch; /* of the process; borrowed; NULL where nobody watches */
    int rank, size;
    bool in_flight;        /* between *_start and hn_comm_wait */
    bool dealing;          /* a hn_deal is under way: its messages own the group's mailbox */
    bool crowded;          /* more ranks than cores: waits give way (wait_mpi.h), all ranks alike. Tests set it. */
    size_t piece_elements; /* larger counts go out in pieces; 0 = the back end's own bound. Tests lower it. */
    int ranks_a_host;      /* 0 = as the ranks lie; else so many neighbours count as a host. Tests set it. */
    uint64_t bytes_moved;
};

HnStatus hn_message_send(HnComm *comm, int to, const HnMessage *message, HnError *err);
HnStatus hn_message_receive(HnComm *comm, int *from, HnMessage *message, bool *got, HnError *err);
HnStatus hn_message_flush(HnComm *comm, HnError *err);

#endif
