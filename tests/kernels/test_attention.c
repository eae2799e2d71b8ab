#include "attention.h"

#include <math.h>
#include <omp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

enum { MOST_PAGES = 16 };

/* One sequence of n tokens in pages of a pool, all other slots full of NaN. */
typedef struct World {
    HnAttention shape;
    HnKvPages pages;
    int32_t numbers[MOST_PAGES];
    int n;
    float *q, *k, *v; /* [n][heads * dim] */
} World;

static int64_t q_width(const World *w) {
    return (int64_t)w->shape.n_heads * w->shape.head_dim;
}

static int64_t kv_width(const World *w) {
    return (int64_t)w->shape.n_kv_heads * w->shape.head_dim;
}

static HnAttentionSegment segment_of(const World *w, int position0, int n_rows, int64_t first_row) {
    return (HnAttentionSegment){first_row, n_rows, position0, w->shape.causal ? position0 + n_rows : w->n, w->numbers};
}

static World world_make(HnAttention shape, int n, int moved) {
    World w = {.shape = shape, .n = n};
    const size_t n_cells = (size_t)(MOST_PAGES * HN_KV_PAGE * kv_width(&w));
    w.pages = (HnKvPages){check_block(n_cells, sizeof(float)), check_block(n_cells, sizeof(float))};
    memset(w.pages.keys, 0xFF, n_cells * sizeof(float));
    memset(w.pages.values, 0xFF, n_cells * sizeof(float));
    for (int i = 0; i < MOST_PAGES; i++) {
        w.numbers[i] = (i * 7 + moved) % MOST_PAGES;
    }
    w.q = check_block((size_t)(n * q_width(&w)), sizeof(float));
    w.k = check_block((size_t)(n * kv_width(&w)), sizeof(float));
    w.v = check_block((size_t)(n * kv_width(&w)), sizeof(float));
    check_fill_plain(w.q, (size_t)(n * q_width(&w)), 1);
    check_fill_plain(w.k, (size_t)(n * kv_width(&w)), 2);
    check_fill_plain(w.v, (size_t)(n * kv_width(&w)), 3);
    for (int64_t i = 0; i < n * q_width(&w); i++) {
        w.q[i] *= 4.0f; /* so that attention is far from even */
    }
    const HnAttentionSegment all = {0, n, 0, n, w.numbers};
    hn_kv_store(&w.shape, &w.pages, &all, 1, w.k, w.v, kv_width(&w));
    return w;
}

static void world_free(World *w) {
    free(w->pages.keys), free(w->pages.values), free(w->q), free(w->k), free(w->v);
}

static const HnAttention shapes[] = {
    {14, 2, 64, 0.125f, 0, true}, {4, 4, 8, 0.35f, 0, true},   {6, 3, 20, 0.2f, 5, true},   {3, 1, 17, 0.25f, 33, true},
    {2, 1, 96, 0.1f, 64, true},   {2, 2, 32, 0.17f, 0, false}, {8, 1, 128, 0.09f, 0, true}, {1, 1, 300, 0.06f, 0, true},
};
enum { N_SHAPES = sizeof shapes / sizeof shapes[0] };

static void test_equals_ref(void **state) {
    (void)state;
    const int lengths[] = {1, 2, 31, 32, 33, 65, 200};
    for (int s = 0; s < N_SHAPES; s++) {
        for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++) {
            World w = world_make(shapes[s], lengths[l], 3);
            const size_t n = (size_t)(w.n * q_width(&w));
            float *expected = check_block(n, sizeof *expected), *actual = check_block(n, sizeof *actual);
            const HnAttentionSegment all = segment_of(&w, 0, w.n, 0);
            hn_attention_ref(&w.shape, &w.pages, &all, 1, w.q, q_width(&w), expected, q_width(&w));
            hn_attention_cpu(&w.shape, &w.pages, &all, 1, w.q, q_width(&w), actual, q_width(&w));
            check_same_floats(expected, actual, n, "attention");
            free(expected), free(actual);
            world_free(&w);
        }
    }
}

