/* `linear` on AVX2 in floats: 12 of 16 registers accumulate, so the more rows, the fewer outputs go at once. For many
 * rows a run lies in four panels of 16 outputs, [4][inputs, even][16]: strips would use a quarter of the cache's sets
 * at a time. */
#include "cpu_target.h"
#include "linear_private.h"

#if HN_X86

enum { PART = 16 }; /* outputs of a panel */

#define HN_AVX2_F16C __attribute__((target("avx2,fma,f16c")))

HN_INLINE size_t pair_bytes_of(HnWeightType type) {
    return type == (HnWeightType)HN_LINEAR_PANEL ? 2 * PART * sizeof(float) : hn_linear_pair_bytes(type);
}

/* Outputs 8 v .. 8 v + 7 of one input, as floats; w: the pair. */
HN_INLINE HN_AVX2_F16C __m256 weights_of(const HnWeightType type, const unsigned char *w, const int odd, const int v) {
    if (type == (HnWeightType)HN_LINEAR_PANEL) {
        return _mm256_load_ps((const float *)(const void *)w + odd * PART + 8 * (v % 2));
    }
    if (type == HN_WEIGHT_F32) {
        return _mm256_load_ps((const float *)(const void *)w + odd * HN_STRIP + 8 * v);
    }
    if (type == HN_WEIGHT_F16) {
        return _mm256_cvtph_ps(_mm_load_si128((const void *)(w + (odd * HN_STRIP + 8 * v) * 2)));
    }
    if (type == HN_WEIGHT_BF16) {
        const __m256i both = _mm256_load_si256((const void *)(w + 32 * v));
        return _mm256_castsi256_ps(odd ? _mm256_and_si256(both, _mm256_set1_epi32((int)0xFFFF0000u))
                                       : _mm256_slli_epi32(both, 16));
    }
    if (type == HN_WEIGHT_INT8) {
        const __m256i both = _mm256_cvtepi16_epi32(_mm_load_si128((const void *)(w + 16 * v)));
        return _mm256_cvtepi32_ps(odd ? _mm256_srai_epi32(both, 8)
                                      : _mm256_srai_epi32(_mm256_slli_epi32(both, 24), 24));
    }
    /* A permutation looks at three bits; the fourth chooses between the negative and the positive half. */
    const __m256i words = _mm256_load_si256((const void *)(w + 32 * (v % 2)));
    const __m128i low = _mm_load_si128((const void *)HN_NF4), high = _mm_load_si128((const void *)(HN_NF4 + 8));
    const __m256 negative = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(low), 16));
    const __m256 positive = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(high), 16));
    const __m256i index = _mm256_srli_epi32(words, 16 * odd + 4 * (v / 2));
    return _mm256_blendv_ps(_mm256_permutevar8x32_ps(negative, index), _mm256_permutevar8x32_ps(positive, index),
                            _mm256_castsi256_ps(_mm256_slli_epi32(index, 28)));
}

/* nf4, one row: half of a pair's words, vectors half, half + 2, half + 4 and half + 6 of the strip's. Both bytes of the
 * bf16 levels are looked up for two of a word's four outputs at a time. */
HN_INLINE HN_AVX2_F16C void words_add(__m256 *total, const unsigned char *w, const int half, const __m256 even,
                                      const __m256 odd) {
    const __m256i packed = _mm256_loadu_si256((const void *)HN_NF4), byte = _mm256_set1_epi16(0xFF);
    const __m256i levels = _mm256_packus_epi16(_mm256_and_si256(packed, byte), _mm256_srli_epi16(packed, 8));
    const __m256i low = _mm256_permute4x64_epi64(levels, 0x88), high = _mm256_permute4x64_epi64(levels, 0xDD);
    const __m256i words = _mm256_load_si256((const void *)(w + 32 * half)), nibble = _mm256_set1_epi8(15);
#pragma GCC unroll 2
    for (int q = 0; q < 2; q++) { /* outputs 16 q and 16 (q + 2) behind the first */
        const __m256i index = _mm256_and_si256(_mm256_srli_epi16(words, 4 * q), nibble);
        const __m256i lows = _mm256_shuffle_epi8(low, index), highs = _mm256_shuffle_epi8(high, index);
        const __m256i first = _mm256_or_si256(_mm256_and_si256(lows, byte), _mm256_slli_epi16(highs, 8));
        const __m256i second = _mm256_or_si256(_mm256_srli_epi16(lows, 8), _mm256_andnot_si256(byte, highs));
        const __m256i upper = _mm256_set1_epi32((int)0xFFFF0000u);
        __m256 *a = total + 2 * q + half, *b = total + 2 * (q + 2) + half;
        *a = _mm256_fmadd_ps(even, _mm256_castsi256_ps(_mm256_slli_epi32(first, 16)), *a);
        *b = _mm256_fmadd_ps(even, _mm256_castsi256_ps(_mm256_slli_epi32(second, 16)), *b);
        *a = _mm256_fmadd_ps(odd, _mm256_castsi256_ps(_mm256_and_si256(first, upper)), *a);
        *b = _mm256_fmadd_ps(odd, _mm256_castsi256_ps(_mm256_and_si256(second, upper)), *b);
    }
}

