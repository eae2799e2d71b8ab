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
    /* Loss of one pair with scores s_p, s_n, and its derivative with respect to s_n (that by s_p is the negative).
     * parameter: the hinge's margin, BPR's epsilon. */
    float (*pair)(float score_positive, float score_negative, float parameter, float *slope);
} HnPairLoss;

extern const HnPairLoss HN_LOSS_OPS_BPR, HN_LOSS_OPS_HINGE;
/* NULL for softmax, which is no function of two scores. */
const HnPairLoss *hn_pair_loss(HnLossName name);

/* The ranking loss of one batch: the sum over its pairs, over the divisor. Of K negatives: ln(1 + sum_k exp(s_k - s_p))
 * (joint, MixGCF's family: BPR for K = 1), or the sum over them of the pair loss (DNS(M,N) with all of M), or the
 * softmax of their cosines (tau above 0). */
typedef struct HnRanking {
    const HnPairLoss *loss;
    float parameter, divisor;
    float tau; /* softmax; else 0 */
    bool joint;
} HnRanking;
enum { HN_MOST_NEGATIVES = 1024 }; /* the bound of sampler.negatives */
HnRanking hn_ranking(const HnTrainConfig *config, const HnBatch *batch);

/* Parts of the loss, as logged and stored (own = the backbone's). Beside them stand two shares: of hard negatives (eq.
 * 6) that score higher than the random negative of their pair (where it nears 0, they are not hard; 0 too where there
 * are none), and of false negatives (false_negatives.h). */
enum {
    HN_LOSS_TOTAL,
    HN_LOSS_RANKING,
    HN_LOSS_ALIGN,
    HN_LOSS_L2,
    HN_LOSS_OWN,
    HN_LOSS_HARDER,
    HN_LOSS_FALSE,
    HN_N_LOSSES
};
extern const char *const HN_LOSS_PART_NAMES[HN_N_LOSSES];

/* Sums over this rank's pairs, in fixed units (sums.h): exact, so independent of order. bad: some pair's loss was NaN
 * or beyond the limit. */
typedef struct HnLossSums {
    int64_t ranking, align;
    int64_t squares[3];       /* of rows that L2 counts, see l2.h */
    int64_t own;              /* of the backbone, weighted; the mean over n_used is reported */
    int64_t n_hard, n_harder; /* pairs with a hard negative; those where it outscores the random one */
    bool bad;
} HnLossSums;

/* Every pair's loss, on user_vectors, item_vectors (positive) and batch->negatives: overwrites the pairs' gradient
 * rows. Local. */
void hn_loss_ranking(HnBatch *batch, const HnRanking *ranking, HnLossSums *sums);

/* Softmax of pair k over its drawn negatives: its loss; overwrites its gradient rows (losses/sampled.c). */
float hn_loss_sampled_softmax(HnBatch *batch, uint32_t k, const HnRanking *ranking);

/* Sampler in_batch: every pair against the positives of all other pairs of the batch, none removed. With m = n_used - 1
 * negatives, c the cosines and s the scores of final vectors, a pair's loss is
 *
 *     softmax      -c_p / tau + ln sum_n exp(c_n / tau)        (BSL's SL: the positive is not in the denominator)
 *     bpr, hinge   mean over n of the pair loss of s_p, s_n
 *
 * and 0 where m = 0. */
typedef struct HnInBatch {
    float tau;      /* softmax; 0 = a pair loss */
    float *user;    /* [max_positions][width] users' rows of the whole batch, of length 1 for softmax */
    float *item;    /* [max_positions][width] positives' rows, likewise */
    float *present; /* [max_positions] 1 where the position holds a pair */
    float *
        level; /* [max_positions] what a pair's slopes need: ln of the softmax's denominator, or the positive's score */
    float *own_slope; /* [capacity] slope of each pair's loss by its positive's score */
    float *weights;   /* [block of pairs][max_positions] scores, then slopes */
    float *left;      /* [block of pairs][width] */
    float *sum;       /* [block of pairs][width] */
    void *scratch;    /* of the products */
} HnInBatch;
/* Holds nothing where the sampler is another one. */
HnStatus hn_in_batch_create(HnInBatch *in_batch, const HnTrainConfig *config, const HnBatch *batch, HnError *err);
void hn_in_batch_free(HnInBatch *in_batch);
uint64_t hn_in_batch_bytes(const HnTrainConfig *config, uint64_t n_positions, int width);
/* Overwrites the pairs' gradient rows. Collective: gathers the batch's rows. */
HnStatus hn_loss_in_batch(HnBatch *batch, HnInBatch *in_batch, const HnRanking *ranking, HnComm *comm, HnLossSums *sums,
                          HnError *err);

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

#endif
