#include <float.h>
#include <math.h>
#include <string.h>

#include "attention.h"
#include "attention_private.h"
#include "exp.h"

void hn_kv_store(const HnAttention *attention, const HnKvPages *pages, const HnAttentionSegment *segments,
                 int64_t n_segments, const float *keys, const float *values, int64_t ld) {
    const int64_t dim = attention->head_dim, heads = attention->n_kv_heads;
    for (int64_t s = 0; s < n_segments; s++) {
        const HnAttentionSegment *segment = &segments[s];
        for (int64_t r = 0; r < segment->n_rows; r++) {
            const int64_t position = segment->position0 + r, slot = position % HN_KV_PAGE;
            for (int64_t head = 0; head < heads; head++) {
                const int64_t at = (segment->pages[position / HN_KV_PAGE] * heads + head) * dim * HN_KV_PAGE;
                const int64_t from = (segment->first_row + r) * ld + head * dim;
                for (int64_t d = 0; d < dim; d++) {
                    pages->keys[at + d * HN_KV_PAGE + slot] = keys[from + d];
                }
                memcpy(pages->values + at + slot * dim, values + from, (size_t)dim * sizeof(float));
            }
        }
    }
}

/* One page for one row and head: what was summed so far shrinks to the new maximum, then the page is added. */
static void page_add(const HnAttention *attention, const float *keys, const float *values, HnAttentionSpan seen,
                     const float *q, float *most, float *sum, float *out) {
    const int dim = attention->head_dim;
    float score[HN_KV_PAGE], before = *most;
    for (int i = 0; i < HN_KV_PAGE; i++) {
        float dot = 0.0f;
        for (int d = 0; d < dim && i >= seen.first && i < seen.end; d++) {
            dot = fmaf(q[d], keys[d * HN_KV_PAGE + i], dot);
        }
        score[i] = attention->scale * dot;
        *most = i >= seen.first && i < seen.end && score[i] > *most ? score[i] : *most;
    }
    hn_exp_ref(score, HN_KV_PAGE, 1.0f, -*most);
    hn_exp_ref(&before, 1, 1.0f, -*most);
    for (int i = 0; i < HN_KV_PAGE; i++) {
        score[i] = i >= seen.first && i < seen.end ? score[i] : 0.0f;
    }
    for (int d = 0; d < dim; d++) {
        out[d] *= before;
        for (int i = seen.first; i < seen.end; i++) {
            out[d] = fmaf(score[i], values[i * dim + d], out[d]);
        }
    }
    for (int apart = HN_KV_PAGE / 2; apart >= 1; apart /= 2) {
        for (int i = 0; i < apart; i++) {
            score[i] += score[i + apart];
        }
    }
    *sum = fmaf(*sum, before, score[0]);
}

void hn_attention_ref(const HnAttention *attention, const HnKvPages *pages, const HnAttentionSegment *segments,
                      int64_t n_segments, const float *q, int64_t ldq, float *out, int64_t ldo) {
    const int64_t dim = attention->head_dim, group = attention->n_heads / attention->n_kv_heads;
    for (int64_t s = 0; s < n_segments; s++) {
        const HnAttentionSegment *segment = &segments[s];
        for (int64_t line = 0; line < (int64_t)segment->n_rows * attention->n_heads; line++) {
            const int64_t row = line / attention->n_heads, head = line % attention->n_heads;
            float *result = out + (segment->first_row + row) * ldo + head * dim;
            float most = -FLT_MAX, sum = 0.0f;
            memset(result, 0, (size_t)dim * sizeof *result);
            for (int32_t page = 0; page * HN_KV_PAGE < segment->n_keys; page++) {
                const HnAttentionSpan seen = hn_attention_span(attention, segment, segment->position0 + row, page);
                const int64_t at =
                    (segment->pages[page] * (int64_t)attention->n_kv_heads + head / group) * dim * HN_KV_PAGE;
                if (seen.first < seen.end) {
                    page_add(attention, pages->keys + at, pages->values + at, seen,
                             q + (segment->first_row + row) * ldq + head * dim, &most, &sum, result);
                }
            }
            for (int64_t d = 0; d < dim; d++) {
                result[d] = sum > 0.0f ? result[d] / sum : 0.0f;
            }
        }
    }
}
