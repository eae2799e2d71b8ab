/* `linear` where AVX512-BF16 multiplies pairs of inputs: a tile is up to 6 rows x 64 outputs, or 12 x 32. */
#include "cpu_target.h"
#include "linear_512.h"

#if HN_X86

#define HN_BF16 __attribute__((target("avx2,fma,avx512f,avx512vl,avx512dq,avx512bw,avx512bf16")))
#define HN_BF16_VBMI __attribute__((target("avx2,fma,avx512f,avx512vl,avx512dq,avx512bw,avx512bf16,avx512vbmi")))

enum {
    FAR = 4096,    /* bytes that narrow weights are fetched ahead of widening */
    BYTES_ROWS = 4 /* of int8 that look bytes up */
};

/* Outputs 16 v .. 16 v + 15 of a pair of inputs. */
HN_INLINE HN_BF16 __m512i weights_of(const HnWeightType type, const unsigned char *w, const int v) {
    if (type == HN_WEIGHT_BF16) {
        return _mm512_load_si512(w + 64 * v);
    }
    if (type == HN_WEIGHT_INT8) { /* small integers are exact in bf16 */
        const __m512i low = _mm512_cvtepi8_epi32(_mm_load_si128((const void *)(w + 32 * v)));
        const __m512i high = _mm512_cvtepi8_epi32(_mm_load_si128((const void *)(w + 32 * v + 16)));
        return (__m512i)_mm512_cvtne2ps_pbh(_mm512_cvtepi32_ps(high), _mm512_cvtepi32_ps(low));
    }
    /* The permutation looks at the low five bits of each word, of which the fifth is another weight's: the table stands
     * there twice. */
    const __m512i levels = _mm512_broadcast_i64x4(_mm256_loadu_si256((const void *)HN_NF4));
    return _mm512_permutexvar_epi16(_mm512_srli_epi32(_mm512_load_si512(w), (unsigned)(4 * v)), levels);
}

/* One block of k inputs; vectors first .. first+vectors-1 of the strip's. */
HN_INLINE HN_BF16 void block_add(const HnLinearTile *t, const HnWeightType type, const int rows, const int first,
                                 const int vectors, const unsigned char *w, const uint16_t *x, int64_t k,
                                 const float *scale, const unsigned char *ahead) {
    __m512 total[HN_LINEAR_MOST][HN_VECTORS];
    const size_t pair_bytes = hn_linear_pair_bytes(type);
    hn_totals_begin(t, rows, first, vectors, scale, total);
    for (int64_t l = 0; l < k; l += 2, w += pair_bytes) {
        if (type == HN_WEIGHT_BF16) {
            HN_PREFETCH(ahead);
            HN_PREFETCH(ahead + 64);
            ahead += t->ahead_step;
        } else if (first == 0 && rows > 1) { /* for one row the processor keeps ahead by itself */
            for (size_t line = 0; line < pair_bytes; line += 64) {
                HN_PREFETCH(w + FAR + line);
            }
        }
        __m512i right[HN_VECTORS];
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            right[v] = weights_of(type, w, first + v);
        }
#pragma GCC unroll 12
        for (int i = 0; i < rows; i++) {
            int pair;
            memcpy(&pair, x + i * t->ldx + l, sizeof pair);
            const __m512i left = _mm512_set1_epi32(pair);
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) {
                total[i][v] = _mm512_dpbf16_ps(total[i][v], (__m512bh)left, (__m512bh)right[v]);
            }
        }
    }
    hn_totals_end(t, rows, first, vectors, scale, total);
}

HN_INLINE HN_BF16 void tile_part(const HnLinearTile *t, const HnWeightType type, const int rows, const int first,
                                 const int vectors) {
    const size_t block_bytes = (size_t)t->block / 2 * hn_linear_pair_bytes(type);
    const float *scale = t->scale;
    const unsigned char *w = t->w;
    for (int64_t l = 0; l < t->k; l += t->block, w += block_bytes) {
        const int64_t k = t->k - l < t->block ? t->k - l : t->block;
        block_add(t, type, rows, first, vectors, w, (const uint16_t *)t->x + l, k, scale, t->ahead);
        scale = scale != NULL ? scale + HN_STRIP : NULL;
    }
}

HN_INLINE HN_BF16 void tile_whole(const HnLinearTile *t, const HnWeightType type, const int rows) {
    tile_part(t, type, rows, 0, HN_VECTORS);
}

HN_INLINE HN_BF16 void tile_halves(const HnLinearTile *t, const HnWeightType type, const int rows) {
    tile_part(t, type, rows, 0, HN_VECTORS / 2);
    tile_part(t, type, rows, HN_VECTORS / 2, HN_VECTORS / 2);
}

