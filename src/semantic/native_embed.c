#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "native.h"

struct HnNativeEmbedder {
    HnLm *lm;
    HnTokenizer *tokenizer;
    HnLmEmbedding *embedding;
};

static HnStatus open_parts(const HnLlmConfig *config, const char *folder, HnNativeEmbedder *self, HnError *err) {
    static const HnPooling poolings[] = {HN_POOLING_NONE, HN_POOLING_LAST, HN_POOLING_MEAN, HN_POOLING_CLS};
    HnLmOptions options = {.weights = (HnWeightType)config->native.weights, .memory_limit = hn_native_memory(config)};
    HnLmEmbeddingOptions embedding = {.pooling = poolings[config->native.pooling],
                                      .max_tokens = (uint32_t)config->native.context};
    HN_TRY(hn_tokenizer_open(folder, &self->tokenizer, err));
    HN_TRY(hn_lm_open(folder, &options, &self->lm, err));
    return hn_lm_embedding_create(self->lm, self->tokenizer, &embedding, &self->embedding, err);
}

HnStatus hn_native_embedder_open(const HnLlmConfig *config, HnNativeEmbedder **embedder, HnError *err) {
    const char *folder = config->native.embed_model[0] ? config->native.embed_model : config->native.model;
    HnNativeEmbedder *self = *embedder = hn_alloc(1, sizeof *self, "native embedder", err);
    char *resolved = NULL;
    HnStatus status = self ? hn_lm_folder_resolve(folder, &resolved, err) : HN_MEMORY;
    if (status == HN_OK) {
        status = open_parts(config, resolved, self, err);
    }
    hn_free(resolved);
    if (status != HN_OK) {
        hn_native_embedder_close(embedder);
    }
    return status;
}

void hn_native_embedder_close(HnNativeEmbedder **embedder) {
    HnNativeEmbedder *self = *embedder;
    if (self == NULL) {
        return;
    }
    if (self->embedding) {
        HnLmEmbeddingCounts counts = hn_lm_embedding_counts(self->embedding);
        if (counts.cut) {
            hn_log(HN_LOG_WARN, "%llu of %llu texts were longer than the embedding model takes, and cut",
                   (unsigned long long)counts.cut, (unsigned long long)counts.prompts);
        }
    }
    hn_lm_embedding_free(&self->embedding);
    hn_lm_close(&self->lm);
    hn_tokenizer_close(&self->tokenizer);
    hn_free(self);
    *embedder = NULL;
}

uint32_t hn_native_embedder_width(const HnNativeEmbedder *embedder) {
    return hn_lm_embedding_width(embedder->embedding);
}

HnStatus hn_native_embedder_texts(HnNativeEmbedder *embedder, const char *const *texts, size_t n, float *vectors,
                                  HnError *err) {
    HnLmText *list = hn_alloc(n, sizeof *list, "texts to embed", err);
    if (list == NULL) {
        return HN_MEMORY;
    }
    for (size_t i = 0; i < n; i++) {
        list[i] = (HnLmText){texts[i], strlen(texts[i])};
    }
    HnStatus status = hn_lm_embedding_texts(embedder->embedding, HN_LM_TEXT_DOCUMENT, list, n, vectors, err);
    hn_free(list);
    return status;
}
