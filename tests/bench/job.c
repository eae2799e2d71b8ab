#include "job.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/file.h"
#include "data/prepare.h"
#include "world.h"

enum { MOST_SETS = 16 };

static HnStatus load(const char *train, const char *test, const char *const *sets, size_t n, BenchJob *job,
                     HnError *err) {
    char dim[32],
        *lists[2] = {hn_path_printf(err, "data.interactions=[%s]", train), hn_path_printf(err, "data.test=[%s]", test)};
    const char *all[MOST_SETS] = {
        "data.format=lightgcn", "data.split=given", "eval.select_on=test", dim, lists[0], lists[1]};
    size_t n_all = 6;
    snprintf(dim, sizeof dim, "model.dim=%d", BENCH_DIM);
    for (size_t i = 0; i < n && n_all < MOST_SETS; i++) {
        all[n_all++] = sets[i];
    }
    HnStatus status = lists[0] == NULL || lists[1] == NULL ? HN_MEMORY : HN_OK;
    status = status == HN_OK ? hn_experiment_load(NULL, all, n_all, &job->experiment, err) : status;
    hn_free(lists[0]);
    hn_free(lists[1]);
    return status;
}

HnStatus bench_job_open(int *argc, char ***argv, const char *train, const char *test, const char *folder,
                        const char *const *sets, size_t n, BenchJob *job, HnError *err) {
    *job = (BenchJob){.folder = folder};
    HN_TRY(hn_world_start(argc, argv, &job->world, err));
    HN_TRY(load(train, test, sets, n, job, err));
    char *path = hn_path_printf(err, "%s/dataset.h5", folder);
    HnStatus status = path == NULL ? HN_MEMORY : HN_OK;
    if (status == HN_OK && hn_comm_rank(job->world) == 0) {
        HnPrepareReport report;
        status = hn_folder_make(folder, err);
        status = status == HN_OK ? hn_prepare(&job->experiment->data, "", path, &report, err) : status;
    }
    status = hn_comm_agree(job->world, status, err);
    status = status == HN_OK ? hn_dataset_open(path, &job->dataset, err) : status;
    hn_free(path);
    return status;
}

void bench_job_close(BenchJob *job) {
    HnError ignored = HN_ERROR_INIT;
    hn_dataset_close(&job->dataset);
    hn_experiment_free(&job->experiment);
    if (job->world != NULL && hn_comm_rank(job->world) == 0) {
        (void)hn_folder_remove(job->folder, &ignored);
    }
    hn_world_end(&job->world);
}
