/* A language model in memory: tokens in, hidden states and logits out.
 *
 * Weights are packed once, tensor by tensor, and the mapped file's pages dropped behind. A step takes runs of tokens of
 * any number of sequences, packed without padding. A sequence's numbers depend on its own tokens only: prompt at once
 * or token by token, alone or among others, prefix computed or shared, any thread count: the same bits
 * (kernels/linear.h, kernels/attention.h).
 */
#ifndef HN_LLM_MODEL_LM_H
#define HN_LLM_MODEL_LM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"
#include "linear.h"
#include "llm/files/config.h"

typedef struct HnLm HnLm;

enum { HN_LM_ROWS = 1024 };

typedef struct HnLmOptions {
    HnWeightType weights;
    const HnWeightType *head_weights; /* of the head and of an embedding tied to it; NULL: weights, but int8 for nf4 */
    uint32_t
        max_rows; /* tokens computed at once; longer steps are cut. 0: HN_LM_ROWS (encoders: their longest input) */
    uint64_t memory_limit; /* bytes this rank may use; 0: what the machine has free */
    uint32_t cache_pages;  /* of the cache that will be made beside (hn_kv_create): planned with the rest */
    uint32_t logit_rows;   /* rows of logits that the caller will keep: planned with a step */
    bool head;             /* logits will be asked for */
} HnLmOptions;

typedef struct HnLmPlan {          /* bytes */
    uint64_t weights, activations; /* activations: a step's, with the caller's rows of logits */
    uint64_t mapped; /* of embeddings that stay in the mapped file: only pages of tokens that occur come into memory */
    uint64_t kv_token; /* of one cached token */
    uint64_t cache;    /* of cache_pages */
    uint64_t stored;   /* of the tensors in the files */
    uint64_t n_parameters;
} HnLmPlan;

/* What opening will take, from the files' headers alone. HN_MEMORY, with the figures, where it cannot fit. */
HnStatus hn_lm_plan(const char *folder, const HnLmOptions *options, HnLmPlan *plan, HnError *err);
/* Appends "0.49 billion parameters, 942.4 MiB in memory as bf16 (avx512-bf16 pairs), a step 61.3 MiB". */
HnStatus hn_lm_plan_text(const HnLmPlan *plan, HnWeightType weights, HnText *line, HnError *err);
/* Bytes that this process may still take, as the system and its control group see it; UINT64_MAX: they do not say. */
uint64_t hn_lm_free_memory(void);
HnStatus hn_lm_open(const char *folder, const HnLmOptions *options, HnLm **lm, HnError *err);
void hn_lm_close(HnLm **lm);
const HnLmConfig *hn_lm_config(const HnLm *lm);
const char *hn_lm_folder(const HnLm *lm);
uint32_t hn_lm_max_rows(const HnLm *lm);     /* tokens of one step */
const char *hn_lm_leftovers(const HnLm *lm); /* known tensors that it does not use, "a, b"; "" where none */

/* The cache of keys and values: sequences, which are lists of pages; whole pages are shared between forks. */
typedef struct HnKv HnKv;
/* Room for n_pages pages of HN_KV_PAGE tokens and n_sequences sequences. lm is borrowed. */
HnStatus hn_kv_create(const HnLm *lm, uint32_t n_pages, uint32_t n_sequences, HnKv **kv, HnError *err);
void hn_kv_free(HnKv **kv);
/* An empty sequence; -1 where all are taken. */
int32_t hn_kv_begin(HnKv *kv);
/* A sequence that begins with the first n_tokens of parent: whole pages are shared, the rest copied. -1 where no
 * sequence or no page is left. */
int32_t hn_kv_fork(HnKv *kv, int32_t parent, uint32_t n_tokens);
void hn_kv_end(HnKv *kv, int32_t sequence);
uint32_t hn_kv_length(const HnKv *kv, int32_t sequence);
uint32_t hn_kv_free_pages(const HnKv *kv);
/* Pages that appending n_tokens to the sequence takes. */
uint32_t hn_kv_pages_for(const HnKv *kv, int32_t sequence, uint32_t n_tokens);

typedef struct HnLmRun {
    int32_t sequence;
    uint32_t n_tokens; /* at least 1 */
    const uint32_t *tokens;
} HnLmRun;

typedef enum HnLmRows { HN_LM_LAST, HN_LM_FIRST, HN_LM_ALL } HnLmRows;

/* Appends each run to its sequence (a sequence occurs once) and gives the last layer's hidden states after the final
 * norm: hidden [n_runs or sum of n_tokens][hidden], of each run's last or first token or of all, in order; NULL: none
 * are made. Decoders: several steps may extend a sequence. Encoders: a run is a whole sequence of at most max_rows
 * tokens, kv may be NULL, and nothing is cached.
 * HN_RANGE: a token outside the vocabulary, no page left, or past the longest position. On failure the cache is as
 * before the call. One caller at a time: an HnLm holds the step's memory. */
HnStatus hn_lm_forward(HnLm *lm, HnKv *kv, const HnLmRun *runs, size_t n_runs, HnLmRows rows, float *hidden,
                       HnError *err);
/* logits [m][n_vocab] of hidden [m][hidden]. HN_UNSUPPORTED where the model has no head or options.head was false. */
HnStatus hn_lm_logits(HnLm *lm, int64_t m, const float *hidden, float *logits, HnError *err);

#endif
