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

/* ---- test_ranks.c ---- */
extern HnComm *rank_world;  /* all ranks of the program */
extern int rank_mismatches; /* what was wrong on this rank, each said on standard error */
/* Ends the job where status is an error. */
void rank_stop(HnStatus status, const char *where, HnError *err);
/* Counts a mismatch on any rank whose status is another, or whose error lacks the words. */
void rank_expect(HnStatus status, HnStatus wanted, const char *words, const HnError *err);
HnTrainJob rank_job(const Case *one, int threads, const char *folder);

/* ---- rank_resume.c: each on all groups of ranks ---- */
/* Cut off in the middle of an epoch by one number of ranks and taken up by another: the same bits in the end. */
void rank_take_up(const Case *one);
/* A training that diverges leaves the checkpoint before, and another number of ranks goes on from it. */
void rank_diverged_goes_on(const Case *one);

/* Fills cases, all but what a run puts in (world, folder, data set); returns their number. */
size_t rank_cases(Case *cases);

#endif
