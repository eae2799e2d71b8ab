/* `linear` on AVX-512 in floats: a tile is up to 6 rows x 64 outputs, or up to 12 x 32: 24 of 32 registers accumulate.
 */
#include "cpu_target.h"
#include "linear_512.h"

#if HN_X86

/* Outputs 16 v .. 16 v + 15 of one input, as floats; w: the pair. */
HN_INLINE HN_AVX512 __m512 weights_of(const HnWeightType type, const unsigned char *w, const int odd, const int v) {
    if (type == HN_WEIGHT_F32) {
        return _mm512_load_ps(w + (odd * HN_STRIP + 16 * v) * 4);
    }
    if (type == HN_WEIGHT_F16) {
        return _mm512_cvtph_ps(_mm256_load_si256((const void *)(w + (odd * HN_STRIP + 16 * v) * 2)));
    }
    if (type == HN_WEIGHT_BF16) {
        const __m512i both = _mm512_load_si512(w + 64 * v);
        return _mm512_castsi512_ps(odd ? _mm512_and_si512(both, _mm512_set1_epi32((int)0xFFFF0000u))
                                       : _mm512_slli_epi32(both, 16));
    }
    if (type == HN_WEIGHT_INT8) {
        const __m512i both = _mm512_cvtepi16_epi32(_mm256_load_si256((const void *)(w + 32 * v)));
        return _mm512_cvtepi32_ps(odd ? _mm512_srai_epi32(both, 8)
                                      : _mm512_srai_epi32(_mm512_slli_epi32(both, 24), 24));
    }
    const __m512 levels =
        _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)HN_NF4)), 16));
    return _mm512_permutexvar_ps(_mm512_srli_epi32(_mm512_load_si512(w), (unsigned)(16 * odd + 4 * v)), levels);
}

HN_INLINE HN_AVX512 void input_add(__m512 (*total)[HN_VECTORS], const HnWeightType type, const unsigned char *w,
                                   const int odd, const int rows, const int first, const int vectors, const float *x,
                                   int64_t ldx) {
    __m512 right[HN_VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
        right[v] = weights_of(type, w, odd, first + v);
    }
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++) {
        const __m512 left = _mm512_set1_ps(x[i * ldx]);
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            total[i][v] = _mm512_fmadd_ps(left, right[v], total[i][v]);
        }
    }
}

/* One block of k inputs; vectors first .. first+vectors-1 of the strip's. */
HN_INLINE HN_AVX512 void block_add(const HnLinearTile *t, const HnWeightType type, const int rows, const int first,
                                   const int vectors, const unsigned char *w, const float *x, int64_t k,
                                   const float *scale, const unsigned char *ahead) {
    __m512 total[HN_LINEAR_MOST][HN_VECTORS];
    const size_t pair_bytes = hn_linear_pair_bytes(type);
    hn_totals_begin(t, rows, first, vectors, scale, total);
    int64_t l = 0;
    for (; l + 2 <= k; l += 2, w += pair_bytes) {
        if (type == HN_WEIGHT_F32) {
            HN_PREFETCH(ahead);
            HN_PREFETCH(ahead + 64);
            HN_PREFETCH(ahead + t->ahead_step);
            HN_PREFETCH(ahead + t->ahead_step + 64);
            ahead += 2 * t->ahead_step;
        }
        input_add(total, type, w, 0, rows, first, vectors, x + l, t->ldx);
        input_add(total, type, w, 1, rows, first, vectors, x + l + 1, t->ldx);
    }
    if (l < k) {
        input_add(total, type, w, 0, rows, first, vectors, x + l, t->ldx);
    }
    hn_totals_end(t, rows, first, vectors, scale, total);
}

HN_INLINE HN_AVX512 void tile_part(const HnLinearTile *t, const HnWeightType type, const int rows, const int first,
                                   const int vectors) {
    const size_t block_bytes = (size_t)t->block / 2 * hn_linear_pair_bytes(type);
    const float *scale = t->scale;
    const unsigned char *w = t->w;
    for (int64_t l = 0; l < t->k; l += t->block, w += block_bytes) {
        const int64_t k = t->k - l < t->block ? t->k - l : t->block;
        block_add(t, type, rows, first, vectors, w, (const float *)t->x + l, k, scale, t->ahead);
        scale = scale != NULL ? scale + HN_STRIP : NULL;
    }
}

