/* bench_kernels NAME GRAPH.txt LABEL [PEER_COMMAND]: one kernel benchmark, one line. GRAPH "-" makes a stand-in of
 * LABEL's size. NAME head prints the table's head, floors the machine's floors, graph-write writes the graph to the
 * file that stands in place of the command. */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adam.h"
#include "base/alloc.h"
#include "bench.h"
#include "cpu.h"
#include "fixed.h"
#include "gemm.h"
#include "propagate.h"
#include "rank.h"

enum { DIM = 64, K = 20, RANKED_USERS = 20899 };

typedef struct Work {
    const BenchGraph *graph;
    float *users, *items, *users_out, *items_out, *scale;
    int32_t *fixed;
    int64_t *totals;
    int32_t *top;
    uint64_t n_ranked, step;
    BenchPeer *peer;
} Work;

static void propagate_both(void *context) {
    Work *w = context;
    hn_propagate_cpu(&w->graph->users, w->items, w->scale, w->users_out, NULL, DIM);
    hn_propagate_cpu(&w->graph->items, w->users, w->scale, w->items_out, NULL, DIM);
}

static void propagate_items_fixed(void *context) {
    Work *w = context;
    hn_propagate_fixed_cpu(&w->graph->items, w->users, hn_fixed_shift(1.0f), w->totals, DIM);
    hn_fixed_to_float_cpu(w->totals, hn_fixed_shift(1.0f), w->scale, w->items_out, NULL, w->graph->items.n_rows, DIM);
}

static void propagate_items(void *context) {
    Work *w = context;
    hn_propagate_cpu(&w->graph->items, w->users, w->scale, w->items_out, NULL, DIM);
}

static void fixed_sums(void *context) {
    Work *w = context;
    hn_propagate_fixed_cpu(&w->graph->items, w->users, hn_fixed_shift(1.0f), w->totals, DIM);
}

static void adam_all(void *context) {
    Work *w = context;
    const uint64_t n = w->graph->users.n_rows * DIM;
    hn_adam_cpu(w->users, w->users_out, (float *)w->totals, (float *)w->fixed, n, 1e-3, ++w->step);
}

static void rank_all(void *context) {
    Work *w = context;
    (void)hn_rank_cpu(w->users, w->n_ranked, w->items, w->graph->items.n_rows, DIM, w->graph->user_offsets,
                      w->graph->user_items, K, w->top, NULL, NULL);
}

static void bench_propagate(Work *w, BenchLine *line) {
    const BenchTime time = bench_time(propagate_both, w, 20, 1.0);
    const double bytes = 2.0 * (double)w->graph->n_pairs * DIM * sizeof(float);
    const double users_gbs = bench_gather_gbs(&w->graph->users), items_gbs = bench_gather_gbs(&w->graph->items);
    const double floor_seconds = bytes / 2.0 * 1e-9 * (1.0 / users_gbs + 1.0 / items_gbs);
    line->ours_ms = 1e3 * time.median;
    line->share = floor_seconds / time.best;
    line->floor = "bare gathers";
    snprintf(line->note, sizeof line->note, "%s, both halves, %.1f GB/s gathered, floor %.1f", w->graph->label,
             bytes / time.best * 1e-9, bytes / floor_seconds * 1e-9);
}

static void bench_fixed(Work *w, BenchLine *line) {
    const BenchTime time = bench_time(propagate_items_fixed, w, 20, 1.0);
    const double sums = bench_time(fixed_sums, w, 20, 1.0).best, floats = bench_time(propagate_items, w, 20, 1.0).best;
    line->ours_ms = 1e3 * time.median;
    line->share = floats / time.best;
    line->floor = "the float item half";
    snprintf(line->note, sizeof line->note, "%s, item half; sums alone %.3f ms, in floats %.3f ms", w->graph->label,
             1e3 * sums, 1e3 * floats);
}

static void bench_adam(Work *w, BenchLine *line) {
    const BenchTime time = bench_time(adam_all, w, 20, 1.0);
    const double stream = bench_stream_gbs();
    const double bytes = 7.0 * (double)w->graph->users.n_rows * DIM * sizeof(float);
    line->ours_ms = 1e3 * time.median;
    line->share = bytes / time.best * 1e-9 / stream;
    line->floor = "the stream rate";
    snprintf(line->note, sizeof line->note, "%llu x 64, %.1f GB/s, DRAM stream %.1f",
             (unsigned long long)w->graph->users.n_rows, bytes / time.best * 1e-9, stream);
}

