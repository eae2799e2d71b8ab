/* One layer of NGCF (Wang et al., SIGIR 2019, eq. 7) on rows whose neighbours are summed up already, and its gradient.
 *
 *     e = the row itself, s = its neighbours' sum
 *     first = (s [+ e where with_self]) W1 + b1,   second = (s * e) W2 + b2        (* element by element)
 *     out = drop(leaky(first + second)),   or where `apart`  drop(leaky(first) + leaky(second))
 *
 * leaky(x) = x > 0 ? x : slope x;  drop = kept_scale where kept, 0 elsewhere. Twins _ref and _cpu give the same bits on
 * every path: products are chains (`dense`), the rest is element-wise. A row depends on itself alone. On the calling
 * thread, nothing allocated.
 */
#ifndef HN_KERNEL_INTERACT_H
#define HN_KERNEL_INTERACT_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What is remembered of an element of a layer's output. */
enum { HN_INTERACT_FIRST = 1, HN_INTERACT_SECOND = 2, HN_INTERACT_KEPT = 4 };
enum { HN_INTERACT_ROWS = 48 }; /* rows that go through the cache at a time */

typedef struct HnInteract {
    int dim;
    bool with_self, apart;
    float slope, kept_scale;
    const float *w1, *w2;   /* [dim][dim], in x out */
    const float *w1t, *w2t; /* [dim][dim] their transposes: for the gradient */
    const float *b1, *b2;   /* [dim], or both NULL */
} HnInteract;

/* Gradients of the weights, which are added to: [dim][dim] twice, [dim] twice (or NULL, without biases). */
typedef struct HnInteractSums {
    float *w1, *w2, *b1, *b2;
} HnInteractSums;

/* Floats that a call needs. */
static inline uint64_t hn_interact_scratch(int dim) {
    return 5 * (uint64_t)HN_INTERACT_ROWS * (uint64_t)dim;
}

/* e, s, out [n_rows][dim]; marks [n_rows][dim]: HN_INTERACT_KEPT or 0 before, with the signs of the activations' inputs
 * after (FIRST and SECOND where positive; FIRST alone unless apart). */
void hn_interact_forward_ref(const HnInteract *layer, uint64_t n_rows, const float *e, const float *s, uint8_t *marks,
                             float *out, float *scratch);
void hn_interact_forward_cpu(const HnInteract *layer, uint64_t n_rows, const float *e, const float *s, uint8_t *marks,
                             float *out, float *scratch);
/* d [n_rows][dim]: the gradient of out before, that of s after; direct [n_rows][dim]: the gradient of e by other ways
 * than s. sums NULL: without those of the weights, which are chains over these rows in order. */
void hn_interact_backward_ref(const HnInteract *layer, uint64_t n_rows, const float *e, const float *s,
                              const uint8_t *marks, float *d, float *direct, const HnInteractSums *sums,
                              float *scratch);
void hn_interact_backward_cpu(const HnInteract *layer, uint64_t n_rows, const float *e, const float *s,
                              const uint8_t *marks, float *d, float *direct, const HnInteractSums *sums,
                              float *scratch);

#ifdef __cplusplus
}
#endif
#endif