HN_INLINE HN_AVX2_F16C void input_add(__m256 (*total)[8], const HnWeightType type, const unsigned char *w,
                                      const int odd, const int rows, const int first, const int vectors, const float *x,
                                      int64_t ldx) {
    if (vectors == 2) { /* x is broadcast once for both */
        const __m256 low = weights_of(type, w, odd, first), high = weights_of(type, w, odd, first + 1);
#pragma GCC unroll 6
        for (int i = 0; i < rows; i++) {
            const __m256 left = _mm256_broadcast_ss(x + i * ldx);
            total[i][0] = _mm256_fmadd_ps(left, low, total[i][0]);
            total[i][1] = _mm256_fmadd_ps(left, high, total[i][1]);
        }
        return;
    }
#pragma GCC unroll 8
    for (int v = 0; v < vectors; v++) {
        const __m256 right = weights_of(type, w, odd, first + v);
#pragma GCC unroll 6
        for (int i = 0; i < rows; i++) {
            total[i][v] = _mm256_fmadd_ps(_mm256_broadcast_ss(x + i * ldx), right, total[i][v]);
        }
    }
}

/* One block of k inputs; vectors first .. first+vectors-1 of the strip's. */
HN_INLINE HN_AVX2_F16C void block_add(const HnLinearTile *t, const HnWeightType type, const int rows, const int first,
                                      const int vectors, const unsigned char *w, const float *x, int64_t k,
                                      const float *scale) {
    __m256 total[HN_LINEAR_ROWS][8];
    const size_t pair_bytes = pair_bytes_of(type);
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) {
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++) {
            total[i][v] = scale != NULL ? _mm256_setzero_ps() : _mm256_loadu_ps(t->y + i * t->ldy + 8 * (first + v));
        }
    }
    int64_t l = 0;
    for (; l + 2 <= k; l += 2, w += pair_bytes) {
        if (type == HN_WEIGHT_NF4 && rows == 1) {
            const __m256 even = _mm256_broadcast_ss(x + l), odd = _mm256_broadcast_ss(x + l + 1);
            words_add(total[0], w, 0, even, odd);
            words_add(total[0], w, 1, even, odd);
            continue;
        }
        input_add(total, type, w, 0, rows, first, vectors, x + l, t->ldx);
        input_add(total, type, w, 1, rows, first, vectors, x + l + 1, t->ldx);
    }
    if (l < k) {
        input_add(total, type, w, 0, rows, first, vectors, x + l, t->ldx);
    }
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) {
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++) {
            float *y = t->y + i * t->ldy + 8 * (first + v);
            const __m256 result = total[i][v];
            _mm256_storeu_ps(
                y, scale != NULL ? _mm256_fmadd_ps(result, _mm256_loadu_ps(scale + 8 * (first + v)), _mm256_loadu_ps(y))
                                 : result);
        }
    }
}

HN_INLINE HN_AVX2_F16C void tile_part(const HnLinearTile *t, const HnWeightType type, const int rows, const int first,
                                      const int vectors) {
    const size_t block_bytes = (size_t)t->block / 2 * pair_bytes_of(type);
    const float *scale = t->scale;
    const unsigned char *w = t->w;
    if (type == (HnWeightType)HN_LINEAR_PANEL) {
        w += first / 2 * (t->k + t->k % 2) * PART * (int64_t)sizeof(float);
    }
    for (int64_t l = 0; l < t->k; l += t->block, w += block_bytes) {
        const int64_t k = t->k - l < t->block ? t->k - l : t->block;
        block_add(t, type, rows, first, vectors, w, (const float *)t->x + l, k, scale);
        scale = scale != NULL ? scale + HN_STRIP : NULL;
    }
}

