/* Attention of packed rows over cached keys and values, which lie in pages.
 *
 * Query row r of a segment stands at position p = position0 + r and sees the keys at positions q with
 *     causal: max(0, p - window + 1) <= q <= p  (window 0: no lower end);   else: all q < n_keys.
 *     out = sum over q of softmax_q( scale <query, key_q> ) value_q,  heads in groups: query head h uses key head
 *     h / (n_heads / n_kv_heads)   (grouped-query attention: Ainslie et al. 2023)
 *
 * A segment's positions are cut into pages of HN_KV_PAGE; pages are visited in order with a running maximum, so a row's
 * bits depend on its own query and on the keys and values it sees: not on how many rows come at once (prompt or single
 * token), on other segments, on which page numbers hold them, or on threads. The same bits on every path. Keys and
 * values must be finite up to n_keys; what lies behind is not looked at. A row that sees no key becomes zeros.
 */
#ifndef HN_KERNEL_ATTENTION_H
#define HN_KERNEL_ATTENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { HN_KV_PAGE = 32 };

typedef struct HnAttention {
    int n_heads, n_kv_heads, head_dim;
    float scale; /* usually 1 / sqrt(head_dim) */
    int window;  /* 0: none */
    bool causal;
} HnAttention;

/* One layer's pages. Within a page, keys lie transposed: keys[page][kv head][head_dim][HN_KV_PAGE], and
 * values[page][kv head][HN_KV_PAGE][head_dim]. */
typedef struct HnKvPages {
    float *keys, *values;
} HnKvPages;

typedef struct HnAttentionSegment {
    int64_t first_row; /* of its query rows in q and out */
    int32_t n_rows, position0;
    int32_t n_keys;       /* positions 0 .. n_keys-1 are in the pages; causal: position0 + n_rows */
    const int32_t *pages; /* [ceil(n_keys / HN_KV_PAGE)]: page that holds positions b * HN_KV_PAGE .. */
} HnAttentionSegment;

/* Writes the segments' new keys and values (rows [..][ld], n_kv_heads * head_dim wide) at positions position0 .. */
void hn_kv_store(const HnAttention *attention, const HnKvPages *pages, const HnAttentionSegment *segments,
                 int64_t n_segments, const float *keys, const float *values, int64_t ld);

/* q [rows][ldq] and out [rows][ldo], n_heads * head_dim wide. All threads. */
void hn_attention_ref(const HnAttention *attention, const HnKvPages *pages, const HnAttentionSegment *segments,
                      int64_t n_segments, const float *q, int64_t ldq, float *out, int64_t ldo);
void hn_attention_cpu(const HnAttention *attention, const HnKvPages *pages, const HnAttentionSegment *segments,
                      int64_t n_segments, const float *q, int64_t ldq, float *out, int64_t ldo);

#ifdef __cplusplus
}
#endif
#endif
