/* `hnlmrec embed --model`: what its files share. */
#ifndef HN_APP_EMBED_H
#define HN_APP_EMBED_H

#include <stdio.h>

#include "base/text.h"
#include "llm/model/embedder.h"
#include "store.h"

typedef struct HnEmbedCommand {
    HnLmEmbedderOptions embedder;
    HnLmTextKind kind;
    const char *input, *output;
    uint32_t batch; /* lines that are embedded in one go */
    bool f32, quiet;
    bool mix_bits; /* go on where products have other bits */
} HnEmbedCommand;

extern const char *const hn_embed_kinds[3]; /* by HnLmTextKind */

/* ---- embed_input.c: JSON lines ---- */
typedef struct HnEmbedInput {
    const char *path;
    FILE *file;
    uint64_t n_read; /* lines so far: the number of the last one, counted from 1 */
    char *buffer;
    size_t capacity;
} HnEmbedInput;
typedef struct HnEmbedLine {
    char *id;
    char *system; /* NULL: input is a text, not a prompt */
    char *input;
} HnEmbedLine;
HnStatus hn_embed_input_open(const char *path, HnEmbedInput *input, HnError *err);
void hn_embed_input_close(HnEmbedInput *input);
/* *end: there is none. HN_INPUT names file and line. */
HnStatus hn_embed_input_next(HnEmbedInput *input, HnEmbedLine *line, bool *end, HnError *err);
void hn_embed_line_free(HnEmbedLine *line);

/* ---- embed_batch.c: lines that are embedded in one go ---- */
typedef struct HnEmbedBatch {
    size_t room, n, dim; /* n: lines read */
    HnEmbedLine *lines;  /* [room], as all below */
    HnLmText *texts;
    HnLmEmbedderPrompt *prompts;
    size_t *rows;   /* which line a text or prompt is */
    float *vectors; /* [room][dim], by line */
    float *some;    /* ... of the texts, or of the prompts */
} HnEmbedBatch;
HnStatus hn_embed_batch_make(HnEmbedBatch *batch, size_t room, size_t dim, HnError *err);
void hn_embed_batch_free(HnEmbedBatch *batch);
/* The next lines; HN_INPUT where there is none. */
HnStatus hn_embed_batch_read(HnEmbedBatch *batch, HnEmbedInput *input, HnError *err);
/* Fills vectors. */
HnStatus hn_embed_batch_run(HnEmbedBatch *batch, HnLmEmbedder *embedder, HnLmTextKind kind, HnError *err);

/* ---- embed_journal.c: vectors on their way into the store, one record a batch ---- */
typedef struct HnEmbedCounts {
    uint64_t tokens, computed, cut;
} HnEmbedCounts;
HnStatus hn_embed_journal_add(HnJournal *journal, uint64_t first, uint64_t n, uint64_t dim, const float *vectors,
                              const HnEmbedCounts *counts, HnError *err);
/* How many lines the journals in folder hold, from the first on; dim 0: none. */
HnStatus hn_embed_journal_count(const char *folder, uint64_t *n, uint64_t *dim, HnEmbedCounts *counts, HnError *err);
/* All vectors into the field of a store. */
HnStatus hn_embed_journal_copy(const char *folder, HnStoreWriter *writer, bool f32, uint64_t n, uint64_t dim,
                               HnError *err);

/* ---- embed_lines.c ---- */
/* Embeds the lines of command->input ("-": of standard input) into the sealed store command->output; goes on where it
 * was stopped. HN_CONFLICT: the store stands, or is half done, with other settings, or somebody else is writing it. */
HnStatus hn_embed_lines(const HnEmbedCommand *command, HnError *err);

#endif
