/* What test_ranks.c trains on every number of ranks: a case for each backbone, sampler and way of summing. */
#ifndef HN_TEST_CF_RANK_CASES_H
#define HN_TEST_CF_RANK_CASES_H

#include "fixture.h"

enum { RANK_CASES = 48 }; /* room */

typedef struct Case {
    const char *name;
    HnTrainConfig config;
    uint64_t n_users, n_items;
    bool vectors, absent; /* absent: some pairs have no vector */
    bool cut;             /* also cut off and taken up */
    World world;
    char *folder, *vectors_path;
    HnDataset *dataset;
} Case;

/* Fills cases, all but what a run puts in (world, folder, data set); returns their number. */
size_t rank_cases(Case *cases);

#endif
