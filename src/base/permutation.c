#include <stdbool.h>

#include <Random123/philox.h>

#include "base/mix.h"
#include "base/rng.h"

/* Luby and Rackoff prove 4 rounds of a random function pseudo-random; small domains need more to be near uniform. */
#define ROUNDS 8u

enum { LANES = 16 };

/* Philox2x32 with 7 rounds is the least that passes BigCrush (Salmon et al., table 2). */
static uint32_t round_word(const HnPermutation *permutation, uint32_t round, uint32_t half) {
    philox2x32_ctr_t counter = {{half, permutation->key[1] + round}};
    philox2x32_key_t key = {{permutation->key[0]}};
    return philox2x32_R(7, counter, key).v[0];
}

void hn_permutation_start(HnPermutation *permutation, uint64_t n, uint64_t seed, HnRngStream stream, uint32_t a) {
    uint64_t key = hn_mix64(hn_mix64(hn_mix64(seed) + (uint64_t)stream * HN_MIX_STEP) ^ a);
    permutation->n = n;
    permutation->key[0] = (uint32_t)key;
    permutation->key[1] = (uint32_t)(key >> 32);
    permutation->half_bits = 1;
    /* The smallest square domain 2^(2 half_bits) >= n: at most 4 n, so a walk takes 4 steps at most on average. */
    while (permutation->half_bits < 32 && n > UINT64_C(1) << (2 * permutation->half_bits)) {
        permutation->half_bits++;
    }
}

static uint64_t feistel(const HnPermutation *permutation, uint64_t value, bool inverse) {
    uint32_t bits = permutation->half_bits;
    uint32_t mask = bits == 32 ? UINT32_MAX : (UINT32_C(1) << bits) - 1;
    uint32_t left = (uint32_t)(value >> bits) & mask;
    uint32_t right = (uint32_t)value & mask;
    for (uint32_t step = 0; step < ROUNDS; step++) {
        if (inverse) {
            uint32_t old_right = left;
            left = right ^ (round_word(permutation, ROUNDS - 1 - step, old_right) & mask);
            right = old_right;
        } else {
            uint32_t old_left = left;
            left = right;
            right = old_left ^ (round_word(permutation, step, left) & mask);
        }
    }
    return (uint64_t)left << bits | right;
}

/* Cycle walking (Black and Rogaway 2002): outside 0..n-1 the network is applied again; a permutation of the square
 * domain restricted so is a permutation of 0..n-1. */
static uint64_t walk(const HnPermutation *permutation, uint64_t value, bool inverse) {
    do {
        value = feistel(permutation, value, inverse);
    } while (value >= permutation->n);
    return value;
}

uint64_t hn_permute(const HnPermutation *permutation, uint64_t position) {
    return permutation->n <= 1 ? 0 : walk(permutation, position, false);
}

uint64_t hn_permute_inverse(const HnPermutation *permutation, uint64_t element) {
    return permutation->n <= 1 ? 0 : walk(permutation, element, true);
}

/* One step of the walk for all lanes at once: rounds of one element wait for each other, elements do not. */
static void feistel_inverse_lanes(const HnPermutation *permutation, uint64_t value[LANES]) {
    const uint32_t bits = permutation->half_bits, mask = bits == 32 ? UINT32_MAX : (UINT32_C(1) << bits) - 1;
    uint32_t left[LANES], right[LANES];
    for (int lane = 0; lane < LANES; lane++) {
        left[lane] = (uint32_t)(value[lane] >> bits) & mask;
        right[lane] = (uint32_t)value[lane] & mask;
    }
    for (uint32_t step = 0; step < ROUNDS; step++) {
        for (int lane = 0; lane < LANES; lane++) {
            const uint32_t old_right = left[lane];
            left[lane] = right[lane] ^ (round_word(permutation, ROUNDS - 1 - step, old_right) & mask);
            right[lane] = old_right;
        }
    }
    for (int lane = 0; lane < LANES; lane++) {
        value[lane] = (uint64_t)left[lane] << bits | right[lane];
    }
}

/* A lane whose walk has ended takes the next element. */
void hn_permute_inverse_run(const HnPermutation *permutation, uint64_t first, uint64_t n, uint64_t *positions) {
    uint64_t value[LANES], element[LANES], next = 0, left = n;
    if (permutation->n <= 1) {
        for (uint64_t i = 0; i < n; i++) {
            positions[i] = 0;
        }
        return;
    }
    for (int lane = 0; lane < LANES; lane++) {
        element[lane] = next < n ? next++ : n; /* n = none */
        value[lane] = element[lane] < n ? first + element[lane] : 0;
    }
    while (left > 0) {
        feistel_inverse_lanes(permutation, value);
        for (int lane = 0; lane < LANES; lane++) {
            if (element[lane] == n || value[lane] >= permutation->n) {
                continue;
            }
            positions[element[lane]] = value[lane];
            left--;
            element[lane] = next < n ? next++ : n;
            value[lane] = element[lane] < n ? first + element[lane] : 0;
        }
    }
}
