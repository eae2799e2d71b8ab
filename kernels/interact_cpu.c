/* A block of rows at a time, so that what is between two products stays in the nearest caches. The element-wise parts
 * are loops that the compiler turns into vectors of each path; contraction is off, so their bits are the plain ones. */
#include "interact.h"

#include <math.h>
#include <string.h>

#include "cpu.h"
#include "cpu_target.h"
#include "dense.h"

/* The element-wise parts of one path, over n elements that lie one after the other. */
typedef struct Parts {
    void (*add)(uint64_t n, const float *a, const float *b, float *out);
    /* x1 = s + e where with_self;  x2 = s e */
    void (*inputs)(uint64_t n, bool with_self, const float *s, const float *e, float *x1, float *x2);
    /* marks |= bit where x > 0;  x = leaky(x) */
    void (*bend)(uint64_t n, float slope, float *x, uint8_t *marks, uint8_t bit);
    void (*drop)(uint64_t n, float scale, const uint8_t *marks, float *x);
    void (*unbend)(uint64_t n, const float *factors, const float *d, const uint8_t *marks, uint8_t bit, float *delta);
    /* d = t1 + t2 e;  direct = [t1 +] t2 s */
    void (*spread)(uint64_t n, bool with_self, const float *t1, const float *t2, const float *e, const float *s,
                   float *d, float *direct);
} Parts;

HN_INLINE void add_body(uint64_t n, const float *a, const float *b, float *out) {
    for (uint64_t i = 0; i < n; i++) {
        out[i] = a[i] + b[i];
    }
}

HN_INLINE void inputs_body(uint64_t n, bool with_self, const float *s, const float *e, float *x1, float *x2) {
    for (uint64_t i = 0; with_self && i < n; i++) {
        x1[i] = s[i] + e[i];
        x2[i] = s[i] * e[i];
    }
    for (uint64_t i = 0; !with_self && i < n; i++) {
        x2[i] = s[i] * e[i];
    }
}

HN_INLINE void bend_body(uint64_t n, float slope, float *x, uint8_t *marks, uint8_t bit) {
    for (uint64_t i = 0; i < n; i++) {
        const float value = x[i], bent = slope * value;
        marks[i] = (uint8_t)(marks[i] | (value > 0.0f ? bit : 0));
        x[i] = value > 0.0f ? value : bent;
    }
}

HN_INLINE void drop_body(uint64_t n, float scale, const uint8_t *marks, float *x) {
    for (uint64_t i = 0; i < n; i++) {
        x[i] = ((marks[i] & HN_INTERACT_KEPT) != 0 ? scale : 0.0f) * x[i];
    }
}

/* factors: of a kept element where the bit is off, where it is on */
HN_INLINE void unbend_body(uint64_t n, const float *factors, const float *d, const uint8_t *marks, uint8_t bit,
                           float *delta) {
    const float off = factors[0], on = factors[1];
    for (uint64_t i = 0; i < n; i++) {
        const float kept = (marks[i] & bit) != 0 ? on : off;
        delta[i] = d[i] * ((marks[i] & HN_INTERACT_KEPT) != 0 ? kept : 0.0f);
    }
}

HN_INLINE void spread_body(uint64_t n, bool with_self, const float *t1, const float *t2, const float *e, const float *s,
                           float *d, float *direct) {
    for (uint64_t i = 0; i < n; i++) {
        d[i] = fmaf(t2[i], e[i], t1[i]);
    }
    for (uint64_t i = 0; with_self && i < n; i++) {
        direct[i] = fmaf(t2[i], s[i], t1[i]);
    }
    for (uint64_t i = 0; !with_self && i < n; i++) {
        direct[i] = t2[i] * s[i];
    }
}

#define PARTS_OF(path, TARGET)                                                                                     \
    TARGET static void add_##path(uint64_t n, const float *a, const float *b, float *out) {                        \
        add_body(n, a, b, out);                                                                                    \
    }                                                                                                              \
    TARGET static void inputs_##path(uint64_t n, bool with_self, const float *s, const float *e, float *x1,        \
                                     float *x2) {                                                                  \
        inputs_body(n, with_self, s, e, x1, x2);                                                                   \
    }                                                                                                              \
    TARGET static void bend_##path(uint64_t n, float slope, float *x, uint8_t *marks, uint8_t bit) {               \
        bend_body(n, slope, x, marks, bit);                                                                        \
    }                                                                                                              \
    TARGET static void drop_##path(uint64_t n, float scale, const uint8_t *marks, float *x) {                      \
        drop_body(n, scale, marks, x);                                                                             \
    }                                                                                                              \
    TARGET static void unbend_##path(uint64_t n, const float *factors, const float *d, const uint8_t *marks,       \
                                     uint8_t bit, float *delta) {                                                  \
        unbend_body(n, factors, d, marks, bit, delta);                                                             \
    }                                                                                                              \
    TARGET static void spread_##path(uint64_t n, bool with_self, const float *t1, const float *t2, const float *e, \
                                     const float *s, float *d, float *direct) {                                    \
        spread_body(n, with_self, t1, t2, e, s, d, direct);                                                        \
    }                                                                                                              \
    static const Parts parts_##path = {add_##path,  inputs_##path, bend_##path,                                    \
                                       drop_##path, unbend_##path, spread_##path};

PARTS_OF(scalar, )
#if HN_X86
PARTS_OF(avx512, HN_AVX512)
PARTS_OF(avx2, HN_AVX2)
#endif

