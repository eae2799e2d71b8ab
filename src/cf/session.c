/* One training under way: its parts, an epoch with its books, and a validation. */
#include "cf/session.h"

#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/text.h"

#define EASY_SHARE 0.05 /* of hard negatives harder than random ones, below which a user is told */

void hn_session_free(HnSession *session) {
    hn_free(session->identity);
    hn_false_negatives_free(&session->false_negatives);
    hn_free(session->best_items);
    hn_free(session->best_users);
    hn_eval_set_free(&session->select_set);
    hn_history_free(&session->history);
    hn_trainer_free(&session->trainer);
}

HnStatus hn_session_create(const HnTrainJob *job, HnComm *comm, HnSession *session, HnError *err) {
    *session = (HnSession){.job = job, .comm = comm, .moved_before = hn_comm_bytes_moved(comm)};
    const HnTrainConfig *config = job->config;
    HnStatus status = hn_metrics_find(&config->eval.ks, config->train.stop_metric, &session->stop_metric, err);
    status = status == HN_OK ? hn_session_identity(session, err) : status;
    HN_TRY(hn_comm_agree(session->comm, status, err));
    HN_TRY(hn_trainer_create(job, session->comm, &session->trainer, err));
    const HnTrainer *trainer = session->trainer;
    size_t row = (size_t)trainer->width * sizeof(float);
    session->history.n_metrics = hn_metrics_count(&config->eval.ks);
    session->best_epoch = -1;
    session->best_users = hn_alloc(trainer->users.n_rows, row, "best user vectors", err);
    session->best_items = hn_alloc(trainer->items.n_rows, row, "best item vectors", err);
    status = session->best_users && session->best_items ? HN_OK : HN_MEMORY;
    HN_TRY(hn_comm_agree(session->comm, status, err));
    if (job->trial == NULL) { /* a trial never looks at the test part */
        HN_TRY(hn_false_negatives_create(trainer, &session->false_negatives, err));
    }
    bool on_test = config->eval.select_on == HN_SELECT_TEST;
    return hn_eval_set_create(job->dataset, &trainer->shards, on_test ? HN_PART_TEST : HN_PART_VALID,
                              on_test && config->eval.mask == HN_MASK_TRAIN_VALID, session->comm, &session->select_set,
                              err);
}

/* What a reader of the log must know once. */
void hn_session_announce(const HnSession *session) {
    const HnTrainJob *job = session->job;
    const HnTrainer *trainer = session->trainer;
    char users[32], items[32], pairs[32], memory[32];
    hn_log(HN_LOG_INFO,
           "training %s, seed %lld: %s users, %s items, %s pairs on %d rank(s)%s; rank 0 holds %llu users in %s",
           job->variant, (long long)job->seed, hn_format_count(trainer->shards.n_users, users, sizeof users),
           hn_format_count(trainer->shards.n_items, items, sizeof items),
           hn_format_count(trainer->shards.n_pairs, pairs, sizeof pairs), hn_comm_size(session->comm),
           job->reproducible ? ", reproducible" : "", (unsigned long long)hn_user_shards_count(&trainer->shards),
           hn_format_bytes((double)hn_trainer_memory_bytes(trainer), memory, sizeof memory));
    if (hn_comm_rank(session->comm) != 0) {
        return; /* what follows concerns all ranks alike: said once */
    }
    if ((uint64_t)hn_comm_size(session->comm) > trainer->shards.n_users) {
        hn_log(HN_LOG_WARN, "%s: %d trainer ranks for %s users: some own none and only wait; use fewer ranks",
               job->variant, hn_comm_size(session->comm), users);
    }
    if (job->config->eval.select_on == HN_SELECT_TEST) {
        hn_log(HN_LOG_WARN,
               "%s: eval.select_on is test: the best epoch is chosen ON THE TEST PART, so the test metrics "
               "are too good; use it only to compare with papers that do so",
               job->variant);
    }
    if (session->select_set.n_users_global == 0) {
        hn_log(HN_LOG_WARN, "%s: no user has items in the %s part: no early stopping, the last epoch is the result",
               job->variant, job->config->eval.select_on == HN_SELECT_TEST ? "test" : "validation");
    }
}

