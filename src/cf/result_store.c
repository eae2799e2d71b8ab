/* What result.h5 and trial.h5 have in common. */
#include "cf/result_store.h"

#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/text.h"
#include "cpu.h"

static HnStatus inputs_text(const HnTrainJob *job, const char *vectors_id, HnText *text, HnError *err) {
    HN_TRY(hn_text_printf(text, err, "%s  data set\n", hn_dataset_id(job->dataset)));
    return vectors_id[0] == '\0' ? HN_OK : hn_text_printf(text, err, "%s  vectors\n", vectors_id);
}

static HnStatus compare_inputs(const char *path, const char *stored, const char *mine, HnError *err) {
    if (strcmp(stored, mine) == 0) {
        return HN_OK;
    }
    size_t first = strcspn(mine, "\n");
    bool same_data = strncmp(stored, mine, first + 1) == 0;
    return hn_fail(
        err, HN_CONFLICT,
        "%s was made from %s, and %s changed since: one table would mix both. Choose another --out, or remove "
        "%s to train it again",
        path, same_data ? "other vectors" : "another data set",
        same_data ? "what the vectors come from has" : "the input files have", path);
}

HnStatus hn_result_check_inputs(const char *path, const HnSchema *schema, const HnTrainJob *job, HnError *err) {
    char vectors_id[65] = "";
    if (job->vectors_path != NULL) {
        HN_TRY(hn_store_content_id(job->vectors_path, vectors_id, err));
    }
    HnStore *store = NULL;
    HN_TRY(hn_store_open(path, schema, &store, err));
    HnText mine = {0};
    char *stored = NULL;
    HnStatus status = inputs_text(job, vectors_id, &mine, err);
    status = status == HN_OK ? hn_store_get_text(store, "inputs", &stored, err) : status;
    status = status == HN_OK ? compare_inputs(path, stored, hn_text_get(&mine), err) : status;
    hn_free(stored);
    hn_text_free(&mine);
    hn_store_close(&store);
    return status;
}

HnStatus hn_result_store_create(const HnSession *session, const char *name, const HnSchema *schema,
                                HnStoreWriter **writer, HnError *err) {
    HnText inputs = {0};
    char *path = hn_path_join(session->job->folder, name, err);
    HnStatus status = path == NULL ? HN_MEMORY : inputs_text(session->job, session->vectors_id, &inputs, err);
    HnProvenance provenance = {.config = session->job->config_yaml,
                               .inputs = hn_text_get(&inputs),
                               .processor_path = hn_cpu_path_name(hn_cpu_path()),
                               .seed = session->job->seed,
                               .synthetic = hn_dataset_synthetic(session->job->dataset)};
    if (status == HN_OK) {
        status = hn_store_create(path, schema, &provenance, writer, err);
    }
    hn_text_free(&inputs);
    hn_free(path);
    return status;
}

HnStatus hn_result_put(HnStoreWriter *writer, const char *field, uint64_t rows, uint64_t columns, const void *data,
                       HnError *err) {
    const uint64_t dims[2] = {rows, columns};
    return hn_store_write(writer, field, dims, data, err);
}

HnStatus hn_result_put_names(HnStoreWriter *writer, const HnSession *session, HnError *err) {
    const HnIntList *ks = &session->job->config->eval.ks;
    HN_TRY(hn_store_strings(writer, "loss/name", HN_LOSS_PART_NAMES, HN_N_LOSSES, err));
    HN_TRY(hn_store_strings_begin(writer, "metric/name", session->history.n_metrics, err));
    for (size_t i = 0; i < session->history.n_metrics; i++) {
        char *name = hn_metrics_name(ks, i, err);
        HnStatus status =
            name == NULL ? HN_MEMORY : hn_store_strings_add(writer, "metric/name", name, strlen(name), err);
        hn_free(name);
        HN_TRY(status);
    }
    return HN_OK;
}

HnStatus hn_result_put_history(HnStoreWriter *writer, const HnHistory *history, HnError *err) {
    HN_TRY(hn_result_put(writer, "loss/value", history->n_epochs, HN_N_LOSSES, history->loss, err));
    HN_TRY(hn_result_put(writer, "time/epoch_seconds", history->n_epochs, 0, history->epoch_seconds, err));
    HN_TRY(hn_store_strings_begin(writer, "digest/epoch", history->n_epochs, err));
    for (uint64_t e = 0; e < history->n_epochs; e++) {
        HN_TRY(hn_store_strings_add(writer, "digest/epoch", history->digest[e], 64, err));
    }
    HN_TRY(hn_result_put(writer, "valid/epoch", history->n_evals, 0, history->eval_epoch, err));
    HN_TRY(hn_result_put(writer, "valid/value", history->n_evals, history->n_metrics, history->metric, err));
    return hn_result_put(writer, "time/eval_seconds", history->n_evals, 0, history->eval_seconds, err);
}
