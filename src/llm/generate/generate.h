/* Continuous batching: any number of requests over one model, as many at a time as there are slots and pages.
 *
 * Each step computes one token of every running answer and a bounded piece of the prompts that are not yet read, in one
 * call of the model. A finished answer's slot is filled again in the next step. Where the pages of the cache run out,
 * the youngest running answer gives its own back, waits, and is computed anew later; what it has written stays. A
 * prompt that begins like that of a running or just finished request shares those pages instead of computing them.
 *
 * One request's text depends on its prompt, settings, key and model alone: not on slots, pages, chunks, sharing, or
 * what was asked before or beside it (model/lm.h: bits do not depend on the batch; sampling.h: draws are counted).
 *
 * The text of an answer is the bytes of its tokens, special ones left out, as well-formed UTF-8 (ill-formed bytes are
 * U+FFFD). Prompts are never cut: one that leaves no room for an answer within the model's positions is refused.
 */
#ifndef HN_LLM_GENERATE_GENERATE_H
#define HN_LLM_GENERATE_GENERATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "constraint.h"
#include "llm/model/lm.h"
#include "sampling.h"
#include "token_tree.h"

typedef struct HnGenerator HnGenerator;

/* Text as it comes: whole characters, in order, never what may become a stop string. */
typedef void HnOnText(void *context, uint64_t key, const char *text, size_t n_bytes);

typedef struct HnGenerateOptions {
    uint32_t n_slots; /* answers written at a time; 0: 8 */
    uint32_t n_pages; /* pages of the cache; 0: 2048 tokens a slot, or the model's positions where those are fewer */
    uint32_t
        chunk_tokens;  /* of prompts, read in a step while answers are written; eight times that while none is. 0: 128
                        */
    bool no_sharing;   /* every prompt is computed whole, to measure what sharing brings */
    HnOnText *on_text; /* may be NULL; called inside hn_generator_step */
    void *context;
} HnGenerateOptions;

typedef struct HnGenerateRequest {
    uint64_t key;           /* says whose answer this is, and which draws are its own */
    const uint32_t *prompt; /* [n_prompt], at least 1 */
    uint32_t n_prompt;
    uint32_t budget; /* tokens of the answer at most, an EOS included */
    HnSampling sampling;
    const char *const *stops; /* [n_stops] strings that end the answer and are not part of it; not with a grammar */
    size_t n_stops;
    HnGrammar *grammar;   /* borrowed until the answer is finished; NULL: none */
    const int32_t *taken; /* [n_taken] ascending: items whose names may not be written */
    size_t n_taken;
    bool ignore_eos; /* write on to the budget, to measure speed */
} HnGenerateRequest;

typedef enum HnStop { HN_STOP_EOS, HN_STOP_STRING, HN_STOP_BUDGET, HN_STOP_CONTEXT, HN_STOP_GRAMMAR } HnStop;

typedef struct HnGenerated {
    uint64_t key;
    char *text; /* n_bytes and a NUL */
    size_t n_bytes;
    uint32_t *tokens; /* [n_tokens] of the answer, an EOS and a stop string's included */
    uint32_t n_prompt, n_tokens;
    uint32_t n_shared; /* of the prompt, taken from another request instead of computed */
    HnStop stop;
} HnGenerated;

typedef struct HnGeneratorStats {
    uint64_t n_finished;
    uint64_t n_computed; /* tokens through the model */
    uint64_t n_shared;   /* tokens taken from another request's pages */
    uint64_t n_written;  /* tokens of answers */
    uint64_t n_put_back; /* times that an answer gave its pages back */
} HnGeneratorStats;

/* lm (a decoder, opened with its head) and tree (as many ids as the model has logits) are borrowed. */
HnStatus hn_generator_create(HnLm *lm, const HnTokenTree *tree, const HnGenerateOptions *options,
                             HnGenerator **generator, HnError *err);
void hn_generator_free(HnGenerator **generator);

/* Queues a request; everything but the grammar is copied. HN_INPUT, HN_RANGE: what is wrong with it, in the context's,
 * the cache's or the grammar's figures; nothing is queued then. */
HnStatus hn_generator_submit(HnGenerator *generator, const HnGenerateRequest *request, HnError *err);
/* Computes on; *busy: something is left to do. After a failure the generator can only be freed. */
HnStatus hn_generator_step(HnGenerator *generator, bool *busy, HnError *err);
/* The next finished answer, in the order of finishing; false where there is none. Free with hn_generated_free. */
bool hn_generator_poll(HnGenerator *generator, HnGenerated *generated);
void hn_generated_free(HnGenerated *generated);
uint32_t hn_generator_waiting(const HnGenerator *generator); /* requests not finished: queued and running */
HnGeneratorStats hn_generator_stats(const HnGenerator *generator);
const char *hn_stop_name(HnStop stop); /* "eos", "stop string", "budget", "context", "grammar end" */

#endif
