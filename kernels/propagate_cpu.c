/* A row's sum stays in registers over all its edges: strips of up to 128 columns, whose vector count is a constant in
 * each instance of the row loop. The rows that the next edges name are prefetched across row ends, since columns of
 * neighbouring rows lie side by side. Rows are dealt to threads in runs of about equal edge count. */
#include <math.h>
#include <omp.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "cpu.h"
#include "fixed_private.h"
#include "propagate_paths.h"

enum {
    ROW_COST = 4,         /* what a row costs beside its edges, in edges */
    CHUNKS_A_THREAD = 16, /* fine enough that the last chunk is short */
};

/* The path's strip functions and the widest strip they take. */
typedef struct Paths {
    HnFloatRun *float_run;
    HnFixedRun *fixed_run;
    int float_strip, fixed_strip;
} Paths;

/* ---- any processor: the compiler's own vectors over strips of 16 ---- */

static void float_run_scalar(const HnPropagateRun *run, const float *x, const float *row_scale, float *y, float *sum) {
    const HnCsr *graph = run->graph;
    size_t dim = (size_t)run->dim, width = (size_t)run->width;
    for (uint64_t r = run->first; r < run->last; r++) {
        float total[16] = {0};
        for (uint64_t e = graph->offsets[r]; e < graph->offsets[r + 1]; e++) {
            const float *row = x + (size_t)graph->columns[e] * dim + run->from;
            if (graph->column_scale == NULL) {
                for (size_t d = 0; d < width; d++) {
                    total[d] += row[d];
                }
                continue;
            }
            const float weight = graph->column_scale[graph->columns[e]];
            for (size_t d = 0; d < width; d++) {
                total[d] = fmaf(weight, row[d], total[d]);
            }
        }
        float scale = row_scale != NULL ? row_scale[r] : 1.0f;
        size_t at = (size_t)r * dim + (size_t)run->from;
        float *into = y + (size_t)(r - run->y_first) * dim + run->from;
        for (size_t d = 0; d < width; d++) {
            float value = scale * total[d];
            into[d] = value;
            if (sum != NULL) {
                sum[at + d] += value;
            }
        }
    }
}

static void fixed_run_scalar(const HnPropagateRun *run, const float *x, int64_t *y) {
    const HnCsr *graph = run->graph;
    size_t dim = (size_t)run->dim, width = (size_t)run->width;
    for (uint64_t r = run->first; r < run->last; r++, y += width) {
        memset(y, 0, width * sizeof *y);
        for (uint64_t e = graph->offsets[r]; e < graph->offsets[r + 1]; e++) {
            const float *row = x + (size_t)graph->columns[e] * dim + run->from;
            const float weight = graph->column_scale != NULL ? graph->column_scale[graph->columns[e]] : 1.0f;
            for (size_t d = 0; d < width; d++) {
                y[d] += lrintf(weight * row[d] * run->factor * run->factor_after);
            }
        }
    }
}

static const Paths PLAIN = {float_run_scalar, fixed_run_scalar, 16, 16};

