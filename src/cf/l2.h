/* The L2 term (eq. 10) in the forms that code bases give it, by train.reg, train.reg_rows and train.reg_divide. With
 * S_x the squares of the rows of a batch's users, positives or negatives, one for each pair, and D the divisor:
 *
 *     sq_half      lambda/2 (S_u + S_p + S_n) / D                 (MixGCF's family, LightGCN-PyTorch, SGL-Torch)
 *     norm         lambda (sqrt S_u + sqrt S_p + sqrt S_n) / D    (SELFRec, RecBole: the norm of each block)
 *     all_params   lambda |all parameters|^2                      (RLMRec, SSLRec)
 *
 * Rows are those of layer 0 (ego; of a negative mixed hop by hop its hop 0, as mixed), or final vectors as compared
 * (final: NGCF's authors, RecBole's NGCF, SELFRec's MixGCF and SGL),
 * or vectors after one layer (layer1) or of all layers (layers), of negatives mixed by hop as mixed.
 * D: 1, the batch's pairs, or these times train.batch. The drawn negatives of sampler in_batch are positives of the
 * batch and count as those alone. */
#ifndef HN_CF_L2_H
#define HN_CF_L2_H

#include <stdint.h>

#include "cf/batch.h"
#include "cf/loss.h"
#include "cf/table.h"
#include "comm.h"
#include "config/experiment.h"

/* Of one batch. A weight times a row is what the term adds to the row's gradient for each of its uses. */
typedef struct HnL2 {
    const HnTrainConfig *config; /* borrowed */
    double user, positive, negative;
    double value; /* of the batch's rows, or of both tables */
} HnL2;

/* The squares, to sums->squares. Local. */
void hn_l2_squares(const HnTrainConfig *config, const HnBatch *batch, const HnTable *users, const HnTable *items,
                   const HnUserShards *shards, HnLossSums *sums);
/* What of the term belongs to pairs, before the sampler's backward: that of final rows, which is added to the pairs'
 * gradients, or the weight of mixed rows, batch->negative_l2. Collective, where it takes the squares of all ranks. */
HnStatus hn_l2_pairs(const HnTrainConfig *config, HnBatch *batch, HnComm *comm, HnLossSums *sums, HnError *err);
/* Weights and value once sums are those of all ranks. */
HnL2 hn_l2_of_batch(const HnTrainConfig *config, const HnBatch *batch, const HnLossSums *sums);

/* Gradients of hops, where L2 takes those (train.reg_rows layer1, layers): all of d_user_hops, and into d_item_hops.
 * Between adding the pairs' gradients up and the model's backward. */
void hn_l2_hops(const HnL2 *l2, HnBatch *batch);

/* Adds to the gradients of the table's rows first .. last-1; called for all of them, by any thread. */
void hn_l2_gradient_users(const HnL2 *l2, const HnBatch *batch, const HnTable *users, uint64_t first, uint64_t last,
                          float *gradients);
void hn_l2_gradient_items(const HnL2 *l2, const HnBatch *batch, const HnTable *items, uint64_t first, uint64_t last,
                          float *gradients);

/* The term of a block of other parameters with so many squares, and the weight of their gradient. Nothing needs to have
 * crossed ranks for it. */
double hn_l2_own_value(const HnTrainConfig *config, const HnBatch *batch, double squares);
double hn_l2_own_weight(const HnTrainConfig *config, const HnBatch *batch, double squares);
/* Adds the term's gradient to all of a table's. */
void hn_l2_own_gradient(HnTable *table, double weight);

#endif
