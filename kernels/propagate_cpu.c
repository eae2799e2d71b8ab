/* A row's sum stays in registers over all its edges: strips of up to 128 columns, whose vector count is a constant in
 * each instance of the row loop. The rows that the next edges name are prefetched across row ends, since columns of
 * neighbouring rows lie side by side. Rows are dealt to threads in runs of about equal edge count. */
#include <omp.h>
#include <stdbool.h>
#include <stddef.h>

#include "cpu.h"
#include "cpu_target.h"
#include "propagate.h"

enum {
    AHEAD = 12,          /* edges between a prefetch and its use */
    ROW_COST = 4,        /* what a row costs beside its edges, in edges */
    CHUNKS_A_THREAD = 16 /* fine enough that the last chunk is short */
};

/* One strip of the columns of one run of rows. */
typedef struct Run {
    const HnCsr *graph;
    uint64_t first, last; /* rows first .. last-1 */
    int dim, from, width; /* columns from .. from+width-1 of dim */
} Run;

typedef void (*FloatRun)(const Run *run, const float *x, const float *row_scale, float *y, float *sum);
typedef void (*FixedRun)(const Run *run, const int32_t *x, int64_t *y);

/* The path's strip functions and the widest strip they take. */
typedef struct Paths {
    FloatRun float_run;
    FixedRun fixed_run;
    int float_strip, fixed_strip;
} Paths;

/* ---- any processor: the compiler's own vectors over strips of 16 ---- */

static void float_run_scalar(const Run *run, const float *x, const float *row_scale, float *y, float *sum) {
    const HnCsr *graph = run->graph;
    size_t dim = (size_t)run->dim, width = (size_t)run->width;
    for (uint64_t r = run->first; r < run->last; r++) {
        float total[16] = {0};
        for (uint64_t e = graph->offsets[r]; e < graph->offsets[r + 1]; e++) {
            const float *row = x + (size_t)graph->columns[e] * dim + run->from;
            for (size_t d = 0; d < width; d++) {
                total[d] += row[d];
            }
        }
        float scale = row_scale != NULL ? row_scale[r] : 1.0f;
        size_t at = (size_t)r * dim + (size_t)run->from;
        for (size_t d = 0; d < width; d++) {
            float value = scale * total[d];
            y[at + d] = value;
            if (sum != NULL) {
                sum[at + d] += value;
            }
        }
    }
}

static void fixed_run_scalar(const Run *run, const int32_t *x, int64_t *y) {
    const HnCsr *graph = run->graph;
    size_t dim = (size_t)run->dim, width = (size_t)run->width;
    for (uint64_t r = run->first; r < run->last; r++) {
        int64_t total[16] = {0};
        for (uint64_t e = graph->offsets[r]; e < graph->offsets[r + 1]; e++) {
            const int32_t *row = x + (size_t)graph->columns[e] * dim + run->from;
            for (size_t d = 0; d < width; d++) {
                total[d] += row[d];
            }
        }
        for (size_t d = 0; d < width; d++) {
            y[(size_t)r * dim + (size_t)run->from + d] = total[d];
        }
    }
}

#if HN_X86

/* ---- AVX-512: n_vectors of 16 floats, the last one masked ---- */

HN_INLINE HN_AVX512 void float_rows_avx512(const Run *run, const float *x, const float *row_scale, float *y, float *sum,
                                           const int n_vectors) {
    const uint64_t *offsets = run->graph->offsets;
    const int32_t *columns = run->graph->columns;
    const size_t dim = (size_t)run->dim;
    const __mmask16 tail = (__mmask16)(0xFFFFu >> (16 * n_vectors - run->width));
    const float *strip = x + run->from;
    const uint64_t n_edges = offsets[run->last];
    for (uint64_t r = run->first; r < run->last; r++) {
        __m512 total[8];
        for (int v = 0; v < n_vectors; v++) {
            total[v] = _mm512_setzero_ps();
        }
        const uint64_t row_end = offsets[r + 1];
        for (uint64_t e = offsets[r]; e < row_end; e++) {
            const float *row = strip + (size_t)columns[e] * dim;
            const float *coming = strip + (size_t)columns[e + AHEAD < n_edges ? e + AHEAD : e] * dim;
            for (int v = 0; v < n_vectors; v++) {
                HN_PREFETCH(coming + 16 * v);
            }
            for (int v = 0; v < n_vectors - 1; v++) {
                total[v] = _mm512_add_ps(total[v], _mm512_loadu_ps(row + 16 * v));
            }
            const int v = n_vectors - 1;
            total[v] = _mm512_add_ps(total[v], _mm512_maskz_loadu_ps(tail, row + 16 * v));
        }
        const __m512 scale = _mm512_set1_ps(row_scale != NULL ? row_scale[r] : 1.0f);
        const size_t at = (size_t)r * dim + (size_t)run->from;
        for (int v = 0; v < n_vectors; v++) {
            const __mmask16 keep = v == n_vectors - 1 ? tail : (__mmask16)0xFFFF;
            const __m512 value = _mm512_mul_ps(scale, total[v]);
            _mm512_mask_storeu_ps(y + at + 16 * v, keep, value);
            if (sum != NULL) {
                float *into = sum + at + 16 * v;
                _mm512_mask_storeu_ps(into, keep, _mm512_add_ps(_mm512_maskz_loadu_ps(keep, into), value));
            }
        }
    }
}

