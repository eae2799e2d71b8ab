/* Floors are measured with loops that do the least a machine must do for the job: no row ends, no output. */
#include <omp.h>
#include <string.h>

#include "base/alloc.h"
#include "bench.h"
#include "gemm.h"

enum { STREAM_FLOATS = 1 << 26, GATHER_AHEAD = 12, ROW = 64 };

typedef struct Floor {
    const HnCsr *graph;
    bool trans_a, trans_b;
    int64_t m, n, k;
    float *x, *y, *z;
    float sink;
} Floor;

static void stream_once(void *context) {
    Floor *f = context;
#pragma omp parallel for simd schedule(static)
    for (int64_t i = 0; i < STREAM_FLOATS; i++) {
        f->x[i] += 1.0f;
    }
}

double bench_stream_gbs(void) {
    Floor f = {.x = hn_alloc(STREAM_FLOATS, sizeof(float), "stream", NULL)};
    if (f.x == NULL) {
        return 0.0;
    }
    const double seconds = bench_time(stream_once, &f, 5, 0.5).best;
    hn_free(f.x);
    return 2.0 * STREAM_FLOATS * sizeof(float) / seconds * 1e-9;
}

/* Rows of 64 floats, added up in registers. */
#if defined(__GNUC__) && defined(__x86_64__)
__attribute__((target_clones("avx512f", "avx2", "default")))
#endif
static float
gather_range(const int32_t *columns, const float *x, uint64_t n) {
    float total[ROW] = {0};
    for (uint64_t e = 0; e < n; e++) {
        const float *row = x + (size_t)columns[e] * ROW;
        const float *coming = x + (size_t)columns[e + GATHER_AHEAD < n ? e + GATHER_AHEAD : e] * ROW;
        for (int line = 0; line < ROW; line += 16) {
            __builtin_prefetch(coming + line);
        }
        for (int i = 0; i < ROW; i++) {
            total[i] += row[i];
        }
    }
    float sum = 0.0f;
    for (int i = 0; i < ROW; i++) {
        sum += total[i];
    }
    return sum;
}

static void gather_once(void *context) {
    Floor *f = context;
    const uint64_t n = f->graph->offsets[f->graph->n_rows];
    float sink = 0.0f;
#pragma omp parallel reduction(+ : sink)
    {
        const uint64_t me = (uint64_t)omp_get_thread_num(), all = (uint64_t)omp_get_num_threads();
        const uint64_t first = n * me / all, last = n * (me + 1) / all;
        sink += gather_range(f->graph->columns + first, f->x, last - first);
    }
    f->sink += sink;
}

double bench_gather_gbs(const HnCsr *graph) {
    Floor f = {.graph = graph, .x = bench_floats(graph->n_cols * ROW, NULL)};
    if (f.x == NULL) {
        return 0.0;
    }
    const double seconds = bench_time(gather_once, &f, 20, 0.5).best;
    hn_free(f.x);
    return (double)graph->offsets[graph->n_rows] * ROW * sizeof(float) / seconds * 1e-9;
}

static void product_once(void *context) {
    Floor *f = context;
    (void)hn_gemm(f->trans_a, f->trans_b, f->m, f->n, f->k, 1.0f, f->x, f->trans_a ? f->m : f->k, f->y,
                  f->trans_b ? f->k : f->n, 0.0f, f->z, f->n, NULL);
}

double bench_product_gflops(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k) {
    Floor f = {.trans_a = trans_a,
               .trans_b = trans_b,
               .m = m,
               .n = n,
               .k = k,
               .x = bench_floats((uint64_t)(m * k), NULL),
               .y = bench_floats((uint64_t)(n * k), NULL),
               .z = bench_floats((uint64_t)(m * n), NULL)};
    double gflops = 0.0;
    if (f.x != NULL && f.y != NULL && f.z != NULL) {
        gflops = 2e-9 * (double)m * (double)n * (double)k / bench_time(product_once, &f, 7, 0.5).best;
    }
    hn_free(f.x);
    hn_free(f.y);
    hn_free(f.z);
    return gflops;
}
