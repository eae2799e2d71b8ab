#include <math.h>
#include <stddef.h>

#include "interact.h"

static float bias_of(const float *bias, size_t c) {
    return bias != NULL ? bias[c] : 0.0f;
}

/* c + x W, column j, one chain over the row */
static float chain(const HnInteract *layer, float c, const float *x, const float *w, size_t j) {
    const size_t dim = (size_t)layer->dim;
    for (size_t l = 0; l < dim; l++) {
        c = fmaf(x[l], w[l * dim + j], c);
    }
    return c;
}

static void inputs(const HnInteract *layer, const float *e, const float *s, float *x1, float *x2) {
    for (size_t c = 0; c < (size_t)layer->dim; c++) {
        x1[c] = layer->with_self ? s[c] + e[c] : s[c];
        x2[c] = s[c] * e[c];
    }
}

void hn_interact_forward_ref(const HnInteract *layer, uint64_t n_rows, const float *e, const float *s, uint8_t *marks,
                             float *out, float *scratch) {
    const size_t dim = (size_t)layer->dim;
    float *x1 = scratch, *x2 = scratch + dim;
    for (size_t r = 0; r < n_rows; r++) {
        inputs(layer, e + r * dim, s + r * dim, x1, x2);
        for (size_t c = 0; c < dim; c++) {
            uint8_t *mark = marks + r * dim + c;
            const float scale = (*mark & HN_INTERACT_KEPT) != 0 ? layer->kept_scale : 0.0f;
            const float b1 = bias_of(layer->b1, c), b2 = bias_of(layer->b2, c);
            float first = chain(layer, layer->apart ? b1 : b1 + b2, x1, layer->w1, c), value;
            if (layer->apart) {
                const float second = chain(layer, b2, x2, layer->w2, c);
                *mark |= second > 0.0f ? HN_INTERACT_SECOND : 0;
                value =
                    (first > 0.0f ? first : layer->slope * first) + (second > 0.0f ? second : layer->slope * second);
            } else {
                first = chain(layer, first, x2, layer->w2, c);
                value = first > 0.0f ? first : layer->slope * first;
            }
            *mark |= first > 0.0f ? HN_INTERACT_FIRST : 0;
            out[r * dim + c] = scale * value;
        }
    }
}

/* Of an element's output to that of an activation's input. */
static float factor(const HnInteract *layer, uint8_t mark, uint8_t positive) {
    const float bend = (mark & positive) != 0 ? 1.0f : layer->slope;
    return (mark & HN_INTERACT_KEPT) != 0 ? layer->kept_scale * bend : 0.0f;
}

static void add_sums(size_t dim, const float *x, const float *delta, float *w, float *b) {
    for (size_t i = 0; i < dim; i++) {
        for (size_t j = 0; j < dim; j++) {
            w[i * dim + j] = fmaf(x[i], delta[j], w[i * dim + j]);
        }
    }
    for (size_t j = 0; b != NULL && j < dim; j++) {
        b[j] += delta[j];
    }
}

void hn_interact_backward_ref(const HnInteract *layer, uint64_t n_rows, const float *e, const float *s,
                              const uint8_t *marks, float *d, float *direct, const HnInteractSums *sums,
                              float *scratch) {
    const size_t dim = (size_t)layer->dim;
    float *x1 = scratch, *x2 = x1 + dim, *delta1 = x2 + dim, *delta2 = delta1 + dim;
    const uint8_t of_second = layer->apart ? HN_INTERACT_SECOND : HN_INTERACT_FIRST;
    for (size_t r = 0; r < n_rows; r++) {
        const size_t at = r * dim;
        inputs(layer, e + at, s + at, x1, x2);
        for (size_t c = 0; c < dim; c++) {
            delta1[c] = d[at + c] * factor(layer, marks[at + c], HN_INTERACT_FIRST);
            delta2[c] = d[at + c] * factor(layer, marks[at + c], of_second);
        }
        if (sums != NULL) {
            add_sums(dim, x1, delta1, sums->w1, sums->b1);
            add_sums(dim, x2, delta2, sums->w2, sums->b2);
        }
        for (size_t c = 0; c < dim; c++) {
            const float t1 = chain(layer, 0.0f, delta1, layer->w1t, c), t2 = chain(layer, 0.0f, delta2, layer->w2t, c);
            direct[at + c] = layer->with_self ? fmaf(t2, s[at + c], t1) : t2 * s[at + c];
            d[at + c] = fmaf(t2, e[at + c], t1);
        }
    }
}
