/* Private to this folder: requests on their way, and the generator that holds them. */
#ifndef HN_LLM_GENERATE_GENERATE_PRIVATE_H
#define HN_LLM_GENERATE_GENERATE_PRIVATE_H

#include "generate.h"
#include "text_stream.h"

typedef struct HnJob HnJob;
struct HnJob {
    HnJob *next;                            /* of the queue, or of the finished */
    uint64_t key, number;                   /* number: in the order of submission; age counts by it */
    uint32_t *tokens;                       /* prompt, then answer; room for limit of the answer's */
    uint32_t n_prompt, n_tokens;            /* n_tokens: of both */
    uint32_t limit, n_shared, string_share; /* the last: hn_grammar_share */
    bool cut;                               /* the limit is the context's, not the budget */
    bool ignore_eos, finished;
    HnStop stop;
    HnSampling sampling;
    HnGrammar *grammar;
    HnGrammarState state;
    HnNameFilter filter;
    uint64_t *seen_bits; /* where a repetition penalty counts them; else NULL */
    uint32_t *seen;
    uint32_t n_seen;
    HnTextStream stream;
    size_t n_streamed; /* bytes handed to on_text */
    int32_t sequence;  /* of the cache, while running; else -1 */
};

struct HnGenerator {
    HnLm *lm;
    const HnLmConfig *config;
    const HnTokenTree *tree;
    HnGenerateOptions options;
    HnKv *kv;
    HnSampler **samplers; /* [n_threads] */
    int n_threads;
    HnJob **running; /* [n_slots], the oldest first */
    uint32_t n_running;
    HnJob *queue, *finished, *finished_last; /* queue: by number */
    uint64_t n_submitted;
    uint32_t n_waiting;
    int32_t kept;          /* a finished prompt's whole pages, for the next to share; -1: none */
    uint32_t *kept_tokens; /* [n_kept] */
    uint32_t n_kept;
    HnLmRun *runs;  /* [n_slots], those whose next token is chosen first */
    HnJob **run_of; /* [n_slots] */
    uint32_t n_runs, n_chosen;
    float *hidden, *logits; /* [n_slots][hidden], [n_slots][n_vocab] */
    uint64_t *masks;        /* [n_slots][n_words]: what grammars allow */
    uint32_t *chosen;       /* [n_slots] */
    HnGeneratorStats stats;
};

/* generate_job.c */
HnStatus hn_job_create(const HnGenerator *generator, const HnGenerateRequest *request, HnJob **job, HnError *err);
void hn_job_free(HnJob **job);
/* The tokens that its grammar allows next, until it is asked again; NULL: all. */
const uint64_t *hn_job_mask(const HnJob *job);
/* Chooses the answer's next token from logits [n_vocab], which are changed. Any number of jobs at a time. */
HnStatus hn_job_choose(const HnJob *job, HnSampler *sampler, const uint64_t *mask, float *logits, uint32_t *token,
                       HnError *err);
/* Adds it to the answer; finished and stop are set where it ends. */
HnStatus hn_job_write(HnGenerator *generator, HnJob *job, uint32_t token, HnError *err);

/* generate_admit.c: slots, pages and shared beginnings. */
void hn_generator_enqueue(HnGenerator *generator, HnJob *job);
void hn_generator_admit(HnGenerator *generator);
/* Decides what the next step computes. */
HnStatus hn_generator_plan(HnGenerator *generator, HnError *err);
/* Takes a finished job's slot and pages; what others may share of its prompt is kept. */
HnStatus hn_generator_release(HnGenerator *generator, HnJob *job, HnError *err);

#endif
