/* Two numbers of 64 bits from a block, 16 blocks side by side; their remainders; and the places of all of them among
 * the taken ones at once. */
#include "draw.h"

#include <stdbool.h>

#include "cpu.h"
#include "cpu_target.h"
#include "philox_private.h"

/* The r-th number outside the list: taken[j] - j of those outside lie below the j-th taken one. The search has no
 * branch that depends on r, which no processor could foretell. */
static int32_t outside(const int32_t *taken, uint64_t n_taken, uint64_t r) {
    uint64_t low = 0;
    for (uint64_t left = n_taken; left > 0;) { /* the answer is low .. low + left */
        const uint64_t half = left - left / 2, last = low + half - 1;
        const bool below = (uint64_t)taken[last] - last <= r;
        low = below ? low + half : low;
        left = below ? left - half : half - 1;
    }
    return (int32_t)(r + low);
}

#if HN_X86

enum {
    BLOCKS = 16,
    AT_ONCE = 2 * BLOCKS,
    FEWEST = 4,     /* draws that are worth it */
    COMPARED = 128, /* taken numbers that are compared one by one; in more, places are searched */
};

/* ---- AVX-512 ---- */

/* Remainders of 8 words by a bound below 2^31: by an approximate quotient, what is left by another, then by one more or
 * less. Doubles hold 53 bits, so what the first leaves is below 2^13 + bound in magnitude. */
HN_INLINE HN_AVX512 __m512i remainders_avx512(__m512i words, __m512i bound, __m512d inverse) {
    const __m512d near = _mm512_mul_pd(_mm512_cvtepu64_pd(words), inverse);
    __m512i left = _mm512_sub_epi64(words, _mm512_mullo_epi64(_mm512_cvttpd_epu64(near), bound));
    const __m512i more = _mm512_cvttpd_epi64(_mm512_mul_pd(_mm512_cvtepi64_pd(left), inverse));
    left = _mm512_sub_epi64(left, _mm512_mul_epi32(more, bound));
    left = _mm512_min_epu64(left, _mm512_add_epi64(left, bound)); /* below 0 is the larger one, unsigned */
    return _mm512_min_epu64(left, _mm512_sub_epi64(left, bound));
}

/* The numbers of 16 blocks below a bound, in order; false where one of them could be thrown back. */
HN_INLINE HN_AVX512 bool numbers_avx512(const HnRng *rng, uint64_t below, __m512i numbers[2]) {
    const __m512i bound = _mm512_set1_epi64((long long)below);
    const __m512d inverse = _mm512_set1_pd(1.0 / (double)below);
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m512i c[4] = {_mm512_add_epi32(_mm512_set1_epi32((int)rng->counter[0]), lanes),
                    _mm512_set1_epi32((int)rng->counter[1]), _mm512_set1_epi32((int)rng->counter[2]),
                    _mm512_set1_epi32((int)rng->counter[3])};
    philox_avx512(c, rng->key);
    /* The first numbers of blocks 0 1 4 5 .., then of 2 3 6 7 .., and the second ones. */
    const __m512i words[2][2] = {{_mm512_unpacklo_epi32(c[0], c[1]), _mm512_unpackhi_epi32(c[0], c[1])},
                                 {_mm512_unpacklo_epi32(c[2], c[3]), _mm512_unpackhi_epi32(c[2], c[3])}};
    __mmask8 small = 0;
    __m512i both[2]; /* a block's two numbers next to each other */
    for (int k = 0; k < 2; k++) {
        small |= _mm512_cmplt_epu64_mask(words[0][k], bound) | _mm512_cmplt_epu64_mask(words[1][k], bound);
        both[k] = _mm512_or_si512(remainders_avx512(words[0][k], bound, inverse),
                                  _mm512_slli_epi64(remainders_avx512(words[1][k], bound, inverse), 32));
    }
    numbers[0] = _mm512_permutex2var_epi64(both[0], _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11), both[1]);
    numbers[1] = _mm512_permutex2var_epi64(both[0], _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15), both[1]);
    return small == 0;
}

/* 16 numbers moved up past the taken ones; as `outside`, with runs that all lanes halve alike. */
HN_INLINE HN_AVX512 __m512i search_avx512(const int32_t *taken, uint64_t n_taken, __m512i numbers) {
    __m512i low = _mm512_setzero_si512();
    for (int left = (int)n_taken; left > 0;) {
        const int half = left - left / 2;
        const __m512i last = _mm512_add_epi32(low, _mm512_set1_epi32(half - 1));
        const __m512i at = _mm512_sub_epi32(_mm512_i32gather_epi32(last, taken, 4), last);
        low = _mm512_mask_add_epi32(low, _mm512_cmple_epi32_mask(at, numbers), low, _mm512_set1_epi32(half));
        left /= 2;
    }
    return _mm512_add_epi32(numbers, low);
}

