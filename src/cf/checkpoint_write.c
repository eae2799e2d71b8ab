/* Writing a checkpoint: every rank its own users, rank 0 also what all share; then rank 0 the manifest. */
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "cf/checkpoint_folder.h"
#include "cf/checkpoint_manifest.h"
#include "cf/session.h"
#include "shard.h"
#include "store.h"

enum { KEEP = 2 };

static HnStatus put(HnStoreWriter *writer, const char *field, uint64_t rows, uint64_t dim, const void *data,
                    HnError *err) {
    const uint64_t dims[2] = {rows, dim};
    return hn_store_write(writer, field, dims, data, err);
}

static HnStatus put_users(HnStoreWriter *writer, const HnSession *session, HnError *err) {
    const HnTable *users = &session->trainer->users;
    const uint64_t n = users->n_rows, dim = (uint64_t)users->dim;
    HN_TRY(put(writer, "user/embedding", n, dim, users->value, err));
    HN_TRY(put(writer, "user/m", n, dim, users->m, err));
    HN_TRY(put(writer, "user/v", n, dim, users->v, err));
    const uint64_t width = (uint64_t)session->trainer->width;
    return session->best_epoch < 0 ? HN_OK : put(writer, "best/user", n, width, session->best_users, err);
}

static HnStatus put_history(HnStoreWriter *writer, const HnHistory *history, HnError *err) {
    const uint64_t n_epochs = history->n_epochs, n_evals = history->n_evals;
    if (n_epochs > 0) {
        HN_TRY(put(writer, "history/loss", n_epochs, HN_N_LOSSES, history->loss, err));
        HN_TRY(put(writer, "history/epoch_seconds", n_epochs, 0, history->epoch_seconds, err));
        HN_TRY(hn_store_strings_begin(writer, "history/digest", n_epochs, err));
        for (uint64_t e = 0; e < n_epochs; e++) {
            HN_TRY(hn_store_strings_add(writer, "history/digest", history->digest[e], 64, err));
        }
    }
    if (n_evals > 0) {
        HN_TRY(put(writer, "history/epoch", n_evals, 0, history->eval_epoch, err));
        HN_TRY(put(writer, "history/metric", n_evals, history->n_metrics, history->metric, err));
        HN_TRY(put(writer, "history/eval_seconds", n_evals, 0, history->eval_seconds, err));
    }
    return HN_OK;
}

/* What every rank holds alike. */
static HnStatus put_shared(HnStoreWriter *writer, const HnSession *session, HnError *err) {
    HnTrainer *trainer = session->trainer;
    const HnTable *items = &trainer->items, *own = trainer->sampler->parameters(trainer->sampler_state);
    const HnTable *of_model = hn_model_parameters(trainer->model, trainer->model_state);
    const uint64_t n = items->n_rows, dim = (uint64_t)items->dim;
    HN_TRY(put(writer, "item/embedding", n, dim, items->value, err));
    HN_TRY(put(writer, "item/m", n, dim, items->m, err));
    HN_TRY(put(writer, "item/v", n, dim, items->v, err));
    if (own != NULL) {
        HN_TRY(put(writer, "adapter/parameters", own->n_rows, 0, own->value, err));
        HN_TRY(put(writer, "adapter/m", own->n_rows, 0, own->m, err));
        HN_TRY(put(writer, "adapter/v", own->n_rows, 0, own->v, err));
    }
    if (of_model != NULL) {
        const uint64_t n_parameters = of_model->n_rows * (uint64_t)of_model->dim;
        HN_TRY(put(writer, "model/parameters", n_parameters, 0, of_model->value, err));
        HN_TRY(put(writer, "model/m", n_parameters, 0, of_model->m, err));
        HN_TRY(put(writer, "model/v", n_parameters, 0, of_model->v, err));
    }
    if (session->best_epoch >= 0) {
        HN_TRY(put(writer, "best/item", n, (uint64_t)trainer->width, session->best_items, err));
    }
    return put_history(writer, &session->history, err);
}

static HnStatus put_attributes(HnStoreWriter *writer, const HnSession *session, HnError *err) {
    const HnTrainer *trainer = session->trainer;
    const struct {
        const char *name;
        int64_t value;
    } numbers[] = {{"user_begin", (int64_t)trainer->shards.user_begin},
                   {"user_end", (int64_t)trainer->shards.user_end},
                   {"epoch", (int64_t)trainer->epoch},
                   {"step", (int64_t)trainer->steps},
                   {"step_in_epoch", (int64_t)trainer->step_in_epoch},
                   {"running_steps", (int64_t)trainer->running.n_steps},
                   {"seed", session->job->seed},
                   {"best_epoch", session->best_epoch},
                   {"bad_evals", session->bad_evals},
                   {"part", hn_comm_rank(session->comm)},
                   {"n_parts", hn_comm_size(session->comm)}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        HN_TRY(hn_store_set_i64(writer, numbers[i].name, numbers[i].value, err));
    }
    for (int i = 0; i < HN_N_LOSSES; i++) {
        char name[64] = "running_";
        strncat(name, HN_LOSS_PART_NAMES[i], sizeof name - strlen(name) - 1);
        HN_TRY(hn_store_set_f64(writer, name, trainer->running.sums[i], err));
    }
    HN_TRY(hn_store_set_f64(writer, "best_value", session->best_value, err));
    return hn_store_set_text(writer, "identity", session->identity, err);
}

