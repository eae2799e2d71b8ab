/* A model folder that answers prompts: tokenizer, chat template, model and batching behind one door.
 *
 * A prompt is an instruction (may be "") and an input. They become turns of the model's chat template; a template
 * without a system turn gets the instruction at the head of the user's. plain: no template; instruction, an empty line,
 * input, after BOS where the tokenizer has one. An input that does not fit into the context beside
 * instruction, markers and budget loses its middle, three quarters of what is kept being its head; the answer says so.
 */
#ifndef HN_LLM_GENERATE_AUTHOR_H
#define HN_LLM_GENERATE_AUTHOR_H

#include "generate.h"
#include "llm/tokenizer/tokenizer.h"

enum { HN_AUTHOR_CONTEXT = 8192 }; /* where nothing else is asked for: the cache of a whole context must fit */

typedef struct HnAuthor HnAuthor;

typedef struct HnAuthorOptions {
    const char *folder;
    HnWeightType weights;
    uint32_t slots;        /* answers at a time; 0: 8 */
    uint32_t context;      /* prompt and answer at most, in tokens; 0: the model's, at most HN_AUTHOR_CONTEXT */
    uint64_t memory_limit; /* bytes; 0: what is free */
    bool plain;            /* no chat template */
    bool thinking; /* models that may think aloud first (Qwen3) do; never under a grammar, which allows no thought */
    HnOnText *on_text; /* may be NULL */
    void *on_text_context;
} HnAuthorOptions;

typedef struct HnAuthorPrompt {
    uint64_t key;
    const char *system, *input;
    uint32_t budget;
    HnSampling sampling;
    const char *const *stops;
    size_t n_stops;
    HnGrammar *grammar; /* of hn_author_grammar; NULL: none */
    const int32_t *taken;
    size_t n_taken;
} HnAuthorPrompt;

/* Reads configuration, tokenizer, template and the weights' headers, and plans memory: cheap, and finds most of what
 * can be wrong with a folder. HN_MEMORY, with the figures: weights, a step and the cache do not fit. */
HnStatus hn_author_open(const HnAuthorOptions *options, HnAuthor **author, HnError *err);
void hn_author_close(HnAuthor **author);
/* Loads the weights; hn_author_submit does where nobody has. */
HnStatus hn_author_load(HnAuthor *author, HnError *err);
/* "llama, 24 layers, 0.49 billion parameters, 942.4 MiB in memory as bf16 (avx512-bf16 pairs), a step 61.3 MiB, keys
 * and values of 16384 tokens 384.0 MiB, chat template llama-3". */
HnStatus hn_author_describe(const HnAuthor *author, HnText *line, HnError *err);

/* A grammar over this model's vocabulary; the author frees it. names may be NULL, else they outlive the author. */
HnStatus hn_author_grammar(HnAuthor *author, const HnGrammarField *fields, size_t n_fields, const HnItemNames *names,
                           HnGrammar **grammar, HnError *err);

/* *n_cut: tokens that the input lost, about. HN_RANGE: not even the instruction fits, or the budget is too small. */
HnStatus hn_author_submit(HnAuthor *author, const HnAuthorPrompt *prompt, uint32_t *n_cut, HnError *err);
uint32_t hn_author_waiting(const HnAuthor *author);
/* One step of all running answers; *got: one is finished. */
HnStatus hn_author_step(HnAuthor *author, HnGenerated *generated, bool *got, HnError *err);

#endif
