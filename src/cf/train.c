/* hn_train: epochs, validations, early stopping, checkpoints; then the test, once, and the result. */
#include "cf/train.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "cf/result_store.h"

static HnStatus interrupted(HnSession *session, HnError *err) {
    HN_TRY(hn_checkpoint_write(session, err));
    return hn_fail(err, HN_INTERRUPTED, "stopped at epoch %llu, step %llu; a checkpoint is on disk: run again to go on",
                   (unsigned long long)session->trainer->epoch, (unsigned long long)session->trainer->step_in_epoch);
}

static bool stopped_early(const HnSession *session) {
    int64_t patience = session->job->config->train.patience;
    return patience > 0 && session->bad_evals >= patience;
}

/* One epoch, and a checkpoint where one is due or a stop was asked for. */
static HnStatus one_epoch(HnSession *session, HnProgress *progress, char *what, size_t what_bytes, HnError *err) {
    HnTrainer *trainer = session->trainer;
    const HnTrainConfig *config = trainer->config;
    HN_TRY(hn_session_epoch(session, err));
    bool last = trainer->epoch == (uint64_t)config->train.epochs;
    if (trainer->step_in_epoch > 0 || (trainer->stop && !last)) {
        return interrupted(session, err);
    }
    const double *loss = session->history.loss + (session->history.n_epochs - 1) * HN_N_LOSSES;
    (void)snprintf(what, what_bytes, "%s, seed %lld: %llu epochs, loss %.4f, pairs", session->job->variant,
                   (long long)session->job->seed, (unsigned long long)trainer->epoch, loss[HN_LOSS_TOTAL]);
    hn_progress_update(progress, hn_trainer_pairs_passed(trainer));
    if (!last && trainer->epoch % (uint64_t)config->train.checkpoint_every == 0) {
        return hn_checkpoint_write(session, err);
    }
    return HN_OK;
}

static HnStatus all_epochs(HnSession *session, HnError *err) {
    HnTrainer *trainer = session->trainer;
    const uint64_t n_epochs = (uint64_t)trainer->config->train.epochs;
    uint64_t moved_before = hn_comm_bytes_moved(session->comm), steps_before = trainer->steps;
    char what[160], bytes[32];
    HnProgress progress;
    (void)snprintf(what, sizeof what, "%s, seed %lld: pairs", session->job->variant, (long long)session->job->seed);
    hn_progress_start(&progress, what, n_epochs * trainer->shards.n_pairs, hn_trainer_pairs_passed(trainer));
    trainer->progress = &progress;
    HnStatus status = HN_OK;
    while (status == HN_OK && trainer->epoch < n_epochs && !stopped_early(session)) {
        status = one_epoch(session, &progress, what, sizeof what, err);
    }
    trainer->progress = NULL;
    hn_progress_finish(&progress);
    uint64_t steps = trainer->steps - steps_before;
    if (status == HN_OK && steps > 0) {
        hn_log(HN_LOG_INFO, "%s, seed %lld: %llu epochs; rank 0 moved %s a step", session->job->variant,
               (long long)session->job->seed, (unsigned long long)trainer->epoch,
               hn_format_bytes((double)(hn_comm_bytes_moved(session->comm) - moved_before) / (double)steps, bytes,
                               sizeof bytes));
    }
    return status;
}

/* The best vectors (the last, where nothing was validated) against the test part, once. */
static HnStatus test_with(HnSession *session, double *values, HnError *err) {
    HnTrainer *trainer = session->trainer;
    const HnTrainConfig *config = trainer->config;
    HnEvalSet set;
    HnGroups groups = {0};
    if (session->best_epoch < 0) {
        HN_TRY(hn_trainer_embed(trainer, err));
    }
    const float *users = session->best_epoch < 0 ? trainer->final_users : session->best_users;
    const float *items = session->best_epoch < 0 ? trainer->final_items : session->best_items;
    HN_TRY(hn_eval_set_create(session->job->dataset, &trainer->shards, HN_PART_TEST,
                              config->eval.mask == HN_MASK_TRAIN_VALID, session->comm, &set, err));
    HnStatus status = hn_groups_create(config, &trainer->shards, &set, session->comm, &groups, err);
    if (status == HN_OK) {
        status = hn_evaluate(&set, users, items, trainer->items.n_rows, trainer->width, &config->eval.ks, &groups,
                             session->comm, values, err);
    }
    if (status == HN_OK && set.n_users_global == 0 && hn_comm_rank(session->comm) == 0) {
        hn_log(HN_LOG_WARN, "%s: no user has test items: the test metrics are 0 over 0 users", session->job->variant);
    }
    if (status == HN_OK) {
        status = hn_result_write(session, users, items, values, set.n_users_global, &groups, err);
    }
    hn_groups_free(&groups);
    hn_eval_set_free(&set);
    return status;
}