static const Parts *parts_choose(void) {
#if HN_X86
    if (hn_cpu_path() == HN_CPU_AVX512) {
        return &parts_avx512;
    }
    if (hn_cpu_path() == HN_CPU_AVX2) {
        return &parts_avx2;
    }
#endif
    return &parts_scalar;
}

static void product(const HnInteract *layer, uint64_t n_rows, const float *x, const float *w, bool accumulate,
                    float *out) {
    const int64_t dim = layer->dim;
    hn_dense_cpu((int64_t)n_rows, dim, dim, (HnDenseLeft){x, dim, 1}, w, dim, accumulate, out, dim);
}

/* rows = b1 [+ b2]; false where there is none */
static bool begin_with(const HnInteract *layer, uint64_t n_rows, const float *b1, const float *b2, float *rows) {
    const size_t dim = (size_t)layer->dim;
    for (size_t r = 0; b1 != NULL && r < n_rows; r++) {
        memcpy(rows + r * dim, b1, dim * sizeof *rows);
        for (size_t c = 0; b2 != NULL && c < dim; c++) {
            rows[r * dim + c] += b2[c];
        }
    }
    return b1 != NULL;
}

static void forward_block(const HnInteract *layer, const Parts *parts, uint64_t n_rows, const float *e, const float *s,
                          uint8_t *marks, float *out, float *scratch) {
    const uint64_t n = n_rows * (uint64_t)layer->dim, most = HN_INTERACT_ROWS * (uint64_t)layer->dim;
    float *x1 = scratch, *x2 = scratch + most, *second = scratch + 2 * most;
    parts->inputs(n, layer->with_self, s, e, x1, x2);
    const bool biased = begin_with(layer, n_rows, layer->b1, layer->apart ? NULL : layer->b2, out);
    product(layer, n_rows, layer->with_self ? x1 : s, layer->w1, biased, out);
    if (layer->apart) {
        product(layer, n_rows, x2, layer->w2, begin_with(layer, n_rows, layer->b2, NULL, second), second);
        parts->bend(n, layer->slope, second, marks, HN_INTERACT_SECOND);
    } else {
        product(layer, n_rows, x2, layer->w2, true, out);
    }
    parts->bend(n, layer->slope, out, marks, HN_INTERACT_FIRST);
    if (layer->apart) {
        parts->add(n, out, second, out);
    }
    parts->drop(n, layer->kept_scale, marks, out);
}

void hn_interact_forward_cpu(const HnInteract *layer, uint64_t n_rows, const float *e, const float *s, uint8_t *marks,
                             float *out, float *scratch) {
    const Parts *parts = parts_choose();
    for (uint64_t r = 0; r < n_rows; r += HN_INTERACT_ROWS) {
        const uint64_t at = r * (uint64_t)layer->dim;
        forward_block(layer, parts, n_rows - r < HN_INTERACT_ROWS ? n_rows - r : HN_INTERACT_ROWS, e + at, s + at,
                      marks + at, out + at, scratch);
    }
}

/* w += x^T delta;  b += the sum of delta's rows */
static void add_sums(const HnInteract *layer, const Parts *parts, uint64_t n_rows, const float *x, const float *delta,
                     float *w, float *b) {
    const int64_t dim = layer->dim;
    hn_dense_cpu(dim, dim, (int64_t)n_rows, (HnDenseLeft){x, 1, dim}, delta, dim, true, w, dim);
    for (uint64_t r = 0; b != NULL && r < n_rows; r++) {
        parts->add((uint64_t)dim, b, delta + r * (uint64_t)dim, b);
    }
}

static void backward_block(const HnInteract *layer, const Parts *parts, uint64_t n_rows, const float *e, const float *s,
                           const uint8_t *marks, float *d, float *direct, const HnInteractSums *sums, float *scratch) {
    const uint64_t n = n_rows * (uint64_t)layer->dim, most = HN_INTERACT_ROWS * (uint64_t)layer->dim;
    float *x1 = scratch, *delta1 = x1 + most, *delta2 = delta1, *t1 = delta1 + 2 * most, *t2 = t1 + most, *x2 = t2;
    const float factors[2] = {layer->kept_scale * layer->slope, layer->kept_scale};
    parts->unbend(n, factors, d, marks, HN_INTERACT_FIRST, delta1);
    if (layer->apart) {
        delta2 = delta1 + most;
        parts->unbend(n, factors, d, marks, HN_INTERACT_SECOND, delta2);
    }
    if (sums != NULL) {
        parts->inputs(n, layer->with_self, s, e, x1, x2);
        add_sums(layer, parts, n_rows, layer->with_self ? x1 : s, delta1, sums->w1, sums->b1);
        add_sums(layer, parts, n_rows, x2, delta2, sums->w2, sums->b2);
    }
    product(layer, n_rows, delta1, layer->w1t, false, t1);
    product(layer, n_rows, delta2, layer->w2t, false, t2);
    parts->spread(n, layer->with_self, t1, t2, e, s, d, direct);
}

void hn_interact_backward_cpu(const HnInteract *layer, uint64_t n_rows, const float *e, const float *s,
                              const uint8_t *marks, float *d, float *direct, const HnInteractSums *sums,
                              float *scratch) {
    const Parts *parts = parts_choose();
    for (uint64_t r = 0; r < n_rows; r += HN_INTERACT_ROWS) {
        const uint64_t at = r * (uint64_t)layer->dim;
        backward_block(layer, parts, n_rows - r < HN_INTERACT_ROWS ? n_rows - r : HN_INTERACT_ROWS, e + at, s + at,
                       marks + at, d + at, direct + at, sums, scratch);
    }
}
