/* A tile is RUN keys by one strip of queries: its weights, the strip and the strip's sums stay in the first caches. */
#include "contrast.h"

#include <omp.h>
#include <stddef.h>
#include <string.h>

#include "exp.h"
#include "fixed.h"
#include "product_near.h"

enum { STRIP = HN_CONTRAST_STRIP, RUN = 72 }; /* 8 KB and 9 KB for 64 columns */

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

void hn_contrast_pack(const float *rows, uint64_t n, int width, float *packed) {
    const size_t w = (size_t)width;
    const int64_t n_strips = (int64_t)((n + STRIP - 1) / STRIP);
#pragma omp parallel for schedule(static)
    for (int64_t s = 0; s < n_strips; s++) {
        const uint64_t first = (uint64_t)s * STRIP, count = least(STRIP, n - first);
        float *out = packed + first * w;
        for (size_t c = 0; c < w; c++) {
            for (uint64_t q = 0; q < STRIP; q++) {
                out[c * STRIP + q] = q < count ? rows[(first + q) * w + c] : 0.0f;
            }
        }
    }
}

/* |p_q| <= s_q <= n_keys, and a little for rounding. */
int hn_contrast_shift(uint64_t n_keys) {
    int bits = 0;
    while (bits < 60 && n_keys >> bits != 0) {
        bits++;
    }
    return 61 - bits;
}

uint64_t hn_contrast_scratch(int width) {
    return (uint64_t)omp_get_max_threads() * STRIP * (uint64_t)(width + 16);
}

/* e [n][STRIP], for the keys from `keys` on and one strip. */
static void weights(const HnQueries *queries, uint64_t strip, const float *keys, uint64_t n, float *e) {
    const int64_t width = queries->width;
    hn_product_near_cpu(&(HnNear){.a = keys,
                                  .a_row = width,
                                  .a_step = 1,
                                  .b = queries->packed + strip * STRIP * (uint64_t)width,
                                  .ldb = STRIP,
                                  .m = (int64_t)n,
                                  .n = STRIP,
                                  .k = width,
                                  .c = e,
                                  .ldc = STRIP});
    hn_exp_cpu(e, n * STRIP, 1.0f / queries->tau, -1.0f / queries->tau);
}

/* sums [STRIP] and pulls [STRIP][width] of one block's keys. */
static void block_pull(const HnQueries *queries, uint64_t strip, const float *keys, uint64_t n, float *sums,
                       float *pulls) {
    static const float one = 1.0f;
    float e[RUN * STRIP];
    const int64_t width = queries->width;
    for (uint64_t first = 0; first < n; first += RUN) {
        const int64_t count = (int64_t)least(RUN, n - first);
        const float *run = keys + first * (uint64_t)width;
        weights(queries, strip, run, (uint64_t)count, e);
        hn_product_near_cpu(&(HnNear){.a = &one, /* over and over */
                                      .b = e,
                                      .ldb = STRIP,
                                      .m = 1,
                                      .n = STRIP,
                                      .k = count,
                                      .c = sums,
                                      .ldc = STRIP,
                                      .from_c = first > 0});
        hn_product_near_cpu(&(HnNear){.a = e,
                                      .a_row = 1,
                                      .a_step = STRIP,
                                      .b = run,
                                      .ldb = width,
                                      .m = STRIP,
                                      .n = width,
                                      .k = count,
                                      .c = pulls,
                                      .ldc = width,
                                      .from_c = first > 0});
    }
}

void hn_contrast_pull_cpu(const HnQueries *queries, const float *keys, const uint64_t *begin, uint64_t n_blocks,
                          int shift, int64_t *totals, float *scratch) {
    const uint64_t width = (uint64_t)queries->width;
    const int64_t n_strips = (int64_t)((queries->n + STRIP - 1) / STRIP);
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t s = 0; s < n_strips; s++) {
        float *sums = scratch + (uint64_t)omp_get_thread_num() * STRIP * (width + 16), *pulls = sums + STRIP;
        const uint64_t first = (uint64_t)s * STRIP, count = least(STRIP, queries->n - first);
        for (uint64_t b = 0; b < n_blocks; b++) {
            if (begin[b] == begin[b + 1]) {
                continue;
            }
            block_pull(queries, (uint64_t)s, keys + begin[b] * width, begin[b + 1] - begin[b], sums, pulls);
            for (uint64_t q = 0; q < count; q++) {
                int64_t *total = totals + (first + q) * (width + 1);
                hn_fixed_add_cpu(pulls + q * width, shift, total, width);
                hn_fixed_add_cpu(sums + q, shift, total + width, 1);
            }
        }
    }
}

void hn_contrast_push_cpu(const HnQueries *queries, const float *y, const float *keys, uint64_t n_keys, float *g) {
    const int64_t width = queries->width, n_runs = (int64_t)((n_keys + RUN - 1) / RUN);
    const uint64_t n_strips = (queries->n + STRIP - 1) / STRIP;
    if (n_strips == 0) {
        memset(g, 0, n_keys * (uint64_t)width * sizeof *g);
        return;
    }
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t r = 0; r < n_runs; r++) {
        float e[RUN * STRIP];
        const uint64_t first = (uint64_t)r * RUN, count = least(RUN, n_keys - first);
        for (uint64_t s = 0; s < n_strips; s++) {
            weights(queries, s, keys + first * (uint64_t)width, count, e);
            hn_product_near_cpu(&(HnNear){.a = e,
                                          .a_row = STRIP,
                                          .a_step = 1,
                                          .b = y + s * STRIP * (uint64_t)width,
                                          .ldb = width,
                                          .m = (int64_t)count,
                                          .n = width,
                                          .k = (int64_t)least(STRIP, queries->n - s * STRIP),
                                          .c = g + first * (uint64_t)width,
                                          .ldc = width,
                                          .from_c = s > 0});
        }
    }
}
