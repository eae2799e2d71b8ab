/* Data set and language-model stages of a run: each an artefact named after everything that it was made from. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "app/artefact.h"
#include "app/run.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "data/prepare.h"
#include "llm/files/identity.h"
#include "semantic/provider.h"
#include "semantic/stages.h"
#include "store.h"

/* Inputs of 30 GB are not hashed at every start: name, size and time of change stand for them here; the SHA-256 of what
 * was read is recorded in dataset.h5 itself, and what follows is keyed by that store's contents. */
static HnStatus add_files(HnText *identity, const HnStringList *files, HnError *err) {
    for (size_t i = 0; i < files->n; i++) {
        struct stat info = {0};
        if (stat(files->items[i], &info) != 0) {
            return hn_fail(err, HN_INPUT, "cannot read %s; check the data.* paths of the experiment", files->items[i]);
        }
        HN_TRY(hn_text_printf(identity, err, "file %s %lld %lld.%09ld\n", files->items[i], (long long)info.st_size,
                              (long long)info.st_mtim.tv_sec, info.st_mtim.tv_nsec));
    }
    return HN_OK;
}

static HnStatus add_file_hash(HnText *identity, const char *path, HnError *err) {
    if (path == NULL || path[0] == '\0') {
        return HN_OK;
    }
    char hex[65];
    HN_TRY(hn_sha256_file(path, hex, err));
    return hn_text_printf(identity, err, "sha256 %s\n", hex);
}

static HnStatus add_keys(HnText *identity, const HnRun *run, const char *const *prefixes, HnError *err) {
    char *text = NULL;
    HN_TRY(hn_experiment_identity(run->experiment, NULL, prefixes, &text, err));
    HnStatus status = hn_text_puts(identity, text, err);
    hn_free(text);
    return status;
}

static HnStatus add_store(HnText *identity, const char *path, HnError *err) {
    char hex[65];
    HN_TRY(hn_store_content_id(path, hex, err));
    return hn_text_printf(identity, err, "store %s\n", hex);
}

/* ---- the data set ---- */

static HnStatus make_dataset(void *context, const char *work_folder, const char *out_path, HnError *err) {
    const HnRun *run = context;
    (void)work_folder;
    if (hn_comm_rank(run->world) != 0) {
        return HN_OK;
    }
    HnPrepareReport report = {0};
    HN_TRY(hn_prepare(&run->experiment->data, run->config_yaml, out_path, &report, err));
    hn_log(HN_LOG_INFO,
           "data set: %llu users, %llu items, %llu train + %llu valid + %llu test pairs (%llu lines, %llu bad)",
           (unsigned long long)report.users, (unsigned long long)report.items, (unsigned long long)report.n_train,
           (unsigned long long)report.n_valid, (unsigned long long)report.n_test, (unsigned long long)report.lines_read,
           (unsigned long long)report.lines_bad);
    return HN_OK;
}

static HnStatus dataset_identity(const HnRun *run, HnText *identity, HnError *err) {
    const HnDataConfig *data = &run->experiment->data;
    HN_TRY(add_keys(identity, run, (const char *const[]){"data.", NULL}, err));
    if (data->format == HN_FORMAT_SYNTHETIC) {
        return HN_OK;
    }
    const HnStringList *lists[] = {&data->interactions, &data->valid, &data->test, &data->items};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        HN_TRY(add_files(identity, lists[i], err));
    }
    HN_TRY(add_file_hash(identity, data->keep_users, err));
    return add_file_hash(identity, data->keep_items, err);
}

/* Runs one artefact and notes its time. */
static HnStatus get(HnRun *run, HnComm *group, const char *stage, HnText *identity, HnMakeFn *make, void *context,
                    char **path, HnError *err) {
    double start = hn_clock_seconds();
    bool found = false;
    HN_TRY(hn_artefact_get(group, run->artefacts, stage, hn_text_get(identity), make, context, path, &found, err));
    hn_run_log_stage(&run->log, stage, hn_clock_seconds() - start, found ? "found" : "made");
    if (found) {
        hn_log(HN_LOG_INFO, "%s: found %s", stage, *path);
    }
    return HN_OK;
}

/* Everything below is made from these contents: they must be the sealed ones still. One rank reads them once. */
static HnStatus check_contents(const HnRun *run, const char *path, HnError *err) {
    char contents[65];
    HnStatus status = hn_comm_rank(run->world) == 0 ? hn_store_digest(path, NULL, NULL, contents, err) : HN_OK;
    return hn_comm_agree(run->world, status, err);
}

