#include "base/log.h"
#include "native.h"

static HnLmEmbedderOptions options_of(const HnLlmConfig *config) {
    static const HnPooling poolings[] = {HN_POOLING_NONE, HN_POOLING_LAST, HN_POOLING_MEAN, HN_POOLING_CLS};
    const HnNativeConfig *native = &config->native;
    return (HnLmEmbedderOptions){
        .folder = hn_provider_model(config, HN_PROVIDER_NATIVE, true),
        .weights = (HnWeightType)native->weights,
        .memory_limit = hn_native_memory(config),
        .embedding = {.pooling = poolings[native->pooling], .max_tokens = (uint32_t)native->context},
        .prompts = config->vectors_of == HN_VECTORS_OF_PROMPTS,
        .plain = native->plain};
}

HnStatus hn_native_embedder_check(const HnLlmConfig *config, HnText *line, HnError *err) {
    HnLmEmbedderOptions options = options_of(config);
    HnLmPlan plan;
    HN_TRY(hn_lm_embedder_check(&options, &plan, err));
    return hn_lm_embedder_describe(&options, &plan, line, err);
}

HnStatus hn_native_embedder_open(const HnLlmConfig *config, HnLmEmbedder **embedder, HnError *err) {
    HnLmEmbedderOptions options = options_of(config);
    return hn_lm_embedder_open(&options, embedder, err);
}

void hn_native_embedder_close(HnLmEmbedder **embedder) {
    if (*embedder) {
        HnLmEmbeddingCounts counts = hn_lm_embedding_counts(hn_lm_embedder_embedding(*embedder));
        if (counts.cut) {
            hn_log(HN_LOG_WARN, "%llu of %llu texts were longer than the embedding model takes, and cut",
                   (unsigned long long)counts.cut, (unsigned long long)counts.prompts);
        }
    }
    hn_lm_embedder_close(embedder);
}
