/* A training for benches: an experiment from settings, and the data set that the program's own reader makes of
 * LightGCN lists. */
#ifndef HN_BENCH_JOB_H
#define HN_BENCH_JOB_H

#include "comm.h"
#include "config/experiment.h"
#include "data/dataset.h"

enum { BENCH_DIM = 64 };

typedef struct BenchJob {
    const char *folder; /* of its files, removed at the end */
    HnComm *world;
    HnExperiment *experiment;
    HnDataset *dataset;
} BenchJob;

/* Starts MPI. train, test: lists; sets [n] "key=value" beside width 64; folder is borrowed. Collective. */
HnStatus bench_job_open(int *argc, char ***argv, const char *train, const char *test, const char *folder,
                        const char *const *sets, size_t n, BenchJob *job, HnError *err);
void bench_job_close(BenchJob *job);

#endif