HnStatus hn_run_check_file(const char *key, const char *path, HnError *err) {
    return path[0] == '\0' || hn_file_exists(path)
               ? HN_OK
               : hn_fail(err, HN_INPUT, "%s is %s, and there is no such file", key, path);
}

/* A ready data set is as it was prepared. */
static HnStatus warn_of_unread_keys(const HnRun *run, HnError *err) {
    HnText names = {0};
    HnStatus status = hn_experiment_changed(run->experiment, "data.", &names, err);
    const char *others = status == HN_OK ? hn_text_get(&names) + strlen("data.dataset") : "";
    if (others[0] != '\0') {
        hn_log(HN_LOG_WARN, "data.dataset is ready, so these keys change nothing: %s (`hnlmrec prepare` reads them)",
               others + strlen(", "));
    }
    hn_text_free(&names);
    return status;
}

HnStatus hn_run_dataset(HnRun *run, HnError *err) {
    if (run->experiment->data.dataset[0] != '\0') {
        HN_TRY(hn_comm_agree(run->world, hn_run_check_file("data.dataset", run->experiment->data.dataset, err), err));
        HnStatus warned = hn_comm_rank(run->world) == 0 ? warn_of_unread_keys(run, err) : HN_OK;
        HN_TRY(hn_comm_agree(run->world, warned, err));
        run->dataset_path = hn_strdup(run->experiment->data.dataset, err);
        HnStatus opened =
            run->dataset_path == NULL ? HN_MEMORY : hn_dataset_open(run->dataset_path, &run->dataset, err);
        HN_TRY(hn_comm_agree(run->world, opened, err));
        return check_contents(run, run->dataset_path, err);
    }
    HnText identity = {0};
    HnStatus status = dataset_identity(run, &identity, err);
    status = hn_comm_agree(run->world, status, err);
    if (status == HN_OK) {
        status = get(run, run->world, "dataset", &identity, make_dataset, run, &run->dataset_path, err);
    }
    hn_text_free(&identity);
    if (status == HN_OK) {
        status = hn_dataset_open(run->dataset_path, &run->dataset, err);
    }
    HN_TRY(hn_comm_agree(run->world, status, err));
    return check_contents(run, run->dataset_path, err);
}

/* ---- the stages of the language model ---- */

typedef enum { STAGE_ITEM_PROFILES, STAGE_USER_PROFILES, STAGE_NEGATIVES, STAGE_VECTORS } Stage;

typedef struct StageCall {
    HnRun *run;
    Stage stage;
} StageCall;

static HnStatus make_stage(void *context, const char *work_folder, const char *out_path, HnError *err) {
    const StageCall *call = context;
    HnRun *run = call->run;
    HnStageContext stage = {&run->experiment->llm, run->dataset,     run->config_yaml,    run->workers,
                            run->writer_id,        run->embedder_id, run->workers_on_host};
    HnStageReport report = {0};
    switch (call->stage) {
    case STAGE_ITEM_PROFILES:
        HN_TRY(hn_stage_profiles(&stage, false, work_folder, out_path, NULL, &report, err));
        break;
    case STAGE_USER_PROFILES:
        HN_TRY(hn_stage_profiles(&stage, true, work_folder, out_path, run->item_profiles, &report, err));
        break;
    case STAGE_NEGATIVES:
        HN_TRY(hn_stage_negatives(&stage, run->item_profiles, run->user_profiles, work_folder, out_path, &report, err));
        break;
    case STAGE_VECTORS:
        HN_TRY(hn_stage_embed(&stage, run->negatives, run->item_profiles, run->user_profiles, work_folder, out_path,
                              &report, err));
        break;
    }
    hn_log(HN_LOG_INFO, "%llu rows: %llu done before, %llu answered, %llu %s, %llu lost; %llu requests, %.1f s",
           (unsigned long long)report.items, (unsigned long long)report.done_before,
           (unsigned long long)report.answered, (unsigned long long)report.noise,
           call->stage == STAGE_VECTORS ? "pairs without a vector" : "noise", (unsigned long long)report.lost,
           (unsigned long long)report.attempts, report.seconds);
    return HN_OK;
}

/* What the prompts and the writer of profiles and negatives are. */
static const char *const writer_keys[] = {"llm.provider",         "llm.http.api",        "llm.http.model",
                                          "llm.http.temperature", "llm.http.max_tokens", "llm.max_reviews",
                                          "llm.max_review_words", "llm.profile_words",   NULL};
