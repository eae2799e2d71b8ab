/* The order of the training pairs in an epoch: one permutation of all pairs, a function of (seed, epoch), evaluated
 * point by point. Every rank asks where its own pairs fall; nothing depends on which rank asks. */
#ifndef HN_CF_ORDER_H
#define HN_CF_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

typedef struct HnOrder {
    uint64_t n_pairs, first_pair, n_local; /* all pairs; this rank's are first_pair .. first_pair+n_local-1 */
    uint64_t batch, n_batches;             /* pairs a batch; batches an epoch */
    uint64_t *begin;    /* [n_batches + 1] where each batch's local pairs start in the two lists below */
    uint32_t *local;    /* [n_local] pair - first_pair, by batch, by position */
    uint32_t *position; /* [n_local] position within the batch */
    uint32_t *scratch;  /* [n_threads][batch] */
    uint64_t *place;    /* [n_local] batch << 32 | position of each pair */
    int n_threads;      /* that scratch is for */
} HnOrder;

/* The last, smaller batch is kept unless drop_last. Local. */
HnStatus hn_order_create(uint64_t n_pairs, uint64_t first_pair, uint64_t n_local, uint64_t batch, bool drop_last,
                         HnOrder *order, HnError *err);
void hn_order_free(HnOrder *order);
void hn_order_start_epoch(HnOrder *order, uint64_t seed, uint32_t epoch);
/* Pairs of batch `step` over all ranks. */
uint64_t hn_order_batch_size(const HnOrder *order, uint64_t step);

#endif