static HnStatus test(HnSession *session, HnError *err) {
    double *values = hn_alloc(session->history.n_metrics, sizeof(double), "metrics", err);
    HnStatus status = hn_comm_agree(session->comm, values == NULL ? HN_MEMORY : HN_OK, err);
    status = status == HN_OK ? test_with(session, values, err) : status;
    hn_free(values);
    return status;
}

/* Settings that make the training diverge are a finding, not an error. */
static HnStatus end_trial(HnSession *session, HnStatus trained, HnError *err) {
    HnError reason = *err;
    if (trained == HN_NUMERIC) {
        hn_error_clear(err);
    } else if (trained != HN_OK) {
        return trained;
    }
    return hn_trial_write(session, trained == HN_NUMERIC ? reason.message : NULL, err);
}

static HnStatus train(HnSession *session, HnError *err) {
    hn_session_announce(session);
    bool resumed = false;
    HN_TRY(hn_checkpoint_read(session, &resumed, err));
    if (resumed) {
        hn_log(HN_LOG_INFO, "%s, seed %lld: going on from epoch %llu, step %llu", session->job->variant,
               (long long)session->job->seed, (unsigned long long)session->trainer->epoch,
               (unsigned long long)session->trainer->step_in_epoch);
    }
    HnStatus status = all_epochs(session, err);
    if (session->job->trial != NULL) {
        status = end_trial(session, status, err);
    } else if (status == HN_OK) {
        status = test(session, err);
    }
    if (status == HN_OK && hn_comm_rank(session->comm) == 0) {
        hn_checkpoint_remove_all(session->job->folder);
    }
    return status;
}

/* What was trained with other settings, or on other inputs, is no result of this run. */
static HnStatus check_end(const char *end, const HnTrainJob *job, HnError *err) {
    if (job->trial == NULL) {
        return hn_result_check_inputs(end, &HN_SCHEMA_RESULT, job, err);
    }
    HN_TRY(hn_trial_check(end, job->trial, err));
    return hn_result_check_inputs(end, &HN_SCHEMA_TRIAL, job, err);
}

/* Rank 0: whether the training is done already. */
static HnStatus look_for_end(const HnTrainJob *job, bool *done, HnError *err) {
    char *end = hn_path_join(job->folder, job->trial == NULL ? "result.h5" : "trial.h5", err);
    HnStatus status = end == NULL ? HN_MEMORY : HN_OK;
    *done = end != NULL && hn_file_exists(end);
    if (*done) {
        status = check_end(end, job, err);
        if (status == HN_OK) { /* a kill between the end and this leaves some */
            hn_checkpoint_remove_all(job->folder);
        }
    } else if (status == HN_OK) {
        status = hn_folder_make(job->folder, err);
    }
    hn_free(end);
    return status;
}

HnStatus hn_train(const HnTrainJob *job, HnComm *comm, HnError *err) {
    bool done = false;
    HnStatus status = hn_comm_rank(comm) == 0 ? look_for_end(job, &done, err) : HN_OK;
    HN_TRY(hn_comm_agree(comm, status, err));
    HN_TRY(hn_comm_any(comm, &done, err));
    if (done) {
        return HN_OK;
    }
    HnSession session;
    status = hn_session_create(job, comm, &session, err);
    if (status == HN_OK) {
        status = train(&session, err);
    }
    hn_session_free(&session);
    return status;
}
