/* A bijective scrambler of 64-bit words (the finaliser of SplitMix64, Steele et al. 2014), for keys of the generators.
 */
#ifndef HN_BASE_MIX_H
#define HN_BASE_MIX_H

#include <stdint.h>

#define HN_MIX_STEP UINT64_C(0x9E3779B97F4A7C15) /* 2^64 / golden ratio */

static inline uint64_t hn_mix64(uint64_t word) {
    word += HN_MIX_STEP;
    word = (word ^ (word >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    word = (word ^ (word >> 27)) * UINT64_C(0x94D049BB133111EB);
    return word ^ (word >> 31);
}

#endif
