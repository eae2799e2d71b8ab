/* Going on from a checkpoint: every rank takes the rows of its users from whichever parts hold them, so the number of
 * ranks may have changed, and what all share from the first part. */
#include <string.h>

#include "base/alloc.h"
#include "cf/checkpoint_folder.h"
#include "cf/checkpoint_manifest.h"
#include "cf/session.h"
#include "store.h"

enum { PATH_BYTES = 4096 };

static HnStatus check_dims(const HnStore *store, const char *field, uint64_t rows, uint64_t dim, const char *path,
                           HnError *err) {
    uint64_t dims[HN_MAX_DIMS] = {0};
    HN_TRY(hn_store_dims(store, field, dims, err));
    if (dims[0] != rows || (dim > 0 && dims[1] != dim)) {
        return hn_fail(err, HN_CORRUPT, "%s: %s is %llu rows of %llu, expected %llu of %llu", path, field,
                       (unsigned long long)dims[0], (unsigned long long)dims[1], (unsigned long long)rows,
                       (unsigned long long)dim);
    }
    return HN_OK;
}

static HnStatus read_all(const HnStore *store, const char *field, uint64_t rows, uint64_t dim, void *out,
                         const char *path, HnError *err) {
    HN_TRY(check_dims(store, field, rows, dim, path, err));
    return rows == 0 ? HN_OK : hn_store_read_rows(store, field, 0, rows, out, err);
}

/* This rank's users among those of one part. */
static HnStatus read_users(HnSession *session, const HnStore *store, const HnManifestPart *part, const char *path,
                           HnError *err) {
    HnTable *users = &session->trainer->users;
    const HnUserShards *shards = &session->trainer->shards;
    const uint64_t dim = (uint64_t)users->dim, width = (uint64_t)session->trainer->width,
                   n_part = part->user_end - part->user_begin;
    uint64_t begin = shards->user_begin > part->user_begin ? shards->user_begin : part->user_begin;
    uint64_t end = shards->user_end < part->user_end ? shards->user_end : part->user_end;
    struct {
        const char *field;
        float *rows;
        uint64_t columns;
    } fields[] = {{"user/embedding", users->value, dim},
                  {"user/m", users->m, dim},
                  {"user/v", users->v, dim},
                  {"best/user", session->best_users, width}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (i == 3 && session->best_epoch < 0) {
            continue;
        }
        const uint64_t columns = fields[i].columns;
        HN_TRY(check_dims(store, fields[i].field, n_part, columns, path, err));
        HN_TRY(hn_store_read_rows(store, fields[i].field, begin - part->user_begin, end - begin,
                                  fields[i].rows + (begin - shards->user_begin) * columns, err));
    }
    return HN_OK;
}

static HnStatus read_digests(HnHistory *history, const HnStore *store, HnError *err) {
    char *bytes = NULL;
    uint64_t *offsets = NULL;
    HN_TRY(hn_store_read_strings(store, "history/digest", 0, history->n_epochs, &bytes, &offsets, err));
    HnStatus status = HN_OK;
    for (uint64_t e = 0; e < history->n_epochs; e++) {
        if (offsets[e + 1] - offsets[e] != 64) {
            status = hn_fail(err, HN_CORRUPT, "the digest of epoch %llu is not 64 digits", (unsigned long long)e + 1);
            break;
        }
        memcpy(history->digest[e], bytes + offsets[e], 64);
    }
    hn_free(offsets);
    hn_free(bytes);
    return status;
}

/* Room for the stored history comes from adding empty entries; then they are overwritten. */
static HnStatus read_history(HnSession *session, const HnStore *store, const char *path, HnError *err) {
    HnHistory *history = &session->history;
    const double no_loss[HN_N_LOSSES] = {0};
    uint64_t dims[HN_MAX_DIMS] = {0};
    for (uint64_t e = 0; e < session->trainer->epoch; e++) {
        HN_TRY(hn_history_add_epoch(history, no_loss, (const char[65]){0}, 0.0, err));
    }
    if (history->n_epochs > 0) {
        HN_TRY(read_all(store, "history/loss", history->n_epochs, HN_N_LOSSES, history->loss, path, err));
        HN_TRY(read_all(store, "history/epoch_seconds", history->n_epochs, 0, history->epoch_seconds, path, err));
        HN_TRY(check_dims(store, "history/digest", history->n_epochs, 0, path, err));
        HN_TRY(read_digests(history, store, err));
    }
    if (!hn_store_has(store, "history/epoch")) {
        return HN_OK;
    }
    HN_TRY(hn_store_dims(store, "history/epoch", dims, err));
    double *no_metric = hn_alloc(history->n_metrics, sizeof(double), "metrics", err);
    HnStatus status = no_metric == NULL ? HN_MEMORY : HN_OK;
    for (uint64_t e = 0; e < dims[0] && status == HN_OK; e++) {
        status = hn_history_add_eval(history, 0, no_metric, 0.0, err);
    }
    hn_free(no_metric);
    HN_TRY(status);
    HN_TRY(read_all(store, "history/epoch", dims[0], 0, history->eval_epoch, path, err));
    HN_TRY(read_all(store, "history/metric", dims[0], history->n_metrics, history->metric, path, err));
    return read_all(store, "history/eval_seconds", dims[0], 0, history->eval_seconds, path, err);
}