HN_AVX512 static void float_run_avx512(const Run *run, const float *x, const float *row_scale, float *y, float *sum) {
    switch ((run->width + 15) / 16) {
    case 1:
        float_rows_avx512(run, x, row_scale, y, sum, 1);
        return;
    case 2:
        float_rows_avx512(run, x, row_scale, y, sum, 2);
        return;
    case 3:
        float_rows_avx512(run, x, row_scale, y, sum, 3);
        return;
    case 4:
        float_rows_avx512(run, x, row_scale, y, sum, 4);
        return;
    case 5:
        float_rows_avx512(run, x, row_scale, y, sum, 5);
        return;
    case 6:
        float_rows_avx512(run, x, row_scale, y, sum, 6);
        return;
    case 7:
        float_rows_avx512(run, x, row_scale, y, sum, 7);
        return;
    default:
        float_rows_avx512(run, x, row_scale, y, sum, 8);
        return;
    }
}

/* Vectors of 8 integers, widened as they are loaded. */
HN_INLINE HN_AVX512 void fixed_rows_avx512(const Run *run, const int32_t *x, int64_t *y, const int n_vectors) {
    const uint64_t *offsets = run->graph->offsets;
    const int32_t *columns = run->graph->columns;
    const size_t dim = (size_t)run->dim;
    const __mmask8 tail = (__mmask8)(0xFFu >> (8 * n_vectors - run->width));
    const int32_t *strip = x + run->from;
    const uint64_t n_edges = offsets[run->last];
    for (uint64_t r = run->first; r < run->last; r++) {
        __m512i total[16];
        for (int v = 0; v < n_vectors; v++) {
            total[v] = _mm512_setzero_si512();
        }
        const uint64_t row_end = offsets[r + 1];
        for (uint64_t e = offsets[r]; e < row_end; e++) {
            const int32_t *row = strip + (size_t)columns[e] * dim;
            const int32_t *coming = strip + (size_t)columns[e + AHEAD < n_edges ? e + AHEAD : e] * dim;
            for (int v = 0; v < n_vectors; v += 2) {
                HN_PREFETCH(coming + 8 * v);
            }
            for (int v = 0; v < n_vectors - 1; v++) {
                const __m256i part = _mm256_loadu_si256((const __m256i *)(const void *)(row + 8 * v));
                total[v] = _mm512_add_epi64(total[v], _mm512_cvtepi32_epi64(part));
            }
            const int v = n_vectors - 1;
            total[v] = _mm512_add_epi64(total[v], _mm512_cvtepi32_epi64(_mm256_maskz_loadu_epi32(tail, row + 8 * v)));
        }
        const size_t at = (size_t)r * dim + (size_t)run->from;
        for (int v = 0; v < n_vectors; v++) {
            _mm512_mask_storeu_epi64(y + at + 8 * v, v == n_vectors - 1 ? tail : (__mmask8)0xFF, total[v]);
        }
    }
}

HN_AVX512 static void fixed_run_avx512(const Run *run, const int32_t *x, int64_t *y) {
    switch ((run->width + 7) / 8) {
    case 1:
        fixed_rows_avx512(run, x, y, 1);
        return;
    case 2:
        fixed_rows_avx512(run, x, y, 2);
        return;
    case 3:
        fixed_rows_avx512(run, x, y, 3);
        return;
    case 4:
        fixed_rows_avx512(run, x, y, 4);
        return;
    case 5:
        fixed_rows_avx512(run, x, y, 5);
        return;
    case 6:
        fixed_rows_avx512(run, x, y, 6);
        return;
    case 7:
        fixed_rows_avx512(run, x, y, 7);
        return;
    case 8:
        fixed_rows_avx512(run, x, y, 8);
        return;
    case 9:
        fixed_rows_avx512(run, x, y, 9);
        return;
    case 10:
        fixed_rows_avx512(run, x, y, 10);
        return;
    case 11:
        fixed_rows_avx512(run, x, y, 11);
        return;
    case 12:
        fixed_rows_avx512(run, x, y, 12);
        return;
    case 13:
        fixed_rows_avx512(run, x, y, 13);
        return;
    case 14:
        fixed_rows_avx512(run, x, y, 14);
        return;
    case 15:
        fixed_rows_avx512(run, x, y, 15);
        return;
    default:
        fixed_rows_avx512(run, x, y, 16);
        return;
    }
}