/* The definition, in double and without pages. */
static void test_against_the_formula(void **state) {
    (void)state;
    for (int s = 0; s < N_SHAPES; s++) {
        World w = world_make(shapes[s], 75, 0);
        const HnAttention *a = &w.shape;
        float *out = check_block((size_t)(w.n * q_width(&w)), sizeof *out);
        const HnAttentionSegment all = segment_of(&w, 0, w.n, 0);
        hn_attention_cpu(a, &w.pages, &all, 1, w.q, q_width(&w), out, q_width(&w));
        for (int p = 0; p < w.n; p += 7) {
            for (int h = 0; h < a->n_heads; h++) {
                double weight[75], total = 0.0, most = -1e30;
                const int kv = h / (a->n_heads / a->n_kv_heads);
                const int first = a->causal && a->window > 0 && p + 1 > a->window ? p + 1 - a->window : 0;
                const int end = a->causal ? p + 1 : w.n;
                for (int pass = 0; pass < 2; pass++) {
                    for (int j = first; j < end; j++) {
                        double dot = 0.0;
                        for (int d = 0; d < a->head_dim; d++) {
                            dot += (double)w.q[p * q_width(&w) + h * a->head_dim + d] *
                                   (double)w.k[j * kv_width(&w) + kv * a->head_dim + d];
                        }
                        dot *= (double)a->scale;
                        most = dot > most ? dot : most;
                        weight[j] = exp(dot - most);
                        total += pass == 1 ? weight[j] : 0.0;
                    }
                }
                for (int d = 0; d < a->head_dim; d++) {
                    double sum = 0.0;
                    for (int j = first; j < end; j++) {
                        sum += weight[j] * (double)w.v[j * kv_width(&w) + kv * a->head_dim + d];
                    }
                    const double got = (double)out[p * q_width(&w) + h * a->head_dim + d];
                    assert_true(fabs(got - sum / total) < 3e-6);
                }
            }
        }
        free(out);
        world_free(&w);
    }
}

/* The promise: a row's bits do not depend on how many come at once, on page numbers, on other segments, on threads. */
static void test_alone_and_together(void **state) {
    (void)state;
    const int before = omp_get_max_threads();
    for (int s = 0; s < N_SHAPES; s++) {
        World w = world_make(shapes[s], 150, 0), moved = world_make(shapes[s], 150, 5);
        const int64_t width = q_width(&w);
        float *together = check_block((size_t)(150 * width), sizeof *together);
        float *again = check_block((size_t)(150 * width), sizeof *again);
        HnAttentionSegment pieces[] = {segment_of(&w, 0, 1, 0), segment_of(&w, 1, 40, 1), segment_of(&w, 41, 0, 41),
                                       segment_of(&w, 41, 109, 41)};
        omp_set_num_threads(1);
        const HnAttentionSegment all = segment_of(&w, 0, 150, 0);
        hn_attention_cpu(&w.shape, &w.pages, &all, 1, w.q, width, together, width);
        for (int threads = 1; threads <= 20; threads += 3) {
            omp_set_num_threads(threads);
            hn_attention_cpu(&w.shape, &w.pages, pieces, 4, w.q, width, again, width);
            check_same_floats(together, again, (size_t)(150 * width), "in pieces");
        }
        const HnAttentionSegment there = segment_of(&moved, 0, 150, 0);
        hn_attention_cpu(&moved.shape, &moved.pages, &there, 1, moved.q, width, again, width);
        check_same_floats(together, again, (size_t)(150 * width), "in other pages");
        for (int p = 0; p < 150; p += 29) {
            const HnAttentionSegment one = segment_of(&w, p, 1, 0);
            hn_attention_cpu(&w.shape, &w.pages, &one, 1, w.q + p * width, width, again, width);
            check_same_floats(together + p * width, again, (size_t)width, "one row");
        }
        free(together), free(again);
        world_free(&w);
        world_free(&moved);
    }
    omp_set_num_threads(before);
}

/* A key far above the rest takes all; equal keys share evenly. */
static void test_known_answers(void **state) {
    (void)state;
    const HnAttention shape = {1, 1, 2, 1.0f, 0, true};
    float keys[2 * HN_KV_PAGE] = {0}, values[2 * HN_KV_PAGE] = {0}, out[2];
    const HnKvPages pages = {keys, values};
    const int32_t page = 0;
    const float k[] = {0, 0, 0, 0, 100, 0}, v[] = {1, 2, 3, 6, 7, 8}, even[] = {0, 0}, sharp[] = {1, 0};
    const HnAttentionSegment two = {0, 2, 0, 2, &page}, third = {0, 1, 2, 3, &page}, second = {0, 1, 1, 2, &page};
    hn_kv_store(&shape, &pages, &two, 1, k, v, 2);
    hn_kv_store(&shape, &pages, &third, 1, k + 4, v + 4, 2);
    hn_attention_cpu(&shape, &pages, &second, 1, even, 2, out, 2);
    assert_true(out[0] == 2.0f && out[1] == 4.0f);
    hn_attention_cpu(&shape, &pages, &third, 1, sharp, 2, out, 2);
    assert_true(fabsf(out[0] - 7.0f) < 1e-6f && fabsf(out[1] - 8.0f) < 1e-6f);
    hn_attention_cpu(&shape, &pages, NULL, 0, NULL, 2, NULL, 2); /* nothing to do */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equals_ref),
        cmocka_unit_test(test_against_the_formula),
        cmocka_unit_test(test_alone_and_together),
        cmocka_unit_test(test_known_answers),
    };
    return CHECK_ON_EVERY_PATH(tests);
}