HN_INLINE HN_AVX512 void tile_whole(const HnLinearTile *t, const HnWeightType type, const int rows) {
    tile_part(t, type, rows, 0, HN_VECTORS);
}

HN_INLINE HN_AVX512 void tile_halves(const HnLinearTile *t, const HnWeightType type, const int rows) {
    tile_part(t, type, rows, 0, HN_VECTORS / 2);
    tile_part(t, type, rows, HN_VECTORS / 2, HN_VECTORS / 2);
}

HN_INLINE HN_AVX512 void tile_rows(const HnLinearTile *t, const HnWeightType type, int rows) {
    if (rows <= HN_LINEAR_ROWS) {
        HN_LINEAR_BY_ROWS(tile_whole, t, type, rows);
    } else {
        HN_LINEAR_BY_MORE_ROWS(tile_halves, t, type, rows);
    }
}

HN_AVX512 static void tile_f32(const HnLinearTile *t, int rows) {
    tile_rows(t, HN_WEIGHT_F32, rows);
}

HN_AVX512 static void tile_f16(const HnLinearTile *t, int rows) {
    tile_rows(t, HN_WEIGHT_F16, rows);
}

HN_AVX512 static void tile_bf16(const HnLinearTile *t, int rows) {
    tile_rows(t, HN_WEIGHT_BF16, rows);
}

HN_AVX512 static void tile_int8(const HnLinearTile *t, int rows) {
    tile_rows(t, HN_WEIGHT_INT8, rows);
}

HN_AVX512 static void tile_nf4(const HnLinearTile *t, int rows) {
    tile_rows(t, HN_WEIGHT_NF4, rows);
}

static void tile_run(const HnLinearTile *t, int rows) {
    static void (*const tiles[])(const HnLinearTile *, int) = {tile_f32, tile_f16, tile_bf16, tile_int8, tile_nf4};
    tiles[t->type](t, rows);
}

HN_INLINE HN_AVX512 void widen_type(const HnWeightType type, const unsigned char *w, int64_t k, float *panel) {
    const size_t pair_bytes = hn_linear_pair_bytes(type);
    for (int64_t l = 0; l < k; l += 2, w += pair_bytes, panel += 2 * HN_STRIP) {
#pragma GCC unroll 4
        for (int v = 0; v < HN_VECTORS; v++) {
            _mm512_store_ps(panel + 16 * v, weights_of(type, w, 0, v));
            _mm512_store_ps(panel + HN_STRIP + 16 * v, weights_of(type, w, 1, v));
        }
    }
}

HN_AVX512 static void widen(HnWeightType type, const unsigned char *w, int64_t k, void *panel) {
    if (type == HN_WEIGHT_F16) {
        widen_type(HN_WEIGHT_F16, w, k, panel);
    } else if (type == HN_WEIGHT_BF16) {
        widen_type(HN_WEIGHT_BF16, w, k, panel);
    } else if (type == HN_WEIGHT_INT8) {
        widen_type(HN_WEIGHT_INT8, w, k, panel);
    } else {
        widen_type(HN_WEIGHT_NF4, w, k, panel);
    }
}

HN_AVX512 void hn_linear_scales_512(const unsigned char *code, const float *step, float *scale) {
    for (int j = 0; j < HN_STRIP; j += 16) {
        const __m512 level = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_load_si128((const void *)(code + j))));
        _mm512_store_ps(scale + j,
                        _mm512_fmadd_ps(level, _mm512_load_ps(step + j), _mm512_load_ps(step + HN_STRIP + j)));
    }
}

const HnLinearOps *hn_linear_avx512(void) {
    static const HnLinearOps ops = {.path = "avx512",
                                    .bits = "plain",
                                    .panel = HN_WEIGHT_F32,
                                    .few = HN_LINEAR_MOST,
                                    .tile_rows = HN_LINEAR_ROWS,
                                    .task_rows = 128,
                                    .tile = tile_run,
                                    .widen = widen,
                                    .scales = hn_linear_scales_512};
    return &ops;
}
#else
const HnLinearOps *hn_linear_avx512(void) {
    return NULL;
}
#endif
