#include "base/rng.h"

#include <math.h>

#include <Random123/philox.h>

#include "base/mix.h"

static const double two_pi = 6.283185307179586476925286766559;

void hn_rng_start(HnRng *rng, uint64_t seed, HnRngStream stream, uint32_t a, uint64_t b) {
    uint64_t key = hn_mix64(hn_mix64(seed) + (uint64_t)stream * HN_MIX_STEP);
    rng->key[0] = (uint32_t)key;
    rng->key[1] = (uint32_t)(key >> 32);
    rng->counter[0] = 0;
    rng->counter[1] = a;
    rng->counter[2] = (uint32_t)b;
    rng->counter[3] = (uint32_t)(b >> 32);
    rng->used = 4;
}

static void next_block(HnRng *rng) {
    philox4x32_ctr_t counter = {{rng->counter[0], rng->counter[1], rng->counter[2], rng->counter[3]}};
    philox4x32_key_t key = {{rng->key[0], rng->key[1]}};
    philox4x32_ctr_t words = philox4x32_R(10, counter, key);
    for (int i = 0; i < 4; i++) {
        rng->block[i] = words.v[i];
    }
    rng->counter[0]++;
    rng->used = 0;
}

uint32_t hn_rng_u32(HnRng *rng) {
    if (rng->used >= 4) {
        next_block(rng);
    }
    return rng->block[rng->used++];
}

uint64_t hn_rng_u64(HnRng *rng) {
    uint64_t low = hn_rng_u32(rng);
    return low | (uint64_t)hn_rng_u32(rng) << 32;
}

/* Lemire, "Fast random integer generation in an interval" (2019): the high word of a product, with the few products
 * that would make some results likelier thrown back. */
uint32_t hn_rng_below(HnRng *rng, uint32_t bound) {
    uint64_t product = (uint64_t)hn_rng_u32(rng) * bound;
    if ((uint32_t)product < bound) {
        uint32_t rejected = (0u - bound) % bound;
        while ((uint32_t)product < rejected) {
            product = (uint64_t)hn_rng_u32(rng) * bound;
        }
    }
    return (uint32_t)(product >> 32);
}

uint64_t hn_rng_below64(HnRng *rng, uint64_t bound) {
    uint64_t word = hn_rng_u64(rng);
    if (word < bound) { /* what is thrown back lies below 2^64 mod bound */
        const uint64_t rejected = (UINT64_C(0) - bound) % bound;
        while (word < rejected) {
            word = hn_rng_u64(rng);
        }
    }
    return word % bound;
}

float hn_rng_float(HnRng *rng) {
    return (float)(hn_rng_u32(rng) >> 8) * 0x1p-24f;
}

double hn_rng_double(HnRng *rng) {
    return (double)(hn_rng_u64(rng) >> 11) * 0x1p-53;
}

double hn_rng_normal(HnRng *rng) {
    double radius = sqrt(-2.0 * log(1.0 - hn_rng_double(rng))); /* 1 - u is in (0, 1]: the logarithm is finite */
    return radius * cos(two_pi * hn_rng_double(rng));
}
