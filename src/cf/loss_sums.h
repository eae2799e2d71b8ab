/* Adds the pairs' gradient rows up, by user and by item. */
#ifndef HN_CF_LOSS_SUMS_H
#define HN_CF_LOSS_SUMS_H

#include "base/error.h"
#include "cf/batch.h"
#include "cf/loss.h"
#include "comm.h"

typedef struct HnLossAdder {
    HnComm *comm;
    bool exact;
    int32_t *fixed;  /* exact: the pairs' gradient rows by items, in fixed point */
    int64_t *totals; /* exact: [batch items][width], [batch items][hops][dim] and the losses; or windows of threads */
    float *floats;   /* not exact: the same in floats */
} HnLossAdder;

HnStatus hn_loss_adder_create(HnComm *comm, bool exact, const HnBatch *batch, HnLossAdder *adder, HnError *err);
void hn_loss_adder_free(HnLossAdder *adder);
uint64_t hn_loss_adder_bytes(const HnBatchShape *shape, uint64_t capacity, uint64_t n_batch_items, bool exact);

/* d_user_vectors (a user's pairs are all on one rank: floats in position order), and d_item_vectors and d_item_hops
 * (sums over ranks). sums become those of all ranks, and *stop is true on all ranks where any raised it. HN_NUMERIC on
 * all ranks where any rank's loss or gradient is not finite. Collective. */
HnStatus hn_loss_add_up(HnLossAdder *adder, HnBatch *batch, HnLossSums *sums, bool *stop, HnError *err);

#endif
