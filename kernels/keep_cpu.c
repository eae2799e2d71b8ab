/* Philox4x32-10 for 16 blocks of 4 words side by side, written as loops over the blocks that the compiler turns into
 * vectors of each path. A block holds the bits of 8 columns of a row. */
#include "keep.h"

#include <string.h>

#include "base/rng.h"
#include "cpu.h"
#include "cpu_target.h"

enum { LANES = 16, COLUMNS = 8, ROUNDS = 10 };

/* Salmon et al., SC'11: multipliers, and what the key grows by each round. */
static const uint32_t multiplier[2] = {0xD2511F53u, 0xCD9E8D57u}, growth[2] = {0x9E3779B9u, 0xBB67AE85u};

typedef struct Lanes {
    uint32_t word[4][LANES];
} Lanes;

HN_INLINE void philox(Lanes *lanes, const uint32_t *key_of_all) {
    uint32_t key[2] = {key_of_all[0], key_of_all[1]};
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < LANES; i++) {
            const uint64_t first = (uint64_t)multiplier[0] * lanes->word[0][i];
            const uint64_t second = (uint64_t)multiplier[1] * lanes->word[2][i];
            lanes->word[0][i] = (uint32_t)(second >> 32) ^ lanes->word[1][i] ^ key[0];
            lanes->word[1][i] = (uint32_t)second;
            lanes->word[2][i] = (uint32_t)(first >> 32) ^ lanes->word[3][i] ^ key[1];
            lanes->word[3][i] = (uint32_t)first;
        }
        key[0] += growth[0];
        key[1] += growth[1];
    }
}

HN_INLINE void to_marks(const Lanes *lanes, uint32_t threshold, uint8_t mark, uint8_t *marks) {
    uint16_t bits[LANES][COLUMNS];
    for (int i = 0; i < LANES; i++) {
        for (int w = 0; w < 4; w++) {
            bits[i][2 * w] = (uint16_t)lanes->word[w][i];
            bits[i][2 * w + 1] = (uint16_t)(lanes->word[w][i] >> 16);
        }
    }
    const uint16_t *all = &bits[0][0];
    const uint16_t least = (uint16_t)threshold;
    for (int k = 0; k < LANES * COLUMNS; k++) {
        marks[k] = all[k] >= least ? mark : 0;
    }
}

/* Blocks of the rows one after the other, 16 at a time. */
HN_INLINE void keep_rows(const HnKeep *keep, uint64_t first, const int32_t *rows, uint64_t n_rows, int dim,
                         uint8_t mark, uint8_t *marks) {
    const uint64_t blocks = ((uint64_t)dim + COLUMNS - 1) / COLUMNS, n = n_rows * blocks;
    HnRng rng;
    hn_rng_start(&rng, keep->seed, HN_STREAM_DROPOUT, 0, 0);
    uint64_t row = 0, block = 0;
    for (uint64_t done = 0; done < n; done += LANES) {
        Lanes lanes = {{{0}}};
        uint64_t place[LANES], left[LANES];
        const int count = n - done < LANES ? (int)(n - done) : LANES;
        for (int i = 0; i < count; i++) {
            lanes.word[0][i] = (uint32_t)block;
            lanes.word[1][i] = keep->step;
            lanes.word[2][i] = (uint32_t)(first + (rows != NULL ? (uint64_t)rows[row] : row));
            lanes.word[3][i] = keep->part;
            place[i] = row * (uint64_t)dim + block * COLUMNS;
            left[i] = (uint64_t)dim - block * COLUMNS;
            if (++block == blocks) {
                block = 0, row++;
            }
        }
        uint8_t out[LANES * COLUMNS];
        philox(&lanes, rng.key);
        to_marks(&lanes, keep->threshold, mark, out);
        for (int i = 0; i < count; i++) {
            memcpy(marks + place[i], out + i * COLUMNS, left[i] < COLUMNS ? left[i] : COLUMNS);
        }
    }
}

static void keep_scalar(const HnKeep *keep, uint64_t first, const int32_t *rows, uint64_t n_rows, int dim, uint8_t mark,
                        uint8_t *marks) {
    keep_rows(keep, first, rows, n_rows, dim, mark, marks);
}

#if HN_X86
HN_AVX512 static void keep_avx512(const HnKeep *keep, uint64_t first, const int32_t *rows, uint64_t n_rows, int dim,
                                  uint8_t mark, uint8_t *marks) {
    keep_rows(keep, first, rows, n_rows, dim, mark, marks);
}

HN_AVX2 static void keep_avx2(const HnKeep *keep, uint64_t first, const int32_t *rows, uint64_t n_rows, int dim,
                              uint8_t mark, uint8_t *marks) {
    keep_rows(keep, first, rows, n_rows, dim, mark, marks);
}
#endif

void hn_keep_cpu(const HnKeep *keep, uint64_t first, const int32_t *rows, uint64_t n_rows, int dim, uint8_t mark,
                 uint8_t *marks) {
    if (keep->threshold == 0 || keep->threshold > 0xFFFFu) {
        memset(marks, keep->threshold == 0 ? mark : 0, n_rows * (uint64_t)dim);
        return;
    }
#if HN_X86
    if (hn_cpu_path() == HN_CPU_AVX512) {
        keep_avx512(keep, first, rows, n_rows, dim, mark, marks);
        return;
    }
    if (hn_cpu_path() == HN_CPU_AVX2) {
        keep_avx2(keep, first, rows, n_rows, dim, mark, marks);
        return;
    }
#endif
    keep_scalar(keep, first, rows, n_rows, dim, mark, marks);
}
