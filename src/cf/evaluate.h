/* Full ranking: every user with items in the part is counted once, against all items but the masked ones. Users without
 * any are left out of the means. Equal scores rank by lower item number. */
#ifndef HN_CF_EVALUATE_H
#define HN_CF_EVALUATE_H

#include <stdint.h>

#include "base/error.h"
#include "cf/metrics.h"
#include "cf/shards.h"
#include "comm.h"
#include "data/dataset.h"

struct HnGroups; /* groups.h */

/* This rank's users with items in one part. */
typedef struct HnEvalSet {
    uint64_t n_users; /* of this rank */
    uint64_t n_users_global;
    int32_t *users;           /* [n_users] local rows */
    uint64_t *target_offsets; /* [n_users + 1] */
    int32_t *targets;         /* ascending within a user */
    uint64_t *mask_offsets;   /* [n_users + 1] */
    int32_t *masked;          /* ascending within a user */
} HnEvalSet;

/* mask_valid: hide the items of valid too, not of train alone. Collective (counts users). */
HnStatus hn_eval_set_create(const HnDataset *dataset, const HnUserShards *shards, HnPart part, bool mask_valid,
                            HnComm *comm, HnEvalSet *set, HnError *err);
void hn_eval_set_free(HnEvalSet *set);

/* Means over all ranks' users: exact sums, so the same for any number of ranks. users [n_local][dim], items
 * [n_items][dim]; values [hn_metrics_count]; 0 where no user has items. groups: NULL, or filled too. Collective. */
HnStatus hn_evaluate(const HnEvalSet *set, const float *users, const float *items, uint64_t n_items, int dim,
                     const HnIntList *ks, struct HnGroups *groups, HnComm *comm, double *values, HnError *err);

#endif
