/* What may still be among a user's k best, in vectors of 16. */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "cpu_target.h"
#include "rank_screen.h"

#if HN_X86

enum { WIDTH = 16, ONE_ADD = HN_SCREEN_ITEMS + WIDTH };

int hn_screen_list_capacity(int most) {
    return (most + ONE_ADD + WIDTH - 1) / WIDTH * WIDTH;
}

/* Floats' bits such that they order as integers; its own inverse. */
HN_INLINE HN_VNNI __m512i ordered(__m512i bits) {
    const __m512i below_zero = _mm512_srai_epi32(bits, 31);
    return _mm512_xor_si512(bits, _mm512_and_si512(below_zero, _mm512_set1_epi32(INT32_MAX)));
}

static int32_t ordered_from(float value) {
    int32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits < 0 ? bits ^ INT32_MAX : bits;
}

static float ordered_to(int32_t bits) {
    float value;
    bits = bits < 0 ? bits ^ INT32_MAX : bits;
    memcpy(&value, &bits, sizeof value);
    return value;
}

HN_INLINE HN_VNNI __mmask16 lanes_left(int left) {
    return (__mmask16)(left >= WIDTH ? 0xFFFF : (1 << left) - 1);
}

/* Vectors are compressed in registers and stored whole: what lies behind the count is overwritten by the next. */
HN_VNNI void hn_screen_list_add(HnScreenList *list, const int32_t *products, uint32_t passing, float scale, float error,
                                int32_t first_slot) {
    const __m512i lanes = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m512 scales = _mm512_set1_ps(scale), errors = _mm512_set1_ps(error);
    for (; passing != 0; passing >>= WIDTH) {
        const __mmask16 those = (__mmask16)passing;
        const __m512 product = _mm512_cvtepi32_ps(_mm512_load_si512(products));
        const __m512i low = ordered(_mm512_castps_si512(_mm512_fmsub_ps(product, scales, errors)));
        const __m512 high = _mm512_fmadd_ps(product, scales, errors);
        const __m512i slots = _mm512_add_epi32(_mm512_set1_epi32(first_slot), lanes);
        _mm512_storeu_si512(list->low + list->count, _mm512_maskz_compress_epi32(those, low));
        _mm512_storeu_ps(list->high + list->count, _mm512_maskz_compress_ps(those, high));
        _mm512_storeu_si512(list->slot + list->count, _mm512_maskz_compress_epi32(those, slots));
        list->count += __builtin_popcount(those);
        products += WIDTH;
        first_slot += WIDTH;
    }
}

HN_INLINE HN_VNNI int count_reaching(const HnScreenList *list, int32_t value) {
    const __m512i bound = _mm512_set1_epi32(value);
    int n = 0;
    for (int i = 0; i < list->count; i += WIDTH) {
        n += __builtin_popcount(_mm512_mask_cmp_epi32_mask(lanes_left(list->count - i),
                                                           _mm512_load_si512(list->low + i), bound, _MM_CMPINT_NLT));
    }
    return n;
}

/* The k-th largest low, by bisection of the integers between the floor, which at least k entries reach, and the largest
 * low. It may stop at a value between the k-th and the next, hence the minimum at the end. */
HN_VNNI static int32_t kth_low(const HnScreenList *list, int k, int32_t floor) {
    __m512i most = _mm512_set1_epi32(INT32_MIN), least = _mm512_set1_epi32(INT32_MAX);
    for (int i = 0; i < list->count; i += WIDTH) {
        const __m512i low = _mm512_load_si512(list->low + i);
        most = _mm512_mask_max_epi32(most, lanes_left(list->count - i), most, low);
    }
    int64_t reached = floor, missed = (int64_t)_mm512_reduce_max_epi32(most) + 1;
    while (missed - reached > 1) {
        const int64_t middle = reached + (missed - reached) / 2;
        const int n = count_reaching(list, (int32_t)middle);
        *(n >= k ? &reached : &missed) = middle;
        if (n == k) {
            break;
        }
    }
    const __m512i bound = _mm512_set1_epi32((int32_t)reached);
    for (int i = 0; i < list->count; i += WIDTH) {
        const __m512i low = _mm512_load_si512(list->low + i);
        const __mmask16 those = _mm512_mask_cmp_epi32_mask(lanes_left(list->count - i), low, bound, _MM_CMPINT_NLT);
        least = _mm512_mask_min_epi32(least, those, least, low);
    }
    return _mm512_reduce_min_epi32(least);
}

HN_VNNI float hn_screen_list_cut(HnScreenList *list, int k, float threshold) {
    int32_t floor = ordered_from(threshold);
    if (count_reaching(list, floor) >= k) {
        threshold = ordered_to(kth_low(list, k, floor));
    }
    const __m512 bound = _mm512_set1_ps(threshold);
    int kept = 0;
    for (int i = 0; i < list->count; i += WIDTH) {
        const __m512i low = _mm512_load_si512(list->low + i), slot = _mm512_load_si512(list->slot + i);
        const __m512 high = _mm512_load_ps(list->high + i);
        const __mmask16 those = _mm512_mask_cmp_ps_mask(lanes_left(list->count - i), high, bound, _CMP_GE_OQ);
        _mm512_storeu_si512(list->low + kept, _mm512_maskz_compress_epi32(those, low));
        _mm512_storeu_ps(list->high + kept, _mm512_maskz_compress_ps(those, high));
        _mm512_storeu_si512(list->slot + kept, _mm512_maskz_compress_epi32(those, slot));
        kept += __builtin_popcount(those);
    }
    list->count = kept;
    return threshold;
}
#endif
