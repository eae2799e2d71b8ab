/* Private to `attention`: which keys of a page a query sees. */
#ifndef HN_KERNEL_ATTENTION_PRIVATE_H
#define HN_KERNEL_ATTENTION_PRIVATE_H

#include "attention.h"

/* Slots first .. end-1 of a page; none where first >= end. */
typedef struct HnAttentionSpan {
    int first, end;
} HnAttentionSpan;

static inline HnAttentionSpan hn_attention_span(const HnAttention *attention, const HnAttentionSegment *segment,
                                                int64_t position, int64_t page) {
    const int64_t start = page * HN_KV_PAGE;
    int64_t first = 0, end = segment->n_keys;
    if (attention->causal) {
        end = position + 1 < end ? position + 1 : end;
        first = attention->window > 0 && position + 1 > attention->window ? position + 1 - attention->window : 0;
    }
    first = first > start ? first - start : 0;
    end -= start;
    return (HnAttentionSpan){first < HN_KV_PAGE ? (int)first : HN_KV_PAGE, end > HN_KV_PAGE ? HN_KV_PAGE
                                                                           : end > 0        ? (int)end
                                                                                            : 0};
}

#endif
