/* bench_linear NAME [PEER_COMMAND]: products of a language model's layer, one line. NAME: linear-TYPE-prefill (512
 * rows, GFLOP/s beside the machine's multiply-add peak) or linear-TYPE-decode-M (M rows, weights read per second beside
 * the read-only stream). Shapes: Qwen2-0.5B. */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bench.h"
#include "cpu.h"
#include "linear.h"

enum { N_SHAPES = 4, PREFILL = 512, MOST_LAYERS = 64, WIDEST = 9728 };
static const int64_t shapes[N_SHAPES][2] = {{1152, 896}, {896, 896}, {9728, 896}, {896, 4864}}; /* outputs, inputs */

typedef struct Work {
    HnWeight layers[MOST_LAYERS][N_SHAPES];
    int n_layers;
    int64_t m;
    float *x, *y;
    void *scratch;
} Work;

static double weights_a_layer(void) {
    double n = 0.0;
    for (int s = 0; s < N_SHAPES; s++) {
        n += (double)shapes[s][0] * (double)shapes[s][1];
    }
    return n;
}

static void step(void *context) {
    Work *w = context;
    for (int layer = 0; layer < w->n_layers; layer++) {
        for (int s = 0; s < N_SHAPES; s++) {
            const HnWeight *weight = &w->layers[layer][s];
            hn_linear_cpu(weight, NULL, w->m, w->x, weight->k, false, w->y, weight->n, w->scratch);
        }
    }
}

/* Every layer holds the same numbers in memory of its own. */
static HnStatus weights_make(Work *w, HnWeightType type, HnError *err) {
    for (int s = 0; s < N_SHAPES; s++) {
        const int64_t n = shapes[s][0], k = shapes[s][1];
        const size_t n_bytes = hn_weight_bytes(type, n, k);
        float *rows = bench_floats((uint64_t)(n * k), err);
        for (int layer = 0; layer < w->n_layers && rows != NULL; layer++) {
            w->layers[layer][s] = (HnWeight){type, n, k, hn_alloc(n_bytes, 1, "weights", err)};
            if (w->layers[layer][s].bytes == NULL) {
                hn_free(rows);
                return HN_MEMORY;
            }
            if (layer == 0) {
                hn_weight_pack(&w->layers[0][s], HN_ELEMENT_F32, rows, 0, n);
            } else {
                memcpy(w->layers[layer][s].bytes, w->layers[0][s].bytes, n_bytes);
            }
        }
        if (rows == NULL) {
            return HN_MEMORY;
        }
        hn_free(rows);
    }
    return HN_OK;
}

static double bytes_a_step(const Work *w) {
    double n_bytes = 0.0;
    for (int s = 0; s < N_SHAPES; s++) {
        n_bytes += (double)hn_weight_bytes(w->layers[0][s].type, shapes[s][0], shapes[s][1]);
    }
    return n_bytes * w->n_layers;
}

/* Rounds of one step and one run of the floor, so that what else the machine does meets both; the peer takes its turns
 * between. share: the median of the rounds' ratios. */
static void beside_floor(Work *w, BenchFloor *floor, double units, BenchPeer *peer, BenchLine *line) {
    enum { LEAST = 15, MOST = 400 };
    const double seconds = 4.0;
    double ours[MOST], shares[MOST], best = 0.0, best_floor = 0.0, spent = 0.0, turn = 0.0;
    int n = 0;
    bench_peer_turn(peer);
    bench_peer_forget(peer);
    step(w);
    (void)bench_floor_run(floor);
    for (; n < MOST && (n < LEAST || spent < seconds); n++) {
        const double start = bench_own_seconds();
        step(w);
        ours[n] = bench_own_seconds() - start;
        const double floor_rate = bench_floor_units(floor) / bench_floor_run(floor), rate = units / ours[n];
        shares[n] = rate / floor_rate;
        best = rate > best ? rate : best;
        best_floor = floor_rate > best_floor ? floor_rate : best_floor;
        spent += bench_own_seconds() - start;
        turn += ours[n];
        if (turn >= BENCH_TURN_SECONDS) {
            bench_peer_turn(peer);
            turn = 0.0;
        }
    }
    line->ours_ms = 1e3 * bench_median(ours, n) / w->n_layers;
    line->peer_ms = bench_peer_ms(peer);
    line->share = bench_median(shares, n);
    snprintf(line->note, sizeof line->note, "%s; best %.1f of %.1f G%s/s", hn_linear_path(w->layers[0][0].type), best,
             best_floor, w->n_layers > 1 ? "B" : "FLOP");
}

static void prefill(Work *w, HnWeightType type, BenchPeer *peer, BenchLine *line) {
    const bool narrow = strstr(hn_linear_path(type), "bf16") != NULL;
    BenchFloor *floor = narrow ? bench_floor_narrow() : bench_floor_multiply_adds();
    line->goal = type == HN_WEIGHT_F32 ? 1.15 : 0.0;
    line->floor = narrow ? "bf16 products in registers" : "multiply-adds in registers";
    beside_floor(w, floor, 2e-9 * weights_a_layer() * (double)w->m, peer, line);
}

static void decode(Work *w, HnWeightType type, BenchPeer *peer, BenchLine *line) {
    static const double goals[] = {0.8, 0.8, 0.8, 0.7, 0.5};
    BenchFloor *floor = bench_floor_read();
    line->share_goal = w->m == 1 ? goals[type] : 0.0;
    line->floor = "the read-only stream";
    beside_floor(w, floor, 1e-9 * bytes_a_step(w), peer, line);
}

int main(int argc, char **argv) {
    static Work work;
    HnError err = HN_ERROR_INIT;
    char name[16] = "", kind[16] = "";
    int rows = PREFILL;
    HnWeightType type = HN_WEIGHT_F32;
    if (argc < 2 || sscanf(argv[1], "linear-%15[a-z0-9]-%15[a-z]-%d", name, kind, &rows) < 2 ||
        !hn_weight_type_find(name, &type)) {
        fprintf(stderr, "usage: bench_linear linear-TYPE-prefill|linear-TYPE-decode-ROWS [PEER_COMMAND]\n");
        return 2;
    }
    const bool many = strcmp(kind, "prefill") == 0;
    double layer_bytes = 0.0;
    for (int s = 0; s < N_SHAPES; s++) {
        layer_bytes += (double)hn_weight_bytes(type, shapes[s][0], shapes[s][1]);
    }
    work.n_layers = many ? 1 : (int)(400e6 / layer_bytes) + 1; /* far above every cache */
    work.m = rows;
    work.x = bench_floats((uint64_t)(rows * WIDEST), &err);
    work.y = bench_floats((uint64_t)(rows * WIDEST), &err);
    const HnWeight widest = {type, WIDEST, WIDEST, NULL};
    work.scratch = hn_alloc(hn_linear_scratch_bytes(&widest, rows), 1, "scratch", &err);
    if (work.x == NULL || work.y == NULL || work.scratch == NULL || weights_make(&work, type, &err) != HN_OK) {
        fprintf(stderr, "bench_linear: %s\n", err.message);
        return 1;
    }
    BenchLine line = {.name = argv[1]};
    BenchPeer *peer = bench_peer_start(argc > 2 ? argv[2] : NULL);
    (many ? prefill : decode)(&work, type, peer, &line);
    bench_line_print(&line);
    bench_peer_stop(peer);
    return 0; /* the system takes the memory back */
}
