/* 12 users x 32 items of byte products: 24 of 32 registers accumulate, four dimensions an instruction. */
#include "cpu_target.h"
#include "rank_screen.h"

#if HN_X86

enum { USERS = HN_SCREEN_USERS, ITEMS = HN_SCREEN_ITEMS };

/* The least product that may reach the threshold: (threshold - error) / scales, rounded down. Beyond 2^30 lies no
 * product. */
HN_INLINE HN_VNNI __m512i least_products(const HnScreenUsers *users, const HnScreenPanel *panel, __m512 threshold,
                                         __m512 error) {
    const __m512 far = _mm512_set1_ps(0x1p30f);
    __m512 least = _mm512_mul_ps(_mm512_sub_ps(threshold, error), _mm512_load_ps(users->inverse));
    least = _mm512_mul_ps(least, _mm512_set1_ps(panel->inverse));
    least = _mm512_max_ps(_mm512_min_ps(least, far), _mm512_sub_ps(_mm512_setzero_ps(), far));
    return _mm512_cvt_roundps_epi32(least, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
}

/* _mm512_dpbusd_epi32, which GCC 12 does not keep in place: it copies and spills the 24 sums. */
HN_INLINE HN_VNNI void bytes_multiply(__m512i *total, __m512i items, __m512i user) {
    __asm__("vpdpbusd %2, %1, %0" : "+v"(*total) : "v"(items), "v"(user));
}

/* Which products reach what is needed. Apart from the products, so that their sums leave the registers only once. */
__attribute__((noinline)) HN_VNNI static int hits_find(HnScreenHits *hits, const int32_t *least,
                                                       const uint32_t *masked) {
#pragma GCC unroll 12
    for (int u = 0; u < USERS; u++) {
        const __m512i bound = _mm512_set1_epi32(least[u]), *products = (const void *)(hits->products + ITEMS * u);
        const uint32_t low = _mm512_cmp_epi32_mask(products[0], bound, _MM_CMPINT_NLT);
        const uint32_t high = _mm512_cmp_epi32_mask(products[1], bound, _MM_CMPINT_NLT);
        hits->passing[u] = low | high << 16;
    }
    const __m512i passing = _mm512_andnot_si512(_mm512_loadu_si512(masked), _mm512_load_si512(hits->passing));
    _mm512_store_si512(hits->passing, passing);
    return _mm512_test_epi32_mask(passing, passing) & ((1 << USERS) - 1);
}

HN_VNNI int hn_screen_tile(const HnScreenUsers *users, const int8_t *user_bytes, const HnScreenPanel *panel,
                           const uint8_t *item_bytes, int n_quads, const uint32_t *masked, HnScreenHits *hits) {
    const __m512 threshold = _mm512_load_ps(users->threshold), norm = _mm512_load_ps(users->norm);
    const __m512 panel_norm = _mm512_set1_ps(panel->norm), tiny = _mm512_set1_ps(0x1p-100f);
    if (_mm512_cmp_ps_mask(threshold, _mm512_fmadd_ps(norm, panel_norm, tiny), _CMP_GT_OQ) == 0xFFFF) {
        return -1;
    }
    const __m512 error = _mm512_fmadd_ps(_mm512_load_ps(users->error), panel_norm,
                                         _mm512_fmadd_ps(norm, _mm512_set1_ps(panel->error), tiny));
    int32_t least[HN_SCREEN_LANES] __attribute__((aligned(64)));
    _mm512_store_si512(least, least_products(users, panel, threshold, error));

    __m512i total[USERS][2];
#pragma GCC unroll 12
    for (int u = 0; u < USERS; u++) {
        total[u][0] = total[u][1] = _mm512_set1_epi32(users->start[u]);
    }
    int q = 0;
    do {
        const __m512i low = _mm512_load_si512(item_bytes), high = _mm512_load_si512(item_bytes + 64);
#pragma GCC unroll 12
        for (int u = 0; u < USERS; u++) {
            int32_t quad;
            __builtin_memcpy(&quad, user_bytes + 4 * u, sizeof quad);
            const __m512i user = _mm512_set1_epi32(quad);
            bytes_multiply(&total[u][0], low, user);
            bytes_multiply(&total[u][1], high, user);
        }
        user_bytes += 4 * USERS;
        item_bytes += 4 * ITEMS;
    } while (++q < n_quads);
#pragma GCC unroll 12
    for (int u = 0; u < USERS; u++) {
        _mm512_store_si512(hits->products + ITEMS * u, total[u][0]);
        _mm512_store_si512(hits->products + ITEMS * u + 16, total[u][1]);
    }
    _mm512_store_ps(hits->error, error);
    return hits_find(hits, least, masked);
}
#endif
