/* Floats to bytes, and how far the bytes are off. A sum of n non-negative floats is off by at most n e of itself
 * (e = 2^-24), squares that underflow lose less than dim 2^-149 in all: hence the factor and the summand of rounded_up.
 * The residual x - scale q is one fused multiply-add. */
#include <math.h>

#include "cpu_target.h"
#include "rank_screen.h"

#if HN_X86

#define LARGEST 0x1p40f
#define SMALLEST 0x1p-40f
enum { LARGEST_BITS = 0x53800000, WIDTH = 16 };

static float rounded_up(float squares, int dim) {
    return sqrtf(squares) * (1.0f + 0x1p-20f + 0x1p-23f * (float)dim) + 0x1p-60f;
}

HN_INLINE HN_VNNI __mmask16 lanes_left(int left) {
    return (__mmask16)(left >= WIDTH ? 0xFFFF : (1 << left) - 1);
}

HN_VNNI bool hn_screen_row_measure(const float *row, int dim, HnScreenRow *measured) {
    __m512 squares = _mm512_setzero_ps();
    __m512i peak = _mm512_setzero_si512(); /* as integers, so that a NaN is the largest of all */
    for (int d = 0; d < dim; d += WIDTH) {
        const __m512 x = _mm512_abs_ps(_mm512_maskz_loadu_ps(lanes_left(dim - d), row + d));
        squares = _mm512_fmadd_ps(x, x, squares);
        peak = _mm512_max_epi32(peak, _mm512_castps_si512(x));
    }
    if (_mm512_reduce_max_epi32(peak) > LARGEST_BITS) {
        return false;
    }
    measured->peak = _mm512_reduce_max_ps(_mm512_castsi512_ps(peak));
    measured->norm = rounded_up(_mm512_reduce_add_ps(squares), dim);
    return true;
}

/* A row's bytes at out [quads] with quads `stride` bytes apart, flipped by `flip`. Returns the norm of the residual. */
HN_VNNI static float row_quantise(const float *row, int dim, float scale, float inverse, int stride, uint8_t flip,
                                  uint8_t *out, int32_t *sum) {
    const __m512 step = _mm512_set1_ps(scale), steps = _mm512_set1_ps(inverse);
    const __m128i flips = _mm_set1_epi8((char)flip);
    __m512 squares = _mm512_setzero_ps();
    __m512i total = _mm512_setzero_si512();
    for (int d = 0; d < dim; d += WIDTH) {
        const __m512 x = _mm512_maskz_loadu_ps(lanes_left(dim - d), row + d);
        const __m512i q = _mm512_cvtps_epi32(_mm512_mul_ps(x, steps)); /* |x / peak| 127 rounds to at most 127 */
        const __m512 residual = _mm512_fnmadd_ps(step, _mm512_cvtepi32_ps(q), x);
        squares = _mm512_fmadd_ps(residual, residual, squares);
        total = _mm512_add_epi32(total, q);
        int32_t quads[4];
        _mm_storeu_si128((__m128i *)(void *)quads, _mm_xor_si128(_mm512_cvtepi32_epi8(q), flips));
        for (int i = 0; i < 4 && d + 4 * i < dim; i++) {
            __builtin_memcpy(out, &quads[i], sizeof quads[i]);
            out += stride;
        }
    }
    *sum = _mm512_reduce_add_epi32(total);
    return rounded_up(_mm512_reduce_add_ps(squares), dim);
}

static float larger(float a, float b) {
    return a > b ? a : b;
}

HN_VNNI void hn_screen_panel_pack(const float *items, const HnScreenRow *measured, const int32_t *order, int dim,
                                  HnScreenPanel *panel, uint8_t *out) {
    float peak = SMALLEST, norm = 0.0f, error = 0.0f;
    for (int i = 0; i < HN_SCREEN_ITEMS; i++) {
        peak = order[i] < 0 ? peak : larger(peak, measured[order[i]].peak);
    }
    const float scale = peak / 127.0f, inverse = 127.0f / peak;
    for (int i = 0; i < HN_SCREEN_ITEMS; i++) {
        if (order[i] < 0) {
            for (int q = 0; q < hn_screen_quads(dim); q++) {
                __builtin_memset(out + (q * HN_SCREEN_ITEMS + i) * 4, 0x80, 4);
            }
            continue;
        }
        int32_t sum;
        const float residual = row_quantise(items + (size_t)order[i] * (size_t)dim, dim, scale, inverse,
                                            4 * HN_SCREEN_ITEMS, 0x80, out + 4 * i, &sum);
        error = larger(error, residual);
        norm = larger(norm, measured[order[i]].norm + residual); /* |i'| <= |i| + |r_i| */
    }
    *panel = (HnScreenPanel){scale, inverse, norm, error};
}

HN_VNNI bool hn_screen_users_pack(const float *users, int n, int dim, HnScreenUsers *packed, int8_t *out) {
    const float slack = 0x1p-18f + 0x1p-23f * (float)dim;
    for (int u = 0; u < HN_SCREEN_LANES; u++) {
        packed->threshold[u] = INFINITY;
        packed->norm[u] = packed->error[u] = 0.0f;
        packed->scale[u] = packed->inverse[u] = 1.0f;
        packed->start[u] = 0;
    }
    __builtin_memset(out, 0, (size_t)hn_screen_quads(dim) * 4 * HN_SCREEN_USERS);
    for (int u = 0; u < n; u++) {
        const float *row = users + (size_t)u * (size_t)dim;
        HnScreenRow measured;
        int32_t sum;
        if (!hn_screen_row_measure(row, dim, &measured)) {
            return false;
        }
        const float peak = larger(measured.peak, SMALLEST);
        packed->scale[u] = peak / 127.0f;
        packed->inverse[u] = 127.0f / peak;
        const float residual = row_quantise(row, dim, packed->scale[u], packed->inverse[u], 4 * HN_SCREEN_USERS, 0,
                                            (uint8_t *)out + 4 * u, &sum);
        const float norm = measured.norm + residual;
        packed->norm[u] = norm * (1.0f + slack);
        packed->error[u] = residual + norm * slack;
        packed->start[u] = -128 * sum;
        packed->threshold[u] = -INFINITY;
    }
    return true;
}
#endif
