/* Training that ends before its time, on one number of ranks, and goes on on another. */
#include "rank_cases.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/text.h"
#include "cf/session.h"
#include "store.h"

/* ---- cut off and taken up ---- */

/* The content digest of a sealed result: volatile fields (times, ranks) are no part of it. */
static void result_digest(const char *folder, char hex[65]) {
    HnError err = HN_ERROR_INIT;
    char *path = hn_path_join(folder, "result.h5", &err), model[65];
    rank_stop(hn_store_digest(path, NULL, NULL, hex, &err), "digest", &err);
    hn_free(path);
    path = hn_path_join(folder, "model.h5", &err);
    rank_stop(hn_store_digest(path, NULL, NULL, model, &err), "digest", &err);
    hn_free(path);
    for (int i = 0; i < 32; i++) {
        hex[i] = model[i]; /* half of each */
    }
}

/* One epoch and two steps, then a checkpoint. */
static void begin_training(const Case *one, HnComm *group, const char *folder) {
    HnError err = HN_ERROR_INIT;
    HnTrainJob job = rank_job(one, 2, folder);
    HnSession session;
    HnStepReport report;
    rank_stop(hn_session_create(&job, group, &session, &err), one->name, &err);
    rank_stop(hn_session_epoch(&session, &err), one->name, &err);
    rank_stop(hn_checkpoint_write(&session, &err), one->name, &err);
    rank_stop(hn_session_epoch(&session, &err), one->name, &err);
    for (int k = 0; k < 2; k++) {
        if (session.trainer->step_in_epoch + 1 < session.trainer->order.n_batches) {
            rank_stop(hn_trainer_step(session.trainer, &report, &err), one->name, &err);
        }
    }
    rank_stop(hn_checkpoint_write(&session, &err), one->name, &err);
    hn_session_free(&session);
}

static void finish_training(const Case *one, HnComm *group, const char *folder, int threads) {
    HnError err = HN_ERROR_INIT;
    HnTrainJob job = rank_job(one, threads, folder);
    rank_stop(hn_train(&job, group, &err), one->name, &err);
}

void rank_take_up(const Case *one) {
    HnError err = HN_ERROR_INIT;
    const int rank = hn_comm_rank(rank_world);
    char *whole = hn_path_printf(&err, "%s/whole", one->folder), wanted[65] = "", got[65] = "";
    HnComm *alone = NULL, *three = NULL, *two = NULL;
    rank_stop(hn_comm_split(rank_world, rank == 0 ? 0 : -1, 0, &alone, &err), "split", &err);
    rank_stop(hn_comm_split(rank_world, rank < 3 ? 0 : -1, 0, &three, &err), "split", &err);
    rank_stop(hn_comm_split(rank_world, rank < 2 ? 0 : -1, 0, &two, &err), "split", &err);
    if (alone != NULL) {
        finish_training(one, alone, whole, 1);
        result_digest(whole, wanted);
    }
    struct {
        HnComm *first, *second;
    } ways[] = {{three, two}, {alone, rank_world}, {rank_world, alone}, {two, two}};
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
        char *folder = hn_path_printf(&err, "%s/cut-%zu", one->folder, w);
        if (rank == 0) {
            rank_stop(hn_folder_make(folder, &err), "folder", &err);
        }
        rank_stop(hn_comm_barrier(rank_world, &err), "barrier", &err);
        if (ways[w].first != NULL) {
            begin_training(one, ways[w].first, folder);
        }
        rank_stop(hn_comm_barrier(rank_world, &err), "barrier", &err);
        if (ways[w].second != NULL) {
            finish_training(one, ways[w].second, folder, 2);
        }
        rank_stop(hn_comm_barrier(rank_world, &err), "barrier", &err);
        if (rank == 0) {
            result_digest(folder, got);
            if (strcmp(got, wanted) != 0) {
                fprintf(stderr, "%s: cut off and taken up (way %zu) differs from the whole training\n", one->name, w);
                rank_mismatches++;
            }
        }
        hn_free(folder);
    }
    hn_comm_free(&two);
    hn_comm_free(&three);
    hn_comm_free(&alone);
    hn_free(whole);
}

/* ---- what diverges leaves its checkpoint ---- */

/* After a checkpoint the last rank's moments are infinite: the loss is still finite, the step's parameters are not.
 * Then the checkpoint is read as it was written. */
static void diverge(const Case *one, HnComm *group, const char *folder) {
    HnError err = HN_ERROR_INIT, cause = HN_ERROR_INIT;
    HnTrainJob job = rank_job(one, 1, folder);
    HnSession session;
    char before[65], after[65];
    bool found = false;
    rank_stop(hn_session_create(&job, group, &session, &err), one->name, &err);
    rank_stop(hn_session_epoch(&session, &err), one->name, &err);
    rank_stop(hn_checkpoint_write(&session, &err), one->name, &err);
    rank_stop(hn_trainer_digest(session.trainer, before, &err), one->name, &err);
    if (hn_comm_rank(group) == hn_comm_size(group) - 1) {
        session.trainer->users.m[0] = INFINITY;
    }
    rank_expect(hn_session_epoch(&session, &cause), HN_NUMERIC, "seed 7, epoch 2, step ", &cause);
    hn_session_free(&session);
    rank_stop(hn_session_create(&job, group, &session, &err), one->name, &err);
    rank_stop(hn_checkpoint_read(&session, &found, &err), one->name, &err);
    rank_stop(hn_trainer_digest(session.trainer, after, &err), one->name, &err);
    if (!found || session.trainer->epoch != 1 || strcmp(before, after) != 0) {
        fprintf(stderr, "%s: the checkpoint before divergence is not what was written\n", one->name);
        rank_mismatches++;
    }
    hn_session_free(&session);
}

/* On one rank and on two, and all steps of the epoch in one, so that no later step's loss can tell. */
void rank_diverged_goes_on(const Case *one) {
    HnError err = HN_ERROR_INIT;
    char wanted[65] = "", got[65] = "";
    for (int large = 0; large <= 1; large++) {
        Case mine = *one;
        mine.config.train.batch = large ? 100000 : mine.config.train.batch;
        for (int size = 0; size <= 2; size++) { /* 0: one rank, undisturbed */
            HnComm *group = NULL;
            char *folder = hn_path_printf(&err, "%s/diverged-%d-%d", one->folder, large, size);
            const int n_ranks = size > 1 ? 2 : 1;
            rank_stop(hn_comm_split(rank_world, hn_comm_rank(rank_world) < n_ranks ? 0 : -1, 0, &group, &err), "split",
                      &err);
            if (hn_comm_rank(rank_world) == 0) {
                rank_stop(hn_folder_make(folder, &err), "folder", &err);
            }
            rank_stop(hn_comm_barrier(rank_world, &err), "barrier", &err);
            if (group != NULL && size > 0) {
                diverge(&mine, group, folder);
            }
            if (group != NULL) {
                finish_training(&mine, group, folder, 1);
            }
            if (hn_comm_rank(rank_world) == 0) {
                result_digest(folder, size == 0 ? wanted : got);
                if (size > 0 && strcmp(got, wanted) != 0) {
                    fprintf(stderr, "%s: %d ranks did not go on from before divergence\n", one->name, n_ranks);
                    rank_mismatches++;
                }
            }
            hn_comm_free(&group);
            hn_free(folder);
        }
    }
}
