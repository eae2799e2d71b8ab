/* The language-model stages as a program of their own, on one rank or under mpirun: what the kill, rank and real-data
 * tests start.
 *
 *     semantic_stage_run FOLDER key=value ...      keys of the experiment file
 *
 * Prepares FOLDER/dataset.h5 where it is absent, runs profiles, negatives and vectors, prints one "name digest" line
 * for each sealed store, and one line of counts a stage on stderr.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "config/experiment.h"
#include "data/prepare.h"
#include "semantic/stages.h"
#include "store.h"
#include "world.h"

static void count(const char *stage, const HnStageReport *r) {
    (void)fprintf(stderr,
                  "stage %s items %llu before %llu answered %llu noise %llu lost %llu attempts %llu tokens %llu "
                  "%llu seconds %.2f\n",
                  stage, (unsigned long long)r->items, (unsigned long long)r->done_before,
                  (unsigned long long)r->answered, (unsigned long long)r->noise, (unsigned long long)r->lost,
                  (unsigned long long)r->attempts, (unsigned long long)r->prompt_tokens,
                  (unsigned long long)r->answer_tokens, r->seconds);
}

static HnStatus print_digest(const char *name, const char *path, HnError *err) {
    char whole[65];
    HN_TRY(hn_store_digest(path, NULL, NULL, whole, err));
    printf("%s %s\n", name, whole);
    return HN_OK;
}

static HnStatus run(HnComm *world, const char *folder, const HnExperiment *experiment, HnError *err) {
    bool first = hn_comm_rank(world) == 0;
    char path[5][4096];
    static const char *const names[] = {"dataset.h5", "profiles-items.h5", "profiles-users.h5", "negatives.h5",
                                        "vectors.h5"};
    HnStageReport report;
    HnStatus status = HN_OK;
    for (int i = 0; i < 5; i++) {
        (void)snprintf(path[i], sizeof path[i], "%s/%s", folder, names[i]);
    }
    if (first && !hn_file_exists(path[0])) {
        HnPrepareReport prepared;
        status = hn_folder_make(folder, err);
        status = status ? status : hn_prepare(&experiment->data, "", path[0], &prepared, err);
    }
    HN_TRY(hn_comm_agree(world, status, err));
    HnDataset *dataset = NULL;
    HN_TRY(hn_dataset_open(path[0], &dataset, err));
    HnStageContext context = {&experiment->llm, dataset, "", world, NULL, NULL, hn_comm_size(world)};
    status = hn_stage_profiles(&context, false, folder, path[1], NULL, &report, err);
    if (status == HN_OK && first) {
        count("items", &report);
    }
    status = status ? status : hn_stage_profiles(&context, true, folder, path[2], path[1], &report, err);
    if (status == HN_OK && first) {
        count("users", &report);
    }
    status = status ? status : hn_stage_negatives(&context, path[1], path[2], folder, path[3], &report, err);
    if (status == HN_OK && first) {
        count("negatives", &report);
    }
    status = status ? status : hn_stage_embed(&context, path[3], path[1], path[2], folder, path[4], &report, err);
    if (status == HN_OK && first) {
        count("vectors", &report);
    }
    for (int i = 1; i < 5 && first && status == HN_OK; i++) {
        status = print_digest(names[i], path[i], err);
    }
    hn_dataset_close(&dataset);
    return status;
}

int main(int argc, char **argv) {
    HnError err = HN_ERROR_INIT;
    HnComm *world = NULL;
    HnExperiment *experiment = NULL;
    if (argc < 2) {
        (void)fprintf(stderr, "usage: semantic_stage_run FOLDER key=value ...\n");
        return 2;
    }
    HnStatus status = hn_world_start(&argc, &argv, &world, &err);
    if (status == HN_OK) {
        hn_log_setup(HN_LOG_INFO, hn_comm_rank(world));
        hn_stop_install();
        status = hn_experiment_load(NULL, (const char *const *)argv + 2, (size_t)(argc - 2), &experiment, &err);
    }
    if (status == HN_OK) {
        status = run(world, argv[1], experiment, &err);
    }
    if (status != HN_OK && (!world || hn_comm_rank(world) == 0)) {
        hn_log(HN_LOG_ERROR, "%s", err.message);
    }
    hn_experiment_free(&experiment);
    if (world) {
        hn_world_end(&world);
    }
    return (int)status;
}