HN_INLINE HN_BF16 void tile_rows(const HnLinearTile *t, const HnWeightType type, int rows) {
    if (rows <= HN_LINEAR_ROWS) {
        HN_LINEAR_BY_ROWS(tile_whole, t, type, rows);
    } else {
        HN_LINEAR_BY_MORE_ROWS(tile_halves, t, type, rows);
    }
}

HN_BF16 static void tile_bf16(const HnLinearTile *t, int rows) {
    tile_rows(t, HN_WEIGHT_BF16, rows);
}

HN_BF16 static void tile_int8(const HnLinearTile *t, int rows) {
    tile_rows(t, HN_WEIGHT_INT8, rows);
}

HN_BF16 static void tile_nf4(const HnLinearTile *t, int rows) {
    tile_rows(t, HN_WEIGHT_NF4, rows);
}

/* ---- int8 for few rows, where bytes can be looked up in a table of 128 ---- */

/* The bf16 of 0 .. 127, and its two bytes in tables. */
#define HN_LOG(i) ((i) >= 64 ? 6 : (i) >= 32 ? 5 : (i) >= 16 ? 4 : (i) >= 8 ? 3 : (i) >= 4 ? 2 : (i) >= 2 ? 1 : 0)
#define HN_HALF(i) ((i) == 0 ? 0 : (127 + HN_LOG(i)) << 7 | ((i) << (7 - HN_LOG(i)) & 127))
#define HN_FOUR(byte, i) byte(i), byte((i) + 1), byte((i) + 2), byte((i) + 3)
#define HN_16(byte, i) HN_FOUR(byte, i), HN_FOUR(byte, (i) + 4), HN_FOUR(byte, (i) + 8), HN_FOUR(byte, (i) + 12)
#define HN_64(byte, i) HN_16(byte, i), HN_16(byte, (i) + 16), HN_16(byte, (i) + 32), HN_16(byte, (i) + 48)
#define HN_LOW(i) (HN_HALF(i) & 255)
#define HN_HIGH(i) (HN_HALF(i) >> 8)
_Alignas(64) static const uint8_t magnitude_low[] = {HN_64(HN_LOW, 0), HN_64(HN_LOW, 64)};
_Alignas(64) static const uint8_t magnitude_high[] = {HN_64(HN_HIGH, 0), HN_64(HN_HIGH, 64)};

typedef struct Magnitudes {
    __m512i low[2], high[2];
} Magnitudes;

/* 32 outputs of a pair. Interleaving works within quarters of a register: quarter q of right[0] holds outputs 8 q ..
 * 8 q + 3, of right[1] 8 q + 4 .. 8 q + 7. */
HN_INLINE HN_BF16_VBMI void bytes_widen(const Magnitudes *m, __m512i bytes, __m512i *right) {
    const __m512i index = _mm512_abs_epi8(bytes);
    const __m512i low = _mm512_permutex2var_epi8(m->low[0], index, m->low[1]);
    const __m512i high = _mm512_ternarylogic_epi32(_mm512_permutex2var_epi8(m->high[0], index, m->high[1]), bytes,
                                                   _mm512_set1_epi8(-128), 0xF8); /* high | (bytes & sign) */
    right[0] = _mm512_unpacklo_epi8(low, high);
    right[1] = _mm512_unpackhi_epi8(low, high);
}

HN_INLINE HN_BF16_VBMI void scaled_add(float *y, const float *scale, __m512d total) {
    _mm512_storeu_ps(y, _mm512_fmadd_ps(_mm512_castpd_ps(total), _mm512_loadu_ps(scale), _mm512_loadu_ps(y)));
}

/* One block of k inputs. Nothing is fetched ahead: the processor does so by itself, and being told costs time. */
HN_INLINE HN_BF16_VBMI void bytes_block(const HnLinearTile *t, const Magnitudes *m, const int rows,
                                        const unsigned char *w, const uint16_t *x, int64_t k, const float *scale) {
    const __m512i lower = _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0);
    const __m512i upper = _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4);
    __m512 total[BYTES_ROWS][HN_VECTORS];
#pragma GCC unroll 4
    for (int i = 0; i < rows; i++) {
        total[i][0] = total[i][1] = total[i][2] = total[i][3] = _mm512_setzero_ps();
    }
    for (int64_t l = 0; l < k; l += 2, w += 2 * HN_STRIP) {
        __m512i right[HN_VECTORS];
        bytes_widen(m, _mm512_load_si512(w), right);
        bytes_widen(m, _mm512_load_si512(w + 64), right + 2);
#pragma GCC unroll 4
        for (int i = 0; i < rows; i++) {
            int pair;
            memcpy(&pair, x + i * t->ldx + l, sizeof pair);
            const __m512i left = _mm512_set1_epi32(pair);
#pragma GCC unroll 4
            for (int v = 0; v < HN_VECTORS; v++) {
                total[i][v] = _mm512_dpbf16_ps(total[i][v], (__m512bh)left, (__m512bh)right[v]);
            }
        }
    }
