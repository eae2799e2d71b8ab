/* A task is a key head of a segment and some of the lines (query row, head of the group) that use it. Pages go by in
 * order; while one is in the nearest cache, all lines of the task meet it: scores and what they weigh are two small
 * products (`dense`), whose elements are the reference's chains, so no split changes a bit. */
#include "attention.h"

#include <float.h>
#include <math.h>
#include <omp.h>
#include <string.h>

#include "attention_private.h"
#include "cpu.h"
#include "cpu_target.h"
#include "dense.h"
#include "exp.h"

enum {
    MOST_LINES = 48, /* of a task: its queries, scores and sums stay in the nearest caches */
    MOST_DIM = 256,
    WORTH_THREADS = 1 << 16 /* multiply-adds */
};

typedef struct Attention {
    const HnAttention *shape;
    const HnKvPages *pages;
    const HnAttentionSegment *segments;
    const float *q;
    float *out;
    int64_t ldq, ldo;
    int group;       /* query heads of a key head */
    int rows, heads; /* of a task, at most: rows * heads lines */
} Attention;

typedef struct Task {
    const HnAttentionSegment *segment;
    int64_t row0, row1; /* of the segment */
    int kv_head, head0, head1;
} Task;

/* The state of a task's lines. */
typedef struct Lines {
    float q[MOST_LINES * MOST_DIM], out[MOST_LINES * MOST_DIM], score[MOST_LINES * HN_KV_PAGE];
    float most[MOST_LINES], sum[MOST_LINES];
} Lines;

