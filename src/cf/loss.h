/* The losses over a batch's pairs. A ranking loss is one file in losses/: a function of a pair's two scores. Losses
 * write each pair's gradient rows (batch->d_user, d_positive, d_negative); loss_sums.c adds them up by row. */
#ifndef HN_CF_LOSS_H
#define HN_CF_LOSS_H

#include <stdint.h>

#include "base/error.h"
#include "cf/batch.h"
#include "cf/table.h"
#include "comm.h"
#include "config/experiment.h"

typedef struct HnPairLoss {
    const char *name;
    /* Loss of one pair with scores s_p, s_n, and its derivative with respect to s_n (that by s_p is the negative). */
    float (*pair)(float score_positive, float score_negative, float margin, float *slope);
} HnPairLoss;

extern const HnPairLoss HN_LOSS_OPS_BPR, HN_LOSS_OPS_HINGE;
const HnPairLoss *hn_pair_loss(HnLossName name);

/* Parts of the loss, as logged and stored (own = the backbone's); beside them, no loss, the share of hard negatives
 * (eq. 6) that score higher than the random negative of their pair: where it nears 0, they are not hard. 0 too where
 * there are none. */
enum { HN_LOSS_TOTAL, HN_LOSS_RANKING, HN_LOSS_ALIGN, HN_LOSS_L2, HN_LOSS_OWN, HN_LOSS_HARDER, HN_N_LOSSES };
extern const char *const HN_LOSS_PART_NAMES[HN_N_LOSSES];

/* Sums over this rank's pairs, in fixed units (sums.h): exact, so independent of order. bad: some pair's loss was NaN
 * or beyond the limit. */
typedef struct HnLossSums {
    int64_t ranking, align, l2_rows;
    int64_t own;              /* of the backbone, weighted; the mean over n_used is reported */
    int64_t n_hard, n_harder; /* pairs with a hard negative; those where it outscores the random one */
    bool bad;
} HnLossSums;

/* Mean over batch->n_used of the pair loss, on user_vectors, item_vectors (positive) and batch->negatives: overwrites
 * the pairs' gradient rows. Local. */
void hn_loss_ranking(HnBatch *batch, const HnPairLoss *loss, float margin, HnLossSums *sums);

/* Eq. 9 (InfoNCE with cosine similarity): pulls user and positive together against hard negatives. */
typedef struct HnAlign {
    float lambda, tau;
    bool in_batch;    /* negatives of a pair: all hard negatives of the batch, not its own alone */
    float *user_unit; /* [max_positions][dim] in_batch only: unit rows of the whole batch */
    float *hard_unit; /* [max_positions][dim] */
    float *facts;     /* [max_positions][3]: has a hard negative, log of the denominator, length of the user row */
    uint64_t max_positions;
} HnAlign;
HnStatus hn_align_create(HnAlign *align, const HnTrainConfig *config, uint64_t max_positions, int dim, HnError *err);
void hn_align_free(HnAlign *align);
/* hard [n][dim]: each pair's hard negative; present[k] false: pair k has none and takes no part. Adds to d_user and
 * d_positive, and to d_hard [n][dim]. Collective when in_batch (gathers the batch's rows), else local. */
HnStatus hn_loss_align(HnBatch *batch, HnAlign *align, const float *hard, const bool *present, float *d_hard,
                       HnComm *comm, HnLossSums *sums, HnError *err);

/* lambda/2 |row|^2 of every pair's layer-0 rows, over n_used: value here, gradient by hn_l2_gradient_*, which add
 * to the gradients of the table's rows first .. last-1 and are called for all of them, by any thread. */
void hn_loss_l2(const HnBatch *batch, const HnTable *users, const HnTable *items, double lambda, HnLossSums *sums);
void hn_l2_gradient_users(const HnBatch *batch, const HnTable *users, double lambda, uint64_t first, uint64_t last,
                          float *gradients);
void hn_l2_gradient_items(const HnBatch *batch, const HnTable *items, double lambda, uint64_t first, uint64_t last,
                          float *gradients);

#endif