HN_INLINE HN_AVX2_F16C void tile_rows(const HnLinearTile *t, const HnWeightType type, const int rows) {
    if (rows == 1 && type != (HnWeightType)HN_LINEAR_PANEL) {
        tile_part(t, type, rows, 0, 8);
    } else if (rows <= 3 && type != (HnWeightType)HN_LINEAR_PANEL) {
        tile_part(t, type, rows, 0, 4);
        tile_part(t, type, rows, 4, 4);
    } else {
        tile_part(t, type, rows, 0, 2);
        tile_part(t, type, rows, 2, 2);
        tile_part(t, type, rows, 4, 2);
        tile_part(t, type, rows, 6, 2);
    }
}

HN_AVX2_F16C static void tile_f32(const HnLinearTile *t, int rows) {
    HN_LINEAR_BY_ROWS(tile_rows, t, HN_WEIGHT_F32, rows);
}

HN_AVX2_F16C static void tile_f16(const HnLinearTile *t, int rows) {
    HN_LINEAR_BY_ROWS(tile_rows, t, HN_WEIGHT_F16, rows);
}

HN_AVX2_F16C static void tile_bf16(const HnLinearTile *t, int rows) {
    HN_LINEAR_BY_ROWS(tile_rows, t, HN_WEIGHT_BF16, rows);
}

HN_AVX2_F16C static void tile_int8(const HnLinearTile *t, int rows) {
    HN_LINEAR_BY_ROWS(tile_rows, t, HN_WEIGHT_INT8, rows);
}

HN_AVX2_F16C static void tile_nf4(const HnLinearTile *t, int rows) {
    HN_LINEAR_BY_ROWS(tile_rows, t, HN_WEIGHT_NF4, rows);
}

HN_AVX2_F16C static void tile_panel(const HnLinearTile *t, int rows) {
    HN_LINEAR_BY_ROWS(tile_rows, t, (HnWeightType)HN_LINEAR_PANEL, rows);
}

static void tile_run(const HnLinearTile *t, int rows) {
    static void (*const tiles[])(const HnLinearTile *, int) = {tile_f32,  tile_f16, tile_bf16,
                                                               tile_int8, tile_nf4, tile_panel};
    tiles[t->type](t, rows);
}

HN_INLINE HN_AVX2_F16C void widen_type(const HnWeightType type, const unsigned char *w, int64_t k, float *panel) {
    const size_t pair_bytes = pair_bytes_of(type);
    const int64_t part = (k + k % 2) * PART;
    for (int64_t l = 0; l < k; l += 2, w += pair_bytes, panel += 2 * PART) {
#pragma GCC unroll 8
        for (int v = 0; v < 8; v++) {
            float *at = panel + v / 2 * part + 8 * (v % 2);
            _mm256_store_ps(at, weights_of(type, w, 0, v));
            _mm256_store_ps(at + PART, weights_of(type, w, 1, v));
        }
    }
}

HN_AVX2_F16C static void widen(HnWeightType type, const unsigned char *w, int64_t k, void *panel) {
    if (type == HN_WEIGHT_F32) {
        widen_type(HN_WEIGHT_F32, w, k, panel);
    } else if (type == HN_WEIGHT_F16) {
        widen_type(HN_WEIGHT_F16, w, k, panel);
    } else if (type == HN_WEIGHT_BF16) {
        widen_type(HN_WEIGHT_BF16, w, k, panel);
    } else if (type == HN_WEIGHT_INT8) {
        widen_type(HN_WEIGHT_INT8, w, k, panel);
    } else {
        widen_type(HN_WEIGHT_NF4, w, k, panel);
    }
}

HN_AVX2_F16C static void scales(const unsigned char *code, const float *step, float *scale) {
    for (int j = 0; j < HN_STRIP; j += 8) {
        const __m256 level = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)(code + j))));
        _mm256_store_ps(scale + j,
                        _mm256_fmadd_ps(level, _mm256_load_ps(step + j), _mm256_load_ps(step + HN_STRIP + j)));
    }
}

const HnLinearOps *hn_linear_avx2(void) {
    static const HnLinearOps ops = {.path = "avx2",
                                    .bits = "plain",
                                    .panel = (HnWeightType)HN_LINEAR_PANEL,
                                    .few = HN_LINEAR_ROWS,
                                    .tile_rows = HN_LINEAR_ROWS,
                                    .task_rows = 128,
                                    .tile = tile_run,
                                    .widen = widen,
                                    .scales = scales};
    return &ops;
}
#else
const HnLinearOps *hn_linear_avx2(void) {
    return NULL;
}
#endif
