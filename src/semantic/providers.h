/* The families behind provider.h. */
#ifndef HN_SEMANTIC_PROVIDERS_H
#define HN_SEMANTIC_PROVIDERS_H

#include "provider.h"

HnStatus hn_extractive_open(const HnLlmConfig *config, const HnDataset *dataset, const char *item_profiles,
                            const char *user_profiles, HnProvider **provider, HnError *err);
HnStatus hn_http_open(const HnLlmConfig *config, HnProvider **provider, HnError *err);
HnStatus hn_http_check(const HnLlmConfig *config, char *line, size_t n_bytes, HnError *err);
HnStatus hn_native_open(const HnLlmConfig *config, bool embedder, const HnDataset *dataset, HnProvider **provider,
                        HnError *err);
HnStatus hn_native_check(const HnLlmConfig *config, bool embedder, char *line, size_t n_bytes, HnError *err);

#endif