/* The extractive one compares texts by vectors; an endpoint's answers outlive another width of the embedder's. */
static const char *const extractive_writer_keys[] = {
    "llm.provider",    "llm.http.api",         "llm.http.model",    "llm.http.temperature", "llm.http.max_tokens",
    "llm.max_reviews", "llm.max_review_words", "llm.profile_words", "llm.embed_dim",        NULL};
static const char *const native_writer_keys[] = {"llm.provider",
                                                 "llm.native.weights",
                                                 "llm.native.temperature",
                                                 "llm.native.top_k",
                                                 "llm.native.top_p",
                                                 "llm.native.repetition_penalty",
                                                 "llm.native.seed",
                                                 "llm.native.max_tokens",
                                                 "llm.native.json",
                                                 "llm.native.plain",
                                                 "llm.native.thinking",
                                                 "llm.native.pool_names",
                                                 "llm.native.context",
                                                 "llm.max_reviews",
                                                 "llm.max_review_words",
                                                 "llm.profile_words",
                                                 NULL};
static const char *const negative_keys[] = {"llm.negatives_per_pair", NULL};
static const char *const vector_keys[] = {"llm.embedder",  "llm.http.api",    "llm.http.embed_model",
                                          "llm.embed_dim", "llm.vector_type", NULL};
static const char *const native_vector_keys[] = {"llm.embedder",       "llm.native.weights", "llm.native.pooling",
                                                 "llm.native.context", "llm.vector_type",    NULL};

/* What the prompts are, where they are embedded themselves. */
static const char *const prompt_vector_keys[] = {"llm.vectors_of",       "llm.profile_words", "llm.max_reviews",
                                                 "llm.max_review_words", "llm.native.plain",  NULL};

static HnStatus writer_identity(const HnRun *run, HnText *identity, HnError *err) {
    switch (run->experiment->llm.provider) {
    case HN_PROVIDER_EXTRACTIVE:
        return add_keys(identity, run, extractive_writer_keys, err);
    case HN_PROVIDER_HTTP:
        return add_keys(identity, run, writer_keys, err);
    case HN_PROVIDER_NATIVE:
        break;
    }
    HN_TRY(hn_text_printf(identity, err, "model %s\n", run->writer_id));
    return add_keys(identity, run, native_writer_keys, err);
}

static HnStatus embedder_identity(const HnRun *run, HnText *identity, HnError *err) {
    if (run->experiment->llm.embedder != HN_PROVIDER_NATIVE) {
        return add_keys(identity, run, vector_keys, err);
    }
    HN_TRY(hn_text_printf(identity, err, "model %s\n", run->embedder_id));
    return add_keys(identity, run, native_vector_keys, err);
}

static HnStatus add_prompts(const HnRun *run, HnText *identity, HnError *err) {
    char prompts[65];
    HN_TRY(hn_prompts_id(run->experiment->llm.prompt_folder, prompts, err));
    return hn_text_printf(identity, err, "prompts %s\n", prompts);
}

static HnStatus vectors_identity(const HnRun *run, HnText *identity, HnError *err) {
    const HnLlmConfig *llm = &run->experiment->llm;
    HN_TRY(embedder_identity(run, identity, err));
    if (llm->import_vectors[0] != '\0') {
        return add_store(identity, llm->import_vectors, err);
    }
    if (llm->vectors_of == HN_VECTORS_OF_NEGATIVES) {
        return add_store(identity, run->negatives, err);
    }
    HN_TRY(add_keys(identity, run, prompt_vector_keys, err));
    HN_TRY(add_prompts(run, identity, err));
    HN_TRY(add_store(identity, run->item_profiles, err));
    return add_store(identity, run->user_profiles, err);
}

static HnStatus stage_identity(const HnRun *run, Stage stage, HnText *identity, HnError *err) {
    const HnLlmConfig *llm = &run->experiment->llm;
    HN_TRY(hn_text_printf(identity, err, "dataset %s\n", hn_dataset_id(run->dataset)));
    if (stage == STAGE_VECTORS) {
        return vectors_identity(run, identity, err);
    }
    HN_TRY(writer_identity(run, identity, err));
    HN_TRY(add_prompts(run, identity, err));
    if (stage == STAGE_ITEM_PROFILES) {
        return add_file_hash(identity, llm->import_item_profiles, err);
    }
    HN_TRY(add_store(identity, run->item_profiles, err));
    if (stage == STAGE_USER_PROFILES) {
        return add_file_hash(identity, llm->import_user_profiles, err);
    }
    HN_TRY(add_store(identity, run->user_profiles, err));
    return add_keys(identity, run, negative_keys, err);
}

