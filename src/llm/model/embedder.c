#include "llm/model/embedder.h"

#include <string.h>

#include "base/alloc.h"
#include "embedding_private.h"
#include "llm/tokenizer/turns.h"

struct HnLmEmbedder {
    HnLm *lm;
    HnTokenizer *tokenizer;
    HnLmEmbedding *embedding;
    HnChat *chat;      /* NULL: prompts are plain */
    char *instruction; /* of the last prompt */
    HnTokens bare;     /* ... rendered without an input */
};

/* Tokenizer and template. */
static HnStatus open_parts(const HnLmEmbedderOptions *options, const char *folder, HnLmEmbedder *self, HnError *err) {
    bool chat = false;
    HN_TRY(hn_tokenizer_open(folder, &self->tokenizer, err));
    if (options->prompts && !options->plain) {
        HN_TRY(hn_chat_exists(folder, &chat, err));
    }
    return chat ? hn_chat_open(folder, self->tokenizer, &self->chat, err) : HN_OK;
}

static HnStatus lm_options(const HnLmEmbedderOptions *options, const char *folder, HnLmOptions *lm, HnError *err) {
    HnLmConfig config;
    *lm = (HnLmOptions){.weights = options->weights, .memory_limit = options->memory_limit};
    HN_TRY(hn_lm_config_read(folder, &config, err));
    const HnStatus possible = hn_lm_embedding_check(&config, folder, &options->embedding, err);
    if (possible == HN_OK && config.causal) {
        uint32_t longest = options->embedding.max_tokens ? options->embedding.max_tokens
                           : config.max_tokens           ? config.max_tokens
                                                         : config.n_positions;
        lm->cache_pages =
            hn_lm_embedding_pages(HN_LM_ROWS, longest < HN_EMBEDDER_PLANNED ? longest : HN_EMBEDDER_PLANNED);
    }
    hn_lm_config_free(&config);
    return possible;
}

static HnStatus load(const HnLmEmbedderOptions *options, const char *folder, HnLmEmbedder *self, HnError *err) {
    HnLmOptions lm;
    HN_TRY(open_parts(options, folder, self, err));
    HN_TRY(lm_options(options, folder, &lm, err));
    HN_TRY(hn_lm_open(folder, &lm, &self->lm, err));
    return hn_lm_embedding_create(self->lm, self->tokenizer, &options->embedding, &self->embedding, err);
}

HnStatus hn_lm_embedder_open(const HnLmEmbedderOptions *options, HnLmEmbedder **embedder, HnError *err) {
    HnLmEmbedder *self = *embedder = hn_alloc(1, sizeof *self, "embedder", err);
    char *folder = NULL;
    HnStatus status = self ? hn_lm_folder_resolve(options->folder, &folder, err) : HN_MEMORY;
    if (status == HN_OK) {
        status = load(options, folder, self, err);
    }
    hn_free(folder);
    if (status != HN_OK) {
        hn_lm_embedder_close(embedder);
    }
    return status;
}

HnStatus hn_lm_embedder_plan(const HnLmEmbedderOptions *options, HnLmPlan *plan, HnError *err) {
    HnLmOptions lm;
    char *folder = NULL;
    HnStatus status = hn_lm_folder_resolve(options->folder, &folder, err);
    status = status == HN_OK ? lm_options(options, folder, &lm, err) : status;
    status = status == HN_OK ? hn_lm_plan(folder, &lm, plan, err) : status;
    hn_free(folder);
    return status;
}

HnStatus hn_lm_embedder_describe(const HnLmEmbedderOptions *options, const HnLmPlan *plan, HnText *line, HnError *err) {
    char cache[32];
    HN_TRY(hn_lm_plan_text(plan, options->weights, line, err));
    return hn_text_printf(line, err, ", keys and values %s", hn_format_bytes((double)plan->cache, cache, sizeof cache));
}

HnStatus hn_lm_embedder_check(const HnLmEmbedderOptions *options, HnLmPlan *plan, HnError *err) {
    HnLmEmbedder *self = hn_alloc(1, sizeof *self, "embedder", err);
    char *folder = NULL;
    HnStatus status = self ? hn_lm_folder_resolve(options->folder, &folder, err) : HN_MEMORY;
    status = status == HN_OK ? open_parts(options, folder, self, err) : status;
    status = status == HN_OK ? hn_lm_embedder_plan(options, plan, err) : status;
    hn_free(folder);
    hn_lm_embedder_close(&self);
    return status;
}

void hn_lm_embedder_close(HnLmEmbedder **embedder) {
    HnLmEmbedder *self = *embedder;
    if (self == NULL) {
        return;
    }
    hn_tokens_free(&self->bare);
    hn_free(self->instruction);
    hn_lm_embedding_free(&self->embedding);
    hn_lm_close(&self->lm);
    hn_chat_close(&self->chat);
    hn_tokenizer_close(&self->tokenizer);
    hn_free(self);
    *embedder = NULL;
}

HnLmEmbedding *hn_lm_embedder_embedding(HnLmEmbedder *embedder) {
    return embedder->embedding;
}

const char *hn_pooling_name(HnPooling pooling) {
    static const char *const names[] = {"none", "last", "mean", "cls"};
    return names[pooling];
}

/* ---- prompts ---- */

/* The instruction and nothing else, to see what an input has before it and behind it. It seldom changes. */
static HnStatus render_bare(HnLmEmbedder *self, const char *system, HnError *err) {
    if (self->instruction && strcmp(self->instruction, system) == 0) {
        return HN_OK;
    }
    hn_free(self->instruction);
    self->instruction = hn_strdup(system, err);
    return self->instruction ? hn_turns_render(self->tokenizer, self->chat, system, "", false, &self->bare, err)
                             : HN_MEMORY;
}

/* What a cut keeps. */
static void measure(const HnLmEmbedder *self, HnLmEmbedderPrompt *prompt) {
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

HnStatus hn_lm_embedder_render(HnLmEmbedder *embedder, const char *system, const char *input,
                               HnLmEmbedderPrompt *prompt, HnError *err) {
    HN_TRY(render_bare(embedder, system, err));
    HN_TRY(hn_turns_render(embedder->tokenizer, embedder->chat, system, input, false, &prompt->tokens, err));
    measure(embedder, prompt);
    return HN_OK;
}

HnStatus hn_lm_embedder_prompts(HnLmEmbedder *embedder, const HnLmEmbedderPrompt *prompts, size_t n, float *vectors,
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
