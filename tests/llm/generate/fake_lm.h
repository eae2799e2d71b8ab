/* A language model for tests of generation: its hidden state is a hash of the tokens that the cache holds for a
 * sequence, its logits are pseudo-random numbers of that hash. It takes the place of model/lm.h at link time, and
 * checks what it is asked: pages, positions, sequences. */
#ifndef HN_TEST_FAKE_LM_H
#define HN_TEST_FAKE_LM_H

#include "llm/model/lm.h"
#include "llm/tokenizer/tokenizer.h"

/* n_vocab logits; eos is token 1, whose logit is raised by eos_bonus; some logits are equal. */
HnLm *fake_lm_create(uint32_t n_vocab, uint32_t n_positions, float eos_bonus);
void fake_lm_free(HnLm **lm);
/* The hash of a history, and its logits [n_vocab], as a plain loop without any cache needs them. */
void fake_lm_logits(const HnLm *lm, const uint32_t *tokens, uint32_t n, float *logits);
/* The most runs and tokens that one call had since the last time this was asked. */
void fake_lm_peaks(HnLm *lm, uint32_t *n_runs, uint32_t *n_tokens);

#endif
