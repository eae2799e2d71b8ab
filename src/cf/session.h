/* What hn_train keeps beside the trainer: the history, the best epoch so far, and who this training is. */
#ifndef HN_CF_SESSION_H
#define HN_CF_SESSION_H

#include "cf/false_negatives.h"
#include "cf/groups.h"
#include "cf/trainer.h"

typedef struct HnHistory {
    uint64_t n_epochs, n_evals;
    uint64_t epochs_room, evals_room;
    size_t n_metrics;
    double *loss;          /* [n_epochs][HN_N_LOSSES] */
    char (*digest)[65];    /* [n_epochs] */
    double *epoch_seconds; /* [n_epochs] */
    int32_t *eval_epoch;   /* [n_evals] epochs done at each validation */
    double *metric;        /* [n_evals][n_metrics] */
    double *eval_seconds;  /* [n_evals] */
} HnHistory;

HnStatus hn_history_add_epoch(HnHistory *history, const double *loss, const char *digest, double seconds, HnError *err);
HnStatus hn_history_add_eval(HnHistory *history, int32_t epoch, const double *metric, double seconds, HnError *err);
void hn_history_free(HnHistory *history);

typedef struct HnSession {
    const HnTrainJob *job;
    HnComm *comm;
    HnTrainer *trainer;
    HnHistory history;
    HnEvalSet select_set; /* what early stopping is judged on */
    size_t stop_metric;   /* which value */
    int64_t best_epoch;   /* epochs done at the best validation; -1 = none yet */
    double best_value;
    int64_t bad_evals; /* validations since */
    float *best_users; /* [n_local][width] final vectors then */
    float *best_items; /* [n_items][width] */
    HnFalseNegatives false_negatives;
    bool warned_easy;      /* said once that hard negatives are not hard */
    uint64_t moved_before; /* bytes that the group had moved for earlier trainings */
    char *identity;        /* "key: value" a line: what is trained, on what */
    char vectors_id[65];   /* content of the vector store; "" = none */
} HnSession;

/* session.c. Collective. hn_session_free also after a failed create. */
HnStatus hn_session_create(const HnTrainJob *job, HnComm *comm, HnSession *session, HnError *err);
void hn_session_free(HnSession *session);
void hn_session_announce(const HnSession *session); /* what a reader of the log must know once */
/* The rest of the epoch under way, its digest and history, a validation where one is due. Where a stop was asked for
 * within the epoch, returns early: trainer->step_in_epoch is not 0. HN_NUMERIC: something is not finite, and nothing of
 * the epoch was kept. */
HnStatus hn_session_epoch(HnSession *session, HnError *err);

/* identity.c: the same on every rank. */
HnStatus hn_session_identity(HnSession *session, HnError *err);
/* HN_CONFLICT naming the first line that differs and what to do, where they differ. */
HnStatus hn_identity_compare(const char *stored, const char *mine, const char *where, HnError *err);

/* checkpoint.c. Collective. A checkpoint stands when its manifest does; the last two are kept. */
HnStatus hn_checkpoint_write(HnSession *session, HnError *err);
/* Goes on from the newest whole one, whatever the number of ranks that wrote it; *found = false where there is none. */
HnStatus hn_checkpoint_read(HnSession *session, bool *found, HnError *err);
void hn_checkpoint_remove_all(const char *folder); /* rank 0, once the result is sealed */

/* trial.c. Collective: trial.h5. reason: why it failed, or NULL. */
HnStatus hn_trial_write(HnSession *session, const char *reason, HnError *err);
/* HN_CONFLICT where the sealed trial has other settings. Local. */
HnStatus hn_trial_check(const char *path, const HnTrial *trial, HnError *err);

/* result.c. Collective: model.h5, then result.h5. test [n_metrics]; groups: filled. */
HnStatus hn_result_write(HnSession *session, const float *users, const float *items, const double *test,
                         uint64_t n_test_users, const HnGroups *groups, HnError *err);

#endif
