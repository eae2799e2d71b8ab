#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "llm/tokenizer/turns.h"
#include "native.h"

struct HnNativeEmbedder {
    HnLm *lm;
    HnTokenizer *tokenizer;
    HnLmEmbedding *embedding;
    HnChat *chat;      /* NULL: prompts are plain */
    char *instruction; /* of the last prompt */
    HnTokens bare;     /* ... rendered without an input */
};

static HnStatus open_parts(const HnLlmConfig *config, const char *folder, HnNativeEmbedder *self, HnError *err) {
    static const HnPooling poolings[] = {HN_POOLING_NONE, HN_POOLING_LAST, HN_POOLING_MEAN, HN_POOLING_CLS};
    HnLmOptions options = {.weights = (HnWeightType)config->native.weights, .memory_limit = hn_native_memory(config)};
    HnLmEmbeddingOptions embedding = {.pooling = poolings[config->native.pooling],
                                      .max_tokens = (uint32_t)config->native.context};
    HN_TRY(hn_tokenizer_open(folder, &self->tokenizer, err));
    HN_TRY(hn_lm_open(folder, &options, &self->lm, err));
    HN_TRY(hn_lm_embedding_create(self->lm, self->tokenizer, &embedding, &self->embedding, err));
    bool chat = false;
    if (config->vectors_of == HN_VECTORS_OF_PROMPTS && !config->native.plain) {
        HN_TRY(hn_chat_exists(folder, &chat, err));
    }
    return chat ? hn_chat_open(folder, self->tokenizer, &self->chat, err) : HN_OK;
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
    hn_tokens_free(&self->bare);
    hn_free(self->instruction);
    hn_chat_close(&self->chat);
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

HnLmEmbeddingCounts hn_native_embedder_counts(const HnNativeEmbedder *embedder) {
    return hn_lm_embedding_counts(embedder->embedding);
}

/* ---- prompts ---- */

/* The instruction and nothing else, to see what an input has before it and behind it. It seldom changes. */
static HnStatus render_bare(HnNativeEmbedder *self, const char *system, HnError *err) {
    if (self->instruction && strcmp(self->instruction, system) == 0) {
        return HN_OK;
    }
    hn_free(self->instruction);
    self->instruction = hn_strdup(system, err);
    return self->instruction ? hn_turns_render(self->tokenizer, self->chat, system, "", false, &self->bare, err)
                             : HN_MEMORY;
}

/* What a cut keeps. */
static void measure(const HnNativeEmbedder *self, HnNativePrompt *prompt) {
    const HnTokens *whole = &prompt->tokens, *bare = &self->bare;
    size_t least = whole->n < bare->n ? whole->n : bare->n, head = 0, tail = 0;
    size_t room = hn_lm_embedding_room(self->embedding);
    while (head < least && whole->ids[head] == bare->ids[head]) {
        head++;
    }
    while (head + tail < least && whole->ids[whole->n - 1 - tail] == bare->ids[bare->n - 1 - tail]) {
        tail++;
    }
    if (whole->n > room && head + tail < room) {
        tail += (room - head - tail) / 4;
    }
    prompt->n_head = head;
    prompt->n_tail = tail;
}

HnStatus hn_native_embedder_prompt(HnNativeEmbedder *embedder, const char *system, const char *input,
                                   HnNativePrompt *prompt, HnError *err) {
    HN_TRY(render_bare(embedder, system, err));
    HN_TRY(hn_turns_render(embedder->tokenizer, embedder->chat, system, input, false, &prompt->tokens, err));
    measure(embedder, prompt);
    return HN_OK;
}

HnStatus hn_native_embedder_prompts(HnNativeEmbedder *embedder, const HnNativePrompt *prompts, size_t n, float *vectors,
                                    HnError *err) {
    HnLmPrompt *list = hn_alloc(n, sizeof *list, "prompts to embed", err);
    if (list == NULL) {
        return HN_MEMORY;
    }
    for (size_t i = 0; i < n; i++) {
        list[i] = (HnLmPrompt){prompts[i].tokens.ids, prompts[i].tokens.n, prompts[i].n_head, prompts[i].n_tail};
    }
    HnStatus status = hn_lm_embedding_tokens(embedder->embedding, list, n, vectors, err);
    hn_free(list);
    return status;
}
