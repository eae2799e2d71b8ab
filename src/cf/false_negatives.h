/* How many of an epoch's negatives are false: so near to an item of the user's TEST part that they push away what the
 * user wants. Looked at, never learnt from (paper, figure 6: cosine above .99 with any test item of the user, a few
 * users, every epoch).
 *
 * The negative is the vector that a pair is compared with: the drawn item's, the semantic sampler's mixed one (eq. 7),
 * the mixed hops of MixGCF and DINS. It is drawn anew after the epoch, by the draws of that epoch, with the vectors as
 * they are then. The users are the same for every row, seed and epoch: the first of a fixed permutation that have train
 * and test pairs. In-batch negatives are those of a whole batch, and not looked at.
 */
#ifndef HN_CF_FALSE_NEGATIVES_H
#define HN_CF_FALSE_NEGATIVES_H

#include "cf/trainer.h"

typedef struct HnFalseNegatives {
    uint64_t n_pairs; /* of the chosen users; 0 = nothing to look at */
    uint64_t *pairs;  /* [n_pairs] train pair numbers, the same on every rank */
    HnPairs test;     /* this rank's users */
} HnFalseNegatives;

/* Chooses eval.false_negative_users users. Collective; hn_false_negatives_free also after failure. */
HnStatus hn_false_negatives_create(const HnTrainer *trainer, HnFalseNegatives *look, HnError *err);
void hn_false_negatives_free(HnFalseNegatives *look);
/* Share of the chosen users' pairs whose negative of `epoch` is false; 0 where there is none. Collective. */
HnStatus hn_false_negatives_share(HnFalseNegatives *look, HnTrainer *trainer, uint64_t epoch, double *share,
                                  HnError *err);

#endif
