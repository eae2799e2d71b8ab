/* The next token from logits: temperature, top-k, top-p, repetition penalty; draws by counter, so that a text depends
 * on (seed, key, position) and its own logits, never on rank, batch or order. */
#ifndef HN_LLM_GENERATE_SAMPLING_H
#define HN_LLM_GENERATE_SAMPLING_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct HnSampling {
    double temperature;        /* 0: the best token (lowest id among equals) */
    uint32_t top_k;            /* 0: all */
    double top_p;              /* 1: all */
    double repetition_penalty; /* 1: none (Keskar et al. 2019; over prompt and answer, as transformers does) */
    uint64_t seed;
} HnSampling;

#endif
