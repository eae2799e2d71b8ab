#include "stage.h"

#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"

HnStatus hn_stage_identity_line(HnStageIdentity *identity, const char *key, const char *value, HnError *err) {
    return hn_text_printf(&identity->lines, err, "%s: %s\n", key, value);
}

HnStatus hn_stage_identity_number(HnStageIdentity *identity, const char *key, int64_t value, HnError *err) {
    return hn_text_printf(&identity->lines, err, "%s: %lld\n", key, (long long)value);
}

/* The model by content, not by path, and what else its numbers and texts depend on. */
static HnStatus identify_native(const HnStageContext *context, bool embedder, HnStageIdentity *identity, HnError *err) {
    const HnNativeConfig *native = &context->config->native;
    const char *id = embedder ? context->embedder_id : context->writer_id;
    HN_TRY(hn_stage_identity_line(identity, "model", id ? id : "unknown", err));
    HN_TRY(hn_text_printf(&identity->inputs, err, "%s  model\n", id ? id : "unknown"));
    HN_TRY(hn_stage_identity_number(identity, "llm.native.weights", native->weights, err));
    HN_TRY(hn_stage_identity_number(identity, "llm.native.context", native->context, err));
    if (embedder) {
        return hn_stage_identity_number(identity, "llm.native.pooling", native->pooling, err);
    }
    return hn_text_printf(
        &identity->lines, err,
        "llm.native: temperature %.17g, top_k %lld, top_p %.17g, repetition_penalty %.17g, seed %lld, "
        "max_tokens %lld, json %d, pool_names %d, plain %d\n",
        native->temperature, (long long)native->top_k, native->top_p, native->repetition_penalty,
        (long long)native->seed, (long long)native->max_tokens, native->json, native->pool_names, native->plain);
}

HnStatus hn_stage_identity_start(const HnStageContext *context, const char *stage, bool embedder,
                                 HnStageIdentity *identity, HnError *err) {
    const HnLlmConfig *config = context->config;
    HnProviderFamily family = embedder ? config->embedder : config->provider;
    *identity = (HnStageIdentity){0};
    HN_TRY(hn_stage_identity_line(identity, "stage", stage, err));
    HN_TRY(hn_stage_identity_line(identity, "data set", hn_dataset_id(context->dataset), err));
    HN_TRY(hn_text_printf(&identity->inputs, err, "%s  dataset\n", hn_dataset_id(context->dataset)));
    HN_TRY(hn_stage_identity_line(identity, embedder ? "llm.embedder" : "llm.provider", hn_provider_name(family), err));
    if (family == HN_PROVIDER_NATIVE) {
        return identify_native(context, embedder, identity, err);
    }
    if (family == HN_PROVIDER_HTTP) {
        HN_TRY(hn_stage_identity_line(identity, "llm.http.api", config->http.api == HN_API_OLLAMA ? "ollama" : "openai",
                                      err));
        HN_TRY(hn_stage_identity_line(identity, embedder ? "llm.http.embed_model" : "llm.http.model",
                                      hn_provider_model(config, family, embedder), err));
        if (!embedder) {
            HN_TRY(hn_text_printf(&identity->lines, err, "llm.http.temperature: %.17g\n", config->http.temperature));
            HN_TRY(hn_stage_identity_number(identity, "llm.http.max_tokens", config->http.max_tokens, err));
        }
    }
    return HN_OK;
}

HnStatus hn_stage_identity_store(HnStageIdentity *identity, const char *role, const char *path, HnError *err) {
    char id[65] = "none";
    if (path) {
        HN_TRY(hn_store_content_id(path, id, err));
        HN_TRY(hn_text_printf(&identity->inputs, err, "%s  %s\n", id, role));
    }
    return hn_stage_identity_line(identity, role, id, err);
}

HnStatus hn_stage_identity_finish(HnStageIdentity *identity, HnError *err) {
    hn_sha256_bytes(identity->lines.data, identity->lines.length, identity->hash);
    return hn_text_printf(&identity->inputs, err, "%s  identity of the stage", identity->hash);
}

void hn_stage_identity_free(HnStageIdentity *identity) {
    hn_text_free(&identity->lines);
    hn_text_free(&identity->inputs);
}

/* Rank 0. */
static HnStatus check_sealed(const char *out_path, const HnStageIdentity *identity, const char *journal_folder,
                             bool *sealed, HnError *err) {
    HnStore *store = NULL;
    char *inputs = NULL;
    *sealed = false;
    if (!hn_file_exists(out_path)) {
        return HN_OK;
    }
    HN_TRY(hn_store_open(out_path, NULL, &store, err));
    HnStatus status = hn_store_get_text(store, "inputs", &inputs, err);
    hn_store_close(&store);
    HN_TRY(status);
    *sealed = strstr(inputs, identity->hash) != NULL;
    hn_free(inputs);
    if (!*sealed) {
        return hn_fail(err, HN_CONFLICT,
                       "%s was made from other inputs or by another configuration; remove it, or use a "
                       "fresh output folder",
                       out_path);
    }
    return hn_folder_remove(journal_folder, err);
}

HnStatus hn_stage_is_sealed(const HnStageContext *context, const char *out_path, const HnStageIdentity *identity,
                            const char *journal_folder, bool *sealed, HnError *err) {
    HnStatus status = HN_OK;
    uint8_t flag = 0;
    if (hn_comm_rank(context->workers) == 0) {
        status = check_sealed(out_path, identity, journal_folder, sealed, err);
        flag = status == HN_OK && *sealed;
    }
    HN_TRY(hn_comm_agree(context->workers, status, err));
    HN_TRY(hn_comm_broadcast(context->workers, &flag, sizeof flag, 0, err));
    *sealed = flag != 0;
    return HN_OK;
}

HnProvenance hn_stage_provenance(const HnStageContext *context, const HnStageIdentity *identity) {
    return (HnProvenance){.config = context->config_yaml,
                          .inputs = hn_text_get(&identity->inputs),
                          .seed = -1,
                          .synthetic = hn_dataset_synthetic(context->dataset)};
}
