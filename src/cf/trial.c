/* The end of a tuning trial: trial.h5, whose presence says that it is done. Its test part is never looked at. */
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "cf/result_store.h"

/* The two columns of settings, in rank 0's memory for as long as the comparison takes. */
static HnStatus same_settings(const HnStore *store, const char *path, const HnTrial *trial, HnError *err) {
    static const char *const fields[] = {"setting/key", "setting/value"};
    uint64_t dims[HN_MAX_DIMS] = {0};
    HN_TRY(hn_store_dims(store, fields[0], dims, err));
    bool same = dims[0] == trial->n_settings;
    for (int f = 0; f < 2 && same; f++) {
        const char *const *mine = f == 0 ? trial->keys : trial->values;
        char *bytes = NULL;
        uint64_t *offsets = NULL;
        HN_TRY(hn_store_read_strings(store, fields[f], 0, dims[0], &bytes, &offsets, err));
        for (uint64_t i = 0; i < dims[0]; i++) {
            size_t n = (size_t)(offsets[i + 1] - offsets[i]);
            same = same && strlen(mine[i]) == n && memcmp(mine[i], bytes + offsets[i], n) == 0;
        }
        hn_free(bytes);
        hn_free(offsets);
    }
    return same ? HN_OK
                : hn_fail(err, HN_CONFLICT,
                          "%s holds a trial of other ranges or another tune.seed: choose another --out, or remove %s",
                          path, path);
}

HnStatus hn_trial_check(const char *path, const HnTrial *trial, HnError *err) {
    HnStore *store = NULL;
    HN_TRY(hn_store_open(path, &HN_SCHEMA_TRIAL, &store, err));
    HnStatus status = same_settings(store, path, trial, err);
    hn_store_close(&store);
    return status;
}

static HnStatus put_attributes(HnStoreWriter *writer, const HnSession *session, const char *reason, HnError *err) {
    const HnTrial *trial = session->job->trial;
    const struct {
        const char *name, *value;
    } texts[] = {{"variant", trial->row},
                 {"status", reason == NULL ? "done" : "failed"},
                 {"reason", reason == NULL ? "" : reason},
                 {"metric", session->job->config->train.stop_metric}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        HN_TRY(hn_store_set_text(writer, texts[i].name, texts[i].value, err));
    }
    HN_TRY(hn_store_set_i64(writer, "trial", trial->number, err));
    HN_TRY(hn_store_set_i64(writer, "n_trials", trial->n_trials, err));
    HN_TRY(hn_store_set_i64(writer, "best_epoch", session->best_epoch, err));
    HN_TRY(hn_store_set_i64(writer, "epochs_run", (int64_t)session->trainer->epoch, err));
    return hn_store_set_f64(writer, "best_value", session->best_epoch < 0 ? 0.0 : session->best_value, err);
}

static HnStatus put_all(HnStoreWriter *writer, const HnSession *session, const char *reason, HnError *err) {
    const HnTrial *trial = session->job->trial;
    HN_TRY(put_attributes(writer, session, reason, err));
    HN_TRY(hn_store_strings(writer, "setting/key", trial->keys, trial->n_settings, err));
    HN_TRY(hn_store_strings(writer, "setting/value", trial->values, trial->n_settings, err));
    HN_TRY(hn_result_put_names(writer, session, err));
    return hn_result_put_history(writer, &session->history, err);
}

static HnStatus write_on_first_rank(const HnSession *session, const char *reason, HnError *err) {
    HnStoreWriter *writer = NULL;
    HN_TRY(hn_result_store_create(session, "trial.h5", &HN_SCHEMA_TRIAL, &writer, err));
    HnStatus status = put_all(writer, session, reason, err);
    if (status != HN_OK) {
        hn_store_abandon(&writer);
        return status;
    }
    return hn_store_seal(&writer, err);
}

HnStatus hn_trial_write(HnSession *session, const char *reason, HnError *err) {
    HnStatus status = HN_OK;
    if (hn_comm_rank(session->comm) == 0) {
        if (reason != NULL) {
            hn_log(HN_LOG_WARN, "%s failed, which its store says, and tuning goes on: %s", session->job->variant,
                   reason);
        }
        status = write_on_first_rank(session, reason, err);
    }
    return hn_comm_agree(session->comm, status, err);
}
