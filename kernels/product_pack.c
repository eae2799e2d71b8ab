/* Operands into strips. Sources are read line by line as they lie in memory: turned 4 x 4 in registers where a strip's
 * rows lie along k, spread over all strips where they lie across it. */
#include "cpu_target.h"
#include "product_private.h"

enum { RUN = 16 }; /* values of l of one piece, where rows lie across */

int64_t hn_product_pack_pieces(const HnProductStrips *strips, int64_t k) {
    return strips->across ? (k + RUN - 1) / RUN : (strips->count + strips->width - 1) / strips->width;
}

/* Element by element: the last, narrower strip, and processors without the code below. */
static void pack_plain(const float *x, int64_t row_step, int64_t k_step, int64_t n_rows, int width, int64_t l_begin,
                       int64_t l_end, float *out) {
    for (int64_t l = l_begin; l < l_end; l++) {
        for (int i = 0; i < width; i++) {
            out[l * width + i] = i < n_rows ? x[i * row_step + l * k_step] : 0.0f;
        }
    }
}

static void pack_strip(const HnProductStrips *strips, int64_t k, int64_t strip) {
    const int width = strips->width;
    const int64_t ld = strips->ld, first = strip * width, left = strips->count - first;
    const float *x = strips->x + first * ld;
    float *out = strips->out + strip * strips->stride;
    int64_t l = 0;
#if HN_X86
    for (; left >= width && l + 4 <= k; l += 4) {
        for (int i = 0; i < width; i += 4) {
            __m128 row0 = _mm_loadu_ps(x + i * ld + l), row1 = _mm_loadu_ps(x + (i + 1) * ld + l);
            __m128 row2 = _mm_loadu_ps(x + (i + 2) * ld + l), row3 = _mm_loadu_ps(x + (i + 3) * ld + l);
            _MM_TRANSPOSE4_PS(row0, row1, row2, row3);
            _mm_storeu_ps(out + l * width + i, row0);
            _mm_storeu_ps(out + (l + 1) * width + i, row1);
            _mm_storeu_ps(out + (l + 2) * width + i, row2);
            _mm_storeu_ps(out + (l + 3) * width + i, row3);
        }
    }
#endif
    pack_plain(x, ld, 1, left, width, l, k, out);
}

static void pack_run(const HnProductStrips *strips, int64_t l_begin, int64_t l_end) {
    const int width = strips->width;
    const int64_t whole = strips->count / width;
    for (int64_t l = l_begin; l < l_end; l++) {
        const float *x = strips->x + l * strips->ld;
        for (int64_t strip = 0; strip < whole; strip++) {
            float *out = strips->out + strip * strips->stride + l * width;
            for (int i = 0; i < width; i += 4) {
#if HN_X86
                _mm_storeu_ps(out + i, _mm_loadu_ps(x + i));
#else
                for (int j = i; j < i + 4; j++) {
                    out[j] = x[j];
                }
#endif
            }
            x += width;
        }
    }
    if (whole * width < strips->count) {
        pack_plain(strips->x + whole * width, 1, strips->ld, strips->count - whole * width, width, l_begin, l_end,
                   strips->out + whole * strips->stride);
    }
}

void hn_product_pack(const HnProductStrips *strips, int64_t k, int64_t piece) {
    if (strips->across) {
        pack_run(strips, piece * RUN, (piece + 1) * RUN < k ? (piece + 1) * RUN : k);
    } else {
        pack_strip(strips, k, piece);
    }
}
