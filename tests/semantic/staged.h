/* The stages in this process: a run folder with its data set, its experiment, one rank. */
#ifndef HN_TEST_SEMANTIC_STAGED_H
#define HN_TEST_SEMANTIC_STAGED_H

#include "fixture.h"
#include "store.h"

/* A run folder with its data set, and the stages' verdicts. */
typedef struct Run {
    char folder[256];
    HnDataset *dataset;
    HnExperiment *experiment;
    HnComm *self;
    HnStageReport items, users, negatives, vectors;
    HnError err;
} Run;

const char *file(const Run *run, const char *name); /* a path in its folder; the 8 last ones stay valid */
void open_run(Run *run, const char *folder, const char *dataset, HnExperiment *experiment);
void close_run(Run *run);
/* items.h5 and users.h5, negatives.h5, vectors.h5 in the run's folder. */
HnStatus run_profiles(Run *run);
HnStatus run_negatives(Run *run);
HnStatus run_vectors(Run *run);
void must(const Run *run, HnStatus status);
void run_all(Run *run);

/* Reads a whole numeric field; hn_free it. */
void *numbers(const char *path, const char *field, size_t size, uint64_t dims[HN_MAX_DIMS]);
uint64_t count_status(const char *path, uint8_t wanted);

#endif
