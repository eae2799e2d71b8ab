/* Slices of a ranking: users by how active they are, items by how popular.
 *
 * Activity: users with items in the part, by their number of train pairs. Each group is "at most so many pairs, more
 * than the group before"; the bounds are eval.activity_bounds, or quantiles that put about equally many users into each
 * of eval.activity_groups (users of equal number stay together, so groups may be fewer).
 * Popularity (paper, section on P3: the 80 % of items with the fewest train pairs, the next 15 %, the top 5 %): the
 * user's items in the part are cut down to those of the group, everything is ranked as before, and users without any
 * are left out. Items of equal number are ordered by row.
 *
 * Beside the metrics of a group stands its share of recall: hits in the group / all of the user's items, a mean over
 * all users of the part. Over the groups of one kind it sums to recall.
 */
#ifndef HN_CF_GROUPS_H
#define HN_CF_GROUPS_H

#include "cf/evaluate.h"

typedef struct HnGroup {
    const char *kind; /* "activity", "popularity" */
    char name[48];
    int64_t least, most; /* train pairs of its users, or of its items; 0 and 0 where it has none */
    int64_t members;     /* users with items in the part; or items */
    int64_t users;       /* users that its metrics are means over */
} HnGroup;

typedef struct HnGroups {
    size_t n_activity, n_popularity, n; /* n is their sum; activity comes first */
    HnGroup *groups;                    /* [n] */
    uint16_t *of_user;                  /* [set->n_users] activity group */
    uint16_t *of_item;                  /* [n_items] popularity group, from 0 */
    size_t n_metrics, n_ks;
    double *metric;       /* [n][n_metrics] */
    double *recall_share; /* [n][n_ks] */
} HnGroups;

/* Who belongs where, the same on every rank. Keys eval.activity_groups, .activity_bounds, .popularity_shares. set: of
 * the part under test. Collective; hn_groups_free also after failure. */
HnStatus hn_groups_create(const HnTrainConfig *config, const HnUserShards *shards, const HnEvalSet *set, HnComm *comm,
                          HnGroups *groups, HnError *err);
void hn_groups_free(HnGroups *groups);
/* At most, while the groups are made. */
uint64_t hn_groups_bytes(uint64_t n_local_users, uint64_t n_items);

#endif
