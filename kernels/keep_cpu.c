/* Philox4x32-10 for 16 blocks of 4 words side by side; a block holds the bits of 8 columns of a row. */
#include "keep.h"

#include <string.h>

#include "base/rng.h"
#include "cpu.h"
#include "cpu_target.h"
#include "philox_private.h"

enum { LANES = 16, COLUMNS = 8 };

typedef struct Lanes {
    uint32_t word[4][LANES];
} Lanes;

/* The marks of 16 blocks, whose counters are in lanes. */
typedef void Make(Lanes *lanes, const uint32_t key[2], uint32_t threshold, uint8_t mark, uint8_t *marks);

static void make_scalar(Lanes *lanes, const uint32_t key[2], uint32_t threshold, uint8_t mark, uint8_t *marks) {
    for (int i = 0; i < LANES; i++) {
        uint32_t c[4] = {lanes->word[0][i], lanes->word[1][i], lanes->word[2][i], lanes->word[3][i]};
        uint32_t k[2] = {key[0], key[1]};
        for (uint32_t round = 0; round < PHILOX_ROUNDS; round++) {
            const uint64_t first = (uint64_t)PHILOX_BY_0 * c[0], second = (uint64_t)PHILOX_BY_2 * c[2];
            c[0] = (uint32_t)(second >> 32) ^ c[1] ^ k[0];
            c[1] = (uint32_t)second;
            c[2] = (uint32_t)(first >> 32) ^ c[3] ^ k[1];
            c[3] = (uint32_t)first;
            k[0] += PHILOX_GROWTH_0, k[1] += PHILOX_GROWTH_1;
        }
        for (int w = 0; w < 4; w++, marks += 2) {
            marks[0] = (c[w] & 0xFFFFu) >= threshold ? mark : 0;
            marks[1] = c[w] >> 16 >= threshold ? mark : 0;
        }
    }
}

#if HN_X86

HN_AVX512 static void make_avx512(Lanes *lanes, const uint32_t key[2], uint32_t threshold, uint8_t mark,
                                  uint8_t *marks) {
    const __m512i least = _mm512_set1_epi16((short)threshold);
    __m512i c[4];
    for (int w = 0; w < 4; w++) {
        c[w] = _mm512_loadu_si512(lanes->word[w]);
    }
    philox_avx512(c, key);
    /* A block's four words next to each other: blocks k, k + 4, k + 8, k + 12 come together. */
    const __m512i low_01 = _mm512_unpacklo_epi32(c[0], c[1]), high_01 = _mm512_unpackhi_epi32(c[0], c[1]);
    const __m512i low_23 = _mm512_unpacklo_epi32(c[2], c[3]), high_23 = _mm512_unpackhi_epi32(c[2], c[3]);
    const __m512i four[4] = {_mm512_unpacklo_epi64(low_01, low_23), _mm512_unpackhi_epi64(low_01, low_23),
                             _mm512_unpacklo_epi64(high_01, high_23), _mm512_unpackhi_epi64(high_01, high_23)};
    for (int k = 0; k < 4; k++) {
        uint64_t blocks[4];
        const __mmask32 kept = _mm512_cmpge_epu16_mask(four[k], least);
        _mm256_storeu_si256((__m256i *)(void *)blocks, _mm256_maskz_set1_epi8(kept, (char)mark));
        for (int j = 0; j < 4; j++) {
            memcpy(marks + (4 * j + k) * COLUMNS, &blocks[j], COLUMNS);
        }
    }
}

HN_AVX2 static void make_avx2(Lanes *lanes, const uint32_t key[2], uint32_t threshold, uint8_t mark, uint8_t *marks) {
    const __m256i least = _mm256_set1_epi16((short)threshold);
    for (int half = 0; half < LANES; half += 8) {
        __m256i c[4];
        for (int w = 0; w < 4; w++) {
            c[w] = _mm256_loadu_si256((const __m256i *)(const void *)(lanes->word[w] + half));
        }
        philox_avx2(c, key);
        const __m256i low_01 = _mm256_unpacklo_epi32(c[0], c[1]), high_01 = _mm256_unpackhi_epi32(c[0], c[1]);
        const __m256i low_23 = _mm256_unpacklo_epi32(c[2], c[3]), high_23 = _mm256_unpackhi_epi32(c[2], c[3]);
        const __m256i two[4] = {_mm256_unpacklo_epi64(low_01, low_23), _mm256_unpackhi_epi64(low_01, low_23),
                                _mm256_unpacklo_epi64(high_01, high_23), _mm256_unpackhi_epi64(high_01, high_23)};
        for (int k = 0; k < 4; k++) { /* blocks k and k + 4 */
            const __m256i kept = _mm256_cmpeq_epi16(_mm256_max_epu16(two[k], least), two[k]);
            const __m256i bytes = _mm256_and_si256(_mm256_packs_epi16(kept, kept), _mm256_set1_epi8((char)mark));
            const int64_t block[2] = {_mm256_extract_epi64(bytes, 0), _mm256_extract_epi64(bytes, 2)};
            memcpy(marks + (half + k) * COLUMNS, &block[0], COLUMNS);
            memcpy(marks + (half + k + 4) * COLUMNS, &block[1], COLUMNS);
        }
    }
}
#endif

/* Blocks of the rows one after the other, 16 at a time. */
static void keep_rows(const HnKeep *keep, Make *make, uint64_t first, const int32_t *rows, uint64_t n_rows, int dim,
                      uint8_t mark, uint8_t *marks) {
    const uint32_t blocks = ((uint32_t)dim + COLUMNS - 1) / COLUMNS, last = (uint32_t)dim - (blocks - 1) * COLUMNS;
    HnRng rng;
    hn_rng_start(&rng, keep->seed, HN_STREAM_DROPOUT, 0, 0);
    uint64_t row = 0;
    uint32_t block = 0;
    while (row < n_rows) {
        Lanes lanes = {{{0}}};
        uint32_t first_block = block;
        int count = 0;
        for (; count < LANES && row < n_rows; count++) {
            lanes.word[0][count] = block;
            lanes.word[1][count] = keep->step;
            lanes.word[2][count] = (uint32_t)(first + (rows != NULL ? (uint64_t)rows[row] : row));
            lanes.word[3][count] = keep->part;
            block = block + 1 < blocks ? block + 1 : 0;
            row += block == 0;
        }
        uint8_t out[LANES * COLUMNS];
        make(&lanes, rng.key, keep->threshold, mark, out);
        if (last == COLUMNS && count == LANES) {
            memcpy(marks, out, sizeof out);
            marks += sizeof out;
            continue;
        }
        for (int i = 0; i < count; i++) {
            const uint32_t n = first_block + 1 < blocks ? COLUMNS : last;
            memcpy(marks, out + i * COLUMNS, n);
            marks += n;
            first_block = first_block + 1 < blocks ? first_block + 1 : 0;
        }
    }
}

void hn_keep_cpu(const HnKeep *keep, uint64_t first, const int32_t *rows, uint64_t n_rows, int dim, uint8_t mark,
                 uint8_t *marks) {
    if (keep->threshold == 0 || keep->threshold > 0xFFFFu) {
        memset(marks, keep->threshold == 0 ? mark : 0, n_rows * (uint64_t)dim);
        return;
    }
    Make *make = make_scalar;
#if HN_X86
    make = hn_cpu_path() == HN_CPU_AVX512 ? make_avx512 : hn_cpu_path() == HN_CPU_AVX2 ? make_avx2 : make_scalar;
#endif
    keep_rows(keep, make, first, rows, n_rows, dim, mark, marks);
}
