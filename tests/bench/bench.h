/* What the benches share: graphs, time, the machine's floors, and the one line that each benchmark prints. */
#ifndef HN_BENCH_H
#define HN_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "propagate.h"

/* ---- graph.c: a user-item graph in both directions ---- */
typedef struct BenchGraph {
    char label[64]; /* "phone", or "synthetic, as large as phone" */
    HnCsr users, items;
    uint64_t *user_offsets, *item_offsets;
    int32_t *user_items, *item_users;
    uint64_t n_pairs;
} BenchGraph;

/* Reads LightGCN lists ("user item item ..."). */
HnStatus bench_graph_read(const char *path, const char *label, BenchGraph *graph, HnError *err);
/* A stand-in with given counts: item popularity falls as rank^-0.8, user degrees vary, the same graph every time. */
HnStatus bench_graph_make(uint64_t n_users, uint64_t n_items, uint64_t n_pairs, const char *like, BenchGraph *graph,
                          HnError *err);
/* Writes it as LightGCN lists, for the peers. */
HnStatus bench_graph_write(const BenchGraph *graph, const char *path, HnError *err);
void bench_graph_free(BenchGraph *graph);

/* ---- clock.c: time ---- */

/* Seconds. Ratios to peers compare medians. Shares of a floor compare the best of both: what else runs on the machine
 * for a moment must not count as distance. */
typedef struct BenchTime {
    double best, median, mean;
} BenchTime;

/* Runs work(context) once to warm up, then at least `least` times and until `seconds` have passed. */
BenchTime bench_time(void (*work)(void *context), void *context, int least, double seconds);
double bench_median(double *times, int n); /* sorts them */

/* ---- peer.c: a peer that takes turns with us ---- */
#define BENCH_TURN_SECONDS 0.5
typedef struct BenchPeer BenchPeer;
BenchPeer *bench_peer_start(const char *command); /* NULL: no peer, for every call below */
void bench_peer_turn(BenchPeer *peer);            /* it works for about as long as a turn of ours */
double bench_peer_ms(BenchPeer *peer);            /* the median of its times so far; 0 = none */
void bench_peer_forget(BenchPeer *peer);          /* those times */
double bench_peak_gb(const BenchPeer *peer);      /* most memory that the peer has held so far; NULL: we ourselves */
void bench_peer_stop(BenchPeer *peer);
/* bench_time, in turns with the peer. */
BenchTime bench_time_beside(void (*work)(void *context), void *context, int least, double seconds, BenchPeer *peer);
float *bench_floats(uint64_t n, HnError *err); /* filled with -1 .. 1; hn_free it */

/* ---- floors.c: what this machine can do, measured now ---- */

double bench_stream_gbs(void);               /* read + write over 256 MiB, all threads */
double bench_gather_gbs(const HnCsr *graph); /* rows of 64 floats, fetched in the graph's order, summed and dropped */
/* hn_gemm on all threads, the best of several. */
double bench_product_gflops(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k);

/* ---- machine.c: floors for rounds beside the work measured, all threads ---- */
/* Seconds; with one thread those that it ran, so that a busy machine counts less. */
double bench_own_seconds(void);
typedef struct BenchFloor BenchFloor;
BenchFloor *bench_floor_multiply_adds(void);       /* floats that stay in registers */
BenchFloor *bench_floor_narrow(void);              /* the same with bf16, in pairs or, with AMX, tiles */
BenchFloor *bench_floor_read(void);                /* 256 MiB read and dropped */
double bench_floor_run(BenchFloor *floor);         /* seconds of one run */
double bench_floor_units(const BenchFloor *floor); /* GFLOP or GB of it; 0: there is no such floor here */

/* ---- views.c ---- */
/* Seconds that a step of SGL takes at the least: three products and one exponential for every row of the batch
 * (n_users, n_items) and every row of its side, and propagation over the whole graph and both views, forward and
 * backward. */
double bench_views_floor(const HnCsr *users, const HnCsr *items, int layers, uint64_t n_users, uint64_t n_items);

/* ---- line.c: the result ---- */
typedef struct BenchLine {
    const char *name;
    double ours_ms;
    double peer_ms;    /* 0 = no peer in this run */
    const char *peer;  /* what the peer is */
    double goal;       /* least ratio peer / ours; 0 = none */
    double share;      /* of the floor: 1 = at the floor; 0 = not measured */
    double share_goal; /* least share; 0 = none */
    const char *floor; /* what the share is of */
    char note[160];    /* anything else, e.g. which graph */
} BenchLine;

void bench_line_head(void);
void bench_line_print(const BenchLine *line);

#endif