#pragma GCC unroll 4
    for (int i = 0; i < rows; i++) {
#pragma GCC unroll 2
        for (int v = 0; v < HN_VECTORS; v += 2) {
            const __m512d a = _mm512_castps_pd(total[i][v]), b = _mm512_castps_pd(total[i][v + 1]);
            float *y = t->y + i * t->ldy + 16 * v;
            scaled_add(y, scale + 16 * v, _mm512_permutex2var_pd(a, lower, b));
            scaled_add(y + 16, scale + 16 * v + 16, _mm512_permutex2var_pd(a, upper, b));
        }
    }
}

HN_INLINE HN_BF16_VBMI void bytes_rows(const HnLinearTile *t, const Magnitudes *m, const int rows) {
    const unsigned char *w = t->w;
    const float *scale = t->scale;
    for (int64_t l = 0; l < t->k; l += t->block, w += t->block * HN_STRIP, scale += HN_STRIP) {
        const int64_t k = t->k - l < t->block ? t->k - l : t->block;
        bytes_block(t, m, rows, w, (const uint16_t *)t->x + l, k, scale);
    }
}

HN_BF16_VBMI static void bytes_tile(const HnLinearTile *t, int rows) {
    const Magnitudes m = {{_mm512_load_si512(magnitude_low), _mm512_load_si512(magnitude_low + 64)},
                          {_mm512_load_si512(magnitude_high), _mm512_load_si512(magnitude_high + 64)}};
    switch (rows) {
    case 1:
        bytes_rows(t, &m, 1);
        break;
    case 2:
        bytes_rows(t, &m, 2);
        break;
    case 3:
        bytes_rows(t, &m, 3);
        break;
    default:
        bytes_rows(t, &m, BYTES_ROWS);
        break;
    }
}

static void tile_run(const HnLinearTile *t, int rows) {
    if (t->type == HN_WEIGHT_BF16) {
        tile_bf16(t, rows);
    } else if (t->type == HN_WEIGHT_INT8) {
        tile_int8(t, rows);
    } else {
        tile_nf4(t, rows);
    }
}

HN_INLINE HN_BF16 void widen_type(const HnWeightType type, const unsigned char *w, int64_t k, unsigned char *panel) {
    const size_t pair_bytes = hn_linear_pair_bytes(type);
    for (int64_t l = 0; l < k; l += 2, w += pair_bytes, panel += 4 * HN_STRIP) {
#pragma GCC unroll 4
        for (int v = 0; v < HN_VECTORS; v++) {
            _mm512_store_si512(panel + 64 * v, weights_of(type, w, v));
        }
    }
}

HN_BF16 void hn_linear_widen_pairs(HnWeightType type, const unsigned char *w, int64_t k, void *panel) {
    if (type == HN_WEIGHT_INT8) {
        widen_type(HN_WEIGHT_INT8, w, k, panel);
    } else {
        widen_type(HN_WEIGHT_NF4, w, k, panel);
    }
}

HN_BF16 void hn_linear_round_pairs(const float *x, int64_t k, int64_t k_padded, uint16_t *out) {
    for (int64_t l = 0; l < k_padded; l += 16) {
        const __mmask16 in = (__mmask16)(k - l >= 16 ? 0xFFFFu : k > l ? (1u << (k - l)) - 1u : 0u);
        _mm256_storeu_si256((void *)(out + l), (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(in, x + l)));
    }
}

/* The same with bytes looked up in tables; the bits are tile_run's. */
static void tile_run_vbmi(const HnLinearTile *t, int rows) {
    if (t->type == HN_WEIGHT_INT8 && rows <= BYTES_ROWS) {
        bytes_tile(t, rows);
    } else {
        tile_run(t, rows);
    }
}

#define HN_LINEAR_PAIRS                                                                                            \
    .path = "avx512-bf16 pairs", .bits = "bf16 pairs", .panel = HN_WEIGHT_BF16, .few = HN_LINEAR_MOST,             \
    .tile_rows = HN_LINEAR_ROWS, .task_rows = 128, .widen = hn_linear_widen_pairs, .scales = hn_linear_scales_512, \
    .round_x = hn_linear_round_pairs

const HnLinearOps *hn_linear_bf16(void) {
    static const HnLinearOps ops = {HN_LINEAR_PAIRS, .tile = tile_run}, vbmi = {HN_LINEAR_PAIRS, .tile = tile_run_vbmi};
    return __builtin_cpu_supports("avx512vbmi") ? &vbmi : &ops;
}
#else
const HnLinearOps *hn_linear_bf16(void) {
    return NULL;
}
#endif