static HnStatus read_numbers(HnSession *session, const HnStore *store, HnError *err) {
    HnTrainer *trainer = session->trainer;
    struct {
        const char *name;
        uint64_t *to;
    } counts[] = {{"epoch", &trainer->epoch},
                  {"step", &trainer->steps},
                  {"step_in_epoch", &trainer->step_in_epoch},
                  {"running_steps", &trainer->running.n_steps}};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        int64_t value = 0;
        HN_TRY(hn_store_get_i64(store, counts[i].name, &value, err));
        *counts[i].to = (uint64_t)value;
    }
    for (int i = 0; i < HN_N_LOSSES; i++) {
        char name[64] = "running_";
        strncat(name, HN_LOSS_PART_NAMES[i], sizeof name - strlen(name) - 1);
        HN_TRY(hn_store_get_f64(store, name, &trainer->running.sums[i], err));
    }
    HN_TRY(hn_store_get_i64(store, "best_epoch", &session->best_epoch, err));
    HN_TRY(hn_store_get_i64(store, "bad_evals", &session->bad_evals, err));
    return hn_store_get_f64(store, "best_value", &session->best_value, err);
}

static HnStatus read_shared(HnSession *session, const HnStore *store, const char *path, HnError *err) {
    HnTrainer *trainer = session->trainer;
    HnTable *items = &trainer->items, *own = trainer->sampler->parameters(trainer->sampler_state);
    HnTable *of_model = hn_model_parameters(trainer->model, trainer->model_state);
    const uint64_t n = items->n_rows, dim = (uint64_t)items->dim;
    char *identity = NULL;
    HN_TRY(hn_store_get_text(store, "identity", &identity, err));
    HnStatus status = hn_identity_compare(identity, session->identity, path, err);
    hn_free(identity);
    HN_TRY(status);
    HN_TRY(read_numbers(session, store, err));
    HN_TRY(read_all(store, "item/embedding", n, dim, items->value, path, err));
    HN_TRY(read_all(store, "item/m", n, dim, items->m, path, err));
    HN_TRY(read_all(store, "item/v", n, dim, items->v, path, err));
    if (own != NULL) {
        HN_TRY(read_all(store, "adapter/parameters", own->n_rows, 0, own->value, path, err));
        HN_TRY(read_all(store, "adapter/m", own->n_rows, 0, own->m, path, err));
        HN_TRY(read_all(store, "adapter/v", own->n_rows, 0, own->v, path, err));
    }
    if (of_model != NULL) {
        const uint64_t n_parameters = of_model->n_rows * (uint64_t)of_model->dim;
        HN_TRY(read_all(store, "model/parameters", n_parameters, 0, of_model->value, path, err));
        HN_TRY(read_all(store, "model/m", n_parameters, 0, of_model->m, path, err));
        HN_TRY(read_all(store, "model/v", n_parameters, 0, of_model->v, path, err));
    }
    if (session->best_epoch >= 0) {
        HN_TRY(read_all(store, "best/item", n, (uint64_t)trainer->width, session->best_items, path, err));
    }
    return read_history(session, store, path, err);
}

static HnStatus read_part(HnSession *session, const char *folder, const HnManifest *manifest, int i, HnError *err) {
    const HnManifestPart *part = &manifest->parts[i];
    const HnUserShards *shards = &session->trainer->shards;
    bool overlaps = part->user_begin < shards->user_end && shards->user_begin < part->user_end;
    if (i > 0 && !overlaps) {
        return HN_OK;
    }
    HnStore *store = NULL;
    char *path = hn_checkpoint_part_path(folder, i, manifest->n_parts, err);
    HnStatus status = path == NULL ? HN_MEMORY : hn_store_open(path, &HN_SCHEMA_CHECKPOINT, &store, err);
    if (status == HN_OK && i == 0) {
        status = read_shared(session, store, path, err);
    }
    if (status == HN_OK && overlaps) {
        status = read_users(session, store, part, path, err);
    }
    hn_store_close(&store);
    hn_free(path);
    return status;
}

static HnStatus read_folder(HnSession *session, const char *folder, HnError *err) {
    HnManifest manifest;
    HN_TRY(hn_manifest_read(folder, &manifest, err));
    HnStatus status = HN_OK;
    for (int i = 0; i < manifest.n_parts && status == HN_OK; i++) {
        status = read_part(session, folder, &manifest, i, err);
    }
    hn_manifest_free(&manifest);
    return status;
}

HnStatus hn_checkpoint_read(HnSession *session, bool *found, HnError *err) {
    char path[PATH_BYTES] = "";
    HnStatus status = HN_OK;
    if (hn_comm_rank(session->comm) == 0) {
        char *newest = NULL;
        status = hn_checkpoint_newest(session->job->folder, &newest, err);
        if (newest != NULL && strlen(newest) >= sizeof path) {
            status = hn_fail(err, HN_IO, "%s: this path is longer than %d bytes", newest, PATH_BYTES - 1);
        } else if (newest != NULL) {
            memcpy(path, newest, strlen(newest) + 1);
        }
        hn_free(newest);
    }
    HN_TRY(hn_comm_agree(session->comm, status, err));
    HN_TRY(hn_comm_broadcast(session->comm, path, sizeof path, 0, err));
    *found = path[0] != '\0';
    return *found ? hn_comm_agree(session->comm, read_folder(session, path, err), err) : HN_OK;
}