static int64_t lower(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* Where a line lies in rows of ld floats. */
static int64_t line_at(const Attention *a, const Task *task, int64_t line, int64_t ld) {
    const int64_t heads = task->head1 - task->head0, row = task->segment->first_row + task->row0 + line / heads;
    return row * ld + ((int64_t)task->kv_head * a->group + task->head0 + line % heads) * a->shape->head_dim;
}

/* Scaled scores less their running maximum, ready for the exponential; before: what to the maximum so far. */
HN_INLINE void scores_shift(float scale, HnAttentionSpan seen, float *score, float *most, float *before) {
    float tree[HN_KV_PAGE];
    for (int i = 0; i < HN_KV_PAGE; i++) {
        score[i] = i >= seen.first && i < seen.end ? scale * score[i] : -FLT_MAX;
        tree[i] = score[i];
    }
#pragma GCC unroll 5
    for (int apart = HN_KV_PAGE / 2; apart >= 1; apart /= 2) {
        for (int i = 0; i < apart; i++) {
            tree[i] = tree[i + apart] > tree[i] ? tree[i + apart] : tree[i];
        }
    }
    const float now = tree[0] > *most ? tree[0] : *most;
    for (int i = 0; i < HN_KV_PAGE; i++) {
        score[i] -= now;
    }
    *before = *most - now;
    *most = now;
}

/* Exponentials to weights; what was summed so far shrinks by `before`. */
HN_INLINE void weights_add(HnAttentionSpan seen, float before, int64_t dim, float *score, float *sum, float *out) {
    float tree[HN_KV_PAGE];
    for (int i = 0; i < HN_KV_PAGE; i++) {
        score[i] = i >= seen.first && i < seen.end ? score[i] : 0.0f;
        tree[i] = score[i];
    }
#pragma GCC unroll 5
    for (int apart = HN_KV_PAGE / 2; apart >= 1; apart /= 2) {
        for (int i = 0; i < apart; i++) {
            tree[i] += tree[i + apart];
        }
    }
    *sum = fmaf(*sum, before, tree[0]);
    if (before < 1.0f) {
        for (int64_t d = 0; d < dim; d++) {
            out[d] *= before;
        }
    }
}

/* Both, for a page and all lines of a task; compiled for each path. */
typedef void PageWeigh(const Attention *a, const Task *task, int64_t page, int64_t n_lines, Lines *lines);

HN_INLINE void page_weigh(const Attention *a, const Task *task, int64_t page, int64_t n_lines, Lines *lines) {
    const int64_t heads = task->head1 - task->head0, position0 = task->segment->position0 + task->row0;
    float before[MOST_LINES];
    for (int64_t line = 0; line < n_lines; line++) {
        const HnAttentionSpan seen = hn_attention_span(a->shape, task->segment, position0 + line / heads, page);
        scores_shift(a->shape->scale, seen, lines->score + line * HN_KV_PAGE, &lines->most[line], &before[line]);
    }
    hn_exp_cpu(lines->score, (uint64_t)(n_lines * HN_KV_PAGE), 1.0f, 0.0f);
    hn_exp_cpu(before, (uint64_t)n_lines, 1.0f, 0.0f);
    for (int64_t line = 0; line < n_lines; line++) {
        const HnAttentionSpan seen = hn_attention_span(a->shape, task->segment, position0 + line / heads, page);
        weights_add(seen, before[line], a->shape->head_dim, lines->score + line * HN_KV_PAGE, &lines->sum[line],
                    lines->out + line * a->shape->head_dim);
    }
}

static void page_weigh_scalar(const Attention *a, const Task *task, int64_t page, int64_t n_lines, Lines *lines) {
    page_weigh(a, task, page, n_lines, lines);
}
#if HN_X86
HN_AVX2 static void page_weigh_avx2(const Attention *a, const Task *task, int64_t page, int64_t n_lines, Lines *lines) {
    page_weigh(a, task, page, n_lines, lines);
}
HN_AVX512 static void page_weigh_avx512(const Attention *a, const Task *task, int64_t page, int64_t n_lines,
                                        Lines *lines) {
    page_weigh(a, task, page, n_lines, lines);
}
#endif

static PageWeigh *page_weigh_now(void) {
#if HN_X86
    if (hn_cpu_path() == HN_CPU_AVX512) {
        return page_weigh_avx512;
    }
    if (hn_cpu_path() == HN_CPU_AVX2) {
        return page_weigh_avx2;
    }
#endif
    return page_weigh_scalar;
}

static void page_run(const Attention *a, const Task *task, PageWeigh *weigh, int64_t page, int64_t n_lines,
                     Lines *lines) {
    const int64_t dim = a->shape->head_dim, position0 = task->segment->position0;
    const int64_t at = (task->segment->pages[page] * (int64_t)a->shape->n_kv_heads + task->kv_head) * dim * HN_KV_PAGE;
    /* The keys that any line sees: later rows see later ones. */
    const int first = hn_attention_span(a->shape, task->segment, position0 + task->row0, page).first;
    const int end = hn_attention_span(a->shape, task->segment, position0 + task->row1 - 1, page).end;
    hn_dense_cpu(n_lines, HN_KV_PAGE, dim, (HnDenseLeft){lines->q, dim, 1}, a->pages->keys + at, HN_KV_PAGE, false,
                 lines->score, HN_KV_PAGE);
    weigh(a, task, page, n_lines, lines);
    hn_dense_cpu(n_lines, dim, end - first, (HnDenseLeft){lines->score + first, HN_KV_PAGE, 1},
                 a->pages->values + at + first * dim, dim, true, lines->out, dim);
}

static void task_run(const Attention *a, const Task *task, PageWeigh *weigh) {
    Lines lines;
    const HnAttention *shape = a->shape;
    const int64_t dim = shape->head_dim, n_lines = (task->row1 - task->row0) * (task->head1 - task->head0);
    const int64_t from = task->segment->position0 + task->row0 + 1 - shape->window;
    const int64_t end =
        lower(task->segment->n_keys, shape->causal ? task->segment->position0 + task->row1 : task->segment->n_keys);
    for (int64_t line = 0; line < n_lines; line++) {
        memcpy(lines.q + line * dim, a->q + line_at(a, task, line, a->ldq), (size_t)dim * sizeof(float));
        lines.most[line] = -FLT_MAX;
        lines.sum[line] = 0.0f;
    }
    memset(lines.out, 0, (size_t)(n_lines * dim) * sizeof(float));
    for (int64_t page = shape->causal && shape->window > 0 && from > 0 ? from / HN_KV_PAGE : 0; page * HN_KV_PAGE < end;
         page++) {
        page_run(a, task, weigh, page, n_lines, &lines);
    }
    for (int64_t line = 0; line < n_lines; line++) {
        float *out = a->out + line_at(a, task, line, a->ldo);
        for (int64_t d = 0; d < dim; d++) {
            out[d] = lines.sum[line] > 0.0f ? lines.out[line * dim + d] / lines.sum[line] : 0.0f;
        }
    }
}

/* Task number t of n_chunks for every segment, key head and part of its group; later rows, which see most, first. */
static void task_number(const Attention *a, int64_t t, int64_t n_chunks, PageWeigh *weigh) {
    const int64_t parts = (a->group + a->heads - 1) / a->heads, part = t % parts;
    const int64_t kv_head = t / parts % a->shape->n_kv_heads, left = t / parts / a->shape->n_kv_heads;
    const int64_t chunk = n_chunks - 1 - left % n_chunks;
    const HnAttentionSegment *segment = &a->segments[left / n_chunks];
    if (chunk * a->rows >= segment->n_rows) {
        return;
    }
    const Task task = {.segment = segment,
                       .row0 = chunk * a->rows,
                       .row1 = lower((chunk + 1) * a->rows, segment->n_rows),
                       .kv_head = (int)kv_head,
                       .head0 = (int)part * a->heads,
                       .head1 = (int)lower((part + 1) * a->heads, a->group)};
    task_run(a, &task, weigh);
}

void hn_attention_cpu(const HnAttention *attention, const HnKvPages *pages, const HnAttentionSegment *segments,
                      int64_t n_segments, const float *q, int64_t ldq, float *out, int64_t ldo) {
    if (attention->head_dim > MOST_DIM) {
        hn_attention_ref(attention, pages, segments, n_segments, q, ldq, out, ldo);
        return;
    }
    Attention a = {
        .shape = attention, .pages = pages, .segments = segments, .q = q, .out = out, .ldq = ldq, .ldo = ldo};
    int64_t n_lines = 0, longest = 0;
    double work = 0.0;
    a.group = attention->n_heads / attention->n_kv_heads;
    for (int64_t s = 0; s < n_segments; s++) {
        n_lines += (int64_t)segments[s].n_rows * attention->n_heads;
        longest = segments[s].n_rows > longest ? segments[s].n_rows : longest;
        work += (double)segments[s].n_rows * segments[s].n_keys * attention->n_heads * attention->head_dim;
    }
    /* A few lines a task where there are few in all, so that every thread gets some. */
    const int64_t share = n_lines / omp_get_max_threads() + 1;
    a.heads = (int)lower(a.group, lower(MOST_LINES, share));
    a.rows = (int)(lower(MOST_LINES, share) / a.heads);
    const int64_t n_chunks = (longest + a.rows - 1) / a.rows, parts = (a.group + a.heads - 1) / a.heads;
    const int64_t n_tasks = n_segments * n_chunks * attention->n_kv_heads * parts;
    PageWeigh *weigh = page_weigh_now();
#pragma omp parallel for schedule(dynamic, 1) if (work > WORTH_THREADS)
    for (int64_t t = 0; t < n_tasks; t++) {
        task_number(&a, t, n_chunks, weigh);
    }
}