HN_INLINE HN_AVX512 void outside_avx512(const int32_t *taken, uint64_t n_taken, __m512i numbers[2]) {
    if (n_taken > COMPARED) {
        numbers[0] = search_avx512(taken, n_taken, numbers[0]);
        numbers[1] = search_avx512(taken, n_taken, numbers[1]);
        return;
    }
    const __m512i one = _mm512_set1_epi32(1);
    __m512i up[2] = {numbers[0], numbers[1]};
    for (int j = 0; j < (int)n_taken; j++) {
        const __m512i at = _mm512_set1_epi32(taken[j] - j);
        up[0] = _mm512_mask_add_epi32(up[0], _mm512_cmple_epi32_mask(at, numbers[0]), up[0], one);
        up[1] = _mm512_mask_add_epi32(up[1], _mm512_cmple_epi32_mask(at, numbers[1]), up[1], one);
    }
    numbers[0] = up[0], numbers[1] = up[1];
}

/* n of the next AT_ONCE, n even; false, and nothing is drawn, where one of those could be thrown back. */
HN_AVX512 static bool draw_avx512(HnRng *rng, const int32_t *taken, uint64_t n_taken, uint64_t n_all, int n,
                                  int32_t *drawn) {
    __m512i numbers[2];
    if (!numbers_avx512(rng, n_all - n_taken, numbers)) {
        return false;
    }
    outside_avx512(taken, n_taken, numbers);
    const uint32_t wanted = n < AT_ONCE ? (UINT32_C(1) << n) - 1 : UINT32_MAX;
    _mm512_mask_storeu_epi32(drawn, (__mmask16)wanted, numbers[0]);
    _mm512_mask_storeu_epi32(drawn + BLOCKS, (__mmask16)(wanted >> BLOCKS), numbers[1]);
    return true;
}

/* ---- AVX2 ---- */

HN_INLINE HN_AVX2 bool numbers_avx2(const HnRng *rng, uint64_t below, int32_t numbers[AT_ONCE]) {
    bool sure = true;
    for (int first = 0; first < BLOCKS; first += 8) {
        uint32_t words[4][8];
        __m256i c[4] = {_mm256_add_epi32(_mm256_set1_epi32((int)rng->counter[0] + first),
                                         _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)),
                        _mm256_set1_epi32((int)rng->counter[1]), _mm256_set1_epi32((int)rng->counter[2]),
                        _mm256_set1_epi32((int)rng->counter[3])};
        philox_avx2(c, rng->key);
        for (int w = 0; w < 4; w++) {
            _mm256_storeu_si256((__m256i *)(void *)words[w], c[w]);
        }
        for (int i = 0; i < 16; i++) {
            const uint32_t *low = words[i % 2 * 2], *high = words[i % 2 * 2 + 1];
            const uint64_t word = low[i / 2] | (uint64_t)high[i / 2] << 32;
            sure = sure && word >= below;
            numbers[2 * first + i] = (int32_t)(word % below);
        }
    }
    return sure;
}

HN_INLINE HN_AVX2 void outside_avx2(const int32_t *taken, uint64_t n_taken, int32_t numbers[AT_ONCE]) {
    for (int first = 0; first < AT_ONCE; first += 8) {
        __m256i *eight = (__m256i *)(void *)(numbers + first);
        const __m256i r = _mm256_loadu_si256(eight);
        __m256i up = _mm256_add_epi32(r, _mm256_set1_epi32((int)n_taken));
        for (int j = 0; j < (int)n_taken; j++) { /* less one for each that lies above */
            up = _mm256_add_epi32(up, _mm256_cmpgt_epi32(_mm256_set1_epi32(taken[j] - j), r));
        }
        _mm256_storeu_si256(eight, up);
    }
}

HN_AVX2 static bool draw_avx2(HnRng *rng, const int32_t *taken, uint64_t n_taken, uint64_t n_all, int n,
                              int32_t *drawn) {
    int32_t numbers[AT_ONCE];
    if (!numbers_avx2(rng, n_all - n_taken, numbers)) {
        return false;
    }
    if (n_taken <= COMPARED) {
        outside_avx2(taken, n_taken, numbers);
    }
    for (int i = 0; i < n; i++) {
        drawn[i] = n_taken <= COMPARED ? numbers[i] : outside(taken, n_taken, (uint64_t)numbers[i]);
    }
    return true;
}

static int draw_some(HnRng *rng, const int32_t *taken, uint64_t n_taken, uint64_t n_all, int n, int32_t *drawn) {
    const int some = n < AT_ONCE ? n / 2 * 2 : AT_ONCE;
    const bool done = hn_cpu_path() == HN_CPU_AVX512 ? draw_avx512(rng, taken, n_taken, n_all, some, drawn)
                                                     : draw_avx2(rng, taken, n_taken, n_all, some, drawn);
    rng->counter[0] += done ? (uint32_t)some / 2 : 0;
    return done ? some : 0;
}
#endif

void hn_draw_cpu(HnRng *rng, const int32_t *taken, uint64_t n_taken, uint64_t n_all, int n, int32_t *drawn) {
    while (n > 0) {
        int done = 0;
#if HN_X86
        if (n >= FEWEST && rng->used == 4 && hn_cpu_path() != HN_CPU_SCALAR) {
            done = draw_some(rng, taken, n_taken, n_all, n, drawn);
        }
#endif
        if (done == 0) {
            *drawn = outside(taken, n_taken, hn_rng_below64(rng, n_all - n_taken));
            done = 1;
        }
        n -= done;
        drawn += done;
    }
}