/* ---- AVX2: n_vectors of 8 floats, the last one masked ---- */

/* The first n of 8 lanes on. */
HN_INLINE HN_AVX2 __m256i lanes_avx2(int n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

HN_INLINE HN_AVX2 void float_rows_avx2(const Run *run, const float *x, const float *row_scale, float *y, float *sum,
                                       const int n_vectors) {
    const uint64_t *offsets = run->graph->offsets;
    const int32_t *columns = run->graph->columns;
    const size_t dim = (size_t)run->dim;
    const __m256i tail = lanes_avx2(run->width - 8 * (n_vectors - 1));
    const float *strip = x + run->from;
    const uint64_t n_edges = offsets[run->last];
    for (uint64_t r = run->first; r < run->last; r++) {
        __m256 total[8];
        for (int v = 0; v < n_vectors; v++) {
            total[v] = _mm256_setzero_ps();
        }
        const uint64_t row_end = offsets[r + 1];
        for (uint64_t e = offsets[r]; e < row_end; e++) {
            const float *row = strip + (size_t)columns[e] * dim;
            const float *coming = strip + (size_t)columns[e + AHEAD < n_edges ? e + AHEAD : e] * dim;
            for (int v = 0; v < n_vectors; v += 2) {
                HN_PREFETCH(coming + 8 * v);
            }
            for (int v = 0; v < n_vectors - 1; v++) {
                total[v] = _mm256_add_ps(total[v], _mm256_loadu_ps(row + 8 * v));
            }
            const int v = n_vectors - 1;
            total[v] = _mm256_add_ps(total[v], _mm256_maskload_ps(row + 8 * v, tail));
        }
        const __m256 scale = _mm256_set1_ps(row_scale != NULL ? row_scale[r] : 1.0f);
        const size_t at = (size_t)r * dim + (size_t)run->from;
        for (int v = 0; v < n_vectors; v++) {
            const __m256i keep = v == n_vectors - 1 ? tail : _mm256_set1_epi32(-1);
            const __m256 value = _mm256_mul_ps(scale, total[v]);
            _mm256_maskstore_ps(y + at + 8 * v, keep, value);
            if (sum != NULL) {
                float *into = sum + at + 8 * v;
                _mm256_maskstore_ps(into, keep, _mm256_add_ps(_mm256_maskload_ps(into, keep), value));
            }
        }
    }
}

HN_AVX2 static void float_run_avx2(const Run *run, const float *x, const float *row_scale, float *y, float *sum) {
    switch ((run->width + 7) / 8) {
    case 1:
        float_rows_avx2(run, x, row_scale, y, sum, 1);
        return;
    case 2:
        float_rows_avx2(run, x, row_scale, y, sum, 2);
        return;
    case 3:
        float_rows_avx2(run, x, row_scale, y, sum, 3);
        return;
    case 4:
        float_rows_avx2(run, x, row_scale, y, sum, 4);
        return;
    case 5:
        float_rows_avx2(run, x, row_scale, y, sum, 5);
        return;
    case 6:
        float_rows_avx2(run, x, row_scale, y, sum, 6);
        return;
    case 7:
        float_rows_avx2(run, x, row_scale, y, sum, 7);
        return;
    default:
        float_rows_avx2(run, x, row_scale, y, sum, 8);
        return;
    }
}

/* Vectors of 4 integers, widened as they are loaded. */
HN_INLINE HN_AVX2 void fixed_rows_avx2(const Run *run, const int32_t *x, int64_t *y, const int n_vectors) {
    const uint64_t *offsets = run->graph->offsets;
    const int32_t *columns = run->graph->columns;
    const size_t dim = (size_t)run->dim;
    const int n_tail = run->width - 4 * (n_vectors - 1);
    const __m128i tail = _mm_cmpgt_epi32(_mm_set1_epi32(n_tail), _mm_setr_epi32(0, 1, 2, 3));
    const int32_t *strip = x + run->from;
    const uint64_t n_edges = offsets[run->last];
    for (uint64_t r = run->first; r < run->last; r++) {
        __m256i total[8];
        for (int v = 0; v < n_vectors; v++) {
            total[v] = _mm256_setzero_si256();
        }
        const uint64_t row_end = offsets[r + 1];
        for (uint64_t e = offsets[r]; e < row_end; e++) {
            const int32_t *row = strip + (size_t)columns[e] * dim;
            const int32_t *coming = strip + (size_t)columns[e + AHEAD < n_edges ? e + AHEAD : e] * dim;
            for (int v = 0; v < n_vectors; v += 4) {
                HN_PREFETCH(coming + 4 * v);
            }
            for (int v = 0; v < n_vectors - 1; v++) {
                const __m128i part = _mm_loadu_si128((const __m128i *)(const void *)(row + 4 * v));
                total[v] = _mm256_add_epi64(total[v], _mm256_cvtepi32_epi64(part));
            }
            const int v = n_vectors - 1;
            total[v] = _mm256_add_epi64(total[v], _mm256_cvtepi32_epi64(_mm_maskload_epi32(row + 4 * v, tail)));
        }
        int64_t *into = y + (size_t)r * dim + (size_t)run->from;
        for (int v = 0; v < n_vectors; v++) {
            const __m256i keep = v == n_vectors - 1 ? _mm256_cvtepi32_epi64(tail) : _mm256_set1_epi64x(-1);
            _mm256_maskstore_epi64((long long *)(into + 4 * v), keep, total[v]);
        }
    }
}

HN_AVX2 static void fixed_run_avx2(const Run *run, const int32_t *x, int64_t *y) {
    switch ((run->width + 3) / 4) {
    case 1:
        fixed_rows_avx2(run, x, y, 1);
        return;
    case 2:
        fixed_rows_avx2(run, x, y, 2);
        return;
    case 3:
        fixed_rows_avx2(run, x, y, 3);
        return;
    case 4:
        fixed_rows_avx2(run, x, y, 4);
        return;
    case 5:
        fixed_rows_avx2(run, x, y, 5);
        return;
    case 6:
        fixed_rows_avx2(run, x, y, 6);
        return;
    case 7:
        fixed_rows_avx2(run, x, y, 7);
        return;
    default:
        fixed_rows_avx2(run, x, y, 8);
        return;
    }
}
#endif

static Paths paths_choose(void) {
#if HN_X86
    if (hn_cpu_path() == HN_CPU_AVX512) {
        return (Paths){float_run_avx512, fixed_run_avx512, 128, 128};
    }
    if (hn_cpu_path() == HN_CPU_AVX2) {
        return (Paths){float_run_avx2, fixed_run_avx2, 64, 32};
    }
#endif
    return (Paths){float_run_scalar, fixed_run_scalar, 16, 16};
}

/* The first row of chunk c of n: rows and edges before it cost c/n of the whole. */
static uint64_t chunk_start(const HnCsr *graph, uint64_t c, uint64_t n) {
    uint64_t total = graph->offsets[graph->n_rows] + ROW_COST * graph->n_rows;
    uint64_t goal = total / n * c + total % n * c / n;
    uint64_t low = 0, high = graph->n_rows;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (graph->offsets[middle] + ROW_COST * middle < goal) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Threads pay from about this many additions on. */
static bool worth_threads(const HnCsr *graph, int dim) {
    return (graph->offsets[graph->n_rows] + graph->n_rows) * (uint64_t)dim > 100000;
}

static uint64_t chunks_for(const HnCsr *graph, int dim) {
    return worth_threads(graph, dim) ? (uint64_t)omp_get_max_threads() * CHUNKS_A_THREAD : 1;
}

void hn_propagate_cpu(const HnCsr *graph, const float *x, const float *row_scale, float *y, float *sum, int dim) {
    const Paths paths = paths_choose();
    const int64_t n_chunks = (int64_t)chunks_for(graph, dim);
#pragma omp parallel for schedule(dynamic, 1) if (n_chunks > 1)
    for (int64_t c = 0; c < n_chunks; c++) {
        Run run = {graph,
                   chunk_start(graph, (uint64_t)c, (uint64_t)n_chunks),
                   chunk_start(graph, (uint64_t)c + 1, (uint64_t)n_chunks),
                   dim,
                   0,
                   0};
        if (c + 1 == n_chunks) {
            run.last = graph->n_rows;
        }
        for (run.from = 0; run.from < dim; run.from += run.width) {
            run.width = dim - run.from < paths.float_strip ? dim - run.from : paths.float_strip;
            paths.float_run(&run, x, row_scale, y, sum);
        }
    }
}

void hn_propagate_fixed_cpu(const HnCsr *graph, const int32_t *x, int64_t *y, int dim) {
    const Paths paths = paths_choose();
    const int64_t n_chunks = (int64_t)chunks_for(graph, dim);
#pragma omp parallel for schedule(dynamic, 1) if (n_chunks > 1)
    for (int64_t c = 0; c < n_chunks; c++) {
        Run run = {graph,
                   chunk_start(graph, (uint64_t)c, (uint64_t)n_chunks),
                   chunk_start(graph, (uint64_t)c + 1, (uint64_t)n_chunks),
                   dim,
                   0,
                   0};
        if (c + 1 == n_chunks) {
            run.last = graph->n_rows;
        }
        for (run.from = 0; run.from < dim; run.from += run.width) {
            run.width = dim - run.from < paths.fixed_strip ? dim - run.from : paths.fixed_strip;
            paths.fixed_run(&run, x, y);
        }
    }
}
