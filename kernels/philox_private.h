/* Private to this room: Philox4x32-10 (Salmon et al., SC'11) for many blocks side by side, one in a lane; c[w] is word
 * w of the counters, and becomes word w of what is drawn. */
#ifndef HN_KERNEL_PHILOX_PRIVATE_H
#define HN_KERNEL_PHILOX_PRIVATE_H

#include <stdint.h>

#include "cpu_target.h"

/* Rounds; multipliers, and what the key grows by each round. */
#define PHILOX_ROUNDS 10u
#define PHILOX_BY_0 0xD2511F53u
#define PHILOX_BY_2 0xCD9E8D57u
#define PHILOX_GROWTH_0 0x9E3779B9u
#define PHILOX_GROWTH_1 0xBB67AE85u

#if HN_X86

/* Both halves of the products of 16 words with a constant: those of even and of odd places, put together. */
HN_INLINE HN_AVX512 __m512i high_avx512(__m512i even, __m512i odd) {
    return _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 32), odd);
}

HN_INLINE HN_AVX512 __m512i low_avx512(__m512i even, __m512i odd) {
    return _mm512_mask_blend_epi32(0xAAAA, even, _mm512_slli_epi64(odd, 32));
}

HN_INLINE HN_AVX512 void philox_avx512(__m512i c[4], const uint32_t key[2]) {
    const __m512i by_0 = _mm512_set1_epi64(PHILOX_BY_0), by_2 = _mm512_set1_epi64(PHILOX_BY_2);
    for (uint32_t round = 0; round < PHILOX_ROUNDS; round++) {
        const __m512i even_0 = _mm512_mul_epu32(c[0], by_0), even_2 = _mm512_mul_epu32(c[2], by_2);
        const __m512i odd_0 = _mm512_mul_epu32(_mm512_srli_epi64(c[0], 32), by_0);
        const __m512i odd_2 = _mm512_mul_epu32(_mm512_srli_epi64(c[2], 32), by_2);
        const __m512i key_0 = _mm512_set1_epi32((int)(key[0] + round * PHILOX_GROWTH_0));
        const __m512i key_1 = _mm512_set1_epi32((int)(key[1] + round * PHILOX_GROWTH_1));
        c[0] = _mm512_xor_si512(_mm512_xor_si512(high_avx512(even_2, odd_2), c[1]), key_0);
        c[2] = _mm512_xor_si512(_mm512_xor_si512(high_avx512(even_0, odd_0), c[3]), key_1);
        c[1] = low_avx512(even_2, odd_2);
        c[3] = low_avx512(even_0, odd_0);
    }
}

HN_INLINE HN_AVX2 void philox_avx2(__m256i c[4], const uint32_t key[2]) {
    const __m256i by_0 = _mm256_set1_epi64x(PHILOX_BY_0), by_2 = _mm256_set1_epi64x(PHILOX_BY_2);
    for (uint32_t round = 0; round < PHILOX_ROUNDS; round++) {
        const __m256i even_0 = _mm256_mul_epu32(c[0], by_0), even_2 = _mm256_mul_epu32(c[2], by_2);
        const __m256i odd_0 = _mm256_mul_epu32(_mm256_srli_epi64(c[0], 32), by_0);
        const __m256i odd_2 = _mm256_mul_epu32(_mm256_srli_epi64(c[2], 32), by_2);
        const __m256i high_0 = _mm256_blend_epi32(_mm256_srli_epi64(even_0, 32), odd_0, 0xAA);
        const __m256i high_2 = _mm256_blend_epi32(_mm256_srli_epi64(even_2, 32), odd_2, 0xAA);
        const __m256i key_0 = _mm256_set1_epi32((int)(key[0] + round * PHILOX_GROWTH_0));
        const __m256i key_1 = _mm256_set1_epi32((int)(key[1] + round * PHILOX_GROWTH_1));
        c[0] = _mm256_xor_si256(_mm256_xor_si256(high_2, c[1]), key_0);
        c[2] = _mm256_xor_si256(_mm256_xor_si256(high_0, c[3]), key_1);
        c[1] = _mm256_blend_epi32(even_2, _mm256_slli_epi64(odd_2, 32), 0xAA);
        c[3] = _mm256_blend_epi32(even_0, _mm256_slli_epi64(odd_0, 32), 0xAA);
    }
}
#endif

#endif