static void bench_rank(Work *w, BenchLine *line) {
    const BenchTime time = bench_time_beside(rank_all, w, 5, 3.0, w->peer);
    const uint64_t n_items = w->graph->items.n_rows;
    const double flops = 2.0 * (double)w->n_ranked * (double)n_items * DIM;
    const double product = bench_product_gflops(false, true, (int64_t)w->n_ranked, (int64_t)n_items, DIM);
    const double square = bench_product_gflops(false, false, 2048, 2048, 2048);
    line->ours_ms = 1e3 * time.median;
    line->peer_ms = bench_peer_ms(w->peer);
    line->goal = 4.0;
    line->share = flops / time.best * 1e-9 / square;
    line->share_goal = 0.5;
    line->floor = "the 2048^3 product";
    snprintf(line->note, sizeof line->note, "%s, %sas %.0f GFLOP/s; product of this shape %.0f, of 2048^3 %.0f",
             w->graph->label, hn_cpu_has_vnni() ? "screened in bytes (VNNI), " : "", flops / time.best * 1e-9, product,
             square);
}

static HnStatus work_create(Work *w, const BenchGraph *graph, HnError *err) {
    const uint64_t n_users = graph->users.n_rows, n_items = graph->items.n_rows;
    *w = (Work){.graph = graph, .n_ranked = n_users < RANKED_USERS ? n_users : RANKED_USERS};
    const uint64_t larger = n_users > n_items ? n_users : n_items;
    w->users = bench_floats(n_users * DIM, err);
    w->items = bench_floats(n_items * DIM, err);
    w->users_out = bench_floats(n_users * DIM, err);
    w->items_out = bench_floats(n_items * DIM, err);
    w->scale = bench_floats(larger, err);
    w->fixed = hn_alloc(n_users * DIM, sizeof(int32_t), "fixed-point rows", err);
    w->totals = hn_alloc(larger * DIM, sizeof(int64_t), "integer sums", err);
    w->top = hn_alloc(w->n_ranked * K, sizeof(int32_t), "ranked items", err);
    return w->users && w->items && w->users_out && w->items_out && w->scale && w->fixed && w->totals && w->top
               ? HN_OK
               : HN_MEMORY;
}

static void work_free(Work *w) {
    hn_free(w->users);
    hn_free(w->items);
    hn_free(w->users_out);
    hn_free(w->items_out);
    hn_free(w->scale);
    hn_free(w->fixed);
    hn_free(w->totals);
    hn_free(w->top);
}

static HnStatus graph_open(const char *path, const char *label, BenchGraph *graph, HnError *err) {
    if (strcmp(path, "-") != 0) {
        return bench_graph_read(path, label, graph, err);
    }
    return strcmp(label, "yelp2018") == 0 ? bench_graph_make(31668, 38048, 1237259, label, graph, err)
                                          : bench_graph_make(27879, 10429, 155163, label, graph, err);
}

static HnStatus run(int argc, char **argv, HnError *err) {
    static const struct {
        const char *name;
        void (*bench)(Work *work, BenchLine *line);
    } benches[] = {{"propagate", bench_propagate}, {"fixed", bench_fixed}, {"adam", bench_adam}, {"rank", bench_rank}};
    BenchGraph graph = {0};
    Work work = {0};
    HnStatus status = graph_open(argv[2], argv[3], &graph, err);
    if (status == HN_OK && strcmp(argv[1], "graph-write") == 0) {
        status = bench_graph_write(&graph, argv[4], err);
    } else if (status == HN_OK && (status = work_create(&work, &graph, err)) == HN_OK) {
        for (size_t i = 0; i < sizeof benches / sizeof benches[0]; i++) {
            if (strncmp(argv[1], benches[i].name, strlen(benches[i].name)) == 0) {
                BenchLine line = {.name = argv[1]};
                work.peer = bench_peer_start(argc > 4 ? argv[4] : NULL);
                benches[i].bench(&work, &line);
                bench_line_print(&line);
                bench_peer_stop(work.peer);
            }
        }
    }
    work_free(&work);
    bench_graph_free(&graph);
    return status;
}

int main(int argc, char **argv) {
    HnError err = HN_ERROR_INIT;
    if (argc == 2 && strcmp(argv[1], "head") == 0) {
        bench_line_head();
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "floors") == 0) {
        printf("floors of this machine (%s, %d threads): stream %.1f GB/s, product 2048^3 %.0f GFLOP/s with %s\n",
               hn_cpu_path_name(hn_cpu_path()), omp_get_max_threads(), bench_stream_gbs(),
               bench_product_gflops(false, false, 2048, 2048, 2048), hn_gemm_library());
        return 0;
    }
    if (argc < 4 || run(argc, argv, &err) != HN_OK) {
        fprintf(stderr, "bench_kernels: %s\n", argc < 4 ? "usage: NAME GRAPH|- LABEL [PEER_MS]" : err.message);
        return 1;
    }
    return 0;
}
