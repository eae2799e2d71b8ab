/* Golden checkpoints (tests/fixtures/golden/lm), copies of them to spoil, and calls of a model in one line. */
#ifndef HN_TEST_LLM_MODEL_FIXTURE_H
#define HN_TEST_LLM_MODEL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "llm/model/lm.h"

enum { N_TOKENS = 77, N_SHORT = 5, N_ROWS = 6, N_VOCAB = 67, MOST_HIDDEN = 32 };

/* What expected/model.safetensors of a case holds (tests/peers/make_golden_lm.py). */
typedef struct Expected {
    uint32_t tokens[N_TOKENS], tokens_short[N_SHORT], rows[N_ROWS];
    uint32_t width; /* hidden */
    float hidden[N_TOKENS * MOST_HIDDEN], hidden_short[N_SHORT * MOST_HIDDEN];
    float logits[N_ROWS * N_VOCAB];
    float error_bf16[2], error_f16[2]; /* [rms, max] */
} Expected;

extern const char *const fixture_cases[]; /* NULL behind the last */
const char *fixture_case(const char *name);
void fixture_expect(const char *name, Expected *expected);

/* A copy of a folder's files that a test may change; removed by fixture_close. */
int fixture_open(void **state);
int fixture_close(void **state);
const char *fixture_copy(const char *name);
const char *fixture_new(void); /* an empty folder */
void fixture_edit(const char *folder, const char *file, const char *from, const char *to);
void fixture_write(const char *folder, const char *file, const void *bytes, size_t n_bytes);
/* Changes the bytes of one tensor of model.safetensors: zeroes, or its two halves changed for each other. */
typedef enum Spoil { SPOIL_ZERO, SPOIL_SWAP_HALVES } Spoil;
void fixture_spoil(const char *folder, const char *tensor, Spoil spoil);
/* The bytes of one tensor over those of another of the same size. */
void fixture_copy_tensor(const char *folder, const char *from, const char *to);
/* Cuts a prefix off all tensors' names that have it. */
void fixture_cut_prefix(const char *folder, const char *prefix);
/* The path of shared data, or NULL where it is not there (HNLMREC_TEST_DATA; or data beside the source tree). */
const char *fixture_shared(const char *name);

HnLm *fixture_lm(const char *folder, HnWeightType weights, bool head, uint32_t max_rows);
/* Hidden states [n][hidden] of all tokens of one sequence, by one call; its own cache where the model has one. */
void fixture_hidden(HnLm *lm, const uint32_t *tokens, uint32_t n, float *hidden);

/* [rms, max] of a - b over [rms, max] of b. */
typedef struct Difference {
    double rms, max;
} Difference;
Difference fixture_difference(const float *a, const float *b, size_t n);

#endif