static Paths paths_choose(void) {
#if HN_X86
    if (hn_cpu_path() == HN_CPU_AVX512) {
        return (Paths){hn_propagate_float_avx512, hn_propagate_fixed_avx512, HN_FLOAT_STRIP_AVX512,
                       HN_FIXED_STRIP_AVX512};
    }
    if (hn_cpu_path() == HN_CPU_AVX2) {
        return (Paths){hn_propagate_float_avx2, hn_propagate_fixed_avx2, HN_FLOAT_STRIP_AVX2, HN_FIXED_STRIP_AVX2};
    }
#endif
    return PLAIN;
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

/* The c-th of n runs. */
static HnPropagateRun run_at(const HnCsr *graph, int64_t c, int64_t n, int dim) {
    return (HnPropagateRun){
        .graph = graph,
        .first = chunk_start(graph, (uint64_t)c, (uint64_t)n),
        .last = c + 1 == n ? graph->n_rows : chunk_start(graph, (uint64_t)c + 1, (uint64_t)n),
        .dim = dim,
    };
}

static int strip_width(const HnPropagateRun *run, int strip) {
    return run->dim - run->from < strip ? run->dim - run->from : strip;
}

/* One propagation: what is added up, how, and where rows go. */
typedef struct Job {
    Paths paths;
    bool fixed;
    const float *x, *row_scale;
    float *y, *sum;
    int64_t *totals;                        /* fixed: [n_rows][dim] sums as they are; NULL: back to floats */
    float factor, factor_after, factors[2]; /* fixed: see HnPropagateRun; those of -shift */
} Job;

static void float_rows(const Job *job, HnPropagateRun *run, float *rows) {
    for (run->from = 0; run->from < run->dim; run->from += run->width) {
        run->width = strip_width(run, job->paths.float_strip);
        job->paths.float_run(run, job->x, job->row_scale, rows, job->sum);
    }
}

/* Strip by strip through a block of sums, to where they are wanted. */
static void fixed_rows(const Job *job, HnPropagateRun *run, float *rows) {
    int64_t strip[HN_ROWS_AT_ONCE * HN_FIXED_STRIP];
    for (run->from = 0; run->from < run->dim; run->from += run->width) {
        run->width = strip_width(run, job->paths.fixed_strip);
        if (job->totals != NULL && run->width == run->dim) { /* one strip: rows lie as they do in totals */
            job->paths.fixed_run(run, job->x, job->totals + run->first * (uint64_t)run->dim);
            continue;
        }
        job->paths.fixed_run(run, job->x, strip);
        for (uint64_t r = run->first; r < run->last; r++) {
            const int64_t *from = strip + (r - run->first) * (uint64_t)run->width;
            const size_t at = (size_t)r * (size_t)run->dim + (size_t)run->from;
            if (job->totals != NULL) {
                memcpy(job->totals + at, from, (size_t)run->width * sizeof *from);
                continue;
            }
            hn_fixed_row_to_float(from, job->factors, job->row_scale != NULL ? job->row_scale[r] : 1.0f,
                                  rows + (size_t)(r - run->y_first) * (size_t)run->dim + run->from,
                                  job->sum != NULL ? job->sum + at : NULL, (uint64_t)run->width);
        }
    }
}

/* All rows, by all threads; a few at a time where somebody is told of them, or sums go through a block. */
static void propagate(const HnCsr *graph, int dim, const Job *job, const HnRowsDone *done, float *window) {
    const int64_t n_chunks = (int64_t)chunks_for(graph, dim);
#pragma omp parallel for schedule(dynamic, 1) if (n_chunks > 1)
    for (int64_t c = 0; c < n_chunks; c++) {
        HnPropagateRun run = run_at(graph, c, n_chunks, dim);
        const uint64_t last = run.last, step = done != NULL || job->fixed ? HN_ROWS_AT_ONCE : last;
        float *rows = window != NULL ? window + (size_t)omp_get_thread_num() * HN_ROWS_AT_ONCE * (size_t)dim : job->y;
        run.factor = job->factor;
        run.factor_after = job->factor_after;
        for (; run.first < last; run.first = run.last) {
            run.last = last - run.first < step ? last : run.first + step;
            run.y_first = window != NULL ? run.first : 0;
            if (job->fixed) {
                fixed_rows(job, &run, rows);
            } else {
                float_rows(job, &run, rows);
            }
            if (done != NULL) {
                done->rows(done->context, run.first, run.last, rows + (run.first - run.y_first) * (uint64_t)dim);
            }
        }
    }
}

void hn_propagate_rows_cpu(const HnCsr *graph, const float *x, const float *row_scale, float *y, float *sum, int dim,
                           const HnRowsDone *done, float *window) {
    const Job job = {.paths = paths_choose(), .x = x, .row_scale = row_scale, .y = y, .sum = sum};
    propagate(graph, dim, &job, done, window);
}

void hn_propagate_cpu(const HnCsr *graph, const float *x, const float *row_scale, float *y, float *sum, int dim) {
    hn_propagate_rows_cpu(graph, x, row_scale, y, sum, dim, NULL, NULL);
}

uint64_t hn_propagate_window(int dim) {
    return (uint64_t)omp_get_max_threads() * HN_ROWS_AT_ONCE * (uint64_t)dim;
}

void hn_rows_done_cpu(const HnRowsDone *done, float *values, uint64_t n_rows, int dim) {
    const int64_t n_runs = (int64_t)((n_rows + HN_ROWS_AT_ONCE - 1) / HN_ROWS_AT_ONCE);
#pragma omp parallel for schedule(static) if (n_runs > 1)
    for (int64_t r = 0; r < n_runs; r++) {
        const uint64_t first = (uint64_t)r * HN_ROWS_AT_ONCE;
        done->rows(done->context, first, n_rows - first < HN_ROWS_AT_ONCE ? n_rows : first + HN_ROWS_AT_ONCE,
                   values + first * (uint64_t)dim);
    }
}

/* Where 2^shift is no float, or a product may be denormal before it is scaled up, two factors in turn. */
static Job fixed_job(const float *x, int shift) {
    const bool far_out = shift <= -100 || shift >= 100;
    Job job = {.paths = far_out ? PLAIN : paths_choose(), .fixed = true, .x = x};
    float factors[2];
    hn_fixed_factors(shift, factors);
    job.factor = far_out ? factors[0] : factors[0] * factors[1];
    job.factor_after = far_out ? factors[1] : 1.0f;
    hn_fixed_factors(-shift, job.factors);
    return job;
}

void hn_propagate_fixed_cpu(const HnCsr *graph, const float *x, int shift, int64_t *y, int dim) {
    Job job = fixed_job(x, shift);
    job.totals = y;
    propagate(graph, dim, &job, NULL, NULL);
}

void hn_propagate_exact_rows_cpu(const HnCsr *graph, const float *x, int shift, const float *row_scale, float *y,
                                 float *sum, int dim, const HnRowsDone *done, float *window) {
    Job job = fixed_job(x, shift);
    job.row_scale = row_scale;
    job.y = y;
    job.sum = sum;
    propagate(graph, dim, &job, done, window);
}
