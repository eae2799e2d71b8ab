#include "stage_identity.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "provider.h"
#include "store.h"

HnStatus hn_stage_identity_line(HnStageIdentity *identity, const char *key, const char *value, HnError *err) {
    return hn_text_printf(&identity->lines, err, "%s: %s\n", key, value);
}

HnStatus hn_stage_identity_number(HnStageIdentity *identity, const char *key, int64_t value, HnError *err) {
    return hn_text_printf(&identity->lines, err, "%s: %lld\n", key, (long long)value);
}

void hn_stage_identity_products(HnStageIdentity *identity, HnWeightType weights, bool mix_bits, const char *mix_hint) {
    (void)snprintf(identity->products, sizeof identity->products, "%s", hn_linear_bits(weights));
    identity->mix_bits = mix_bits;
    identity->mix_hint = mix_hint;
}

/* The model by content, not by path, and what else its numbers and texts depend on. */
static HnStatus identify_native(const HnStageContext *context, bool embedder, HnStageIdentity *identity, HnError *err) {
    const HnNativeConfig *native = &context->config->native;
    const char *id = embedder ? context->embedder_id : context->writer_id;
    hn_stage_identity_products(identity, (HnWeightType)native->weights, native->mix_bits, "llm.native.mix_bits: true");
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
        "max_tokens %lld, json %d, pool_names %d, plain %d, thinking %d\n",
        native->temperature, (long long)native->top_k, native->top_p, native->repetition_penalty,
        (long long)native->seed, (long long)native->max_tokens, native->json, native->pool_names, native->plain,
        native->thinking);
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

/* Stores of no native model, and those of earlier versions, say nothing. */
static HnStatus note_products(HnStageIdentity *identity, const char *role, const char *path, HnError *err) {
    HnStore *store = NULL;
    HnError none = HN_ERROR_INIT;
    char *products = NULL;
    if (identity->products[0] == '\0') {
        return HN_OK;
    }
    HN_TRY(hn_store_open(path, NULL, &store, err));
    HnStatus status = HN_OK;
    if (hn_store_get_text(store, "products", &products, &none) == HN_OK && products[0] != '\0' &&
        strcmp(products, identity->products) != 0) {
        (void)snprintf(identity->their_products, sizeof identity->their_products, "%s", products);
        status =
            hn_text_printf(&identity->others, err, "%s%s (%s)", identity->others.length ? ", " : "", role, products);
    }
    hn_free(products);
    hn_store_close(&store);
    return status;
}

HnStatus hn_stage_identity_store(HnStageIdentity *identity, const char *role, const char *path, HnError *err) {
    char id[65] = "none";
    if (path) {
        HN_TRY(hn_store_content_id(path, id, err));
        HN_TRY(note_products(identity, role, path, err));
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
    hn_text_free(&identity->others);
}