static HnStatus write_part(const HnSession *session, const char *path, char content_id[65], HnError *err) {
    HnStoreWriter *writer = NULL;
    HnProvenance provenance = {.config = session->job->config_yaml,
                               .seed = session->job->seed,
                               .synthetic = hn_dataset_synthetic(session->job->dataset)};
    HN_TRY(hn_store_create(path, &HN_SCHEMA_CHECKPOINT, &provenance, &writer, err));
    HnStatus status = put_attributes(writer, session, err);
    status = status == HN_OK ? put_users(writer, session, err) : status;
    if (status == HN_OK && hn_comm_rank(session->comm) == 0) {
        status = put_shared(writer, session, err);
    }
    if (status != HN_OK) {
        hn_store_abandon(&writer);
        return status;
    }
    HN_TRY(hn_store_seal(&writer, err));
    return hn_store_content_id(path, content_id, err);
}

/* A folder of the same name is the rest of an attempt that was cut off. */
static HnStatus fresh_folder(const HnSession *session, const char *folder, HnError *err) {
    HnStatus status = HN_OK;
    if (hn_comm_rank(session->comm) == 0) {
        status = hn_folder_remove(folder, err);
        status = status == HN_OK ? hn_folder_make(folder, err) : status;
    }
    return hn_comm_agree(session->comm, status, err);
}

static HnStatus write_manifest(const HnSession *session, const char *folder, const char *content_ids, HnError *err) {
    const HnUserShards *shards = &session->trainer->shards;
    const int size = hn_comm_size(session->comm);
    HnManifest manifest = {size, hn_alloc((size_t)size, sizeof *manifest.parts, "manifest", err)};
    HnStatus status = manifest.parts == NULL ? HN_MEMORY : HN_OK;
    for (int r = 0; r < size && status == HN_OK; r++) {
        int first, last;
        status = hn_shard_of_rank(shards->n_shards, size, r, &first, &last, err);
        if (status == HN_OK) {
            memcpy(manifest.parts[r].content_id, content_ids + (size_t)r * 64, 64);
            manifest.parts[r].user_begin = shards->begin[first];
            manifest.parts[r].user_end = shards->begin[last];
        }
    }
    status = status == HN_OK ? hn_manifest_write(folder, &manifest, err) : status;
    hn_manifest_free(&manifest);
    return status;
}

static HnStatus write_all(HnSession *session, const char *folder, const char *path, size_t *n_bytes, char *ids,
                          HnError *err) {
    char content_id[65] = "";
    HN_TRY(fresh_folder(session, folder, err));
    HN_TRY(hn_comm_agree(session->comm, write_part(session, path, content_id, err), err));
    for (int r = 0; r < hn_comm_size(session->comm); r++) {
        n_bytes[r] = 64;
    }
    HN_TRY(hn_comm_gather_all(session->comm, content_id, ids, n_bytes, err));
    HnStatus status = HN_OK;
    if (hn_comm_rank(session->comm) == 0) {
        status = write_manifest(session, folder, ids, err);
        if (status == HN_OK) {
            hn_checkpoint_keep(session->job->folder, KEEP);
        }
    }
    return hn_comm_agree(session->comm, status, err);
}

HnStatus hn_checkpoint_write(HnSession *session, HnError *err) {
    const HnTrainer *trainer = session->trainer;
    const int rank = hn_comm_rank(session->comm), size = hn_comm_size(session->comm);
    char *folder = hn_checkpoint_folder(session->job->folder, trainer->epoch, trainer->step_in_epoch, err);
    char *path = folder == NULL ? NULL : hn_checkpoint_part_path(folder, rank, size, err);
    size_t *n_bytes = hn_alloc((size_t)size, sizeof *n_bytes, "manifest", err);
    char *ids = hn_alloc((size_t)size, 64, "manifest", err);
    HnStatus status = hn_comm_agree(session->comm, path && n_bytes && ids ? HN_OK : HN_MEMORY, err);
    if (status == HN_OK) {
        HnError cause = HN_ERROR_INIT;
        status = write_all(session, folder, path, n_bytes, ids, &cause);
        if (status != HN_OK) {
            hn_fail(err, status, "%s%s", cause.message,
                    status == HN_SPACE ? "; then run again: training goes on from the checkpoint before this one, if "
                                         "there is one"
                                       : "");
        }
    }
    hn_free(ids);
    hn_free(n_bytes);
    hn_free(path);
    hn_free(folder);
    return status;
}

void hn_checkpoint_remove_all(const char *folder) {
    hn_checkpoint_keep(folder, 0);
}