static HnStatus run_stage(HnRun *run, Stage stage, const char *name, char **path, HnError *err) {
    hn_log(HN_LOG_INFO, "stage %s", name);
    HnText identity = {0};
    HnStatus status = stage_identity(run, stage, &identity, err);
    status = hn_comm_agree(run->workers, status, err);
    StageCall call = {run, stage};
    if (status == HN_OK) {
        status = get(run, run->workers, name, &identity, make_stage, &call, path, err);
    }
    hn_text_free(&identity);
    return status;
}

/* Model folders may be large: each is read once. */
static HnStatus read_identities(HnRun *run, HnError *err) {
    const HnLlmConfig *llm = &run->experiment->llm;
    const char *writer = hn_provider_model(llm, llm->provider, false);
    const char *embedder = hn_provider_model(llm, llm->embedder, true);
    if (llm->provider == HN_PROVIDER_NATIVE) {
        HN_TRY(hn_lm_folder_id(writer, run->writer_id, err));
    }
    if (llm->embedder == HN_PROVIDER_NATIVE && run->writer_id[0] && strcmp(embedder, writer) == 0) {
        memcpy(run->embedder_id, run->writer_id, sizeof run->embedder_id);
        return HN_OK;
    }
    return llm->embedder == HN_PROVIDER_NATIVE ? hn_lm_folder_id(embedder, run->embedder_id, err) : HN_OK;
}

/* One worker reads the models, all learn what they hold. */
static HnStatus identify_models(HnRun *run, HnError *err) {
    HnStatus status = hn_comm_rank(run->workers) == 0 ? read_identities(run, err) : HN_OK;
    HN_TRY(hn_comm_agree(run->workers, status, err));
    HN_TRY(hn_comm_broadcast(run->workers, run->writer_id, sizeof run->writer_id, 0, err));
    return hn_comm_broadcast(run->workers, run->embedder_id, sizeof run->embedder_id, 0, err);
}

HnStatus hn_run_llm(HnRun *run, HnError *err) {
    if (run->experiment->llm.import_vectors[0] == '\0') { /* else no model is asked */
        HN_TRY(identify_models(run, err));
        HN_TRY(run_stage(run, STAGE_ITEM_PROFILES, "profiles-items", &run->item_profiles, err));
        HN_TRY(run_stage(run, STAGE_USER_PROFILES, "profiles-users", &run->user_profiles, err));
        if (run->until == HN_UNTIL_PROFILES) {
            return HN_OK;
        }
        if (run->experiment->llm.vectors_of == HN_VECTORS_OF_PROMPTS) {
            hn_log(HN_LOG_INFO, "no negatives are written: llm.vectors_of is prompts");
        } else {
            HN_TRY(run_stage(run, STAGE_NEGATIVES, "negatives", &run->negatives, err));
        }
        if (run->until == HN_UNTIL_NEGATIVES) {
            return HN_OK;
        }
    }
    return run_stage(run, STAGE_VECTORS, "vectors", &run->vectors, err);
}

bool hn_run_needs_vectors(const HnRun *run) {
    for (size_t v = 0; v < run->experiment->n_variants; v++) {
        if (hn_variant_needs_vectors(&run->experiment->variants[v])) {
            return true;
        }
    }
    return false;
}

static HnStatus broadcast_vectors(HnRun *run, HnError *err) {
    /* The first worker knows the path; it need not be rank 0 of the world. */
    int rank = hn_comm_rank(run->world), size = hn_comm_size(run->world);
    int64_t holder =
        run->workers != NULL && hn_comm_rank(run->workers) == 0 ? size - rank : 0; /* largest = lowest rank */
    HN_TRY(hn_comm_max_i64(run->world, &holder, 1, err));
    int root = size - (int)holder;
    uint64_t length = rank == root && run->vectors != NULL ? strlen(run->vectors) + 1 : 0;
    HN_TRY(hn_comm_broadcast(run->world, &length, sizeof length, root, err));
    if (length == 0) {
        return HN_OK;
    }
    if (run->vectors == NULL) {
        run->vectors = hn_alloc(length, 1, "path of the vectors", err);
        HN_TRY(hn_comm_agree(run->world, run->vectors == NULL ? HN_MEMORY : HN_OK, err));
    } else {
        HN_TRY(hn_comm_agree(run->world, HN_OK, err));
    }
    return hn_comm_broadcast(run->world, run->vectors, length, root, err);
}

HnStatus hn_run_share_vectors(HnRun *run, HnError *err) {
    HN_TRY(broadcast_vectors(run, err));
    return run->vectors == NULL ? HN_OK : check_contents(run, run->vectors, err);
}