/* Ranks the final vectors, and keeps them where they are the best so far. */
static HnStatus validate(HnSession *session, HnError *err) {
    HnTrainer *trainer = session->trainer;
    const HnIntList *ks = &trainer->config->eval.ks;
    double start = hn_clock_seconds(), *values = hn_alloc(hn_metrics_count(ks), sizeof(double), "metrics", err);
    HN_TRY(hn_comm_agree(session->comm, values == NULL ? HN_MEMORY : HN_OK, err));
    HnStatus status = hn_trainer_embed(trainer, err);
    if (status == HN_OK) {
        status = hn_evaluate(&session->select_set, trainer->final_users, trainer->final_items, trainer->items.n_rows,
                             trainer->width, ks, NULL, session->comm, values, err);
    }
    if (status == HN_OK) {
        status = hn_comm_agree(
            session->comm,
            hn_history_add_eval(&session->history, (int32_t)trainer->epoch, values, hn_clock_seconds() - start, err),
            err);
    }
    if (status == HN_OK) {
        double value = values[session->stop_metric];
        bool better = session->best_epoch < 0 || value > session->best_value;
        session->bad_evals = better ? 0 : session->bad_evals + 1;
        if (better) {
            size_t row = (size_t)trainer->width * sizeof(float);
            session->best_epoch = (int64_t)trainer->epoch;
            session->best_value = value;
            memcpy(session->best_users, trainer->final_users, trainer->users.n_rows * row);
            memcpy(session->best_items, trainer->final_items, trainer->items.n_rows * row);
        }
        hn_log(HN_LOG_INFO, "%s, seed %lld, epoch %llu: %s %.5f%s (best %.5f at %lld)", session->job->variant,
               (long long)session->job->seed, (unsigned long long)trainer->epoch, trainer->config->train.stop_metric,
               value, better ? " *" : "", session->best_value, (long long)session->best_epoch);
    }
    hn_free(values);
    return status;
}

/* A trained adapter can lower the loss by making its negatives easy instead of the model better; so can the users. */
static void warn_of_easy_negatives(HnSession *session, const double *loss) {
    const HnTrainJob *job = session->job;
    if (session->vectors_id[0] == '\0' || session->warned_easy || hn_comm_rank(session->comm) != 0 ||
        loss[HN_LOSS_HARDER] > EASY_SHARE) {
        return;
    }
    session->warned_easy = true;
    hn_log(HN_LOG_WARN,
           "%s, seed %lld, epoch %llu: only %.1f %% of the hard negatives score higher than a random one: they teach "
           "little, and a large semantic.alpha harms (why, and what to set: src/cf/README.md)",
           job->variant, (long long)job->seed, (unsigned long long)session->trainer->epoch,
           100.0 * loss[HN_LOSS_HARDER]);
}

static bool validation_due(const HnTrainConfig *config, int64_t epoch) {
    const int64_t every = config->train.eval_every;
    const int64_t first = config->train.eval_first > 0 ? config->train.eval_first : every;
    return epoch == config->train.epochs || (epoch >= first && (epoch - first) % every == 0);
}

HnStatus hn_session_epoch(HnSession *session, HnError *err) {
    HnTrainer *trainer = session->trainer;
    const HnTrainConfig *config = trainer->config;
    double loss[HN_N_LOSSES] = {0}, start = hn_clock_seconds();
    char digest[65];
    HN_TRY(hn_trainer_epoch(trainer, loss, err));
    HN_TRY(hn_trainer_check(trainer, err)); /* before anything of it goes to disk, or is ranked */
    if (trainer->step_in_epoch > 0) {
        return HN_OK;
    }
    HN_TRY(hn_trainer_digest(trainer, digest, err));
    double seconds = hn_clock_seconds() - start;
    HN_TRY(hn_false_negatives_share(&session->false_negatives, trainer, trainer->epoch - 1, &loss[HN_LOSS_FALSE], err));
    HnStatus status = hn_history_add_epoch(&session->history, loss, digest, seconds, err);
    HN_TRY(hn_comm_agree(session->comm, status, err));
    hn_log(HN_LOG_DEBUG, "%s, seed %lld, epoch %llu: loss %.6f (ranking %.6f, align %.6f, l2 %.6f, own %.6f)",
           session->job->variant, (long long)session->job->seed, (unsigned long long)trainer->epoch,
           loss[HN_LOSS_TOTAL], loss[HN_LOSS_RANKING], loss[HN_LOSS_ALIGN], loss[HN_LOSS_L2], loss[HN_LOSS_OWN]);
    warn_of_easy_negatives(session, loss);
    const bool due = validation_due(config, (int64_t)trainer->epoch);
    return due && session->select_set.n_users_global > 0 ? validate(session, err) : HN_OK;
}
