#include "attention.h"

void hn_attention_cpu(const HnAttention *attention, const HnKvPages *pages, const HnAttentionSegment *segments,
                      int64_t n_segments, const float *q, int64_t ldq, float *out, int64_t ldo) {
    hn_attention_ref(attention, pages, segments, n_segments, q, ldq, out, ldo);
}
