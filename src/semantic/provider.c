#include "provider.h"

#include <stdio.h>

#include "providers.h"

HnStatus hn_provider_open(HnProviderFamily family, bool embedder, const HnLlmConfig *config, const HnDataset *dataset,
                          const char *item_profiles, const char *user_profiles, HnProvider **provider, HnError *err) {
    *provider = NULL;
    switch (family) {
    case HN_PROVIDER_EXTRACTIVE:
        return hn_extractive_open(config, dataset, item_profiles, user_profiles, provider, err);
    case HN_PROVIDER_HTTP:
        return hn_http_open(config, provider, err);
    case HN_PROVIDER_NATIVE:
        break;
    }
    return hn_native_open(config, embedder, dataset, provider, err);
}

const char *hn_provider_name(HnProviderFamily family) {
    return family == HN_PROVIDER_EXTRACTIVE ? "extractive" : family == HN_PROVIDER_HTTP ? "http" : "native";
}

const char *hn_provider_model(const HnLlmConfig *config, HnProviderFamily family, bool embedder) {
    switch (family) {
    case HN_PROVIDER_HTTP:
        return embedder ? config->http.embed_model : config->http.model;
    case HN_PROVIDER_NATIVE:
        return embedder && config->native.embed_model[0] ? config->native.embed_model : config->native.model;
    case HN_PROVIDER_EXTRACTIVE:
        break;
    }
    return "";
}

void hn_provider_close(HnProvider **provider) {
    if (*provider) {
        (*provider)->ops->close(*provider);
        *provider = NULL;
    }
}

HnStatus hn_provider_check(HnProviderFamily family, const HnLlmConfig *config, bool embedder, char *line,
                           size_t n_bytes, HnError *err) {
    switch (family) {
    case HN_PROVIDER_EXTRACTIVE:
        snprintf(line, n_bytes, "extractive: ready (no language model needed)");
        return HN_OK;
    case HN_PROVIDER_HTTP:
        return hn_http_check(config, line, n_bytes, err);
    case HN_PROVIDER_NATIVE:
        break;
    }
    return hn_native_check(config, embedder, line, n_bytes, err);
}
