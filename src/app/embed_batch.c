#include <string.h>

#include "app/embed.h"
#include "base/alloc.h"

HnStatus hn_embed_batch_make(HnEmbedBatch *batch, size_t room, size_t dim, HnError *err) {
    const char *what = "a batch of lines";
    *batch = (HnEmbedBatch){.room = room, .dim = dim};
    batch->lines = hn_alloc(room, sizeof *batch->lines, what, err);
    batch->texts = hn_alloc(room, sizeof *batch->texts, what, err);
    batch->prompts = hn_alloc(room, sizeof *batch->prompts, what, err);
    batch->rows = hn_alloc(room, sizeof *batch->rows, what, err);
    batch->vectors = hn_alloc(room * dim, sizeof *batch->vectors, what, err);
    batch->some = hn_alloc(room * dim, sizeof *batch->some, what, err);
    bool all = batch->lines && batch->texts && batch->prompts && batch->rows && batch->vectors && batch->some;
    return all ? HN_OK : HN_MEMORY;
}

static void forget_lines(HnEmbedBatch *batch) {
    for (size_t i = 0; i < batch->n; i++) {
        hn_embed_line_free(&batch->lines[i]);
    }
    batch->n = 0;
}

void hn_embed_batch_free(HnEmbedBatch *batch) {
    forget_lines(batch);
    for (size_t i = 0; batch->prompts && i < batch->room; i++) {
        hn_tokens_free(&batch->prompts[i].tokens);
    }
    hn_free(batch->lines);
    hn_free(batch->texts);
    hn_free(batch->prompts);
    hn_free(batch->rows);
    hn_free(batch->vectors);
    hn_free(batch->some);
    *batch = (HnEmbedBatch){0};
}

HnStatus hn_embed_batch_read(HnEmbedBatch *batch, HnEmbedInput *input, HnError *err) {
    bool end = false;
    forget_lines(batch);
    while (batch->n < batch->room && !end) {
        HN_TRY(hn_embed_input_next(input, &batch->lines[batch->n], &end, err));
        batch->n += !end;
    }
    return batch->n > 0 ? HN_OK : hn_fail(err, HN_INPUT, "%s has become shorter while it was read", input->path);
}

static void scatter(HnEmbedBatch *batch, size_t n) {
    for (size_t i = 0; i < n; i++) {
        memcpy(batch->vectors + batch->rows[i] * batch->dim, batch->some + i * batch->dim, batch->dim * sizeof(float));
    }
}

static HnStatus embed_texts(HnEmbedBatch *batch, HnLmEmbedder *embedder, HnLmTextKind kind, HnError *err) {
    size_t n = 0;
    for (size_t i = 0; i < batch->n; i++) {
        if (batch->lines[i].system == NULL) {
            batch->texts[n] = (HnLmText){batch->lines[i].input, strlen(batch->lines[i].input)};
            batch->rows[n++] = i;
        }
    }
    if (n > 0) {
        HN_TRY(hn_lm_embedding_texts(hn_lm_embedder_embedding(embedder), kind, batch->texts, n, batch->some, err));
        scatter(batch, n);
    }
    return HN_OK;
}

static HnStatus embed_prompts(HnEmbedBatch *batch, HnLmEmbedder *embedder, HnError *err) {
    size_t n = 0;
    for (size_t i = 0; i < batch->n; i++) {
        const HnEmbedLine *line = &batch->lines[i];
        if (line->system) {
            HN_TRY(hn_lm_embedder_render(embedder, line->system, line->input, &batch->prompts[n], err));
            batch->rows[n++] = i;
        }
    }
    if (n > 0) {
        HN_TRY(hn_lm_embedder_prompts(embedder, batch->prompts, n, batch->some, err));
        scatter(batch, n);
    }
    return HN_OK;
}

HnStatus hn_embed_batch_run(HnEmbedBatch *batch, HnLmEmbedder *embedder, HnLmTextKind kind, HnError *err) {
    HN_TRY(embed_texts(batch, embedder, kind, err));
    return embed_prompts(batch, embedder, err);
}
